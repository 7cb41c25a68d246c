//! The claims with their verdicts.

use serde::Serialize;

use super::table::Table;
use crate::claims::page::{self, Claim, look};
use crate::grid::{Cell, Column, Grid};
use model::schema::{ClaimResult, ClaimVerdict, Claims};

/// All claims.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdicts {
    /// How many have which verdict, and which.
    pub tally: Vec<String>,
    /// A row for each that is decided.
    pub table: Table,
    /// What each of these rests on.
    pub claims: Vec<Claim>,
    /// The others, with the commands that would decide them.
    pub open: Vec<String>,
    /// The results that all of it was decided from.
    pub sources: Vec<String>,
}

impl Verdicts {
    /// Of `claims`; `None` where not one is decided.
    pub fn of(claims: &Claims) -> Option<Self> {
        let is_open = |claim: &&ClaimResult| claim.verdict == ClaimVerdict::Open;
        let (open, decided): (Vec<&ClaimResult>, Vec<_>) = claims.claims.iter().partition(is_open);
        let columns = ["claim", "§", "what is claimed", "verdict", "figure"].map(Column::words).into();
        let grid = Grid { columns, rows: decided.iter().map(|claim| row(claim)).collect() };
        let caption = "Each claim with its verdict and the figure that it comes down to";
        (!decided.is_empty()).then(|| Self {
            tally: page::tally(&claims.claims),
            table: Table::of(caption, &grid).sortable(),
            claims: decided.into_iter().map(Claim::from).collect(),
            open: open.into_iter().map(needs).collect(),
            sources: claims.sources.clone(),
        })
    }
}

fn row(claim: &ClaimResult) -> Vec<Cell> {
    let [name, section, what] =
        [&claim.id, &claim.section, &claim.claim].map(|text| Cell::from(text.as_str()));
    let verdict = Cell::from(claim.verdict.words()).with(look(claim.verdict).1);
    vec![name, section, what, verdict, page::figure(claim).into()]
}

fn needs(claim: &ClaimResult) -> String {
    match claim.needs.as_slice() {
        [] => format!("{}: {}", claim.id, claim.because.join("; ")),
        needs => format!("{}: needs {}", claim.id, needs.join(", ")),
    }
}
