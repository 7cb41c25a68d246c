//! Whether the figures may be trusted: what counts, what the doctor said, a mechanism against itself, the machine.

use serde::Serialize;

use super::Part;
use super::section::Section;
use super::table::{Cell, Table, columns};
use crate::agreement::{self, Agreement};
use crate::analysis::Analysis;
use crate::{format, machine};
use model::schema::{CellStatus, Claims, Health, Symptom};

/// What a sceptic asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validity {
    /// How often a mechanism was told from itself, over all campaigns.
    pub agreement: Option<String>,
    /// The cells of each campaign that count and do not, and its own A/A pair.
    pub counts: Table,
    /// What `muxbench doctor` answered before the first campaign.
    pub doctor: Option<Table>,
    /// How small a difference the machine let be seen.
    pub noise: Option<String>,
    /// The machine of the first campaign: what, and how it is.
    pub machine: Vec<(&'static str, String)>,
}

impl Validity {
    /// Of all campaigns; `sections` are what the page says of them.
    pub fn of(parts: &[Part<'_>], sections: &[&Section], claims: &Claims) -> Self {
        let first = parts.first().map(|part| part.analysis.campaign);
        let diagnosis = first.and_then(|campaign| campaign.diagnosis.as_ref());
        let rows = parts.iter().zip(sections).map(|(part, section)| counts(part.analysis, section));
        Self {
            agreement: claims.false_differences.as_ref().map(agreement::line),
            counts: Table {
                caption: "The cells of each campaign, and how often it told a contender from itself"
                    .to_owned(),
                sortable: true,
                columns: columns(&[
                    "campaign",
                    "#cells",
                    "#valid",
                    "#invalid",
                    "#failed",
                    "A/A: told apart from itself",
                ]),
                rows: rows.collect(),
                ..Table::default()
            },
            doctor: diagnosis.map(|diagnosis| doctor(&diagnosis.symptoms)),
            noise: diagnosis.and_then(machine::noise),
            machine: first.map(machine::facts).unwrap_or_default(),
        }
    }
}

fn counts(analysis: &Analysis<'_>, section: &Section) -> Vec<Cell> {
    let campaign = analysis.campaign;
    let count = |number: usize| Cell::figure(format::thousands(number as u64), Some(number as f64));
    let of = |status: CellStatus| campaign.cells.iter().filter(|cell| cell.status == status).count();
    let agreement = Agreement::of(campaign).map_or_else(
        || Cell::figure(format::ABSENT, None),
        |pair| {
            let share = pair.different;
            let text = format!("{} of {} ({})", share.hits, share.cases, format::percent(share.share()));
            Cell::figure(text, Some(share.share())).class(if pair.is_too_often() { "bad" } else { "" })
        },
    );
    vec![
        Cell::text(&section.name).to(&section.id),
        count(campaign.cells.len()),
        count(of(CellStatus::Valid)),
        count(of(CellStatus::Invalid)),
        count(of(CellStatus::Failed)),
        agreement,
    ]
}

fn doctor(symptoms: &[Symptom]) -> Table {
    let row = |symptom: &Symptom| {
        let (word, class) = match symptom.state {
            Health::Pass => ("pass", "good"),
            Health::Warn => ("warn", "partly"),
            Health::Fail => ("fail", "bad"),
        };
        let remedy = symptom.remedy.as_deref().unwrap_or(format::ABSENT);
        vec![
            Cell::text(&symptom.name),
            Cell::text(word).class(class),
            Cell::text(&symptom.found),
            Cell::text(&symptom.why),
            Cell::text(remedy),
        ]
    };
    Table {
        caption: "What muxbench doctor answered before the first cell".to_owned(),
        sortable: true,
        columns: columns(&["question", "answer", "found", "why it matters", "what changes it"]),
        rows: symptoms.iter().map(row).collect(),
        ..Table::default()
    }
}
