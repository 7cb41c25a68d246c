mod campaigns;
mod findings;
mod layout;

use super::*;
use crate::plots::chart::Body;
use crate::testing;
use model::campaign::{Campaign, Histograms, Length};

fn drawings((campaign, histograms): &(Campaign, Histograms)) -> Vec<Drawing> {
    let drawings = draw(&Analysis::of(campaign, histograms), &[]);
    for drawing in &drawings {
        assert_sound(drawing);
    }
    drawings
}

/// Well-formed, and free of positions that are no numbers.
fn assert_sound(drawing: &Drawing) {
    let document = roxmltree::Document::parse(&drawing.svg).expect("well-formed");
    assert!(document.root_element().has_tag_name("svg"));
    assert!(!drawing.svg.contains("NaN") && !drawing.svg.contains("\"inf"), "{}", drawing.svg);
}

fn names(drawings: &[Drawing]) -> Vec<&str> {
    drawings.iter().map(|drawing| drawing.name.as_str()).collect()
}

#[test]
fn a_full_campaign_gives_every_figure_the_ratios_first() {
    let all = drawings(campaigns::named("default"));
    let distributions = ["distribution-light", "distribution-busy"];
    let expected =
        [&["ratios", "scaling-idle-scaling", "scaling-all-active"][..], &distributions, &["memory"]];
    assert_eq!(names(&all), expected.concat());
    assert_eq!(
        names(&drawings(campaigns::named("grid"))),
        ["ratios", "map", "scaling-grid", "memory", "ratios-2"]
    );
}

#[test]
fn micro_benchmarks_are_drawn_over_what_varies() {
    let x_title = |group: &BenchGroup| match &figures::bench(group).expect("a figure").rows[0].panels[0].body
    {
        Body::Lines(lines) => lines.x_title.clone(),
        Body::Rows(rows) => rows.title.clone(),
        body => panic!("{body:?}"),
    };
    let mut group = testing::bench();
    assert!(x_title(&group).contains("watched"));
    for point in &mut group.points {
        (point.ready, point.watched) = (point.watched / 10, 10_000);
    }
    assert!(x_title(&group).contains("ready"));
    assert!(figures::bench(&group).expect("a figure").subtitle.contains("ready"));
    group.points.retain(|point| point.ready == 10);
    assert!(x_title(&group).starts_with("wall time of a call"), "neither varies");
    group.points.clear();
    assert!(figures::bench(&group).is_none());
}

#[test]
fn the_same_json_gives_the_same_bytes() {
    for name in ["default", "twin", "load-curve"] {
        let (campaign, _) = campaigns::named(name);
        let text = serde_json::to_string(campaign).expect("serialises");
        let again: Campaign = serde_json::from_str(&text).expect("reads");
        assert!(
            drawings(campaigns::named(name)) == drawings(&crate::rounds::testing::decoded(again)),
            "{name}"
        );
    }
    let load = campaigns::load_with_series();
    let text = serde_json::to_string(&load).expect("serialises");
    let again: LoadReport = serde_json::from_str(&text).expect("reads");
    assert_eq!(draw_load(&load).expect("sound"), draw_load(&again).expect("sound"));
}

/// With FIGURES set to a folder, the figures of all made-up campaigns stay there for a person to look at.
#[test]
#[cfg(feature = "png")]
fn every_figure_is_written_as_svg_and_as_png() {
    let temporary = tempfile::tempdir().expect("a folder");
    let kept = std::env::var_os("FIGURES").map(PathBuf::from);
    let all = campaigns::all().iter().take(if kept.is_some() { usize::MAX } else { 1 });
    let folder = kept.unwrap_or_else(|| temporary.path().to_owned());
    for (name, campaign) in all {
        let drawings = drawings(campaign);
        let paths = write_all(&drawings, &folder.join(name), true).expect("drawn");
        assert_eq!(paths.len(), 2 * drawings.len());
        for path in paths {
            let content = std::fs::read(&path).expect("written");
            let start: &[u8] =
                if path.extension().is_some_and(|e| e == "png") { b"\x89PNG" } else { b"<svg" };
            assert!(content.starts_with(start), "{}", path.display());
        }
    }
}

#[test]
fn the_caption_names_machine_mitigations_seed_starts_and_version() {
    let svg = &drawings(campaigns::named("default"))[0].svg;
    for expected in [
        "bench-01",
        "Linux 6.8.0-45-generic",
        "AMD EPYC",
        "seed 42",
        "36 starts",
        "muxbench 0.1.0",
        "mitigations: none; vulnerable: none",
    ] {
        assert!(svg.contains(expected), "{expected}");
    }
    assert!(!svg.contains("quick run"));
}

#[test]
fn a_quick_run_and_an_interrupted_one_say_so_in_bold() {
    let (mut campaign, histograms) = campaigns::named("single").clone();
    (campaign.length, campaign.complete) = (Length::Quick, false);
    let svg = &drawings(&(campaign, histograms))[0].svg;
    assert!(svg.contains("font-weight=\"bold\">quick run: wide intervals</text>"));
    assert!(svg.contains("font-weight=\"bold\">interrupted: not every planned start was measured</text>"));
}

#[test]
fn the_end_of_fd_setsize_is_marked_only_where_select_crosses_it() {
    let of = |campaign: &str, figure: &str| {
        let all = drawings(campaigns::named(campaign));
        all.into_iter().find(|drawing| drawing.name == figure).expect("drawn").svg
    };
    assert!(of("default", "scaling-idle-scaling").contains("glibc's select stops"));
    // Select is there, but nothing beyond 1,024 connections, or something else along the axis.
    assert!(!of("default", "scaling-all-active").contains("FD_SETSIZE"));
    assert!(!of("load-curve", "scaling-rate-among-idle").contains("FD_SETSIZE"));
}

#[test]
fn the_distribution_leaves_out_who_is_saturated_and_says_so() {
    let all = drawings(campaigns::named("default"));
    let light = &all.iter().find(|drawing| drawing.name == "distribution-light").expect("drawn").svg;
    assert!(light.contains("Saturated, and so not drawn: poll at 10k × 10."));
    let has = |text: &str| light.contains(text);
    assert!(has("select, p90: ") && !has("select, p99: "), "with too few samples there is no percentile");
}

#[test]
fn the_herd_is_told_by_the_way_to_accept() {
    let all = drawings(campaigns::named("herd"));
    let herd = all.iter().find(|drawing| drawing.name == "herd-herd").expect("drawn");
    for expected in [
        "epoll-lt, 16 threads, wake-ups per connection accepted: 21.2",
        " shared, 6.2",
        " exclusive and 6.2",
        " reuseport",
    ] {
        assert!(herd.title.contains(expected), "{expected} in {}", herd.title);
    }
    assert!(!names(&drawings(campaigns::named("threads"))).contains(&"herd-threads"));
}

#[test]
fn sparse_campaigns_draw_what_they_have() {
    let (campaign, _) = campaigns::named("single").clone();
    let expected = ["ratios", "distribution-light", "distribution-busy"];
    assert_eq!(names(&drawings(campaigns::named("single"))), expected);
    let nothing = Campaign { starts: Vec::new(), rounds: Vec::new(), ..campaign };
    assert!(drawings(&(nothing, Histograms::default())).is_empty());
}

#[test]
fn hostile_names_stay_text() {
    let name = "<b>&\"x";
    let campaign = crate::rounds::testing::Shape::of(&[name])
        .campaign(|_, _| crate::rounds::testing::Behaviour::default());
    let all = drawings(&crate::rounds::testing::decoded(campaign));
    assert!(all[0].svg.contains("&lt;b&gt;&amp;&quot;x"));
}
