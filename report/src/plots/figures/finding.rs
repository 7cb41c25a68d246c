//! The title of a figure: a sentence that says what it shows, and nothing that no interval supports.

use crate::format;
use crate::rounds::headline::extreme;
use crate::rounds::{Analysis, Comparison, Extreme, Metric, PointAnalysis, Shown, answer};
use stats::Relation;

/// The finding from the intervals of `metrics` at `points`, without a full stop: by the first metric in which anything
/// differs from the reference, or else by all of them.
pub fn of(analysis: &Analysis<'_>, metrics: &[&Metric], points: &[&PointAnalysis<'_>]) -> String {
    let told = metrics.iter().find_map(|metric| differences(analysis, metric, points));
    told.unwrap_or_else(|| undistinguished(analysis, metrics, points))
}

/// The surest differences in both directions, and who is saturated.
fn differences(analysis: &Analysis<'_>, metric: &Metric, points: &[&PointAnalysis<'_>]) -> Option<String> {
    let extremes = [false, true].map(|better| extreme(metric, points, better));
    let mut told: Vec<String> = saturated(metric, points).into_iter().collect();
    let sentence = |one: &Extreme<'_>| answer::extreme(points[one.point].point, metric, one);
    told.extend(extremes.iter().flatten().map(sentence));
    let is_difference = extremes.iter().any(Option::is_some);
    let reference = &analysis.campaign.plan.reference;
    let what = capitalised(metric.name);
    is_difference.then(|| format!("{what} against {reference}: {}", told.join("; ")))
}

/// `poll and select are saturated at 10k × 10`.
fn saturated(metric: &Metric, points: &[&PointAnalysis<'_>]) -> Option<String> {
    let names_at = |point: &PointAnalysis<'_>| -> Vec<String> {
        let rows = point.rows().into_iter();
        let saturated = rows.filter(|(_, one)| matches!(one.shown(metric), Shown::Saturated(_)));
        saturated.map(|(_, one)| one.name.to_owned()).collect()
    };
    let mut found =
        points.iter().map(|point| (point.point, names_at(point))).filter(|(_, names)| !names.is_empty());
    let (point, names) = found.next()?;
    let verb = if names.len() == 1 { "is" } else { "are" };
    let more =
        format::further(found.count(), |more| format!(" and at {} more", format::plural(more, "point")));
    Some(format!("{} {verb} saturated at {}{more}", format::and(&names), format::place_in_short(point)))
}

/// The finding where nothing differs.
fn undistinguished(analysis: &Analysis<'_>, metrics: &[&Metric], points: &[&PointAnalysis<'_>]) -> String {
    let reference = &analysis.campaign.plan.reference;
    let rows = || points.iter().flat_map(|point| point.rows()).map(|(_, candidate)| candidate);
    let all = || rows().flat_map(|one| metrics.iter().filter_map(|metric| one.comparison(metric)));
    if let Some(text) = metrics.iter().find_map(|metric| saturated(metric, points)) {
        return format!("{text}; no other interval excludes 1");
    }
    let reach = |of: fn(&Comparison) -> f64, more: fn(f64, f64) -> f64| all().map(of).reduce(more);
    let low = reach(|compared| compared.interval.low, f64::min);
    let high = reach(|compared| compared.interval.high, f64::max);
    match (low, high) {
        (Some(low), Some(high)) if all().all(|compared| compared.relation == Relation::Equal) => {
            format!(
                "All ratios to {reference} are equal to 1 within {}",
                format::percent(low_to_margin(low, high))
            )
        }
        (Some(low), Some(high)) => {
            format!(
                "Against {reference} no interval of a ratio excludes 1; they reach from {low:.2} to {high:.2}"
            )
        }
        _ => format!("{} at {}", capitalised(&names(metrics)), format::plural(points.len(), "point")),
    }
}

/// The farther end, as a share.
fn low_to_margin(low: f64, high: f64) -> f64 {
    ((high - 1.0).max(1.0 - low) * 100.0).ceil() / 100.0
}

fn names(metrics: &[&Metric]) -> String {
    format::and(&metrics.iter().map(|metric| metric.name).collect::<Vec<_>>())
}

/// A text that begins with a capital letter.
pub fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
