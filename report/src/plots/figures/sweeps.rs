//! Figures along what a campaign's sweeps vary.

use super::course::{Dimension, Facet, at_most};
use super::measure::Measure;
use super::{figure, file_name, finding, panels};
use crate::analysis::Analysis;
use crate::format;
use crate::plots::chart::Figure;
use model::schema::Sweep;

/// Connections from which on what one costs stands out from what a process costs anyway.
const MANY: f64 = 1_000.0;

/// The hero: response time while idle connections are added.
pub fn idle_scaling(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweep = hero(analysis)?;
    let what = "Response time at {rate} requests/s over the connections held{fixed}; less is better";
    along(analysis, "idle-scaling", &[sweep], &[Measure::ResponseP50, Measure::ResponseP99], what)
}

/// What an echo costs the server while idle connections are added.
pub fn cost(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweep = hero(analysis)?;
    let what = "Cost of an echo in closed loop over the connections held{fixed}; less is better";
    let mut figure = along(analysis, "cost", &[sweep], &[Measure::ServerCpu, Measure::Syscalls], what)?;
    let servers = &analysis.campaign.plan.scenario.servers;
    if !servers.is_empty() {
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        figure.caption.insert(1, format!("System calls of {} are not counted.", format::and(&names)));
    }
    Some(figure)
}

/// Response time and cost while active connections are added.
pub fn active_scaling(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweep = analysis.active_sweep()?;
    let what = "Response time at {rate} requests/s, and cost in closed loop, over the connections held{fixed}; less is better";
    along(analysis, "active-scaling", &[sweep], &[Measure::ResponseP50, Measure::ServerCpu], what)
}

/// What it takes to open connections, and what memory they hold.
pub fn setup_memory(analysis: &Analysis<'_>) -> Option<Figure> {
    let sweeps = analysis.campaign.plan.scenario.sweeps.iter();
    let facets = sweeps
        .filter(|sweep| Dimension::of(analysis, sweep) == Dimension::Connections)
        .flat_map(|sweep| Dimension::Connections.facets(analysis, sweep));
    let mut facet = facets.reduce(|most, facet| if reach(&facet) > reach(&most) { facet } else { most })?;
    facet.points.retain(|(connections, _)| *connections >= MANY);
    let facets = [facet];
    let measures = [Measure::SetupTime, Measure::SetupCpu, Measure::ServerMemory, Measure::KernelMemory];
    // Two rows of two: times, and memory.
    let rows: Vec<_> = measures
        .chunks(2)
        .flat_map(|pair| panels::rows(analysis, Dimension::Connections, &facets, pair))
        .collect();
    let shown: Vec<Measure> =
        measures.into_iter().filter(|measure| has(analysis, &facets, *measure)).collect();
    // Without what the kernel says, and what the server says, there is next to nothing to tell.
    let told =
        [Measure::ServerMemory, Measure::SetupCpu].into_iter().find(|measure| shown.contains(measure))?;
    if shown.len() < 2 {
        return None;
    }
    let title = finding::of_facets(analysis, &facets, &[told]);
    let subtitle = format!(
        "What it takes to open a connection and to hold it, over the connections held, {}; less is better",
        facets[0].fixed
    );
    let mut notes: Vec<String> = panels::fd_setsize_note(&rows, &facets).into_iter().collect();
    notes.push(
        "Memory: what it grew by while the connections were opened, a connection; the kernel's is the whole machine's slabs."
            .to_owned(),
    );
    figure(analysis, "setup-memory", (title, subtitle), rows, notes)
}

/// A figure for each thing besides that the campaign's sweeps vary.
pub fn further(analysis: &Analysis<'_>) -> Vec<Figure> {
    let sweeps = || analysis.campaign.plan.scenario.sweeps.iter();
    let of = |dimension: Dimension| -> Vec<&Sweep> {
        sweeps().filter(|sweep| Dimension::of(analysis, sweep) == dimension).collect()
    };
    let threads = of(Dimension::Threads);
    let (herd, threads): (Vec<&Sweep>, Vec<&Sweep>) =
        threads.into_iter().partition(|sweep| sweep.accept.len() > 1);
    let both = "Response time at {rate} requests/s, and cost in closed loop,";
    let figures = [
        along(
            analysis,
            "load-curve",
            &of(Dimension::Rate),
            &[tail(analysis, &of(Dimension::Rate)), Measure::Answered],
            "Response time and requests answered over the requests offered a second, in open loop{fixed}",
        ),
        along(
            analysis,
            "active-share",
            &of(Dimension::Share),
            &[Measure::ResponseP50, Measure::ServerCpu],
            &format!("{both} over the share of connections that is active{{fixed}}; less is better"),
        ),
        along(
            analysis,
            "message-size",
            &of(Dimension::Size),
            &[Measure::ResponseP50, Measure::ServerCpu],
            &format!("{both} over the size of a message{{fixed}}; less is better"),
        ),
        along(
            analysis,
            "churn",
            &of(Dimension::Churn),
            &[tail(analysis, &of(Dimension::Churn)), Measure::ServerCpu],
            &format!("{both} over the connections closed and opened anew a second{{fixed}}; less is better"),
        ),
        along(
            analysis,
            "thread-scaling",
            &threads,
            &[Measure::ServerCpu, Measure::Capacity],
            "Cost of an echo and echoes a second, in closed loop, over the threads of the server{fixed}",
        ),
        thundering_herd(analysis, &herd),
    ];
    let others = sweeps().filter(|sweep| is_of_its_own(analysis, sweep)).filter_map(|sweep| {
        let what = format!("{both} over the connections held{{fixed}}; less is better");
        let measures = [Measure::ResponseP50, Measure::ServerCpu];
        along(analysis, &format!("connections-{}", file_name(&sweep.name)), &[sweep], &measures, &what)
    });
    figures.into_iter().flatten().chain(others).collect()
}

/// Who wakes up for a new connection, by the way in which threads meet the listener.
fn thundering_herd(analysis: &Analysis<'_>, sweeps: &[&Sweep]) -> Option<Figure> {
    let measures = [Measure::SleepsPerAccept, Measure::EmptyPerAccept];
    let what =
        "Wake-ups over the threads of the server, by the way in which they meet the listener; less is better";
    let mut figure = along(analysis, "thundering-herd", sweeps, &measures, what)?;
    figure.title = finding::of_ways(analysis.campaign, &facets(analysis, sweeps), Measure::SleepsPerAccept);
    figure.caption.insert(
        1,
        "Sleeps are voluntary context switches of the server in open loop, those between echoes included, beside the connections \
         accepted meanwhile."
            .to_owned(),
    );
    Some(figure)
}

/// The sweep of the hero, unless its only point is where another figure begins.
fn hero<'a>(analysis: &Analysis<'a>) -> Option<&'a Sweep> {
    let sweep = analysis.idle_sweep()?;
    (!is_begin_of_churn(analysis, sweep)).then_some(sweep)
}

/// Whether a sweep along connections has no other figure.
fn is_of_its_own(analysis: &Analysis<'_>, sweep: &Sweep) -> bool {
    let drawn = [analysis.idle_sweep(), analysis.active_sweep()];
    Dimension::of(analysis, sweep) == Dimension::Connections
        && !drawn.into_iter().flatten().any(|drawn| drawn.name == sweep.name)
        && !is_begin_of_churn(analysis, sweep)
}

/// Whether all that a sweep has is the point without churn of one along churn.
fn is_begin_of_churn(analysis: &Analysis<'_>, sweep: &Sweep) -> bool {
    let along_churn = analysis
        .campaign
        .plan
        .scenario
        .sweeps
        .iter()
        .filter(|other| Dimension::of(analysis, other) == Dimension::Churn);
    let begins: Vec<_> = along_churn
        .flat_map(|other| Dimension::Churn.facets(analysis, other))
        .filter_map(|facet| facet.points.first().map(|(_, at)| &at.point))
        .collect();
    let mut points = analysis.points.iter().filter(|at| at.point.sweep == sweep.name).map(|at| &at.point);
    !begins.is_empty() && points.all(|point| begins.contains(&point))
}

/// The facets of several sweeps along the same dimension, no more than there is room for.
fn facets<'a>(analysis: &'a Analysis<'_>, sweeps: &[&Sweep]) -> Vec<Facet<'a>> {
    at_most(all_facets(analysis, sweeps))
}

fn all_facets<'a>(analysis: &'a Analysis<'_>, sweeps: &[&Sweep]) -> Vec<Facet<'a>> {
    sweeps.iter().flat_map(|sweep| Dimension::of(analysis, sweep).facets(analysis, sweep)).collect()
}

/// A line of the caption about facets that there is no room for.
fn left_out_note(analysis: &Analysis<'_>, sweeps: &[&Sweep], drawn: &[Facet<'_>]) -> Option<String> {
    let all = all_facets(analysis, sweeps);
    let missing: Vec<&str> = all
        .iter()
        .map(|facet| facet.fixed.as_str())
        .filter(|fixed| drawn.iter().all(|facet| facet.fixed != *fixed))
        .collect();
    (!missing.is_empty()).then(|| format!("Not drawn, but in the tables: {}.", format::and(&missing)))
}

/// A figure along what `sweeps` vary, with the finding by the first measure as its title. In the subtitle stand `{rate}` for
/// the rate of the open loop and `{fixed}` for what all points have in common.
fn along(
    analysis: &Analysis<'_>,
    name: &str,
    sweeps: &[&Sweep],
    measures: &[Measure],
    subtitle: &str,
) -> Option<Figure> {
    let dimension = Dimension::of(analysis, sweeps.first()?);
    let facets = facets(analysis, sweeps);
    let rows = panels::rows(analysis, dimension, &facets, measures);
    let fixed = match &facets[..] {
        [facet] => format!(", {}", facet.fixed),
        _ => String::new(),
    };
    let rate = format::nominal_rate(analysis.campaign.plan.scenario.load.rate_per_s);
    let subtitle = subtitle.replace("{rate}", &rate).replace("{fixed}", &fixed);
    let title = finding::of_facets(analysis, &facets, measures);
    let notes = [panels::fd_setsize_note(&rows, &facets), left_out_note(analysis, sweeps, &facets)];
    figure(analysis, name, (title, subtitle), rows, notes.into_iter().flatten().collect())
}

/// The furthest percentile that at least half of what is drawn has.
fn tail(analysis: &Analysis<'_>, sweeps: &[&Sweep]) -> Measure {
    let facets = facets(analysis, sweeps);
    let rows = || facets.iter().flat_map(|facet| &facet.points).flat_map(|(_, at)| &at.rows);
    let known = |measure: Measure| rows().filter(|row| measure.shown(row, &[]).is_some()).count();
    let median = known(Measure::ResponseP50);
    let is_enough = |measure: &Measure| 2 * known(*measure) >= median;
    [Measure::ResponseP99, Measure::ResponseP90].into_iter().find(is_enough).unwrap_or(Measure::ResponseP50)
}

/// Whether anything is known of a measure.
fn has(analysis: &Analysis<'_>, facets: &[Facet<'_>], measure: Measure) -> bool {
    !panels::rows(analysis, Dimension::Connections, facets, &[measure]).is_empty()
}

/// The most connections of a facet.
fn reach(facet: &Facet<'_>) -> f64 {
    facet.points.last().map_or(0.0, |(connections, _)| *connections)
}
