//! The claims with their verdicts.

use minijinja::context;
use minijinja::value::Value;

use super::table::sortable;
use crate::claims::page::{self, look};
use crate::grid::{Cell, Column, Grid};
use model::schema::{ClaimResult, ClaimVerdict, Claims};

/// Returns the claims: how many have which verdict, a row for each that is decided and what it rests on, and for each other one the commands that
/// would decide it. `None` where not one is decided.
pub fn verdicts(claims: &Claims) -> Option<Value> {
    let is_open = |claim: &&ClaimResult| claim.verdict == ClaimVerdict::Open;
    let (open, decided): (Vec<&ClaimResult>, Vec<_>) = claims.claims.iter().partition(is_open);
    let columns = ["claim", "§", "what is claimed", "verdict", "figure"].map(Column::words).into();
    let grid = Grid { columns, rows: decided.iter().map(|claim| row(claim)).collect() };
    let caption = "Each claim with its verdict and the figure that it comes down to";
    (!decided.is_empty()).then(|| {
        context! {
            tally => page::tally(&claims.claims),
            table => sortable(caption, &grid),
            claims => decided.into_iter().map(page::told).collect::<Vec<_>>(),
            open => open.into_iter().map(needs).collect::<Vec<_>>(),
            sources => claims.sources,
        }
    })
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
