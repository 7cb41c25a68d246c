//! The claims with their verdicts, for a terminal and as docs/CLAIMS.md.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use super::{cost, explanation};
use crate::format;
use crate::markdown::escaped;
use crate::semantics::sentence;
use model::schema::{ClaimFigure, ClaimResult, Claims, FalseDifferences};

/// Columns of a terminal that the table fits into.
const WIDTH: u16 = 118;

const INTRODUCTION: &str = "\
Programmers repeat what a widespread tutorial on poll and epoll says. muxbench puts each of its claims to the test and gives it a
verdict: **confirmed**, **confirmed with conditions**, **refuted**, **not measurable here**, or **open** where nothing was measured yet
that decides it. A verdict is computed from what was observed and says what it rests on. None is typed in. § is the tutorial's section.

This page is made by `muxbench claims --markdown results/reference`, and a test keeps it current. `muxbench claims` decides the claims from
results of your own.";

const SEMANTICS: &str = "\
Decided live, on the kernel that runs, by `muxbench semantics`; `muxbench semantics ID` decides one. A claim is a list of parts, each an
experiment with an outcome that is claimed. One essential part found otherwise refutes the claim; a part that only bounds it, or
one that cannot be observed, makes a condition. Each is a function in [src/semantics/claims](../src/semantics/claims), and a test in
[tests/semantics](../tests/semantics) with the expectation for kernels that we know.";

const COST: &str = "\
Decided from campaigns and micro-benchmarks. Each is a list of parts in [report/src/claims/cost.rs](../report/src/claims/cost.rs): a metric,
candidates, a place, and what is expected there. Ratios are formed within rounds, and their 95 % intervals hold together for all candidates of a
point. *Slower*, *more* and the like stand where the interval excludes 1; *equal within 2 %* where it lies inside; otherwise the two are *not
distinguishable*, which decides nothing. Nor does a point at which a candidate is saturated, or a throughput that is the generator's. Figures
of different points were measured apart: their ratio takes the ends of their intervals that lie furthest apart. A test gives each
claim results that must confirm it, refute it, and leave it open.";

/// A table of verdicts, then each claim with its reasons and its evidence. Ends with a newline.
pub fn render(claims: &Claims) -> String {
    let mut out = String::new();
    claims.sources.iter().for_each(|source| line(&mut out, &format!("from {source}")));
    claims.false_differences.iter().for_each(|rate| line(&mut out, &twins(rate)));
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    table.set_header(["claim", "§", "verdict", "figure"]);
    for claim in &claims.claims {
        table.add_row([&claim.id, &claim.section, claim.verdict.words(), &figure(claim)]);
    }
    table.to_string().lines().for_each(|row| line(&mut out, row.trim_end()));
    for claim in &claims.claims {
        line(
            &mut out,
            &format!("\n{} (§ {}): {}", claim.id, claim.section, claim.verdict.words().to_uppercase()),
        );
        line(&mut out, &format!("  claimed: {}", claim.claim));
        claim.because.iter().for_each(|why| line(&mut out, &format!("  because: {why}")));
        claim.evidence.iter().for_each(|evidence| line(&mut out, &format!("  {}", sentence(evidence))));
        claim.needs.iter().for_each(|need| line(&mut out, &format!("  to decide it: {need}")));
    }
    line(&mut out, "");
    crate::semantics::tally(&claims.claims).iter().for_each(|verdict| line(&mut out, verdict));
    out
}

/// docs/CLAIMS.md. Ends with a newline.
pub fn page(claims: &Claims) -> String {
    let is_cost = |claim: &&ClaimResult| cost::ALL.iter().any(|known| known.id == claim.id);
    let (of_cost, of_semantics): (Vec<_>, Vec<_>) = claims.claims.iter().partition(is_cost);
    let mut out = format!("# The claims\n\n{INTRODUCTION}\n");
    line(&mut out, "\nIt was made from:\n");
    claims.sources.iter().for_each(|source| line(&mut out, &format!("- {}", escaped(source))));
    claims.false_differences.iter().for_each(|rate| line(&mut out, &format!("\n{}.", twins(rate))));
    for (heading, text, claims) in
        [("Cost and scale", COST, &of_cost), ("Semantics", SEMANTICS, &of_semantics)]
    {
        line(&mut out, &format!("\n## {heading}\n\n{text}\n"));
        line(&mut out, "| id | § | claim | verdict | figure |\n| --- | --- | --- | --- | --- |");
        for claim in claims {
            let ClaimResult { id, section, verdict, .. } = claim;
            let text = escaped(&claim.claim);
            line(
                &mut out,
                &format!(
                    "| `{id}` | {section} | {text} | [{}](#{id}) | {} |",
                    verdict.words(),
                    escaped(&figure(claim))
                ),
            );
        }
    }
    line(&mut out, "\n## The verdicts and what they rest on");
    claims.claims.iter().for_each(|claim| of_claim(&mut out, claim));
    out
}

fn of_claim(out: &mut String, claim: &ClaimResult) {
    let ClaimResult { id, section, verdict, .. } = claim;
    line(out, &format!("\n### {id}\n\n§ {section}: {}.\n", escaped(&claim.claim)));
    let end = if claim.because.is_empty() { "." } else { ":" };
    line(out, &format!("**{}**{end}", verdict.words()));
    if !claim.because.is_empty() {
        line(out, "");
        claim.because.iter().for_each(|why| line(out, &format!("- {}", escaped(why))));
    }
    if let Some(text) = explanation::of(id) {
        line(out, &format!("\n{text}"));
    }
    line(out, "\n<details><summary>what it rests on</summary>\n");
    claim.evidence.iter().for_each(|evidence| line(out, &format!("- {}", escaped(&sentence(evidence)))));
    claim.used.iter().for_each(|place| line(out, &format!("- used: {}", escaped(place))));
    claim.needs.iter().for_each(|need| line(out, &format!("- to decide it: `{need}`")));
    line(out, "\n</details>");
}

/// `31.0 × (21.0 to 56.0): median response of poll …`; a dash where a claim has none.
pub(crate) fn figure(claim: &ClaimResult) -> String {
    let Some(ClaimFigure { what, value, low, high, unit }) = &claim.figure else {
        return format::ABSENT.to_owned();
    };
    let number = |value: f64| match value.abs() {
        whole if whole >= 1_000.0 => format::thousands(whole as u64),
        _ => format::three_digits(value),
    };
    let interval = low.zip(*high).map(|(low, high)| format!(" ({} to {})", number(low), number(high)));
    format!("{} {unit}{}: {what}", number(*value), interval.unwrap_or_default())
}

/// How often the twin of the reference differed from it, over all campaigns; without an end.
fn twins(found: &FalseDifferences) -> String {
    let FalseDifferences { campaigns, comparisons, different, low, high } = *found;
    format!(
        "twins of the reference, over {}: {different} of {comparisons} comparisons differ, {:.1}% (95% interval {:.1}–{:.1}%)",
        format::plural(campaigns as usize, "campaign"),
        100.0 * different as f64 / comparisons as f64,
        100.0 * low,
        100.0 * high
    )
}

fn line(out: &mut String, text: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use model::campaign::Histograms;
    use model::schema::{ResultFile, SCHEMA_VERSION};

    use super::*;
    use crate::claims::base::Base;
    use crate::rounds::answer::relation;
    use crate::rounds::metrics::RESPONSE;
    use crate::rounds::testing::{Shape, realistic};
    use crate::rounds::{Analysis, Comparison, table};
    use crate::testing;

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
            let row =
                page.lines().find(|line| line.starts_with(&format!("| `{}` |", claim.id))).expect("a row");
            assert!(row.contains(&verdict), "{row}");
            assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
            assert!(page.contains(&format!("\n### {}\n", claim.id)));
        }
        assert!(page.contains("ep_poll_callback"));
    }

    #[test]
    fn table_and_page_say_how_often_a_twin_differed() {
        let mut claims = claims();
        let rate = "twins of the reference, over 3 campaigns: 3 of 400 comparisons differ, 0.8% (95% interval 0.1–2.2%)";
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
}
