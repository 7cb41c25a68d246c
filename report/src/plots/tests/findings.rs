//! What titles, labels, marks and captions say, and that it is no more than was measured.

use super::campaigns;
use super::drawings;
use crate::plots::Drawing;
use crate::testing;
use model::schema::{Campaign, CellStatus, Switches};

fn drawing(campaign: &Campaign, name: &str) -> Drawing {
    let all = drawings(campaign);
    let found = all.iter().find(|drawing| drawing.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", super::names(&all))).clone()
}

/// What the group of one contender says on hovering over its points.
fn hovers(svg: &str, mechanism: &str) -> Vec<String> {
    let document = resvg::usvg::roxmltree::Document::parse(svg).expect("well-formed");
    let groups = document.descendants().filter(|node| {
        node.attribute("class") == Some("series") && node.attribute("data-mechanism") == Some(mechanism)
    });
    let titles = groups.flat_map(|group| group.descendants()).filter(|node| node.has_tag_name("title"));
    titles.filter_map(|node| node.text()).map(str::to_owned).collect()
}

/// All that is written in a figure; lines of a text that was broken are joined by a space.
fn prose(svg: &str) -> String {
    let document = resvg::usvg::roxmltree::Document::parse(svg).expect("well-formed");
    let texts =
        document.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text());
    texts.collect::<Vec<_>>().join(" ")
}

/// The campaigns but for those whose many contenders add nothing to what titles say, and much to the time that it takes.
fn small() -> impl Iterator<Item = (&'static str, Campaign)> {
    campaigns::all().iter().filter(|(name, _)| !["twelve", "crowded"].contains(name)).cloned()
}

#[test]
fn with_two_repeats_no_title_states_a_finding() {
    for (name, mut campaign) in small() {
        campaign.cells.retain(|cell| cell.repeat < 2);
        for drawing in drawings(&campaign) {
            assert!(
                !drawing.title.contains('×') && !drawing.title.contains("slower than the best;"),
                "{name} {}: {}",
                drawing.name,
                drawing.title
            );
        }
    }
}

#[test]
fn equals_are_never_told_apart() {
    for (name, mut campaign) in small() {
        let originals = campaign.cells.clone();
        for cell in &mut campaign.cells {
            // As the first contender, and as with the first way to meet the listener.
            let alike = originals.iter().find(|other| {
                let (a, b) = (&other.point, &cell.point);
                (a.connections, a.active, a.threads, a.size_bytes, a.rate_per_s, a.churn_per_s, other.repeat)
                    == (
                        b.connections,
                        b.active,
                        b.threads,
                        b.size_bytes,
                        b.rate_per_s,
                        b.churn_per_s,
                        cell.repeat,
                    )
                    && other.status == CellStatus::Valid
            });
            let mut copy = alike.expect("measured").clone();
            (copy.mechanism, copy.point, copy.attempt) =
                (cell.mechanism.clone(), cell.point.clone(), cell.attempt);
            *cell = copy;
        }
        for drawing in drawings(&campaign) {
            assert!(!drawing.title.contains('×'), "{name} {}: {}", drawing.name, drawing.title);
            assert!(
                !drawing.title.contains("slower than the best;"),
                "{name} {}: {}",
                drawing.name,
                drawing.title
            );
        }
    }
}

#[test]
fn a_point_says_place_value_and_interval() {
    let svg = drawing(&testing::realistic(), "idle-scaling").svg;
    let of = hovers(&svg, "epoll-lt");
    let last = of.iter().find(|text| text.starts_with("epoll-lt, 10,000 connections, 10 active: p50 3"));
    let text = last.unwrap_or_else(|| panic!("{of:?}"));
    assert!(text.contains(" µs (3") && text.contains("–") && text.ends_with(" µs)"), "{text}");
}

#[test]
fn where_a_contender_cannot_follow_its_line_ends_and_the_point_is_struck() {
    let drawing = drawing(&campaigns::load_curve(), "load-curve");
    let struck: Vec<String> =
        hovers(&drawing.svg, "poll").into_iter().filter(|text| text.contains("not valid")).collect();
    // Two sweeps, each with two measures.
    assert_eq!(struck.len(), 4, "{struck:?}");
    assert!(struck[0].contains("not valid (12% of the requests were not answered); p99 "), "{}", struck[0]);
    let prose = prose(&drawing.svg);
    assert!(
        prose.contains("×: no repeat was valid there; shown as measured, and used for nothing."),
        "{prose}"
    );
    assert!(
        drawing.title.starts_with("At 5,000 connections, 100 active, 60,000 requests/s: "),
        "{}",
        drawing.title
    );
    assert!(drawing.svg.contains("5,000 connections, 100 active</text>"), "a heading for each sweep");
    assert!(prose.contains("select with 5,000 connections and more is beyond FD_SETSIZE (1024)"));
}

#[test]
fn a_line_along_churn_begins_with_none_at_all() {
    let campaign = campaigns::churn();
    let all = drawings(&campaign);
    assert_eq!(super::names(&all), ["percentile-spectrum", "churn"]);
    let points = hovers(&all[1].svg, "poll");
    assert!(points[0].starts_with("poll, 1,000 connections, 100 active: p99 "), "{points:?}");
    assert!(points[1].starts_with("poll, 1,000 connections, 100 active, 100 replaced/s: p99 "), "{points:?}");
    assert!(all[1].svg.contains(">0</text>") && all[1].svg.contains(">500/s</text>"));
}

#[test]
fn the_herd_is_told_by_the_ways_to_meet_the_listener() {
    let drawing = drawing(&campaigns::herd(), "thundering-herd");
    let expected = "At 200 connections, 20 active, 16 threads, 500 replaced/s, ";
    assert!(drawing.title.starts_with(expected), "{}", drawing.title);
    assert!(drawing.title.contains(" puts threads to sleep 4.0"), "{}", drawing.title);
    assert!(
        drawing.title.contains("× less often for a connection accepted than with shared ("),
        "{}",
        drawing.title
    );
    assert_eq!(
        drawing.svg.matches(">wake-ups for nothing, per connection accepted</text>").count(),
        3,
        "a panel a way"
    );
    // With a listener each nobody wakes up for nothing: that is a point too.
    let nothing = hovers(&drawing.svg, "poll")
        .into_iter()
        .filter(|text| text.ends_with(": wake-ups for nothing 0 (0–0)"));
    assert_eq!(nothing.count(), 4);
}

#[test]
fn a_capacity_that_is_a_lower_bound_says_so() {
    let svg = drawing(&campaigns::threads(), "thread-scaling").svg;
    assert!(svg.contains(">epoll-lt ≥ ") && svg.contains(">poll "), "{svg}");
    assert!(!svg.contains(">poll ≥ "));
}

#[test]
fn memory_is_drawn_from_a_thousand_connections_on_and_its_title_is_about_the_most() {
    let drawing = drawing(&campaigns::opening(), "setup-memory");
    assert!(
        drawing.title.starts_with("At 12,000 connections, 10 active, ")
            && drawing.title.contains("× less server memory a connection than threads ("),
        "{}",
        drawing.title
    );
    let points = hovers(&drawing.svg, "threads");
    assert!(points.iter().all(|text| !text.contains(", 100 connections")), "{points:?}");
    assert!(points.iter().any(|text| text.contains(": kernel memory 15.0 kB")), "{points:?}");
    assert_eq!(points.len(), 3 * 4);
}

#[test]
fn sleeps_without_a_count_leave_the_herd_out() {
    let mut campaign = campaigns::herd();
    for cell in &mut campaign.cells {
        let phase = cell.latency.as_mut().expect("measured");
        phase.usage.server.switches = None::<Switches>;
        phase.usage.counters = None;
    }
    assert!(drawings(&campaign).iter().all(|drawing| drawing.name != "thundering-herd"));
}

#[test]
fn a_campaign_with_outliers_says_so_below_its_figures() {
    let mut campaign = testing::realistic();
    assert!(!drawing(&campaign, "cost").svg.contains("Noise:"));
    let index = campaign.cells.iter().position(|cell| cell.repeat == 2).expect("measured");
    let phase = campaign.cells[index].latency.as_mut().expect("measured");
    phase.load.response.as_mut().expect("open loop").p50_ns = Some(900_000_000);
    let prose = prose(&drawing(&campaign, "cost").svg);
    assert!(prose.contains("Noise: outliers: 1 of "), "{prose}");
}

#[test]
fn a_stall_stands_out_in_the_map_of_time_and_latency() {
    let all = crate::plots::draw_load(&campaigns::load_with_series()).expect("sound histograms");
    assert_eq!(super::names(&all), ["heat-map", "load-spectrum"]);
    assert!(all[0].title.contains("ended between 7.00 s and 8.00 s"), "{}", all[0].title);
    assert_eq!(all[0].svg.matches("class=\"point\"").count(), 20);
    assert!(all[0].svg.contains("7.00 s to 8.00 s: 20,000 requests, p50 500 ms"), "{}", all[0].svg);
    let mut without = campaigns::load_with_series();
    without.intervals.clear();
    assert_eq!(super::names(&crate::plots::draw_load(&without).expect("sound")), ["load-spectrum"]);
}

#[test]
fn fields_of_a_wide_map_stand_in_the_columns_of_the_scenario() {
    let svg = drawing(&campaigns::wide_grid(), "crossover-map").svg;
    for column in ["1%", "5%", "20%", "50%", "100%"] {
        assert!(svg.contains(&format!("font-weight=\"bold\">{column}</text>")), "{column}");
    }
    assert!(!svg.contains(">3.33%</text>") && svg.contains("at 10%"), "one of ten is told as what it is");
}
