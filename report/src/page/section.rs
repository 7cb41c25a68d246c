//! What the page says of one campaign.

use serde::Serialize;

use super::Part;
use super::decision::map_table;
use super::figure::{self, Inlined};
use super::table::{Cell, Table, columns, id};
use crate::analysis::{Analysis, Measured, PointAnalysis, Row, Standing};
use crate::map::{MARKS, Map};
use crate::statistics::Summary;
use crate::{format, machine, markdown, table};
use model::schema::{Campaign, Environment};

/// A campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its identifier in the page.
    pub id: String,
    /// The name of its scenario.
    pub name: String,
    /// What it asks.
    pub asks: String,
    /// What it found, in a sentence without an end.
    pub finding: String,
    /// What a reader must not miss.
    pub warnings: Vec<String>,
    /// When and where it was measured.
    pub measured: String,
    /// Those of its figures that stand in the page.
    pub figures: Vec<Inlined>,
    /// How many do not, for want of room.
    pub figures_left_out: usize,
    /// Who wins where, if it has two dimensions.
    pub map: Option<Table>,
    /// Who overtakes whom.
    pub overtaking: Vec<String>,
    /// Every contender at every point.
    pub points: Table,
    /// How the figures came about, and what is odd about them.
    pub legend: Vec<String>,
    /// What does not count, and why.
    pub problems: Vec<String>,
    /// Servers of other making, and how they were started.
    pub servers: Vec<String>,
    /// The command that repeats it.
    pub command: String,
}

impl Section {
    /// Of `part`, with `figures` of its figures at most; `home` is where the page's first campaign was measured.
    pub fn of(part: &Part<'_>, figures: usize, home: &Environment) -> Self {
        let analysis = part.analysis;
        let campaign = analysis.campaign;
        let scenario = &campaign.plan.scenario;
        let drawn: Vec<Inlined> =
            figure::of_campaign(part).take(figures).map(|figure| Inlined::of(figure, part.folder)).collect();
        let map = Map::of(analysis).map(|map| {
            map_table(&map, format!("{}: who wins where, by median response. {MARKS}", scenario.name))
        });
        Self {
            id: id("campaign", if part.folder.is_empty() { &scenario.name } else { part.folder }),
            name: scenario.name.clone(),
            asks: scenario.analysis.trim().to_owned(),
            finding: analysis.finding(),
            warnings: warnings(campaign),
            measured: measured(campaign, home),
            figures_left_out: figure::of_campaign(part).count() - drawn.len(),
            figures: drawn,
            overtaking: if map.is_some() { table::overtaking(analysis) } else { Vec::new() },
            map,
            points: points(analysis),
            legend: table::legend(analysis),
            problems: table::problems_in_short(analysis),
            servers: scenario.servers.iter().map(markdown::external).collect(),
            command: campaign.command.clone(),
        }
    }
}

/// What stands in bold above everything that a campaign found.
pub fn warnings(campaign: &Campaign) -> Vec<String> {
    let told = |told: bool, text: &str| told.then(|| text.to_owned());
    let all = [
        told(
            campaign.quick,
            "Quick run: fewer points, shorter windows, wide intervals. A first look, not a result to cite.",
        ),
        told(!campaign.complete, "Interrupted: not every planned cell was measured."),
        told(campaign.environment.profile == "debug", "Measured with a debug build: its figures say little."),
    ];
    all.into_iter().flatten().collect()
}

fn measured(campaign: &Campaign, home: &Environment) -> String {
    let machine = |environment: &Environment| (environment.host.clone(), environment.kernel.clone());
    let elsewhere = if machine(&campaign.environment) == machine(home) {
        String::new()
    } else {
        format!(" on another machine, {}", machine::in_short(&campaign.environment))
    };
    let repeats = format::plural(campaign.repeats() as usize, "repeat");
    let cells = format::plural(campaign.cells.len(), "cell");
    format!("measured {}{elsewhere}; {repeats}, {cells}, seed {}", campaign.started, campaign.plan.seed)
}

/// Every contender at every point.
fn points(analysis: &Analysis<'_>) -> Table {
    let further = analysis.points.iter().any(|at| !at.point.is_plain());
    let place: &[&str] = if further {
        &["sweep", "#connections", "#active", "further"]
    } else {
        &["sweep", "#connections", "#active"]
    };
    let figures = [
        "contender",
        "#response p50",
        "#response p99",
        "#capacity, echoes/s",
        "#server, µs/echo",
        "#machine, µs/echo",
        "#system calls/echo",
        "p50 against the best",
        "p99 against the best",
        "server against the best",
    ];
    let rows =
        analysis.points.iter().flat_map(|at| at.rows.iter().map(move |row| point_row(at, row, further)));
    Table {
        caption: format!("Every contender at every point ({})", analysis.campaign.plan.scenario.name),
        sortable: true,
        header: place.len(),
        columns: columns(&[place, &figures[..]].concat()),
        rows: rows.collect(),
    }
}

fn point_row(at: &PointAnalysis, row: &Row, further: bool) -> Vec<Cell> {
    let count = |number: u32| Cell::figure(format::thousands(number.into()), Some(number.into()));
    let time = |measured: &Measured| Cell::figure(table::duration(measured), measured.value_ns);
    let summary = |summary: Option<Summary>, scale: f64| {
        let value = summary.map(|summary| summary.median / scale);
        Cell::figure(value.map_or_else(|| format::ABSENT.to_owned(), format::three_digits), value)
    };
    let mut cells = vec![Cell::text(&at.point.sweep), count(at.point.connections), count(at.point.active)];
    cells.extend(further.then(|| Cell::text(format::particulars(&at.point).join(", "))));
    cells.extend([
        Cell::text(&row.mechanism),
        time(&row.p50),
        time(&row.p99),
        Cell::figure(
            table::capacity(row.capacity.as_ref()),
            row.capacity.map(|capacity| capacity.per_s.median),
        ),
        Cell::figure(table::microseconds(&row.cpu), row.cpu.value_ns),
        summary(row.system_cpu_ns, 1e3),
        summary(row.syscalls, 1.0),
        standing(&row.p50.standing),
        standing(&row.p99.standing),
        standing(&row.cpu.standing),
    ]);
    cells
}

/// Sorted by the ratio to the best, a winner before those that tie.
fn standing(standing: &Standing) -> Cell {
    let (value, class) = match standing {
        Standing::Winner => (Some(0.0), "win"),
        Standing::Leading => (Some(0.0), ""),
        Standing::Tie(_) => (Some(1.0), "tie"),
        Standing::Behind(ratio) | Standing::Trailing(ratio) => (Some(ratio.summary.median), ""),
        Standing::Alone | Standing::Absent => (None, ""),
    };
    Cell::figure(table::standing(standing), value).class(class)
}
