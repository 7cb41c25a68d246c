mod campaigns;
mod findings;
mod layout;

use super::*;
use crate::plots::chart::Body;
use crate::testing::{self, Shape, point};
use model::schema::{Campaign, CellStatus};

fn drawings(campaign: &Campaign) -> Vec<Drawing> {
    let analysis = Analysis::of(campaign).expect("sound histograms");
    let drawings = draw(&analysis, &[]);
    for drawing in &drawings {
        assert_sound(drawing);
    }
    drawings
}

/// Well-formed, and free of positions that are no numbers.
fn assert_sound(drawing: &Drawing) {
    let document = resvg::usvg::roxmltree::Document::parse(&drawing.svg).expect("well-formed");
    assert!(document.root_element().has_tag_name("svg"));
    assert!(!drawing.svg.contains("NaN") && !drawing.svg.contains("inf"), "{}", drawing.svg);
}

fn names(drawings: &[Drawing]) -> Vec<&str> {
    drawings.iter().map(|drawing| drawing.name.as_str()).collect()
}

#[test]
fn a_full_campaign_gives_every_figure_with_the_finding_as_the_title_of_the_first() {
    let drawings = draw(testing::analysis(), &[testing::bench()]);
    drawings.iter().for_each(assert_sound);
    assert_eq!(
        names(&drawings),
        ["idle-scaling", "percentile-spectrum", "cost", "active-scaling", "bench-wait"]
    );
    assert_eq!(drawings[0].title, testing::analysis().finding());
}

#[test]
fn micro_benchmarks_are_drawn_over_what_varies() {
    let x_title = |group: &BenchGroup| match &figures::bench(group).expect("a figure").rows[0].panels[0].body
    {
        Body::Lines(lines) => lines.x_title.clone(),
        Body::Dots(dots) => dots.title.clone(),
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
    for (name, campaign) in campaigns::all() {
        let text = serde_json::to_string(campaign).expect("serialises");
        let again: Campaign = serde_json::from_str(&text).expect("reads");
        assert!(drawings(campaign) == drawings(&again), "{name}");
    }
    let load = campaigns::load_with_series();
    let text = serde_json::to_string(&load).expect("serialises");
    let again: LoadReport = serde_json::from_str(&text).expect("reads");
    assert_eq!(draw_load(&load).expect("sound"), draw_load(&again).expect("sound"));
}

#[test]
fn every_figure_is_written_as_svg_and_as_png() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = draw_all(testing::analysis(), &[testing::bench()], folder.path()).expect("drawn");
    assert_eq!(paths.len(), 10);
    for path in paths {
        let content = std::fs::read(&path).expect("written");
        let start: &[u8] = if path.extension().is_some_and(|e| e == "png") { b"\x89PNG" } else { b"<svg" };
        assert!(content.starts_with(start), "{}", path.display());
    }
}

#[test]
fn the_caption_names_machine_mitigations_seed_repeats_and_version() {
    let svg = &draw(testing::analysis(), &[])[0].svg;
    for expected in [
        "bench-01",
        "Linux 6.8.0-45-generic",
        "AMD EPYC",
        "seed 42",
        "5 repeats",
        "muxbench 0.1.0",
        "mitigations: none; vulnerable: none",
    ] {
        assert!(svg.contains(expected), "{expected}");
    }
    assert!(!svg.contains("quick run"));
}

#[test]
fn a_quick_run_says_so_in_bold() {
    let mut campaign = testing::realistic_of(&["poll"]);
    campaign.quick = true;
    let svg = &drawings(&campaign)[0].svg;
    assert!(svg.contains("font-weight=\"bold\">quick run: wide intervals</text>"));
}

#[test]
fn the_end_of_fd_setsize_is_marked_only_beside_select() {
    let svg = |mechanism: &str| drawings(&testing::realistic_of(&[mechanism]))[0].svg.clone();
    assert!(svg("select").contains("glibc's select stops"));
    assert!(!svg("poll").contains("FD_SETSIZE"));
}

#[test]
fn a_point_with_a_lost_repeat_is_hollow() {
    let mut campaign = testing::realistic_of(&["poll"]);
    assert!(!drawings(&campaign)[0].svg.contains("Hollow"));
    testing::spoil(&mut campaign, 0, CellStatus::Invalid, "the generator was late");
    let svg = &drawings(&campaign)[0].svg;
    assert!(svg.contains("Hollow:"));
    assert!(svg.contains("fill=\"#ffffff\" stroke=\"currentColor\""));
}

#[test]
fn external_servers_have_lines_of_their_own_except_where_nothing_is_counted() {
    let mut campaign = testing::with_servers(&["poll"], &["go-netpoll", "asyncio"]);
    let lines =
        |svg: &str, name: &str| svg.matches(&format!("class=\"series\" data-mechanism=\"{name}\"")).count();
    let drawn = drawings(&campaign);
    let [hero, _, cost, _] = &drawn[..] else { panic!("{:?}", names(&drawn)) };
    for name in ["poll", "go-netpoll", "asyncio"] {
        assert_eq!(lines(&hero.svg, name), 2, "{name}");
    }
    assert_eq!((lines(&cost.svg, "poll"), lines(&cost.svg, "asyncio")), (2, 1));
    assert!(cost.svg.contains("System calls of go-netpoll and asyncio are not counted."));

    campaign.plan.scenario.mechanisms.clear();
    campaign.cells.retain(|cell| cell.mechanism != "poll");
    assert_eq!(drawings(&campaign).len(), 4, "servers alone are a campaign too");
}

#[test]
fn sparse_campaigns_draw_what_they_have() {
    let nothing = testing::campaign(&[], &[], 0, |_, _, _| Shape::default());
    assert!(drawings(&nothing).is_empty());

    let mut unmeasured = testing::realistic_of(&["poll"]);
    unmeasured.cells.clear();
    assert!(drawings(&unmeasured).is_empty());

    let single =
        testing::campaign(&["poll"], &[point("idle-scaling", 10, 10)], 1, |_, _, _| Shape::default());
    assert_eq!(names(&drawings(&single)), ["idle-scaling", "percentile-spectrum", "cost"]);

    let few = testing::campaign(&["poll"], &[point("idle-scaling", 10, 10)], 1, |_, _, _| Shape {
        samples: 150,
        ..Shape::default()
    });
    assert_eq!(names(&drawings(&few)), ["cost"]);
}

#[test]
fn figures_without_a_logarithm_are_left_out_rather_than_drawn_at_infinity() {
    let campaign =
        testing::campaign(&["poll", "io-uring"], &[point("idle-scaling", 10, 10)], 3, |name, _, _| Shape {
            syscalls: if name == "poll" { 2.0 } else { 0.0 },
            ..Shape::default()
        });
    assert_eq!(drawings(&campaign).len(), 3);
}

#[test]
fn hostile_names_stay_text() {
    let campaign =
        testing::campaign(&["<b>&\"x"], &[point("idle-scaling", 10, 10)], 3, |_, _, _| Shape::default());
    assert!(drawings(&campaign)[0].svg.contains("&lt;b&gt;&amp;&quot;x"));
}

/// With FIGURES set to a folder, the figures of all made-up campaigns stay there for a person to look at.
#[test]
fn campaigns_of_every_shape_are_drawn_in_both_formats() {
    let mut quick = testing::realistic();
    quick.quick = true;
    testing::spoil(&mut quick, 13, CellStatus::Invalid, "the generator was late");
    let mut all = vec![("quick", quick)];
    let temporary = tempfile::tempdir().expect("a folder");
    let kept = std::env::var_os("FIGURES").map(PathBuf::from);
    if kept.is_some() {
        all.extend(campaigns::all().iter().cloned());
    }
    let folder = kept.unwrap_or_else(|| temporary.path().to_owned());
    let load = draw_load(&campaigns::load_with_series()).expect("sound histograms");
    assert_eq!(write_all(&load, &folder.join("load"), true).expect("drawn").len(), 4);
    for (name, campaign) in all {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let analysis = Analysis::of(&campaign).expect("sound histograms");
        let written = draw_all(&analysis, &[testing::bench()], &folder).expect("drawn");
        assert!(written.len() >= 4 && written.len().is_multiple_of(2), "{name}: {written:?}");
        assert!(written.iter().all(|path| path.metadata().is_ok_and(|file| file.len() > 2_000)), "{name}");
        std::fs::write(folder.join("table.txt"), crate::table::render(&analysis)).expect("written");
        std::fs::write(folder.join("report.md"), crate::markdown::render(&analysis, &[])).expect("written");
    }
}
