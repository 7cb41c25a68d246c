//! The whole page, as data.

use serde::Serialize;

use super::beside::{self, Benches, Reproduced};
use super::evidence::Verdicts;
use super::sources::{Part, Sources, is_of_benches};
use super::table::{Inlined, Table, id};
use crate::grid::{Cell, Column, Grid, Tone};
use crate::rounds::{Analysis, METRICS, answer, distinct, table};
use crate::{format, machine};
use model::campaign::{Campaign, Length};
use model::schema::{Diagnosis, ExternalServer, Health, Symptom};

/// The page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// The candidates of all figures, to be shown or hidden.
    pub candidates: Vec<String>,
    /// The campaign that the page is about.
    pub main: Option<Section>,
    /// The others.
    pub further: Vec<Section>,
    /// Micro-benchmarks.
    pub benches: Option<Benches>,
    /// Single runs of the generator.
    pub loads: Option<Table>,
    /// Published figures, measured again.
    pub reproductions: Vec<Reproduced>,
    /// The claims.
    pub claims: Option<Verdicts>,
    /// What each metric is.
    pub metrics: Table,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its identifier in the page.
    pub id: String,
    /// The name of its scenario; of several of one name with their seeds.
    pub name: String,
    /// What it asks.
    pub asks: String,
    /// What a reader must not miss.
    pub warnings: Vec<String>,
    /// The answer, as a terminal shows it.
    pub answer: Vec<String>,
    /// The machine, and how much was measured when.
    pub measured: String,
    /// The main metrics.
    pub table: Table,
    /// How to read that table.
    pub legend: String,
    /// Those of its figures that stand in the page.
    pub figures: Vec<Inlined>,
    /// How many do not, for want of room.
    pub figures_left_out: usize,
    /// Every metric of every candidate at every point.
    pub full: Table,
    /// What the figures are worth.
    pub worth: Vec<String>,
    /// How many rounds were dropped for which reason, where any were.
    pub dropped: Option<Table>,
    /// What `muxbench doctor` answered before the first start.
    pub doctor: Option<Table>,
    /// That in a sentence.
    pub verdict: Option<String>,
    /// The machine: what, and how it is.
    pub machine: Vec<(&'static str, String)>,
    /// Servers of other making, and how they were started.
    pub servers: Vec<String>,
    /// The command that repeats it.
    pub command: String,
}

impl Page {
    /// Of `sources`, with `figures_each` of the figures of every campaign but the first.
    pub fn of(sources: &Sources<'_>, figures_each: usize) -> Self {
        let name = |part: &Part<'_>| part.analysis.campaign.plan.scenario.name.clone();
        let section = |(at, part): (usize, &Part<'_>)| {
            let is_alone = sources.parts.iter().filter(|other| name(other) == name(part)).count() == 1;
            let seed = part.analysis.campaign.plan.seed;
            let name = if is_alone || at == 0 { name(part) } else { format!("{}, seed {seed}", name(part)) };
            Section::of(part, name, if at == 0 { usize::MAX } else { figures_each })
        };
        let mut sections = sources.parts.iter().enumerate().map(section);
        Self {
            candidates: candidates(sources),
            main: sections.next(),
            further: sections.collect(),
            benches: Benches::of(sources.benches, sources.parts.first()),
            loads: beside::loads(sources.loads),
            reproductions: beside::reproduced(sources.reproductions),
            claims: Verdicts::of(sources.claims),
            metrics: metrics(),
        }
    }
}

/// Every candidate that something is drawn of, in the order of the campaigns' plans.
fn candidates(sources: &Sources<'_>) -> Vec<String> {
    let drawn = sources.parts.iter().flat_map(|part| part.figures);
    distinct(drawn.filter(|drawing| !is_of_benches(drawing)).flat_map(|drawing| drawing.drawn.clone()))
}

impl Section {
    fn of(part: &Part<'_>, name: String, figures: usize) -> Self {
        let Part { analysis, folder, .. } = *part;
        let campaign = analysis.campaign;
        let scenario = &campaign.plan.scenario;
        let own = || part.figures.iter().filter(|drawing| !is_of_benches(drawing));
        let provenance = answer::provenance(analysis);
        let every = format!("{name}: every metric of every candidate at every point");
        let server = |server: &ExternalServer| format!("{}: `{}`", server.name, server.command.join(" "));
        let drawn: Vec<Inlined> = own().take(figures).map(|drawing| Inlined::of(drawing, folder)).collect();
        let diagnosis = campaign.diagnosis.as_ref();
        Self {
            id: id(&["campaign", if folder.is_empty() { &scenario.name } else { folder }]),
            asks: scenario.analysis.trim().to_owned(),
            warnings: warnings(campaign),
            answer: answer::sentences(analysis),
            measured: format!("{provenance} {}, muxbench {}", campaign.started, campaign.muxbench_version),
            table: Table::of(format!("{name}: the main metrics"), &table::long(analysis)),
            legend: table::legend(analysis),
            figures_left_out: own().count() - drawn.len(),
            figures: drawn,
            full: Table::of(every, &table::full(analysis)).sortable(),
            worth: answer::worth(analysis),
            dropped: dropped(analysis, &name),
            doctor: diagnosis.map(|diagnosis| doctor(&diagnosis.symptoms, &name)),
            verdict: diagnosis.map(|diagnosis| verdict(diagnosis, analysis)),
            machine: machine::facts(campaign),
            servers: scenario.servers.iter().map(server).collect(),
            command: campaign.command.clone(),
            name,
        }
    }
}

const QUICK: &str = "Quick run: fewer points and wide intervals. A first look, not a result to cite.";

/// What stands in bold above everything that a campaign found.
fn warnings(campaign: &Campaign) -> Vec<String> {
    let is_debug = campaign.environment.profile == "debug";
    let all = [
        (campaign.length == Length::Quick).then_some(QUICK),
        (!campaign.complete).then_some("Interrupted: not every planned start was measured."),
        is_debug.then_some("Measured with a debug build: its figures say little."),
    ];
    all.into_iter().flatten().map(str::to_owned).collect()
}

fn dropped(analysis: &Analysis<'_>, name: &str) -> Option<Table> {
    let row = |(reason, rounds): &(String, usize)| -> Vec<Cell> {
        vec![reason.as_str().into(), format::thousands(*rounds as u64).into()]
    };
    let reasons = &analysis.dropped.reasons;
    let columns = vec![Column::words("rounds dropped because, for example"), Column::numbers("rounds")];
    let grid = Grid { columns, rows: reasons.iter().map(row).collect() };
    (!reasons.is_empty()).then(|| Table::of(format!("{name}: rounds that count for nobody"), &grid))
}

/// What the doctor said before the first start, and what the machine then resolved.
fn verdict(diagnosis: &Diagnosis, analysis: &Analysis<'_>) -> String {
    let verdict = if diagnosis.failed() { "not fit" } else { "fit" };
    let resolution = answer::resolution(analysis).map(|told| format!(" {told}")).unwrap_or_default();
    format!("muxbench doctor: {verdict}; {}.{resolution}", machine::doctor(diagnosis))
}

fn doctor(symptoms: &[Symptom], name: &str) -> Table {
    let row = |symptom: &Symptom| {
        let (word, tone) = match symptom.state {
            Health::Pass => ("pass", Tone::Good),
            Health::Warn => ("warn", Tone::Partly),
            Health::Fail => ("fail", Tone::Bad),
        };
        let remedy = symptom.remedy.as_deref().unwrap_or(format::ABSENT);
        let [name, found, why] =
            [&symptom.name, &symptom.found, &symptom.why].map(|text| Cell::from(text.as_str()));
        vec![name, Cell::from(word).with(tone), found, why, remedy.into()]
    };
    let columns =
        ["question", "answer", "found", "why it matters", "what changes it"].map(Column::words).into();
    let grid = Grid { columns, rows: symptoms.iter().map(row).collect() };
    Table::of(format!("{name}: what muxbench doctor answered before the first start"), &grid)
}

/// What is divided by what.
fn metrics() -> Table {
    let row = |metric: &crate::rounds::Metric| -> Vec<Cell> {
        let over = if metric.denominator.is_empty() { format::ABSENT } else { metric.denominator };
        vec![metric.name.into(), metric.numerator.into(), over.into()]
    };
    let columns = ["metric", "what is counted or timed", "divided by"].map(Column::words).into();
    Table::of("What each metric is", &Grid { columns, rows: METRICS.iter().map(row).collect() })
}
