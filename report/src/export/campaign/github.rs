//! What [github-action-benchmark](https://github.com/benchmark-action/github-action-benchmark) reads as `customSmallerIsBetter` and
//! `customBiggerIsBetter`: an array of figures a file, told from run to run by their names.

use crate::figure;
use serde::Serialize;

use super::json;
use super::series::{self, Series};
use crate::format;
use crate::statistics::Interval;
use model::schema::{Campaign, Cell, MainFigure};

/// The file of times.
const SMALLER: &str = "smaller-is-better.json";
/// The file of capacities.
const BIGGER: &str = "bigger-is-better.json";

/// One figure. The names of the keys are the action's.
#[derive(Serialize)]
struct Figure {
    /// `epoll-et/10000c/10a/p99`.
    name: String,
    /// `us` or `echoes/s`.
    unit: &'static str,
    value: f64,
    /// `± 12.1`: how far the 95 % interval reaches, to the farther side. The action shows it and decides nothing by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    /// What its charts show beside a point.
    extra: String,
}

/// Both files, name and text.
pub fn render(campaign: &Campaign) -> [(String, String); 2] {
    let series = series::all(campaign);
    let conditions = conditions(campaign);
    let of = |bigger: bool| -> Vec<Figure> {
        let wanted = MainFigure::ALL.into_iter().filter(|figure| figure.is_better_when_greater() == bigger);
        let wanted: Vec<MainFigure> = wanted.collect();
        let figures = series.iter().flat_map(|series| wanted.iter().map(move |figure| (series, *figure)));
        figures.filter_map(|(series, figure)| Figure::of(series, figure, &conditions)).collect()
    };
    [(SMALLER, false), (BIGGER, true)].map(|(name, bigger)| (name.to_owned(), json(&of(bigger))))
}

impl Figure {
    fn of(series: &Series<'_>, figure: MainFigure, conditions: &str) -> Option<Self> {
        let summary = figure::summary(figure, &series.cells)?;
        // Whole nanoseconds as microseconds, and whole echoes.
        let (unit, scale) = if figure.is_better_when_greater() { ("echoes/s", 1.0) } else { ("us", 1e3) };
        let scaled = |value: f64| value.round() / scale;
        let mut extra = format::plural(summary.repeats, "repeat");
        if let Some(interval) = summary.interval {
            extra += &format!("\n95% interval {} to {} {unit}", scaled(interval.low), scaled(interval.high));
        }
        let is_bound = |cell: &&Cell| cell.capacity.as_ref().is_some_and(|phase| !phase.is_capacity);
        if figure == MainFigure::Capacity && series.cells.iter().any(is_bound) {
            extra += "\na lower bound: the generator's processor was full, or the server's was not";
        }
        extra += conditions;
        let reach =
            |interval: Interval| (interval.high - interval.median).max(interval.median - interval.low);
        Some(Self {
            name: format!("{}/{}", series.name, figure.slug()),
            unit,
            value: scaled(summary.median),
            range: summary.interval.map(|interval| format!("± {}", scaled(reach(interval)))),
            extra,
        })
    }
}

/// Where and how it was measured, a line each.
fn conditions(campaign: &Campaign) -> String {
    let machine = &campaign.environment;
    format!(
        "\n{}, {} processors of {}, Linux {}\nmuxbench {} ({} build), {}{}, seed {}",
        machine.host,
        machine.processors,
        machine.processor,
        machine.kernel,
        campaign.muxbench_version,
        machine.profile,
        campaign.plan.scenario.name,
        if campaign.quick { ", quick" } else { "" },
        campaign.plan.seed,
    )
}
