//! Micro-benchmarks.

use super::panels::{self, fd_setsize, is_drawable};
use super::provenance::{file_name, machine, mitigations};
use crate::format;
use crate::plots::chart::{Body, Figure, Row};
use crate::plots::lines::{Series, SeriesPoint};
use crate::plots::rows::Rows;
use crate::plots::style::{self, Styles};
use crate::rounds::Unit;
use model::schema::{BenchGroup, BenchPoint};

const HEADING: &str = "wall time of a call";

/// The quantity that varies within a group: a word, and the count; `None` if nothing varies.
type Varying = Option<(&'static str, fn(&BenchPoint) -> u32)>;

/// One group: wall time of a call over the descriptors watched, over those ready where as many are watched everywhere, or
/// where neither varies one below the other. Nothing of a group without points.
pub fn bench(group: &BenchGroup) -> Option<Figure> {
    let varying = varying(group);
    let series = series(group, varying);
    let mut caption = vec![
        if varying.is_some() {
            "Line: median of batches. Upright line: its 95% interval."
        } else {
            "Dot: median of batches. Line: its 95% interval."
        }
        .to_owned(),
    ];
    let y = panels::log_axis(&series, Unit::Nanoseconds);
    let styles = Styles::of(series.iter().map(|series| series.mechanism.as_str()));
    if series.is_empty() {
        return None;
    }
    let (body, over) = match varying {
        Some((what, _)) => {
            // Only what is watched is a number of descriptors in a set.
            let rules = if what == "watched" { fd_setsize(&series) } else { Vec::new() };
            caption.extend((!rules.is_empty()).then(panels::rule_note));
            let measured = panels::measured(&series);
            let body = panels::over_descriptors(what, measured, y, series, rules);
            (body, format!(" over the descriptors {what}"))
        }
        None => {
            let title = format!("{HEADING} (logarithmic)");
            (Body::Rows(Rows { title, axis: y, series, parts: None }), String::new())
        }
    };
    caption.push(format!("{}; measured {}", machine(&group.environment), group.started));
    caption.push(mitigations(&group.environment));
    // Without a finding the title says what was measured, and the subtitle does not say it again.
    let finding = finding(group, varying);
    let title = format!("{}: {}", group.group, finding.as_ref().unwrap_or(&group.what));
    let what = if finding.is_some() { format!(": {}", group.what) } else { String::new() };
    Some(Figure {
        name: format!("bench-{}", file_name(&group.group)),
        title,
        subtitle: format!("Wall time{over}{what}; less is better"),
        rows: vec![Row::of(HEADING, body)],
        styles,
        caption,
        ..Figure::default()
    })
}

fn varying(group: &BenchGroup) -> Varying {
    let varies = |count: fn(&BenchPoint) -> u32| {
        let drawn = group.points.iter().filter(|point| is_drawable(point.median_ns)).map(count);
        drawn.clone().min() < drawn.max()
    };
    if varies(|point| point.watched) {
        Some(("watched", |point| point.watched))
    } else if varies(|point| point.ready) {
        Some(("ready", |point| point.ready))
    } else {
        None
    }
}

fn series(group: &BenchGroup, varying: Varying) -> Vec<Series> {
    let points = group.points.iter().filter(|point| varying.is_none_or(|(_, count)| count(point) > 0));
    let drawn = points.filter_map(|point| Some((point.mechanism.as_str(), drawn(point, varying)?)));
    panels::series(drawn, Unit::Nanoseconds, varying.is_some())
}

fn drawn(point: &BenchPoint, varying: Varying) -> Option<SeriesPoint> {
    let BenchPoint { mechanism, median_ns, low_ns, high_ns, .. } = point;
    let place = varying.map(|(what, count)| format!(", {} {what}", format::thousands(count(point).into())));
    let what = mechanism.to_owned() + &place.unwrap_or_default();
    let x = varying.map_or(1.0, |(_, count)| f64::from(count(point)));
    panels::point(x, &what, *median_ns, Some((*low_ns, *high_ns)), Unit::Nanoseconds)
}

/// The fastest mechanism against the slowest where most are watched or ready, if their intervals lie apart. Times of different
/// things (of calls that add and of calls that remove, say) are no race, so names that are no mechanisms' have none.
fn finding(group: &BenchGroup, varying: Varying) -> Option<String> {
    let count = |point: &BenchPoint| varying.map_or(0, |(_, count)| count(point));
    let most = group.points.iter().map(count).max()?;
    let there: Vec<&BenchPoint> =
        group.points.iter().filter(|point| count(point) == most && is_drawable(point.low_ns)).collect();
    if !there.iter().all(|point| style::is_known(&point.mechanism)) {
        return None;
    }
    let best = there.iter().min_by(|a, b| a.median_ns.total_cmp(&b.median_ns))?;
    let worst = there.iter().max_by(|a, b| a.median_ns.total_cmp(&b.median_ns))?;
    // Batches have no partners to form ratios with; from end to end, two intervals bound the ratio more widely than one would.
    let [low, high] = [worst.low_ns / best.high_ns, worst.high_ns / best.low_ns];
    let place =
        varying.map(|(what, _)| format!("with {} descriptors {what}, ", format::thousands(most.into())));
    let place = place.unwrap_or_default();
    if low <= 1.0 {
        return Some(format!("{place}no difference that the intervals carry"));
    }
    let [factor, low, high] = format::ratio_and_ends(worst.median_ns / best.median_ns, low, high);
    Some(format!("{place}{} is {factor}× faster than {} ({low}–{high})", best.mechanism, worst.mechanism))
}
