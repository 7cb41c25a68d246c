//! The map: who wins where, over connections and activity.

use super::finding;
use super::provenance::of_measured;
use crate::format;
use crate::plots::chart::{Body, Figure, Row};
use crate::plots::fields::{Field, Fields};
use crate::rounds::headline::leaders;
use crate::rounds::metrics::{RESPONSE, THROUGHPUT};
use crate::rounds::{Analysis, CandidateAnalysis, Comparison, Metric, PointAnalysis, answer};
use model::schema::{Point, Sweep};

const METRICS: [&Metric; 2] = [&RESPONSE, &THROUGHPUT];
/// Names in a field before the rest is counted.
const NAMES: usize = 2;
/// The ratio at which a colour is as strong as it gets.
const STRONGEST: f64 = 1.5;

const READING: &str = "Coloured: one candidate is surely better than all others, the stronger by the more. Grey: those named, and the counted, cannot be told apart.";

/// The map of the first sweep with several numbers of connections and several activities.
pub fn map(analysis: &Analysis<'_>) -> Option<Figure> {
    let is_grid = |sweep: &&Sweep| sweep.connections.len() > 1 && sweep.active.len() > 1;
    let sweep = analysis.campaign.plan.scenario.sweeps.iter().find(is_grid)?;
    let points: Vec<&PointAnalysis<'_>> =
        analysis.points.iter().filter(|at| at.point.sweep == sweep.name && at.rows().len() > 1).collect();
    let mut rows = METRICS.iter().map(|metric| (*metric, fields(sweep, metric, &points))).collect::<Vec<_>>();
    rows.retain(|(_, fields)| fields.rows.iter().any(|(_, row)| row.iter().flatten().next().is_some()));
    let row = |(metric, fields): (&Metric, Fields)| Row {
        heading: Some(finding::capitalised(metric.name)),
        ..Row::of("", Body::Fields(fields))
    };
    let figure = Figure {
        name: "map".to_owned(),
        title: finding::of(analysis, &METRICS, &points),
        subtitle: format!(
            "{}: who is best where, over connections and how many of them are active",
            sweep.name
        ),
        rows: rows.into_iter().map(row).collect(),
        caption: vec![READING.to_owned()],
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

fn fields(sweep: &Sweep, metric: &Metric, points: &[&PointAnalysis<'_>]) -> Fields {
    let mut connections: Vec<u32> = points.iter().map(|at| at.point.connections).collect();
    connections.sort_unstable();
    connections.dedup();
    let row = |connections: u32| {
        let field = |active: &String| {
            let there = points.iter().filter(|at| at.point.connections == connections);
            let wanted = active_of(active, connections)?;
            let at = there.min_by_key(|at| (f64::from(at.point.active) - wanted).abs() as u32)?;
            // Shares of few connections are rounded.
            ((f64::from(at.point.active) - wanted).abs() <= 1.0).then(|| field(metric, at)).flatten()
        };
        (format::thousands(connections.into()), sweep.active.iter().map(field).collect())
    };
    Fields {
        column_title: "active connections".to_owned(),
        row_title: "connections".to_owned(),
        columns: sweep.active.to_vec(),
        rows: connections.into_iter().map(row).collect(),
    }
}

/// The number of active connections that `5%` or `100` in a scenario means, of so many connections.
fn active_of(active: &str, connections: u32) -> Option<f64> {
    match active.trim().strip_suffix('%') {
        Some(percent) => Some(percent.parse::<f64>().ok()? / 100.0 * f64::from(connections)),
        None => active.trim().replace('k', "000").parse().ok(),
    }
}

fn field(metric: &Metric, at: &PointAnalysis<'_>) -> Option<Field> {
    let rows = at.rows();
    let found = leaders(metric, at);
    // Those that cannot be told apart have no ranking.
    let leaders: Vec<&str> =
        rows.iter().map(|(_, one)| one.name).filter(|name| found.contains(name)).collect();
    let compared = leaders.first().and_then(|name| at.candidate(name)?.comparison(metric));
    let saturated: Vec<&str> = rows
        .iter()
        .filter(|(_, one)| one.saturation(metric.phase).is_some())
        .map(|(_, one)| one.name)
        .collect();
    let who = match &leaders[..] {
        [] if rows.iter().any(|(_, one)| one.is_bounded(metric)) => "generator full".to_owned(),
        [] => return None,
        some if some.len() <= NAMES => some.join(", "),
        many => format!("{} + {} more", many[0], many.len() - 1),
    };
    let is_alone = leaders.len() == 1;
    // Of the reference, the candidate that comes nearest to it.
    let told = match compared.filter(|compared| compared.is_difference()) {
        Some(compared) => Some((String::new(), *compared)),
        None if is_alone => nearest(metric, &rows),
        None => None,
    };
    let by = told.as_ref().map(|(name, compared)| format!("{name}{}", in_short(metric, compared)));
    let names = if saturated.is_empty() { None } else { Some(format!("sat.: {}", saturated.join(", "))) };
    let lines: Vec<String> = [Some(who), by, names, own(at.point)].into_iter().flatten().collect();
    Some(Field {
        mechanism: is_alone.then(|| leaders[0].to_owned()),
        strength: told.map_or(0.0, |(_, compared)| compared.ratio.ln().abs() / f64::ln(STRONGEST)),
        hover: format!("{}: {}", format::place(at.point), hover(metric, &leaders, compared)),
        lines,
    })
}

/// The active connections, where a share of few makes other ones.
fn own(point: &Point) -> Option<String> {
    (point.connections < 100).then(|| format!("{} active", point.active))
}

/// `6.4% (5.7–7.4%) faster` has not the room that `6.4% faster` has.
fn in_short(metric: &Metric, compared: &Comparison) -> String {
    let text = answer::relation(metric, compared);
    text.split(" (").next().unwrap_or(&text).to_owned()
}

fn nearest(
    metric: &Metric,
    rows: &[(&crate::rounds::GroupAnalysis<'_>, &CandidateAnalysis<'_>)],
) -> Option<(String, Comparison)> {
    let others = rows.iter().filter_map(|(_, one)| Some((one.name, *one.comparison(metric)?)));
    let nearest = others.min_by(|one, other| one.1.ratio.ln().abs().total_cmp(&other.1.ratio.ln().abs()))?;
    Some((format!("{}: ", nearest.0), nearest.1))
}

fn hover(metric: &Metric, leaders: &[&str], compared: Option<&Comparison>) -> String {
    if leaders.is_empty() {
        return format!("by {} nobody is known to lead: the generator was full too", metric.name);
    }
    let verb = if leaders.len() == 1 { "is" } else { "are" };
    let by = compared.map(|compared| format!("; {} {}", leaders[0], answer::relation(metric, compared)));
    format!("by {} {} {verb} unbeaten{}", metric.name, format::and(leaders), by.unwrap_or_default())
}
