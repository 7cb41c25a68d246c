//! `muxbench run --list`

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use model::campaign::Plan;
use muxbench::experiment::plan;
use muxbench::experiment::scenario::{self, Draft, Overrides, ScenarioError};
use report::format::plural;
use sys::capacity::Capacity;

use super::apart::{self, Apart};
use super::progress::minutes;

/// Prints every scenario of the program: what it asks, at how many points, and how long that takes; then what is measured in a way of
/// its own.
pub fn print() -> anyhow::Result<()> {
    let machine = Capacity::of_this_machine();
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["scenario", "what it asks", "measures", "takes", "--quick"]);
    for name in scenario::embedded() {
        let draft = scenario::draft(name)?;
        let question = first_sentence(&draft.scenario.analysis);
        let takes = |plan: &Plan| minutes(plan::expected_s(plan));
        let quick = planned(&draft, true, &machine).map_or_else(|_| String::new(), |plan| takes(&plan));
        let [points, takes] = match planned(&draft, false, &machine) {
            Ok(plan) => [plural(plan.points.len(), "point"), takes(&plan)],
            Err(ScenarioError(wrong)) => [String::new(), wrong.first().cloned().unwrap_or_default()],
        };
        table.add_row([name.to_owned(), question, points, takes, quick]);
    }
    for Apart { name, question, takes, .. } in apart::ALL {
        table.add_row([name, question, "", takes, ""]);
    }
    let text: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    super::super::print(&text)
}

fn planned(draft: &Draft, quick: bool, machine: &Capacity) -> Result<Plan, ScenarioError> {
    let prepared = Overrides { quick, ..Overrides::default() }.apply(draft.clone(), machine)?;
    Ok(plan::of(prepared, None, 1, machine))
}

/// The first sentence of a text, on one line.
fn first_sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.find(['?', '.']).map_or(line.len(), |end| end + 1);
    line[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_is_told_on_one_line() {
        assert_eq!(first_sentence("\nHow fast\n is it? And why?"), "How fast is it?");
        assert_eq!(first_sentence("No end"), "No end");
    }
}
