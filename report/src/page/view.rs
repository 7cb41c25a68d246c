//! The whole page, as data.

use serde::Serialize;

use super::beside::{self, Benches, Reproduced};
use super::decision;
use super::evidence::Verdicts;
use super::section::Section;
use super::table::{Cell, Table, columns};
use super::validity::Validity;
use super::{Part, Sources, section};
use crate::analysis::Analysis;
use crate::{format, machine};
use model::schema::Environment;

/// The page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// What a tab of the browser says.
    pub title: String,
    /// The answer in a sentence without an end.
    pub finding: String,
    /// On what machine, when.
    pub measured: String,
    /// What a reader must not miss.
    pub warnings: Vec<String>,
    /// Which contender for which workload.
    pub decision: Option<Table>,
    /// Who wins where, over connections and activity.
    pub map: Option<Table>,
    /// What each further campaign asks and found.
    pub questions: Option<Table>,
    /// The contenders of all figures, to be shown or hidden.
    pub contenders: Vec<String>,
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
    /// Whether to trust it.
    pub validity: Validity,
}

impl Page {
    /// Of `sources`, with `figures_each` of the figures of every campaign but the first.
    pub fn of(sources: &Sources<'_>, figures_each: usize) -> Self {
        let first = sources.parts.first();
        let home = first.map(|part| part.analysis.campaign.environment.clone()).unwrap_or_default();
        let main =
            first.map(|part| Section { id: "figures".to_owned(), ..Section::of(part, usize::MAX, &home) });
        let further = further(sources, figures_each, &home);
        let analyses: Vec<&Analysis<'_>> = sources.parts.iter().map(|part| part.analysis).collect();
        let sections: Vec<&Section> = main.iter().chain(&further).collect();
        let name = main.as_ref().map_or("nothing measured", |main| main.name.as_str());
        Self {
            title: format!("muxbench: {name}"),
            finding: first
                .map_or_else(|| "No campaign, so no finding".to_owned(), |part| part.analysis.finding()),
            measured: first.map(|part| measured(part.analysis)).unwrap_or_default(),
            warnings: warnings(sources),
            decision: first.and_then(|part| decision::table(part.analysis)),
            map: decision::map(&analyses),
            questions: questions(&further),
            contenders: contenders(sources, figures_each),
            benches: Benches::of(sources.benches, first),
            loads: beside::loads(sources.loads),
            reproductions: beside::reproduced(sources.reproductions),
            claims: Verdicts::of(sources.claims),
            validity: Validity::of(sources.parts, &sections, sources.claims),
            main,
            further,
        }
    }
}

/// Each further campaign; several of one scenario are told apart by their seeds.
fn further(sources: &Sources<'_>, figures_each: usize, home: &Environment) -> Vec<Section> {
    let name = |part: &Part<'_>| part.analysis.campaign.plan.scenario.name.clone();
    let of_its_name =
        |part: &Part<'_>| sources.parts.iter().filter(|other| name(other) == name(part)).count();
    let section = |part: &Part<'_>| {
        let section = Section::of(part, figures_each, home);
        match of_its_name(part) {
            1 => section,
            _ => Section {
                name: format!("{}, seed {}", section.name, part.analysis.campaign.plan.seed),
                ..section
            },
        }
    };
    sources.parts.iter().skip(1).map(section).collect()
}

fn measured(analysis: &Analysis<'_>) -> String {
    let campaign = analysis.campaign;
    format!(
        "{}; {}, {}, muxbench {}",
        machine::in_short(&campaign.environment),
        format::plural(campaign.repeats() as usize, "repeat"),
        campaign.started,
        campaign.muxbench_version
    )
}

/// What is said of the main campaign, and how many of the others were quick or interrupted.
fn warnings(sources: &Sources<'_>) -> Vec<String> {
    let Some((first, further)) = sources.parts.split_first() else { return Vec::new() };
    let mut all = section::warnings(first.analysis.campaign);
    let count = |is: fn(&Analysis<'_>) -> bool| further.iter().filter(|part| is(part.analysis)).count();
    let quick = count(|analysis| analysis.campaign.quick);
    if quick > 0 {
        all.push(format!(
            "{quick} of {} further campaigns are quick runs: wide intervals, marked there.",
            further.len()
        ));
    }
    let interrupted = count(|analysis| !analysis.campaign.complete);
    if interrupted > 0 {
        all.push(format!("{interrupted} of {} further campaigns were interrupted.", further.len()));
    }
    all
}

fn questions(further: &[Section]) -> Option<Table> {
    let row = |section: &Section| {
        let question = section.asks.split_inclusive(['.', '?']).next().unwrap_or_default().trim();
        let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = Cell::text(&section.name).to(&section.id);
        vec![name, Cell::text(question), Cell::text(&section.finding)]
    };
    (!further.is_empty()).then(|| Table {
        caption: "What further campaigns ask, and what they found".to_owned(),
        columns: columns(&["campaign", "asks", "found"]),
        rows: further.iter().map(row).collect(),
        ..Table::default()
    })
}

/// Every contender that has a series in a figure of the page, in the order of the campaigns' plans.
fn contenders(sources: &Sources<'_>, figures_each: usize) -> Vec<String> {
    let drawn = sources.parts.iter().enumerate().flat_map(|(index, part)| {
        let figures = if index == 0 { usize::MAX } else { figures_each };
        part.figures.iter().take(figures)
    });
    let drawn: Vec<&str> = drawn.map(|figure| figure.svg.as_str()).collect();
    let planned = sources.parts.iter().flat_map(|part| part.analysis.campaign.plan.scenario.contenders());
    let mut all: Vec<String> = Vec::new();
    for name in planned {
        let series = format!("data-mechanism=\"{}\"", attribute(name));
        if !all.iter().any(|known| known == name) && drawn.iter().any(|svg| svg.contains(&series)) {
            all.push(name.to_owned());
        }
    }
    all
}

/// A name as it stands in an attribute of a figure.
fn attribute(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
