//! The claims with their verdicts.

use serde::Serialize;

use super::view::{Table, id};
use crate::claims::{explanation, page};
use crate::grid::{Cell, Column, Grid, Tone};
use crate::semantics;
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

/// A claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// Its identifier in the page.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The claim in a sentence without an end.
    pub claim: String,
    /// The words for its verdict.
    pub verdict: &'static str,
    /// The class that sets the verdict off.
    pub class: &'static str,
    /// Conditions, contradictions, reasons.
    pub because: Vec<String>,
    /// Why the kernel behaves so.
    pub explanation: Option<String>,
    /// What was observed, and where.
    pub evidence: Vec<String>,
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
            tally: semantics::tally(&claims.claims),
            table: Table::of(caption, &grid).sortable(),
            claims: decided.into_iter().map(Claim::of).collect(),
            open: open.into_iter().map(needs).collect(),
            sources: claims.sources.clone(),
        })
    }
}

impl Claim {
    fn of(claim: &ClaimResult) -> Self {
        let evidence = claim.evidence.iter().map(semantics::sentence);
        let cells = claim.cells.iter().map(|cells| format!("used: {cells}"));
        let needs = claim.needs.iter().map(|need| format!("to decide it: `{need}`"));
        Self {
            id: id(&["claim", &claim.id]),
            name: claim.id.clone(),
            claim: claim.claim.clone(),
            verdict: claim.verdict.words(),
            class: look(claim.verdict).0,
            because: claim.because.clone(),
            explanation: explanation::of(&claim.id),
            evidence: evidence.chain(cells).chain(needs).collect(),
        }
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

fn look(verdict: ClaimVerdict) -> (&'static str, Tone) {
    match verdict {
        ClaimVerdict::Confirmed => ("good", Tone::Good),
        ClaimVerdict::ConfirmedWithConditions => ("partly", Tone::Partly),
        ClaimVerdict::Refuted => ("bad", Tone::Bad),
        ClaimVerdict::NotMeasurableHere | ClaimVerdict::Open => ("muted", Tone::Muted),
    }
}
