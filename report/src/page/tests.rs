use super::*;
use crate::agreement;
use crate::claims::base::Base;
use crate::claims::cost;
use crate::testing;
use model::schema::{Campaign, CellStatus, SCHEMA_VERSION};

/// What a campaign and the made-up semantics say of the claims.
fn claims(campaigns: &[Campaign]) -> Claims {
    let (benches, semantics) = ([testing::bench()], testing::semantics());
    let base = Base { benches: &benches, semantics: Some(&semantics), ..Base::default() };
    Claims {
        schema_version: SCHEMA_VERSION,
        muxbench_version: "0.1.0".to_owned(),
        sources: vec!["a campaign".to_owned()],
        false_differences: agreement::over(&campaigns.iter().collect::<Vec<_>>()),
        claims: [cost::decide_all(&base), semantics.claims.clone()].concat(),
    }
}

/// The page of campaigns, the first in the folder itself and the others below it, with `figures` each.
fn page_of(campaigns: &[Campaign], figures: &[Figure]) -> String {
    let analyses: Vec<Analysis<'_>> =
        campaigns.iter().map(|campaign| Analysis::of(campaign).expect("sound histograms")).collect();
    let folders: Vec<String> = (0..campaigns.len())
        .map(|index| if index == 0 { String::new() } else { format!("further-{index}") })
        .collect();
    let parts: Vec<Part<'_>> =
        analyses.iter().zip(&folders).map(|(analysis, folder)| Part { analysis, folder, figures }).collect();
    let benches = [testing::bench()];
    let claims = claims(campaigns);
    render(&Sources { parts: &parts, benches: &benches, loads: &[], reproductions: None, claims: &claims })
        .expect("a page")
}

fn figure(name: &str, mechanism: &str) -> Figure {
    let svg = format!(
        "<svg role=\"img\">\n  <title>A finding</title>\n  <g class=\"series\" data-mechanism=\"{mechanism}\"/>\n</svg>\n"
    );
    Figure { name: name.to_owned(), title: "A finding".to_owned(), svg }
}

/// The page without its markup.
fn text_of(page: &str) -> String {
    let body = page.split_once("<body>").expect("a body").1;
    let body = body.split_once("<script>").expect("a script").0;
    let text: String =
        body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    text.replace("&#x2f;", "/")
}

fn few() -> Campaign {
    testing::realistic_of(&["poll", "epoll-lt"])
}

#[test]
fn the_answer_comes_first_and_the_command_last() {
    let page = page_of(&[testing::realistic()], &[figure("idle-scaling", "poll")]);
    let places: Vec<usize> = [
        "<h1>",
        "id=\"answer\"",
        "id=\"figures\"",
        "id=\"points\"",
        "id=\"benches\"",
        "id=\"claims\"",
        "id=\"validity\"",
        "id=\"method\"",
        "id=\"repeat\"",
    ]
    .map(|part| page.find(part).unwrap_or_else(|| panic!("{part}")))
    .to_vec();
    assert!(places.is_sorted(), "{places:?}");
    let text = text_of(&page);
    assert!(text.contains("At 10,000 connections, 10 active, epoll-"), "{text}");
    assert!(text.contains("muxbench run --seed 42"), "{text}");
    assert!(text.contains("host") && text.contains("bench-01"), "{text}");
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{}", &page[..80]);
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = page_of(&[few(), few()], &[figure("idle-scaling", "poll")]);
    for loader in [
        "src=",
        "@import",
        "url(",
        "<link rel=\"stylesheet\"",
        "<iframe",
        "fetch(",
        "XMLHttpRequest",
        "import(",
    ] {
        assert!(!page.contains(loader), "{loader}");
    }
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    for link in links {
        assert!(link.starts_with('#') || link == "data:,", "{link}");
    }
}

#[test]
fn every_link_leads_somewhere_and_no_identifier_is_given_twice() {
    let figures = [figure("idle-scaling", "poll"), figure("cost", "poll")];
    let page = page_of(&[testing::realistic(), few(), few()], &figures);
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
    let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    for link in links {
        assert!(ids.contains(&link), "{link} leads nowhere");
    }
}

#[test]
fn every_figure_is_in_the_page_with_its_series_for_the_toggles() {
    let figures =
        [figure("idle-scaling", "poll"), figure("cost", "epoll-lt"), figure("bench-wait", "select")];
    let page = page_of(&[testing::realistic()], &figures);
    for drawn in &figures {
        assert!(page.contains(&format!("<figure id=\"figure-{}\">", drawn.name)), "{}", drawn.name);
    }
    let toggles: Vec<&str> = page
        .split("<input type=\"checkbox\" value=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    // In the order of the plan; epoll-et is in no figure.
    assert_eq!(toggles, ["select", "poll", "epoll-lt"]);
    let benches = page.find("id=\"benches\"").expect("micro-benchmarks");
    assert!(page.find("id=\"figure-bench-wait\"").is_some_and(|at| at > benches));
}

#[test]
fn a_name_with_markup_in_it_stays_text() {
    let hostile = "<script>alert(1)</script>";
    let mut campaign = testing::realistic_of(&["poll", hostile]);
    campaign.environment.host = "\"><img src=x onerror=alert(1)>".into();
    campaign.plan.scenario.analysis = "a `<b>` & </section>".into();
    testing::spoil(&mut campaign, 0, CellStatus::Invalid, "</main><script>alert(2)</script>");
    let page = page_of(&[campaign], &[figure("idle-scaling", "&lt;script&gt;alert(1)&lt;/script&gt;")]);
    let (before, script) = page.rsplit_once("<script>").expect("the page's own");
    assert!(!before.contains("<script") && !before.contains("<img") && !before.contains("<b>"));
    assert_eq!(script.matches("</script>").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(1)"), "the name is there as text");
    assert!(page.contains("<code>&lt;b&gt;</code> &amp; &lt;"));
    assert!(page.contains("<input type=\"checkbox\" value=\"&lt;script&gt;"), "and may be toggled");
}

#[test]
fn a_quick_or_interrupted_campaign_says_so_in_bold() {
    let mut quick = few();
    quick.quick = true;
    let page = page_of(&[quick.clone()], &[]);
    assert!(page.contains("<strong>Quick run: fewer points"), "{page}");
    let mut interrupted = few();
    interrupted.complete = false;
    let page = page_of(&[few(), quick, interrupted], &[]);
    assert!(page.contains("<strong>1 of 2 further campaigns are quick runs"), "{page}");
    assert!(page.contains("<strong>1 of 2 further campaigns were interrupted"), "{page}");
    assert_eq!(page.matches("<strong>Quick run: ").count(), 1);
    assert!(!page_of(&[few()], &[]).contains("<strong>Quick"));
}

#[test]
fn further_campaigns_have_sections_with_what_they_ask_and_found() {
    let mut other = few();
    other.plan.scenario.name = "few-and-busy".into();
    other.plan.scenario.analysis = "Is poll cheaper where all are busy? A second sentence.".into();
    other.command = "muxbench run few-and-busy".into();
    let text = text_of(&page_of(&[testing::realistic(), other], &[figure("cost", "poll")]));
    assert_eq!(text.matches("Is poll cheaper where all are busy?").count(), 2, "{text}");
    assert!(text.contains("few-and-busy: all points ("), "{text}");
    let (_, commands) = text.split_once("To repeat it").expect("commands");
    assert!(commands.contains("muxbench run few-and-busy"), "{commands}");
}

#[test]
fn every_claim_has_a_verdict_or_says_what_would_decide_it() {
    let campaigns = [testing::realistic()];
    let text = text_of(&page_of(&campaigns, &[]));
    for claim in claims(&campaigns).claims {
        assert!(text.contains(&claim.id), "{}", claim.id);
    }
    assert!(text.contains("sndlowat: refuted"), "{text}");
    assert!(text.contains("muxbench run thundering-herd"), "{text}");
}

#[test]
fn what_is_no_campaign_has_a_section_of_its_own() {
    let campaigns = [few()];
    let analysis = Analysis::of(&campaigns[0]).expect("sound histograms");
    let part = Part { analysis: &analysis, folder: "", figures: &[] };
    let load = campaigns[0].cells[0].latency.clone().expect("measured").load;
    let reproductions = crate::reproductions::tests::all();
    let sources = Sources {
        parts: &[part],
        benches: &[testing::bench()],
        loads: &[load],
        reproductions: Some(&reproductions),
        claims: &claims(&campaigns),
    };
    let text = text_of(&render(&sources).expect("a page"));
    for expected in [
        "Micro-benchmark wait: one wait with 1 ready descriptor",
        "Single runs of load-gen",
        "Published and ours: Table",
        "poll grows 10.0× (9.05 to 11.1) a decade of descriptors (published: 10.0×).",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn servers_of_other_making_are_rows_and_their_commands_are_told() {
    let campaign = testing::with_servers(&["poll"], &["socat"]);
    let text = text_of(&page_of(&[campaign], &[]));
    assert!(text.contains("socat: ./socat {port}"), "{text}");
}

#[test]
fn a_page_that_would_be_too_big_leaves_figures_of_further_campaigns_out() {
    let big: Vec<Figure> = ["one", "two"]
        .map(|name| {
            let mut figure = figure(name, "poll");
            figure.svg = figure.svg.replace("</svg>", &("<!-- -->".repeat(100_000) + "</svg>"));
            figure
        })
        .to_vec();
    let page = page_of(&[few(), few(), few()], &big);
    assert!(page.len() <= MOST_BYTES, "{}", page.len());
    assert_eq!(page.matches("<figure ").count(), 2, "those of the first campaign");
    assert!(page.contains("2 figures left out, for the page would be too big"));
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let page = || page_of(&[testing::realistic(), few()], &[figure("idle-scaling", "poll")]);
    assert_eq!(page(), page());
}

#[test]
fn a_campaign_with_nothing_in_it_is_still_a_page() {
    let nothing = testing::campaign(&[], &[], 0, |_, _, _| testing::Shape::default());
    assert!(text_of(&page_of(&[nothing], &[])).contains("nothing was found"));
}

#[test]
fn backticks_become_code_and_nothing_else_does() {
    assert_eq!(prose("a `b<c` d&e").to_string(), "a <code>b&lt;c</code> d&amp;e");
}

#[test]
fn names_and_intervals_are_not_broken_at_their_dashes() {
    let text = unbroken("tie: a, epoll-lt (1.0–2.0) <b-c>").to_string();
    assert_eq!(
        text,
        "tie: a, <span class=\"word\">epoll-lt</span> <span class=\"word\">(1.0–2.0)</span> \
         <span class=\"word\">&lt;b-c&gt;</span>"
    );
}
