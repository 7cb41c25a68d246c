//! The whole page, as the values that its template has places for.

use minijinja::context;
use minijinja::value::Value;

use super::sources::{Part, Sources, is_of_benches};
use super::table::{id, inlined, sortable, table};
use super::{beside, evidence};
use crate::grid::{Cell, Column, Grid, Tone};
use crate::rounds::{Analysis, METRICS, answer, distinct};
use crate::{format, machine, rounds};
use model::campaign::{Campaign, Length};
use model::schema::{Diagnosis, ExternalServer, Health, Symptom};

/// The page of `sources`, with `figures_each` of the figures of every campaign but the first.
pub fn page(sources: &Sources<'_>, figures_each: usize) -> Value {
    let name = |part: &Part<'_>| part.analysis.campaign.plan.scenario.name.clone();
    let section = |(at, part): (usize, &Part<'_>)| {
        let is_alone = sources.parts.iter().filter(|other| name(other) == name(part)).count() == 1;
        let seed = part.analysis.campaign.plan.seed;
        let name = if is_alone || at == 0 { name(part) } else { format!("{}, seed {seed}", name(part)) };
        section(part, &name, if at == 0 { usize::MAX } else { figures_each })
    };
    let mut sections = sources.parts.iter().enumerate().map(section);
    context! {
        candidates => candidates(sources),
        main => sections.next(),
        further => sections.collect::<Vec<_>>(),
        benches => beside::benches(sources.benches, sources.parts.first()),
        loads => beside::loads(sources.loads),
        reproductions => beside::reproduced(sources.reproductions),
        claims => evidence::verdicts(sources.claims),
        metrics => metrics(),
    }
}

/// Every candidate that something is drawn of, in the order of the campaigns' plans.
fn candidates(sources: &Sources<'_>) -> Vec<String> {
    let drawn = sources.parts.iter().flat_map(|part| part.figures);
    distinct(drawn.filter(|drawing| !is_of_benches(drawing)).flat_map(|drawing| drawing.drawn.clone()))
}

/// A campaign, with as many of its `figures`.
fn section(part: &Part<'_>, name: &str, figures: usize) -> Value {
    let Part { analysis, folder, .. } = *part;
    let campaign = analysis.campaign;
    let scenario = &campaign.plan.scenario;
    let own = || part.figures.iter().filter(|drawing| !is_of_benches(drawing));
    let every = format!("{name}: every metric of every candidate at every point");
    let server = |server: &ExternalServer| format!("{}: `{}`", server.name, server.command.join(" "));
    let drawn: Vec<Value> = own().take(figures).map(|drawing| inlined(drawing, folder)).collect();
    let provenance = answer::provenance(analysis);
    let diagnosis = campaign.diagnosis.as_ref();
    context! {
        id => id(&["campaign", if folder.is_empty() { &scenario.name } else { folder }]),
        name,
        asks => scenario.analysis.trim(),
        warnings => warnings(campaign),
        answer => answer::sentences(analysis),
        measured => format!("{provenance} {}, muxbench {}", campaign.started, campaign.muxbench_version),
        table => table(&format!("{name}: the main metrics"), &rounds::table::long(analysis)),
        legend => rounds::table::legend(analysis),
        figures_left_out => own().count() - drawn.len(),
        figures => drawn,
        full => sortable(&every, &rounds::table::full(analysis)),
        worth => answer::worth(analysis),
        dropped => dropped(analysis, name),
        doctor => diagnosis.map(|diagnosis| doctor(&diagnosis.symptoms, name)),
        verdict => diagnosis.map(|diagnosis| verdict(diagnosis, analysis)),
        machine => machine::facts(campaign),
        servers => scenario.servers.iter().map(server).collect::<Vec<_>>(),
        command => campaign.command,
    }
}

const QUICK: &str = "Quick run: fewer points and wide intervals. A first look, not a result to cite.";

/// The warnings in bold above all that a campaign found.
fn warnings(campaign: &Campaign) -> Vec<&'static str> {
    let is_debug = campaign.environment.profile == "debug";
    let all = [
        (campaign.length == Length::Quick).then_some(QUICK),
        (!campaign.complete).then_some("Interrupted: not every planned start was measured."),
        is_debug.then_some("Measured with a debug build: its figures say little."),
    ];
    all.into_iter().flatten().collect()
}

/// The numbers of dropped rounds by reason, where any were dropped.
fn dropped(analysis: &Analysis<'_>, name: &str) -> Option<Value> {
    let row = |(reason, rounds): &(String, usize)| -> Vec<Cell> {
        vec![reason.as_str().into(), format::thousands(*rounds as u64).into()]
    };
    let reasons = &analysis.dropped.reasons;
    let columns = vec![Column::words("rounds dropped because, for example"), Column::numbers("rounds")];
    let grid = Grid { columns, rows: reasons.iter().map(row).collect() };
    (!reasons.is_empty()).then(|| table(&format!("{name}: rounds that count for nobody"), &grid))
}

/// The doctor's verdict before the first start, and the resolution that the machine then had.
fn verdict(diagnosis: &Diagnosis, analysis: &Analysis<'_>) -> String {
    let verdict = if diagnosis.failed() { "not fit" } else { "fit" };
    let resolution = answer::resolution(analysis).map(|told| format!(" {told}")).unwrap_or_default();
    format!("muxbench doctor: {verdict}; {}.{resolution}", machine::doctor(diagnosis))
}

fn doctor(symptoms: &[Symptom], name: &str) -> Value {
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
    table(&format!("{name}: what muxbench doctor answered before the first start"), &grid)
}

/// The definition of each metric: what is divided by what.
fn metrics() -> Value {
    let row = |metric: &rounds::Metric| -> Vec<Cell> {
        let over = if metric.denominator.is_empty() { format::ABSENT } else { metric.denominator };
        vec![metric.name.into(), metric.numerator.into(), over.into()]
    };
    let columns = ["metric", "what is counted or timed", "divided by"].map(Column::words).into();
    table("What each metric is", &Grid { columns, rows: METRICS.iter().map(row).collect() })
}
