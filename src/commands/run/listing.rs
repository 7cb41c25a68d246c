//! `muxbench run --list`

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use load_gen::machine::capacity::Capacity;
use model::schema::Plan;
use muxbench::experiment::expectation::Expectation;
use muxbench::experiment::scenario::{self, Overrides, ScenarioError};

use super::apart::{self, Apart};
use super::progress::minutes;

/// Prints every scenario of the program: what it asks, how many cells or starts that are, and how long they take; then what is measured
/// in a way of its own.
pub fn print() -> anyhow::Result<()> {
    let machine = Capacity::of_this_machine();
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["scenario", "what it asks", "measures", "takes", "--quick"]);
    for name in scenario::embedded() {
        let draft = scenario::draft(name)?;
        let question = first_sentence(&draft.scenario.analysis);
        let unit = if draft.scenario.rounds.is_some() { "starts" } else { "cells" };
        let measures = |expected: &Expectation| format!("{} {unit}", expected.cells());
        let forms = [false, true].map(|quick| {
            Overrides { quick, ..Overrides::default() }.apply(draft.clone(), &machine).map(|prepared| {
                let plan = Plan { scenario: prepared.scenario, points: prepared.points, seed: 1 };
                Expectation::of(&plan)
            })
        });
        let [cells, takes, quick] = match forms {
            [Ok(whole), Ok(quick)] => [measures(&whole), duration(&whole), minutes(quick.least_s())],
            [Err(ScenarioError(wrong)), quick] => {
                let quick = quick.map_or_else(|_| String::new(), |quick| minutes(quick.least_s()));
                [String::new(), wrong.first().cloned().unwrap_or_default(), quick]
            }
            [Ok(whole), Err(_)] => [measures(&whole), duration(&whole), String::new()],
        };
        table.add_row([name.to_owned(), question, cells, takes, quick]);
    }
    for Apart { name, question, takes, .. } in apart::ALL {
        table.add_row([name, question, "", takes, ""]);
    }
    let text: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    super::super::print(&text)
}

/// `11 min`, or `11 to 16 min` where the repeats depend on what is found.
fn duration(expected: &Expectation) -> String {
    match (minutes(expected.least_s()), minutes(expected.most_s())) {
        (least, most) if least == most => least,
        (least, most) => match (least.split_once(' '), most.split_once(' ')) {
            (Some((number, unit)), Some((_, other))) if unit == other => format!("{number} to {most}"),
            _ => format!("{least} to {most}"),
        },
    }
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

    #[test]
    fn a_duration_that_depends_is_told_as_a_range() {
        let expected =
            |repeats_at_most| Expectation { cells_a_repeat: 1, repeat_s: 60.0, repeats: 5, repeats_at_most };
        assert_eq!(duration(&expected(5)), "5 min");
        assert_eq!(duration(&expected(9)), "5 to 9 min");
        assert_eq!(duration(&expected(120)), "5 min to 2.0 h");
    }
}
