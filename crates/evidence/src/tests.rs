//! The claims as results and as pages.

use model::campaign::Histograms;
use model::schema::{Claims, FalseDifferences, ResultFile, SCHEMA_VERSION};

use crate::base::Base;
use crate::cost;
use report::claims::explanation;
use report::claims::page::render;
use report::rounds::answer::relation;
use report::rounds::metrics::RESPONSE;
use report::rounds::testing::{Shape, realistic};
use report::rounds::{Analysis, Comparison, table};
use report::{format, testing};

fn page(claims: &Claims) -> String {
    report::claims::page::page(claims, cost::is_one)
}

fn claims() -> Claims {
    let shape = Shape { starts: 4, rounds: 5, ..Shape::default_scenario() };
    let (campaign, none) = (shape.campaign(realistic), Histograms::default());
    let (campaigns, benches) = ([Analysis::of(&campaign, &none)], [testing::bench()]);
    let semantics = testing::semantics();
    let base =
        Base { campaigns: &campaigns, benches: &benches, semantics: Some(&semantics), ..Base::default() };
    Claims {
        schema_version: SCHEMA_VERSION,
        muxbench_version: "0.1.0".to_owned(),
        sources: vec!["a campaign".to_owned()],
        false_differences: Some(FalseDifferences {
            campaigns: 3,
            comparisons: 400,
            different: 3,
            low: 0.0015,
            high: 0.0218,
        }),
        claims: [cost::decide_all(&base), semantics.claims.clone()].concat(),
    }
}

#[test]
fn the_table_has_a_row_for_each_claim_and_fits_a_terminal_of_120_columns() {
    let text = render(&claims());
    for id in cost::ALL.iter().map(|claim| claim.id).chain(["sndlowat"]) {
        assert!(text.contains(&format!("│ {id} ")), "{id} in\n{text}");
    }
    let widths = text.lines().filter(|line| line.starts_with(['│', '├', '┌', '└', '╞']));
    assert!(widths.map(|line| line.chars().count()).all(|width| width <= 120), "{text}");
    assert!(text.contains("many-idle-few-active (§ 6): CONFIRMED"), "{text}");
    assert!(text.contains("to decide it: muxbench run thundering-herd"), "{text}");
}

#[test]
fn the_page_has_every_claim_with_its_verdict_and_an_explanation() {
    let claims = claims();
    let page = page(&claims);
    for claim in &claims.claims {
        let verdict = format!("[{}](#{})", claim.verdict.words(), claim.id);
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", claim.id))).expect("a row");
        assert!(row.contains(&verdict), "{row}");
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
        assert!(page.contains(&format!("\n### {}\n", claim.id)));
    }
    assert!(page.contains("ep_poll_callback"));
}

#[test]
fn table_and_page_say_how_often_a_twin_differed() {
    let mut claims = claims();
    let rate =
        "twins of the reference, over 3 campaigns: 3 of 400 comparisons differ, 0.8% (95% interval 0.1–2.2%)";
    assert!(render(&claims).lines().any(|line| line == rate));
    assert!(page(&claims).lines().any(|line| line.starts_with(rate)));
    claims.false_differences = None;
    assert!(!render(&claims).contains("twins") && !page(&claims).contains("twins of"));
}

#[test]
fn a_claim_has_the_ratio_of_the_report() {
    let shape = Shape { starts: 4, rounds: 5, ..Shape::default_scenario() };
    let (campaign, none) = (shape.campaign(realistic), Histograms::default());
    let analysis = [Analysis::of(&campaign, &none)];
    let claims = cost::decide_all(&Base { campaigns: &analysis, ..Base::default() });
    let report = table::full(&analysis[0]).markdown();
    let mut compared = 0;
    for point in &analysis[0].points {
        for (_, candidate) in point.rows() {
            let Some(comparison) = candidate.comparison(&RESPONSE) else { continue };
            let what = format!(
                "response p50 of {} against epoll-lt at {}",
                candidate.name,
                format::place(point.point)
            );
            let evidence = claims.iter().flat_map(|claim| &claim.evidence);
            for found in evidence.filter(|one| one.what.starts_with(&what)) {
                assert_eq!(found.observed.as_deref(), Some(&*relation(&RESPONSE, comparison)), "{what}");
                let Comparison { ratio, interval, .. } = comparison;
                let [ratio, low, high] = format::ratio_and_ends(*ratio, interval.low, interval.high);
                assert!(report.contains(&format!("{ratio} ({low}–{high})")), "{what}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 4, "{compared}");
}

#[test]
fn claims_are_a_result_that_reads_back() {
    let claims = claims();
    let text = serde_json::to_string(&ResultFile::Claims(claims.clone())).expect("serialises");
    let Ok(ResultFile::Claims(read)) = serde_json::from_str(&text) else { panic!("{text}") };
    assert_eq!(read, claims);
}

#[test]
fn every_claim_about_cost_is_explained_and_the_kernels_source_named() {
    let explained: Vec<&str> = explanation::ids().take(cost::ALL.len()).collect();
    assert_eq!(explained, cost::ALL.iter().map(|claim| claim.id).collect::<Vec<_>>());
    for id in explained {
        let text = explanation::of(id).unwrap_or_default();
        assert!([".c", ".h"].iter().any(|file| text.contains(file)), "{id} names no source: {text}");
    }
}
