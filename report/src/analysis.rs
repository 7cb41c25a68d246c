//! What a campaign says: the figures of each mechanism at each point, who wins, and the finding.
//!
//! Only valid cells count. A percentile that is shown is that of the histograms of all repeats
//! *merged*, never an average of percentiles; its interval, and every ratio, come from one value a
//! repeat.

mod precision;

use rayon::prelude::*;

use crate::cells::{self, Figure, summary};
use crate::statistics::{Ratio, Summary, Verdict};
use model::histogram::{self, DecodeError, Histogram};
use model::schema::{Campaign, Cell, CellStatus, Point, Sweep};

#[cfg(feature = "plots")]
pub use self::precision::{Widest, widest};

/// A figure by which mechanisms are ranked; less is better in each.
///
/// The winner of a point is the one by [`Metric::ResponseP50`]: half of the requests see it, every
/// repeat has samples enough for it, and it is compared at a rate that all mechanisms were offered.
/// The others have verdicts of their own, since a mechanism may win the median and lose the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Median response time in open loop, in nanoseconds.
    ResponseP50,
    /// 99th percentile of the response time in open loop, in nanoseconds.
    ResponseP99,
    /// Processor time of the server for one echo in closed loop, in nanoseconds.
    ServerCpu,
}

impl Metric {
    /// What a repeat measured of it, in nanoseconds.
    pub fn figure(self) -> Figure {
        match self {
            Self::ResponseP50 => Figure::ResponseP50,
            Self::ResponseP99 => Figure::ResponseP99,
            Self::ServerCpu => Figure::ServerCpu,
        }
    }
}

/// How a mechanism stands at a point, by one metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Better than each other mechanism, by intervals that leave 1 out.
    Winner,
    /// The best, or not told apart from the best. The ratio to the best is absent for the best itself.
    Tie(Option<Ratio>),
    /// Worse than the best by this ratio, whose interval leaves 1 out.
    Behind(Ratio),
    /// The best so far, but over too few repeats to say so.
    Leading,
    /// Worse than the best so far by this ratio, over too few repeats to say so.
    Trailing(Ratio),
    /// No other mechanism has a figure here.
    Alone,
    /// It has no figure here, or none in a repeat that the best has one in.
    Absent,
}

/// One metric of one mechanism at one point, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The figure to show; absent without enough samples.
    pub value_ns: Option<f64>,
    /// Its repeats.
    pub summary: Option<Summary>,
    /// Against the others.
    pub standing: Standing,
}

/// Throughput in closed loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Echoes a second.
    pub per_s: Summary,
    /// Whether it is only a lower bound: in some repeat the server's processor was not full, or the
    /// generator's was.
    pub lower_bound: bool,
}

/// What became of the cells of one mechanism at one point, attempts included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts whose figures count.
    pub valid: usize,
    /// Attempts that broke a rule.
    pub invalid: usize,
    /// Attempts that could not be measured.
    pub failed: usize,
    /// Repeats that were attempted and have no valid attempt.
    pub lost_repeats: usize,
}

/// One mechanism, or one external server, at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub mechanism: String,
    /// What became of its cells.
    pub attempts: Attempts,
    /// Response times of all valid repeats.
    pub response: Histogram,
    /// See [`Metric::ResponseP50`].
    pub p50: Measured,
    /// See [`Metric::ResponseP99`].
    pub p99: Measured,
    /// See [`Metric::ServerCpu`].
    pub cpu: Measured,
    /// Throughput in closed loop.
    pub capacity: Option<Capacity>,
    /// Processor time of the whole machine for one echo in closed loop, in nanoseconds.
    pub system_cpu_ns: Option<Summary>,
    /// System calls of the server for one echo in closed loop; absent for a server without counters.
    pub syscalls: Option<Summary>,
}

impl Row {
    /// The figure of `metric`.
    pub fn measured(&self, metric: Metric) -> &Measured {
        match metric {
            Metric::ResponseP50 => &self.p50,
            Metric::ResponseP99 => &self.p99,
            Metric::ServerCpu => &self.cpu,
        }
    }
}

/// All contenders at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct PointAnalysis {
    /// Where.
    pub point: Point,
    /// The mechanisms and then the external servers, in the order of the plan.
    pub rows: Vec<Row>,
}

/// What a campaign says.
#[derive(Debug, Clone)]
pub struct Analysis<'a> {
    /// The campaign itself.
    pub campaign: &'a Campaign,
    /// Its points, in the order of the plan; the points of each sweep are apart.
    pub points: Vec<PointAnalysis>,
}

impl<'a> Analysis<'a> {
    /// Analyses a campaign.
    ///
    /// # Errors
    ///
    /// When a histogram in it is damaged, which a campaign from [`model::read::campaign()`] has none of.
    pub fn of(campaign: &'a Campaign) -> Result<Self, DecodeError> {
        let contenders = contenders(campaign);
        let analysed: Result<_, _> = points(campaign)
            .into_par_iter()
            .map(|point| analyse_point(campaign, point, &contenders))
            .collect();
        Ok(Self { campaign, points: analysed? })
    }

    /// The points of one sweep, in order of connections.
    pub fn sweep(&self, name: &str) -> Vec<&PointAnalysis> {
        let mut points: Vec<_> = self.points.iter().filter(|at| at.point.sweep == name).collect();
        points.sort_by_key(|at| at.point.connections);
        points
    }

    /// The sweep in which the active connections are a fixed count, and idle ones are added.
    pub fn idle_sweep(&self) -> Option<&'a Sweep> {
        let fixed = |sweep: &&Sweep| !sweep.active.iter().any(|active| active.trim_end().ends_with('%'));
        let mut sweeps = self.campaign.plan.scenario.sweeps.iter().filter(|s| s.varies_connections_alone());
        sweeps.clone().find(|sweep| sweep.name == "idle-scaling").or_else(|| sweeps.find(fixed))
    }

    /// The sweep in which all connections are active.
    pub fn active_sweep(&self) -> Option<&'a Sweep> {
        let all = |sweep: &&Sweep| {
            sweep.varies_connections_alone() && sweep.active.iter().all(|active| active.trim() == "100%")
        };
        self.campaign.plan.scenario.sweeps.iter().find(all)
    }
}

/// The contenders in the order of the plan, then those that were measured without being in it. The second of the
/// A/A pair is none.
fn contenders(campaign: &Campaign) -> Vec<&str> {
    let planned = campaign.plan.scenario.contenders();
    let control = campaign.plan.scenario.control_name();
    let measured = campaign.cells.iter().map(|cell| &*cell.mechanism);
    unique(planned.chain(measured.filter(|name| Some(*name) != control.as_deref())))
}

fn points(campaign: &Campaign) -> Vec<&Point> {
    unique(campaign.plan.points.iter().chain(campaign.cells.iter().map(|cell| &cell.point)))
}

fn unique<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

fn analyse_point(
    campaign: &Campaign,
    point: &Point,
    contenders: &[&str],
) -> Result<PointAnalysis, DecodeError> {
    let scenario = &campaign.plan.scenario;
    let is_measured = |name: &&str| scenario.exclusion(name, point).is_none();
    let contenders: Vec<&str> = contenders.iter().copied().filter(is_measured).collect();
    let cells: Vec<Vec<&Cell>> =
        contenders.iter().map(|contender| cells::valid(campaign, point, contender)).collect();
    let p50 = standings(&cells, Metric::ResponseP50);
    let p99 = standings(&cells, Metric::ResponseP99);
    let cpu = standings(&cells, Metric::ServerCpu);
    let verdicts = p50.into_iter().zip(p99).zip(cpu);
    let rows: Result<_, _> = contenders
        .iter()
        .zip(&cells)
        .zip(verdicts)
        .map(|((contender, cells), ((p50, p99), cpu))| {
            let attempts = attempts(campaign, point, contender);
            analyse_row(contender, attempts, cells, [p50, p99, cpu])
        })
        .collect();
    Ok(PointAnalysis { point: point.clone(), rows: rows? })
}

fn analyse_row(
    mechanism: &str,
    attempts: Attempts,
    cells: &[&Cell],
    [p50, p99, cpu]: [Standing; 3],
) -> Result<Row, DecodeError> {
    let mut response = histogram::empty();
    for latency in cells.iter().filter_map(|cell| cell.latency.as_ref()?.load.response.as_ref()) {
        response += latency.histogram()?;
    }
    let measured = |metric: Metric, standing, merged: Option<u64>| {
        let summary = summary(cells, |cell| metric.figure().of(cell));
        let value_ns = match metric {
            Metric::ServerCpu => summary.map(|summary| summary.median),
            Metric::ResponseP50 | Metric::ResponseP99 => merged.map(|ns| ns as f64),
        };
        Measured { value_ns, summary, standing }
    };
    let capacity = summary(cells, |cell| Some(cell.capacity.as_ref()?.load.throughput_per_s));
    Ok(Row {
        mechanism: mechanism.to_owned(),
        attempts,
        p50: measured(Metric::ResponseP50, p50, histogram::quantile_ns(&response, 0.5)),
        p99: measured(Metric::ResponseP99, p99, histogram::quantile_ns(&response, 0.99)),
        cpu: measured(Metric::ServerCpu, cpu, None),
        response,
        capacity: capacity.map(|per_s| Capacity {
            per_s,
            lower_bound: !cells
                .iter()
                .filter_map(|cell| cell.capacity.as_ref())
                .all(|phase| phase.is_capacity),
        }),
        system_cpu_ns: summary(cells, |cell| cell.capacity.as_ref()?.usage.system_cpu_ns_per_echo()),
        syscalls: summary(cells, |cell| cell.capacity.as_ref()?.usage.server_syscalls_per_echo()),
    })
}

fn attempts(campaign: &Campaign, point: &Point, mechanism: &str) -> Attempts {
    let cells: Vec<&Cell> =
        campaign.cells.iter().filter(|cell| cell.mechanism == mechanism && cell.point == *point).collect();
    let of = |status: CellStatus| cells.iter().filter(move |cell| cell.status == status);
    let repeats = unique(cells.iter().map(|cell| cell.repeat));
    let lost = |repeat: &&u32| !of(CellStatus::Valid).any(|cell| cell.repeat == **repeat);
    Attempts {
        valid: of(CellStatus::Valid).count(),
        invalid: of(CellStatus::Invalid).count(),
        failed: of(CellStatus::Failed).count(),
        lost_repeats: repeats.iter().filter(lost).count(),
    }
}

/// How each mechanism stands against the best, by ratios formed within repeats.
fn standings(cells: &[Vec<&Cell>], metric: Metric) -> Vec<Standing> {
    let Some((best, ratios)) = best_and_ratios(cells, metric) else {
        return vec![Standing::Absent; cells.len()];
    };
    let compared =
        || ratios.iter().enumerate().filter(|(index, _)| *index != best).filter_map(|(_, ratio)| *ratio);
    let of_best = if compared().count() == 0 {
        Standing::Alone
    } else if compared().any(|ratio| ratio.verdict == Verdict::NotEnoughRepeats) {
        Standing::Leading
    } else if compared().all(|ratio| ratio.verdict == Verdict::Above) {
        Standing::Winner
    } else {
        Standing::Tie(None)
    };
    let of_other = |ratio: &Option<Ratio>| match ratio {
        None => Standing::Absent,
        Some(ratio) => match ratio.verdict {
            Verdict::NotEnoughRepeats => Standing::Trailing(*ratio),
            Verdict::Above => Standing::Behind(*ratio),
            Verdict::Tie | Verdict::Below => Standing::Tie(Some(*ratio)),
        },
    };
    let mut standings: Vec<Standing> = ratios.iter().map(of_other).collect();
    standings[best] = of_best;
    standings
}

/// The best mechanism, and the ratio of each to it.
fn best_and_ratios(cells: &[Vec<&Cell>], metric: Metric) -> Option<(usize, Vec<Option<Ratio>>)> {
    let median =
        |cells: &[&Cell]| summary(cells, |cell| metric.figure().of(cell)).map(|summary| summary.median);
    let medians = cells.iter().enumerate().filter_map(|(index, cells)| Some((index, median(cells)?)));
    let (least, _) = medians.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let against = |best: usize| -> Vec<Option<Ratio>> {
        cells.iter().map(|others| cells::ratio(others, &cells[best], metric.figure())).collect()
    };
    let ratios = against(least);
    // On a machine that drifts, the least median may still lose within the repeats; those decide.
    let better = ratios
        .iter()
        .enumerate()
        .filter_map(|(index, ratio)| Some((index, (*ratio)?)))
        .filter(|(_, ratio)| ratio.verdict == Verdict::Below)
        .min_by(|a, b| a.1.summary.median.total_cmp(&b.1.summary.median));
    Some(match better {
        Some((index, _)) => (index, against(index)),
        None => (least, ratios),
    })
}

#[cfg(test)]
mod tests;
