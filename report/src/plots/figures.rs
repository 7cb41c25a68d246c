//! What each figure shows.

use super::axis::{Axis, Unit};
use super::chart::{Figure, Mark, Panel, Series, SeriesPoint};
use crate::analysis::{self, Analysis, Metric, PointAnalysis, Row};
use crate::format;
use crate::histogram::{Histogram, SAMPLES_BEYOND};
use crate::schema::{BenchGroup, BenchPoint, Environment, Sweep};
use crate::statistics::{REPEATS_FOR_INTERVAL, Summary};

/// The first connection beyond what glibc's `fd_set` holds.
const FD_SETSIZE: f64 = 1024.0;

const CONNECTIONS: &str = "connections held (logarithmic)";

/// A figure to show at a point of a line, and its repeats.
type Shown = (f64, Option<Summary>);

/// The hero: response time while idle connections are added.
pub fn idle_scaling(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweep = analysis.idle_sweep()?;
    let panels = [
        panel(analysis, sweep, "median response time (p50)", Unit::Duration, |row| {
            shown(row, Metric::ResponseP50)
        }),
        panel(analysis, sweep, "99th percentile (p99)", Unit::Duration, |row| {
            shown(row, Metric::ResponseP99)
        }),
    ];
    let panels = on_one_scale(panels.into_iter().flatten().collect());
    let subtitle = format!(
        "Response time at {} requests/s over the connections held, of which {} are active; less is better",
        format::nominal_rate(analysis.campaign.plan.scenario.load.rate_per_s),
        sweep.active,
    );
    figure(analysis, "idle-scaling", analysis.finding_of(&sweep.name, Metric::ResponseP50), subtitle, panels)
}

/// The whole distribution of response times at the largest point of the idle sweep.
pub fn percentile_spectrum(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweep = analysis.idle_sweep()?;
    let points = analysis.sweep(&sweep.name);
    let measured = |at: &PointAnalysis| at.rows.iter().filter(|row| !row.response.is_empty()).count();
    let largest = |least: usize| points.iter().rev().find(|at| measured(at) >= least).copied();
    let at = largest(2).or_else(|| largest(1))?;
    let series: Vec<Series> =
        at.rows.iter().filter_map(|row| spectrum(&row.mechanism, &row.response)).collect();
    if series.is_empty() {
        return None;
    }
    let beyond =
        |metric: Metric| at.rows.iter().filter(|row| row.measured(metric).summary.is_some()).count() > 1;
    let metric = if beyond(Metric::ResponseP99) { Metric::ResponseP99 } else { Metric::ResponseP50 };
    let xs = series.iter().flat_map(|series| series.points.iter().map(|point| point.x));
    let panel = Panel {
        heading: "response time".to_owned(),
        x_title: "percentile (by 1/(1-p), logarithmic)".to_owned(),
        x: Axis::around(xs.chain([1.0]), 0.0, Unit::Percentile),
        y: axis_of(&series, Unit::Duration),
        series,
        rules: Vec::new(),
    };
    let subtitle = format!(
        "Response times of all repeats at {} connections, {} active, {} requests/s; a line ends where fewer than \
         {SAMPLES_BEYOND} samples lie beyond",
        format::thousands(at.point.connections.into()),
        format::thousands(at.point.active.into()),
        format::nominal_rate(analysis.campaign.plan.scenario.load.rate_per_s),
    );
    let mut figure =
        figure(analysis, "percentile-spectrum", analysis::finding_at(at, metric), subtitle, vec![panel])?;
    // Bands and hollow markers are not drawn here; only where it was measured remains to be said.
    figure.caption.drain(..figure.caption.len() - 1);
    Some(figure)
}

/// What an echo costs the server while idle connections are added.
pub fn cost(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweep = analysis.idle_sweep()?;
    let panels = [
        panel(analysis, sweep, "server processor time an echo", Unit::Duration, |row| {
            shown(row, Metric::ServerCpu)
        }),
        panel(analysis, sweep, "server system calls an echo", Unit::Count, |row| {
            row.syscalls.map(|summary| (summary.median, Some(summary)))
        }),
    ];
    let subtitle = format!(
        "Cost of an echo in closed loop over the connections held, of which {} are active; less is better",
        sweep.active
    );
    let panels = panels.into_iter().flatten().collect();
    figure(analysis, "cost", analysis.finding_of(&sweep.name, Metric::ServerCpu), subtitle, panels)
}

/// Response time and cost while active connections are added.
pub fn active_scaling(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweep = analysis.active_sweep()?;
    let panels = [
        panel(analysis, sweep, "median response time (p50)", Unit::Duration, |row| {
            shown(row, Metric::ResponseP50)
        }),
        panel(analysis, sweep, "server processor time an echo", Unit::Duration, |row| {
            shown(row, Metric::ServerCpu)
        }),
    ];
    let subtitle = format!(
        "All connections active: response time at {} requests/s, and cost in closed loop; less is better",
        format::nominal_rate(analysis.campaign.plan.scenario.load.rate_per_s),
    );
    let panels = panels.into_iter().flatten().collect();
    figure(
        analysis,
        "active-scaling",
        analysis.finding_of(&sweep.name, Metric::ResponseP50),
        subtitle,
        panels,
    )
}

/// One group of micro-benchmarks: wall time of a call over the descriptors watched.
pub fn bench(group: &BenchGroup) -> Option<Figure> {
    let series = bench_series(group);
    let rules = fd_setsize(&series);
    let mut caption = vec!["Line: median of batches. Band: its bootstrap 95% interval.".to_owned()];
    caption.extend(fd_setsize_note(&rules));
    caption.push(format!("{}; measured {}", machine(&group.environment), group.started));
    let panel = Panel {
        heading: "wall time of a call".to_owned(),
        x_title: "descriptors watched (logarithmic)".to_owned(),
        x: x_axis(&series),
        y: axis_of(&series, Unit::Duration),
        series,
        rules,
    };
    // The name becomes a file's.
    let name: String = group.group.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    (!panel.series.is_empty()).then(|| Figure {
        name: format!("bench-{name}"),
        title: format!("{}: {}", group.group, group.what),
        subtitle: "Micro-benchmark: wall time of one call over the descriptors watched; less is better"
            .to_owned(),
        panels: vec![panel],
        warnings: Vec::new(),
        caption,
    })
}

fn bench_series(group: &BenchGroup) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    for point in group.points.iter().filter(|point| drawable(point.median_ns) && point.watched > 0) {
        let drawn = bench_point(point);
        match series.iter_mut().find(|series| series.mechanism == point.mechanism) {
            Some(series) => series.points.push(drawn),
            None => series.push(Series {
                mechanism: point.mechanism.clone(),
                label: String::new(),
                points: vec![drawn],
            }),
        }
    }
    for series in &mut series {
        series.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        series.label = label(&series.mechanism, series.points.last().map(|point| point.y), Unit::Duration);
    }
    series
}

fn bench_point(point: &BenchPoint) -> SeriesPoint {
    let hover = format!(
        "{}, {} watched: {} ({} to {})",
        point.mechanism,
        format::thousands(point.watched.into()),
        format::duration_ns(point.median_ns),
        format::duration_ns(point.low_ns),
        format::duration_ns(point.high_ns)
    );
    let band = Some((point.low_ns, point.high_ns)).filter(|(low, high)| drawable(*low) && drawable(*high));
    SeriesPoint { x: f64::from(point.watched), y: point.median_ns, band, mark: Mark::Solid, hover }
}

/// A figure of a campaign, unless there is nothing in it.
fn figure(
    analysis: &Analysis<'_>,
    name: &str,
    title: String,
    subtitle: String,
    panels: Vec<Panel>,
) -> Option<Figure> {
    let campaign = analysis.campaign;
    let repeats = campaign.plan.scenario.repeats as usize;
    let mut warnings = Vec::new();
    if campaign.quick {
        warnings.push("quick run: wide intervals".to_owned());
    }
    if !campaign.complete {
        warnings.push("interrupted: not every planned cell was measured".to_owned());
    }
    let mut reading = if repeats < REPEATS_FOR_INTERVAL {
        format!("Line: all repeats together. {}: too few for an interval.", format::plural(repeats, "repeat"))
    } else {
        let caveat = format::interval_caveat(repeats).map(|text| format!(" ({text})")).unwrap_or_default();
        format!("Line: all repeats together. Band: bootstrap 95% interval of the repeats' median{caveat}.")
    };
    let marked = |mark: Mark| {
        panels
            .iter()
            .flat_map(|panel| &panel.series)
            .flat_map(|series| &series.points)
            .any(move |point| point.mark == mark)
    };
    if marked(Mark::Hollow) {
        reading.push_str(" Hollow: not every repeat was valid there.");
    }
    let mut caption = vec![reading];
    caption.extend(panels.first().and_then(|panel| fd_setsize_note(&panel.rules)));
    caption.push(format!(
        "{}; seed {}, {}, {}",
        machine(&campaign.environment),
        campaign.plan.seed,
        format::plural(repeats, "repeat"),
        campaign.started
    ));
    (!panels.is_empty()).then(|| Figure { name: name.to_owned(), title, subtitle, panels, warnings, caption })
}

fn machine(environment: &Environment) -> String {
    format!(
        "{}: {}, {} processors{}, Linux {}; muxbench {}",
        environment.host,
        environment.processor,
        environment.processors,
        environment.hypervisor.as_ref().map(|name| format!(" ({name})")).unwrap_or_default(),
        environment.kernel,
        environment.muxbench_version
    )
}

/// A panel with a line a mechanism over the connections of a sweep; `None` without anything to draw.
fn panel(
    analysis: &Analysis<'_>,
    sweep: &Sweep,
    heading: &str,
    unit: Unit,
    value: impl Fn(&Row) -> Option<Shown>,
) -> Option<Panel> {
    let points = analysis.sweep(&sweep.name);
    let names = points.first()?.rows.iter().map(|row| &row.mechanism);
    let series: Vec<Series> = names
        .filter_map(|name| {
            let rows = points.iter().flat_map(|at| at.rows.iter().map(move |row| (at, row)));
            let points: Vec<SeriesPoint> = rows
                .filter(|(_, row)| row.mechanism == *name)
                .filter_map(|(at, row)| series_point(at, row, value(row)?, unit))
                .collect();
            let label = label(name, points.last().map(|point| point.y), unit);
            (!points.is_empty()).then(|| Series { mechanism: name.clone(), label, points })
        })
        .collect();
    (!series.is_empty()).then(|| Panel {
        heading: heading.to_owned(),
        x_title: CONNECTIONS.to_owned(),
        x: x_axis(&series),
        y: axis_of(&series, unit),
        rules: fd_setsize(&series),
        series,
    })
}

fn series_point(at: &PointAnalysis, row: &Row, (y, summary): Shown, unit: Unit) -> Option<SeriesPoint> {
    let x = f64::from(at.point.connections);
    let interval = summary.and_then(|summary| summary.interval);
    let band = interval.map(|interval| (interval.low, interval.high));
    let range = interval
        .map(|interval| format!(" ({} to {})", number(interval.low, unit), number(interval.high, unit)))
        .unwrap_or_default();
    let hover = format!(
        "{}, {} connections: {}{range}",
        row.mechanism,
        format::thousands(at.point.connections.into()),
        number(y, unit)
    );
    let mark = if row.attempts.lost_repeats > 0 { Mark::Hollow } else { Mark::Solid };
    let band = band.filter(|(low, high)| drawable(*low) && drawable(*high));
    (drawable(x) && drawable(y)).then_some(SeriesPoint { x, y, band, mark, hover })
}

/// The line of one mechanism in the spectrum; markers at the percentiles people name.
fn spectrum(mechanism: &str, histogram: &Histogram) -> Option<Series> {
    const STEPS_PER_DECADE: i32 = 32;
    let last = histogram.len() as f64 / SAMPLES_BEYOND as f64;
    if last < 2.0 {
        return None;
    }
    let value = |x: f64| histogram.value_at_quantile(1.0 - 1.0 / x) as f64;
    let named = [2.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6].map(|x| (x, Mark::Solid));
    let between = (0..).map(|step| (10f64.powf(f64::from(step) / f64::from(STEPS_PER_DECADE)), Mark::None));
    let mut xs: Vec<(f64, Mark)> = between.take_while(|(x, _)| *x < last).chain(named).collect();
    xs.push((last, Mark::None));
    xs.retain(|(x, _)| *x <= last);
    xs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let points: Vec<SeriesPoint> = xs
        .into_iter()
        .filter(|(x, _)| drawable(value(*x)))
        .map(|(x, mark)| SeriesPoint {
            x,
            y: value(x),
            band: None,
            mark,
            hover: format!("{mechanism}, {:.4}%: {}", 100.0 - 100.0 / x, format::duration_ns(value(x))),
        })
        .collect();
    let label = label(mechanism, points.last().map(|point| point.y), Unit::Duration);
    (!points.is_empty()).then(|| Series { mechanism: mechanism.to_owned(), label, points })
}

fn shown(row: &Row, metric: Metric) -> Option<Shown> {
    let measured = row.measured(metric);
    Some((measured.value_ns?, measured.summary))
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Duration => format::duration_ns(value),
        Unit::Count | Unit::Percentile => format::three_digits(value),
    }
}

fn label(mechanism: &str, value: Option<f64>, unit: Unit) -> String {
    value.map_or_else(|| mechanism.to_owned(), |value| format!("{mechanism} {}", number(value, unit)))
}

/// Whether a value has a place on a logarithmic axis.
fn drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn x_axis(series: &[Series]) -> Axis {
    Axis::around(
        series.iter().flat_map(|series| series.points.iter().map(|point| point.x)),
        0.04,
        Unit::Count,
    )
}

fn axis_of(series: &[Series], unit: Unit) -> Axis {
    let values = series.iter().flat_map(|series| &series.points).flat_map(|point| {
        let (low, high) = point.band.unwrap_or((point.y, point.y));
        [point.y, low, high]
    });
    Axis::holding(values, unit)
}

/// Panels side by side are compared by eye, so they share one vertical scale.
fn on_one_scale(mut panels: Vec<Panel>) -> Vec<Panel> {
    let low = panels.iter().map(|panel| panel.y.low).fold(f64::MAX, f64::min);
    let high = panels.iter().map(|panel| panel.y.high).fold(f64::MIN, f64::max);
    for panel in &mut panels {
        (panel.y.low, panel.y.high) = (low, high);
    }
    panels
}

fn fd_setsize(series: &[Series]) -> Vec<(f64, &'static str)> {
    let shown = series.iter().any(|series| series.mechanism == "select");
    let mut points = series.iter().flat_map(|series| &series.points);
    let crossed = points.any(|point| point.x > FD_SETSIZE);
    if shown && crossed { vec![(FD_SETSIZE, "FD_SETSIZE 1024")] } else { Vec::new() }
}

fn fd_setsize_note(rules: &[(f64, &'static str)]) -> Option<String> {
    let note = "FD_SETSIZE ends here: glibc's select stops; muxbench's select uses its own bitmaps.";
    (!rules.is_empty()).then(|| format!("Line at 1024: {note}"))
}
