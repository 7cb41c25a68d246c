//! The map of crossings: who wins where, over connections and activity.

use super::figure;
use crate::analysis::{Analysis, PointAnalysis, Row as Contender, Standing};
use crate::format;
use crate::line;
use crate::map::{Best, MARKS, Map, Place};
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::fields::{Field, Fields};

/// The map, where at least two numbers of connections were measured with at least two activities each, and most fields have
/// something in them: two lines that cross are no map.
pub fn crossover_map(analysis: &Analysis<'_>) -> Option<Figure> {
    let map = Map::of(analysis)?;
    let fields = fields(&map);
    let places = || fields.rows.iter().flat_map(|(_, fields)| fields);
    if 3 * places().flatten().count() < 2 * places().count() {
        return None;
    }
    let points: Vec<&PointAnalysis> =
        map.places().filter_map(|place| analysis.points.iter().find(|at| at.point == place.point)).collect();
    let title = finding(&points);
    let subtitle = format!(
        "Who has the best median response at {} requests/s, and how many times it the next takes that is behind by an interval that \
         leaves 1 out",
        format::nominal_rate(analysis.campaign.plan.scenario.load.rate_per_s),
    );
    let note = format!("{MARKS} In parentheses the 95% interval of the ratio, formed within repeats.");
    let rows = vec![Row {
        heading: None,
        panels: vec![Panel { heading: String::new(), body: Body::Fields(fields) }],
    }];
    figure(analysis, "crossover-map", (title, subtitle), rows, vec![note])
}

/// Who is nowhere behind, or else who is so most seldom; and who is most often.
fn finding(points: &[&PointAnalysis]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for row in points.iter().flat_map(|at| &at.rows) {
        if !names.contains(&row.mechanism.as_str()) {
            names.push(&row.mechanism);
        }
    }
    let count = |name: &str, is: fn(&Standing) -> bool| {
        let rows = points.iter().flat_map(|at| &at.rows).filter(|row| row.mechanism == name);
        rows.filter(|row| is(&row.p50.standing)).count()
    };
    let is_behind = |standing: &Standing| matches!(standing, Standing::Behind(_));
    let is_compared = |standing: &Standing| !matches!(standing, Standing::Absent | Standing::Alone);
    let compared: Vec<(&str, usize)> = names
        .iter()
        .filter(|name| count(name, is_compared) == points.len())
        .map(|name| (*name, count(name, is_behind)))
        .collect();
    let Some((worst, most)) = compared.iter().max_by_key(|(_, count)| *count).copied() else {
        return "No mechanism has a valid figure at every point".to_owned();
    };
    let is_undecided =
        |row: &Contender| matches!(row.p50.standing, Standing::Leading | Standing::Trailing(_));
    let undecided = points.iter().filter(|at| at.rows.iter().any(is_undecided)).count();
    if most == 0 && undecided == points.len() {
        return "Too few repeats for an interval, so no winner is certain".to_owned();
    }
    let of_points = match undecided {
        0 => format!("of {} points", points.len()),
        some => format!("of {} points ({some} with too few valid repeats of some)", points.len()),
    };
    let never: Vec<&str> = compared.iter().filter(|(_, count)| *count == 0).map(|(name, _)| *name).collect();
    let rest = format!("{worst} is at {most} {of_points}");
    match never.len() {
        0 => {
            let least = compared.iter().min_by_key(|(_, count)| *count).map_or((worst, most), |least| *least);
            format!(
                "Nobody is best everywhere: {} is shown to be slower than the best at {} {of_points}, {worst} at {most}",
                least.0, least.1
            )
        }
        _ if most == 0 => format!("Nobody is shown to be slower than the best at any {of_points}"),
        1 => format!("{} is nowhere shown to be slower than the best; {rest}", never[0]),
        _ => format!("{} are nowhere shown to be slower than the best; {rest}", format::and(&never)),
    }
}

/// The fields of a map.
fn fields(map: &Map) -> Fields {
    let rows = map.rows.iter().map(|(connections, places)| {
        (
            format::thousands((*connections).into()),
            places.iter().map(|place| place.as_ref().map(field)).collect(),
        )
    });
    Fields {
        column_title: if map.is_share { "active, share of the connections" } else { "active connections" }
            .to_owned(),
        row_title: "connections".to_owned(),
        rows: rows.collect(),
        columns: map.columns.clone(),
    }
}

fn field(place: &Place) -> Field {
    let who = match &place.best {
        Best::One(name) => name.clone(),
        Best::Tie { names, .. } => {
            format!("a tie of {}", format::and(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        }
        Best::SoFar(name) => format!("{name} so far, over too few valid repeats"),
        Best::Unknown => place.best.in_short(),
    };
    // Only what is known to be best gives the field its colour.
    let mechanism = if let Best::One(name) = &place.best { Some(name.clone()) } else { None };
    let ahead = place.next.as_ref().map(|(name, ratio)| [format::ratio(ratio), format!("before {name}")]);
    let ahead: Vec<String> = ahead.into_iter().flatten().collect();
    let told = if ahead.is_empty() { String::new() } else { format!(", {}", ahead.join(" ")) };
    let hover = format!("{}: {who}{told}", line::place(&place.point));
    let own = place.own.as_ref().map(|own| format!("at {own}"));
    let lines = std::iter::once(place.best.in_short()).chain(ahead).chain(own).collect();
    Field { mechanism, lines, hover }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossover::tests::grid;

    #[test]
    fn a_field_has_the_winner_with_what_it_is_ahead_by_and_of_whom() {
        let campaign = grid(0.02);
        let analysis = Analysis::of(&campaign).expect("sound");
        let map = Map::of(&analysis).expect("two dimensions");
        let drawn = fields(&map);
        assert_eq!(drawn.columns, ["10%", "100%"]);
        let first = drawn.rows[0].1[0].clone().expect("measured");
        assert_eq!(first.mechanism.as_deref(), Some("poll"));
        assert_eq!((first.lines[0].as_str(), first.lines[2].as_str()), ("poll", "before epoll-lt"));
        assert!(first.lines[1].starts_with("2.") && first.lines[1].contains('('), "{:?}", first.lines);
        assert!(first.hover.starts_with("10 connections, 1 active: poll, 2."), "{}", first.hover);
    }

    #[test]
    fn where_intervals_cover_one_the_word_is_tie_and_the_title_names_nobody() {
        let campaign = grid(40.0);
        let analysis = Analysis::of(&campaign).expect("sound");
        let figure = crossover_map(&analysis).expect("a map");
        let svg = figure.svg();
        assert!(svg.contains(">tie of all 2</text>"), "{svg}");
        assert!(svg.contains("a tie of poll and epoll-lt</title>"), "{svg}");
    }

    #[test]
    fn the_title_says_who_is_shown_to_be_slower_and_nobody_is_with_too_few_repeats() {
        let title = |campaign: &model::schema::Campaign| {
            crossover_map(&Analysis::of(campaign).expect("sound")).expect("a map").title
        };
        let mut campaign = grid(0.02);
        assert!(title(&campaign).starts_with("Nobody is best everywhere: "), "{}", title(&campaign));
        campaign.cells.retain(|cell| cell.repeat < 2);
        assert_eq!(title(&campaign), "Too few repeats for an interval, so no winner is certain");
    }
}
