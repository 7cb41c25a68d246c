//! A campaign as metrics, in either format: the state of each contender at each point when it was last measured.

use super::super::exposition::{Dialect, Exposition, Kind, seconds};
use super::series::{self, Series};
use crate::figure;
use crate::statistics::Summary;
use model::histogram::DecodeError;
use model::schema::{Campaign, Cell, CellStatus, MainFigure};

/// Writes the exposition of `campaign`.
pub fn render(campaign: &Campaign, dialect: Dialect) -> Result<String, DecodeError> {
    let scenario = [("scenario", campaign.plan.scenario.name.as_str())];
    let mut exposition = Exposition::new(dialect, scenario.into_iter());
    let all: Vec<(Labels, Series<'_>)> =
        series::all(campaign).into_iter().map(|series| (Labels::of(&series), series)).collect();
    environment(&mut exposition, campaign);
    for figure in MainFigure::ALL {
        figures(&mut exposition, &all, figure);
    }
    bounds(&mut exposition, &all);
    cells(&mut exposition, campaign, &all);
    let name = "muxbench_response_seconds";
    exposition.family(
        name,
        Kind::Histogram,
        "seconds",
        "From the intended instant to the reply, all valid repeats.",
    );
    for (labels, series) in &all {
        exposition.buckets(name, &labels.borrowed(), &series.responses()?);
    }
    Ok(exposition.end())
}

/// What tells a series from others. A label without a value is left out.
struct Labels(Vec<(&'static str, String)>);

impl Labels {
    fn of(series: &Series<'_>) -> Self {
        let point = series.point;
        let count = |value: Option<u32>| value.map(|value| value.to_string());
        let all = [
            ("contender", Some(series.contender.to_owned())),
            ("sweep", Some(point.sweep.clone())),
            ("connections", Some(point.connections.to_string())),
            ("active", Some(point.active.to_string())),
            ("threads", Some(point.threads.to_string())),
            ("accept", point.accept.clone()),
            ("size_bytes", count(point.size_bytes)),
            ("rate_per_s", count(point.rate_per_s)),
            ("churn_per_s", count(point.churn_per_s)),
        ];
        Self(all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    fn borrowed(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn with<'a>(&'a self, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
        [self.borrowed(), vec![(name, value)]].concat()
    }
}

fn environment(exposition: &mut Exposition, campaign: &Campaign) {
    let machine = &campaign.environment;
    let (seed, quick) = (campaign.plan.seed.to_string(), campaign.quick.to_string());
    exposition.family("muxbench_campaign", Kind::Info, "", "What was measured, and where.");
    let labels = [
        ("started", campaign.started.as_str()),
        ("version", &campaign.muxbench_version),
        ("profile", &machine.profile),
        ("host", &machine.host),
        ("kernel", &machine.kernel),
        ("processor", &machine.processor),
        ("seed", &seed),
        ("quick", &quick),
    ];
    exposition.sample("muxbench_campaign_info", &labels, 1);
}

/// One figure of all series: the median over the repeats, and the ends of its 95 % interval.
fn figures(exposition: &mut Exposition, all: &[(Labels, Series<'_>)], figure: MainFigure) {
    let (name, unit, help) = match figure {
        MainFigure::ResponseP50 => {
            ("muxbench_response_p50_seconds", "seconds", "Median response time in open loop.")
        }
        MainFigure::ResponseP99 => {
            ("muxbench_response_p99_seconds", "seconds", "99th percentile of the response time in open loop.")
        }
        MainFigure::Capacity => {
            ("muxbench_capacity_echoes_per_second", "", "Echoes a second in closed loop.")
        }
        MainFigure::ServerCpu => {
            ("muxbench_server_cpu_per_echo_seconds", "seconds", "Processor time of the server for one echo.")
        }
    };
    let value = |value: f64| if figure.is_better_when_greater() { value } else { seconds(value) };
    exposition.family(
        name,
        Kind::Gauge,
        unit,
        &format!("{help} Median of the repeats, and its 95% interval."),
    );
    for (labels, series) in all {
        let Some(Summary { median, interval, .. }) = figure::summary(figure, &series.cells) else { continue };
        exposition.sample(name, &labels.with("of", "median"), value(median));
        if let Some(interval) = interval {
            exposition.sample(name, &labels.with("of", "low"), value(interval.low));
            exposition.sample(name, &labels.with("of", "high"), value(interval.high));
        }
    }
}

/// Whether a capacity is only a lower bound.
fn bounds(exposition: &mut Exposition, all: &[(Labels, Series<'_>)]) {
    let name = "muxbench_capacity_is_lower_bound";
    exposition.family(name, Kind::Gauge, "", "Whether the generator was full or the server was not: 1 or 0.");
    for (labels, series) in all.iter().filter(|(_, series)| !series.cells.is_empty()) {
        let is_bound =
            series.cells.iter().filter_map(|cell| cell.capacity.as_ref()).any(|phase| !phase.is_capacity);
        exposition.sample(name, &labels.borrowed(), u8::from(is_bound));
    }
}

/// What became of the attempts.
fn cells(exposition: &mut Exposition, campaign: &Campaign, all: &[(Labels, Series<'_>)]) {
    let name = "muxbench_cells";
    exposition.family(name, Kind::Gauge, "", "Attempts at this contender and point, by what became of them.");
    for (labels, series) in all {
        for (word, status) in
            [("valid", CellStatus::Valid), ("invalid", CellStatus::Invalid), ("failed", CellStatus::Failed)]
        {
            let is_one = |cell: &&Cell| {
                cell.mechanism == series.contender && cell.point == *series.point && cell.status == status
            };
            let count = campaign.cells.iter().filter(is_one).count();
            exposition.sample(name, &labels.with("status", word), count);
        }
    }
}
