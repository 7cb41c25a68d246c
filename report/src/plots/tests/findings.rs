//! Tests of what titles, marks and captions say: no more than was measured.

use super::campaigns;
use super::drawings;
use crate::plots::Drawing;
use crate::rounds::testing::{Behaviour, Shape, decoded};

fn drawing(campaign: &str, name: &str) -> Drawing {
    let all = drawings(campaigns::named(campaign));
    let found = all.iter().find(|drawing| drawing.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", super::names(&all))).clone()
}

/// The texts on hovering over the points of one candidate.
fn hovers(svg: &str, candidate: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let groups = document.descendants().filter(|node| {
        node.attribute("class") == Some("series") && node.attribute("data-mechanism") == Some(candidate)
    });
    let titles = groups.flat_map(|group| group.descendants()).filter(|node| node.has_tag_name("title"));
    titles.filter_map(|node| node.text()).map(str::to_owned).collect()
}

/// All that is written in a figure; lines of a text that was broken are joined by a space.
fn prose(svg: &str) -> String {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let texts =
        document.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text());
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn equals_are_never_told_apart() {
    let campaign = Shape::of(&["poll", "io-uring"]).campaign(|_, _| Behaviour::default());
    for drawing in drawings(&decoded(campaign)).iter().filter(|drawing| drawing.name == "ratios") {
        assert!(!drawing.title.contains("slower") && !drawing.title.contains("faster"), "{}", drawing.title);
        assert!(drawing.title.contains("epoll-lt"), "{}", drawing.title);
        // A candidate has one colour on a light ground; where nothing differs no dot has it.
        let coloured = hovers(&drawing.svg, "poll").into_iter().filter(|hover| hover.contains("slower"));
        assert_eq!(coloured.count(), 0);
    }
}

#[test]
fn the_title_says_the_surest_difference_of_its_own_figure() {
    let ratios = drawing("default", "ratios");
    assert!(
        ratios.title.starts_with("Response p50 against epoll-lt: poll is saturated at 10k × 10; "),
        "{}",
        ratios.title
    );
    assert!(ratios.title.contains("select is slower by 1"), "{}", ratios.title);
    // Only what is drawn in a figure is told above it.
    let active = drawing("default", "scaling-all-active");
    assert!(!active.title.contains("10k") && !active.title.contains("saturated"), "{}", active.title);
}

#[test]
fn a_ratio_says_place_value_interval_and_what_it_means() {
    let svg = drawing("default", "ratios").svg;
    let of = hovers(&svg, "epoll-oneshot");
    let told =
        of.iter().find(|text| text.starts_with("epoll-oneshot, 100 connections, 10 active: throughput 1"));
    let told = told.unwrap_or_else(|| panic!("{of:?}"));
    assert!(told.contains(", lower by ") && told.contains("%)"), "{told}");
    assert!(
        hovers(&svg, "epoll-lt again")
            .iter()
            .any(|text| text.contains("not distinguishable") || text.contains("equal within 2%"))
    );
}

#[test]
fn far_ratios_have_their_number_and_saturation_has_none() {
    let svg = drawing("default", "ratios").svg;
    let text = prose(&svg);
    assert!(text.contains("×") && text.contains("saturated"), "{text}");
    let poll: Vec<String> =
        hovers(&svg, "poll").into_iter().filter(|hover| hover.contains("10,000")).collect();
    assert!(
        poll.iter().any(|hover| hover.contains("response p50 saturated: 800 of 1k requests/s")),
        "{poll:?}"
    );
    assert!(
        poll.iter().all(|hover| !hover.contains("response p50") || hover.contains("saturated")),
        "{poll:?}"
    );
    assert!(text.contains("full"), "{text}");
}

#[test]
fn where_a_candidate_is_saturated_its_line_ends_in_an_arrow_without_a_value() {
    let drawing = drawing("load-curve", "scaling-rate");
    let points = hovers(&drawing.svg, "poll");
    let response: Vec<&String> = points.iter().filter(|text| text.contains("response p50")).collect();
    assert_eq!(response.len(), 3, "{points:?}");
    assert!(
        response.iter().any(|text| text.contains("20,000 requests/s: response p50 saturated: 700 of 1k")),
        "{response:?}"
    );
    assert!(prose(&drawing.svg).contains("Open arrow: saturated at that rate, so that there is no value."));
    assert!(!prose(&drawing.svg).contains("throughput"), "along rates it is always the same");
}

#[test]
fn ticks_stand_at_what_was_measured() {
    let text = prose(&drawing("load-curve", "scaling-rate").svg);
    for tick in ["1k/s", "5k/s", "20k/s"] {
        assert!(text.contains(tick), "{text}");
    }
    assert!(!text.contains(" 2k/s "), "{text}");
}

#[test]
fn a_line_along_churn_begins_with_none_at_all() {
    let drawing = drawing("churn", "scaling-churn");
    let points = hovers(&drawing.svg, "poll");
    assert!(
        points.iter().any(|text| text.starts_with("poll, 1,000 connections, 100 active: response p50 ")),
        "{points:?}"
    );
    assert!(points.iter().any(|text| text.contains("100 replaced/s: response p50 ")), "{points:?}");
    assert!(drawing.svg.contains(">0</text>") && drawing.svg.contains(">100/s</text>"));
}

#[test]
fn several_facets_have_a_heading_each() {
    let svg = drawing("threads", "scaling-threads").svg;
    for heading in ["100 connections, all active", "1,000 connections, 100 active"] {
        assert!(svg.contains(&format!("{heading}</text>")), "{heading}");
    }
}

#[test]
fn the_map_has_the_colour_of_a_sole_winner_and_none_where_several_are_as_good() {
    let drawing = drawing("grid", "map");
    let document = roxmltree::Document::parse(&drawing.svg).expect("well-formed");
    let fields: Vec<_> =
        document.descendants().filter(|node| node.attribute("class") == Some("field")).collect();
    let winners: Vec<Option<&str>> = fields.iter().map(|field| field.attribute("data-mechanism")).collect();
    assert_eq!(winners.iter().filter(|winner| **winner == Some("poll")).count(), 6, "{winners:?}");
    assert_eq!(winners.iter().filter(|winner| winner.is_none()).count(), 12, "{winners:?}");
    assert!(prose(&drawing.svg).contains("faster by 20%"), "{}", prose(&drawing.svg));
    assert_eq!(prose(&drawing.svg).matches("generator full").count(), 1, "{}", prose(&drawing.svg));
}

#[test]
fn memory_has_both_parts_and_is_drawn_where_the_most_connections_are() {
    let drawing = drawing("default", "memory");
    let points = hovers(&drawing.svg, "poll");
    assert_eq!(points.len(), 1);
    assert!(points[0].starts_with("poll, 10,000 connections, 10 active: 8.0"), "{points:?}");
    assert!(points[0].contains("; user space ") && points[0].ends_with(", kernel 8.00 kB"), "{points:?}");
}

#[test]
fn a_pair_of_twins_is_drawn_over_all_points_with_the_halves_of_slices() {
    let drawing = drawing("twin", "twin");
    assert!(
        drawing.title.starts_with("epoll-lt differs from itself in ")
            && drawing.title.contains(" of 9 ratios"),
        "{}",
        drawing.title
    );
    // Three points, by three metrics, and by halves of two.
    assert_eq!(hovers(&drawing.svg, "epoll-lt again").len(), 15);
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
