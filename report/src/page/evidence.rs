//! The claims with their verdicts.

use serde::Serialize;

use super::table::{Cell, Table, columns, id};
use crate::claims::{explanation, page};
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
        let table = Table {
            caption: "Each claim with its verdict and the figure that it comes down to".to_owned(),
            sortable: true,
            columns: columns(&["claim", "§", "what is claimed", "verdict", "figure"]),
            rows: decided.iter().map(|claim| row(claim)).collect(),
            ..Table::default()
        };
        (!decided.is_empty()).then(|| Self {
            tally: semantics::tally(&claims.claims),
            table,
            claims: decided.into_iter().map(Claim::of).collect(),
            open: open.into_iter().map(needs).collect(),
            sources: claims.sources.clone(),
        })
    }
}

impl Claim {
    fn of(claim: &ClaimResult) -> Self {
        let evidence = claim.evidence.iter().map(semantics::sentence);
        let used = claim.used.iter().map(|place| format!("used: {place}"));
        let needs = claim.needs.iter().map(|need| format!("to decide it: `{need}`"));
        Self {
            id: id("claim", &claim.id),
            name: claim.id.clone(),
            claim: claim.claim.clone(),
            verdict: claim.verdict.words(),
            class: class(claim.verdict),
            because: claim.because.clone(),
            explanation: explanation::of(&claim.id),
            evidence: evidence.chain(used).chain(needs).collect(),
        }
    }
}

fn row(claim: &ClaimResult) -> Vec<Cell> {
    vec![
        Cell::text(&claim.id).to(id("claim", &claim.id)),
        Cell::text(&claim.section),
        Cell::text(&claim.claim),
        Cell::text(claim.verdict.words()).class(class(claim.verdict)),
        Cell::text(page::figure(claim)),
    ]
}

fn needs(claim: &ClaimResult) -> String {
    match claim.needs.as_slice() {
        [] => format!("{}: {}", claim.id, claim.because.join("; ")),
        needs => format!("{}: needs {}", claim.id, needs.join(", ")),
    }
}

fn class(verdict: ClaimVerdict) -> &'static str {
    match verdict {
        ClaimVerdict::Confirmed => "good",
        ClaimVerdict::ConfirmedWithConditions => "partly",
        ClaimVerdict::Refuted => "bad",
        ClaimVerdict::NotMeasurableHere | ClaimVerdict::Open => "tie",
    }
}
