//! All that one campaign measured and a later one did not: a gate that passes for it would pass for anything that is left out.

use super::pairs::{Pairs, Side};
use super::place;
use crate::figure;
use crate::format;
use model::schema::{Campaign, Cell, CellStatus, MainFigure, Missing, Point};

/// Contenders of which so many lines are printed before all of one contender become one line.
const LINES_OF_ONE: usize = 4;
/// Points that a line names before it counts them.
const POINTS_OF_A_LINE: usize = 3;

/// The contenders at points that BASE has valid cells of and NEW has none of.
pub(super) fn contenders(pairs: &Pairs<'_>) -> Vec<Missing> {
    let new = pairs.new;
    let missing = |(contender, point): &(String, Point)| {
        let has_figures =
            |campaign| MainFigure::ALL.iter().any(|figure| Side::of(campaign, contender, point).has(*figure));
        if !has_figures(pairs.base) {
            return None;
        }
        let reason = match pairs.both.contains(&(contender.clone(), point.clone())) {
            false => not_planned(new, contender, point),
            true if has_figures(new) => return None,
            true => not_valid(new, contender, point),
        };
        Some(Missing { contender: contender.clone(), point: point.clone(), figure: None, reason })
    };
    pairs.of_base.iter().filter_map(missing).collect()
}

/// The reason for which `campaign` did not set out to measure `contender` at `point`.
fn not_planned(campaign: &Campaign, contender: &str, point: &Point) -> String {
    let scenario = &campaign.plan.scenario;
    match scenario.exclusion(contender, point) {
        Some(exclude) => format!("left out: {}", exclude.reason.replace('\n', " ")),
        None if scenario.contenders().any(|known| known == contender) => {
            "NEW does not measure at such a point".to_owned()
        }
        None => "NEW was not asked to measure it".to_owned(),
    }
}

/// The reason for which no cell that was planned is valid: that of the last attempt.
fn not_valid(campaign: &Campaign, contender: &str, point: &Point) -> String {
    let is_of_it = |cell: &&Cell| cell.mechanism == contender && cell.point == *point;
    let cells: Vec<&Cell> = campaign.cells.iter().filter(is_of_it).collect();
    match cells.last() {
        None if campaign.complete => "NEW has no cell of it".to_owned(),
        None => "NEW was interrupted before it".to_owned(),
        // A cell may be valid and have no figure.
        Some(cell) if cell.status == CellStatus::Valid => "its valid cells have no figure".to_owned(),
        Some(cell) => {
            let cells = format::plural(cells.len(), "cell");
            let reasons = cell.reasons.join("; ").replace('\n', " ");
            format!("none of its {cells} is valid: {reasons}")
        }
    }
}

/// A line for each thing that is missing; what has the same reason is one, and so is a contender that would have many lines.
pub(super) fn lines(missing: &[Missing]) -> Vec<String> {
    let mut groups: Vec<Vec<&Missing>> = Vec::new();
    let key = |one: &Missing| (one.contender.clone(), one.figure, one.reason.clone());
    for one in missing {
        match groups.iter_mut().find(|group| key(group[0]) == key(one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let of_contender =
        |name: &str| groups.iter().filter(|group| group[0].contender == name).count() > LINES_OF_ONE;
    let mut lines = Vec::new();
    for group in &groups {
        let name = group[0].contender.as_str();
        if !of_contender(name) {
            lines.push(line(group));
        } else if missing.iter().find(|one| one.contender == name) == Some(group[0]) {
            let all = missing.iter().filter(|one| one.contender == name).count();
            lines.push(format!("{}, and {} more of {name}", line(&group[..1]), all - 1));
        }
    }
    lines
}

/// `missing in NEW: poll at 10k × 10 (idle-scaling): none of its 6 cells is valid: the server died`.
fn line(group: &[&Missing]) -> String {
    let Missing { contender, figure, reason, .. } = group[0];
    let places: Vec<String> = group.iter().take(POINTS_OF_A_LINE).map(|one| place(&one.point)).collect();
    let further = match group.len().saturating_sub(POINTS_OF_A_LINE) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let figure = figure.map(|figure| format!(", {}", figure::words(figure))).unwrap_or_default();
    format!("missing in NEW: {contender}{figure}, at {}{further}: {reason}", places.join(", "))
}

/// A clause that says how much is missing: `io-uring at 7 points, poll at 1 point`.
pub(super) fn summary(missing: &[Missing]) -> String {
    let mut contenders: Vec<&str> = Vec::new();
    for one in missing {
        if !contenders.contains(&one.contender.as_str()) {
            contenders.push(&one.contender);
        }
    }
    let of_one = |name: &&str| {
        let mut points: Vec<&Point> =
            missing.iter().filter(|one| one.contender == **name).map(|one| &one.point).collect();
        points.dedup();
        format!("{name} at {}", format::plural(points.len(), "point"))
    };
    contenders.iter().map(of_one).collect::<Vec<_>>().join(", ")
}
