use super::*;
use crate::rounds::Analysis;
use crate::rounds::testing::{Behaviour, Shape, decoded, realistic};
use crate::testing;
use model::campaign::{Campaign, Histograms, Length};
use model::schema::{Claims, Diagnosis, ExternalServer, Health, SCHEMA_VERSION, Symptom};

fn claims() -> Claims {
    let semantics = testing::semantics();
    Claims {
        schema_version: SCHEMA_VERSION,
        muxbench_version: "0.1.0".to_owned(),
        sources: vec!["a campaign".to_owned()],
        false_differences: None,
        claims: semantics.claims,
    }
}

/// The page of campaigns, the first in the folder itself and the others below it, with `figures` each.
fn page_of(campaigns: &[(Campaign, Histograms)], figures: &[Drawing]) -> String {
    let analyses: Vec<Analysis<'_>> =
        campaigns.iter().map(|(campaign, histograms)| Analysis::of(campaign, histograms)).collect();
    let folders: Vec<String> = (0..campaigns.len())
        .map(|index| if index == 0 { String::new() } else { format!("further-{index}") })
        .collect();
    let parts: Vec<Part<'_>> =
        analyses.iter().zip(&folders).map(|(analysis, folder)| Part { analysis, folder, figures }).collect();
    let (benches, loads, claims) = ([testing::bench()], [testing::load()], claims());
    let sources =
        Sources { parts: &parts, benches: &benches, loads: &loads, reproductions: None, claims: &claims };
    render(&sources).expect("a page")
}

fn figure(name: &str, drawn: &str) -> Drawing {
    let svg = format!(
        "<svg role=\"img\">\n  <title>A finding</title>\n  <g class=\"series\" data-mechanism=\"{drawn}\"/>\n</svg>\n"
    );
    Drawing { name: name.to_owned(), title: "A finding".to_owned(), drawn: vec![drawn.to_owned()], svg }
}

/// The page without its markup.
fn text_of(page: &str) -> String {
    let body = page.split_once("<body>").expect("a body").1;
    let body = body.split_once("<script>").expect("a script").0;
    let text: String =
        body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    text.replace("&#x2f;", "/")
}

fn few() -> (Campaign, Histograms) {
    decoded(Shape::of(&["poll"]).campaign(|_, _| Behaviour::default()))
}

fn full() -> (Campaign, Histograms) {
    decoded(Shape::default_scenario().campaign(realistic))
}

#[test]
fn the_answer_comes_first_and_the_command_last() {
    let page = page_of(&[full()], &[figure("ratios", "poll")]);
    let places: Vec<usize> = [
        "<h1>",
        "id=\"answer\"",
        "id=\"figures\"",
        "id=\"points\"",
        "id=\"benches\"",
        "id=\"loads\"",
        "id=\"claims\"",
        "id=\"validity\"",
        "id=\"method\"",
        "id=\"repeat\"",
    ]
    .map(|part| page.find(part).unwrap_or_else(|| panic!("{part}")))
    .to_vec();
    assert!(places.is_sorted(), "{places:?}");
    let text = text_of(&page);
    assert!(text.contains("muxbench run --seed 42"), "{text}");
    assert!(text.contains("host") && text.contains("bench-01"), "{text}");
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{}", &page[..80]);
}

#[test]
fn the_page_says_what_the_terminal_says() {
    let full = full();
    let text = text_of(&page_of(std::slice::from_ref(&full), &[]));
    let analysis = Analysis::of(&full.0, &full.1);
    let told =
        [crate::rounds::answer::sentences(&analysis), crate::rounds::answer::worth(&analysis)].concat();
    assert!(told.len() > 3, "{told:?}");
    for sentence in told {
        assert!(text.contains(&sentence), "{sentence}");
    }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = page_of(&[few(), few()], &[figure("ratios", "poll")]);
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
fn every_link_leads_somewhere_and_no_identifier_or_label_is_given_twice() {
    let figures = [figure("ratios", "poll"), figure("memory", "poll")];
    let (mut other, histograms) = few();
    other.plan.seed = 7;
    let page = page_of(&[full(), few(), (other, histograms)], &figures);
    let values = |attribute: &str| -> Vec<String> {
        page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    };
    for attribute in [" id=\"", " aria-label=\""] {
        let mut all = values(attribute);
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "{all:?}");
    }
    let ids = values(" id=\"");
    for link in values("href=\"#") {
        assert!(ids.contains(&link), "{link} leads nowhere");
    }
}

#[test]
fn every_figure_is_in_the_page_with_what_it_draws_for_the_toggles() {
    let figures =
        [figure("ratios", "poll"), figure("memory", "epoll-lt"), figure("bench-wait", "EPOLL_CTL_ADD")];
    let page = page_of(&[full()], &figures);
    for name in ["ratios", "memory", "bench-wait"] {
        assert_eq!(page.matches(&format!("<figure id=\"figure-{name}\">")).count(), 1, "{name}");
    }
    assert!(page.contains("value=\"poll\" checked") && page.contains("value=\"epoll-lt\" checked"));
    // What was timed is no candidate.
    assert!(!page.contains("value=\"EPOLL_CTL_ADD\""));
}

#[test]
fn hostile_text_stays_text() {
    let evil = "<script>alert(1)</script>";
    let (mut campaign, histograms) = few();
    campaign.plan.scenario.name = evil.to_owned();
    campaign.plan.scenario.analysis = evil.to_owned();
    campaign.command = evil.to_owned();
    campaign.environment.host = evil.to_owned();
    campaign.plan.scenario.servers = vec![ExternalServer {
        name: evil.to_owned(),
        command: vec![evil.to_owned()],
        about: None,
        patience_s: None,
    }];
    for round in &mut campaign.rounds {
        round.dropped = (round.round == 0).then(|| evil.to_owned());
    }
    let page =
        page_of(&[(campaign.clone(), histograms.clone()), (campaign, histograms)], &[figure("a\"b", evil)]);
    let body = page.replace("data-mechanism=\"<script>alert(1)</script>\"", "");
    assert!(!body.contains("<script>alert"), "{body}");
}

#[test]
fn a_quick_an_interrupted_and_a_debug_run_say_so_at_the_top() {
    let (mut campaign, histograms) = few();
    (campaign.length, campaign.complete) = (Length::Quick, false);
    campaign.environment.profile = "debug".to_owned();
    let page = page_of(&[(campaign, histograms)], &[]);
    let top = page.split("<nav").next().expect("a head");
    for warning in ["Quick run: ", "Interrupted: ", "Measured with a debug build"] {
        assert!(top.contains(warning), "{warning}");
    }
    assert!(!page_of(&[few()], &[]).contains("class=\"warning\""));
}

#[test]
fn dropped_rounds_and_the_doctor_stand_under_validity() {
    let (mut campaign, _) = few();
    campaign.rounds[0].dropped = Some("the generator was 3 ms late".to_owned());
    campaign.diagnosis = Some(Diagnosis {
        schema_version: SCHEMA_VERSION,
        started: String::new(),
        connections: 10,
        symptoms: vec![Symptom {
            name: "governor".into(),
            state: Health::Fail,
            found: "powersave".into(),
            why: "the clock".into(),
            remedy: Some("performance".into()),
        }],
        noise: None,
    });
    let page = page_of(&[decoded(campaign)], &[]);
    let validity = text_of(&page);
    let validity = validity.split("Validity and machine").last().expect("a section").to_owned();
    for expected in [
        "1 of 144 rounds",
        "the generator was 3 ms late",
        "muxbench doctor: not fit",
        "powersave (performance). Resolution: ",
    ] {
        assert!(validity.contains(expected), "{expected}: {validity}");
    }
}

#[test]
fn further_campaigns_of_one_name_are_told_apart_by_their_seeds() {
    let (mut other, histograms) = few();
    other.plan.seed = 7;
    let text = text_of(&page_of(&[few(), (other, histograms)], &[]));
    assert!(text.contains(", seed 7"), "{text}");
}

#[test]
fn a_page_that_would_be_too_big_has_fewer_figures_and_says_so() {
    let large = Drawing {
        svg: format!("<svg><desc>{}</desc></svg>", "x".repeat(400_000)),
        ..figure("large", "poll")
    };
    let figures: Vec<Drawing> =
        (0..4).map(|at| Drawing { name: format!("large-{at}"), ..large.clone() }).collect();
    let page = page_of(&[few(), few()], &figures);
    assert!(page.len() <= MOST_BYTES, "{}", page.len());
    assert!(text_of(&page).contains("left out, for the page would be too big"));
}

#[test]
fn results_without_a_campaign_are_a_page() {
    let claims = claims();
    let sources = Sources { parts: &[], benches: &[], loads: &[], reproductions: None, claims: &claims };
    assert!(text_of(&render(&sources).expect("a page")).contains("There is no campaign here."));
}
