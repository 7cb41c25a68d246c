//! The reports of all mechanisms: as tables for a terminal, and as a page of Markdown.

use minijinja::value::Value;

use crate::claims::page::{tally, told};
use crate::grid::{Column, Grid};
use crate::rounds::grouped;
use crate::templates;
use model::schema::{Observer, PhaseReport, Semantics, SituationReport, WaitPhase};

/// Columns of a terminal that every table fits into.
const WIDTH: u16 = 118;

/// Of these, the column of mechanisms: two of them fit on a line.
const NAMES_WIDTH: u16 = 30;

/// The meaning of the cells, once for all tables.
const LEGEND: [&str; 4] = [
    "Each cell is one wait without timeout, in the order of columns; each mechanism meets objects of its own.",
    "READ, WRITE, EXCEPT: select's three sets. The others are the bits of poll(2) and epoll(7): IN is POLLIN or EPOLLIN.",
    "nothing: the wait reported no event. EPERM and the like: it cannot be watched, or the wait failed. n/a: no such mechanism.",
    "-: the situation has no such action. Watched are IN, PRI, OUT and RDHUP, by select all three sets.",
];

/// The tables, then the claims with their evidence. Ends with a newline.
pub fn render(semantics: &Semantics) -> String {
    templates::text("semantics.txt.jinja", context(semantics))
}

/// The same as a page. Ends with a newline.
pub fn page(semantics: &Semantics) -> String {
    templates::text("semantics.md.jinja", context(semantics))
}

fn context(semantics: &Semantics) -> Value {
    let situation = |situation: &SituationReport| {
        let table = |names| table(semantics, situation, names);
        minijinja::context! {
            name => situation.name,
            about => situation.about,
            unavailable => situation.unavailable,
            text => table("").boxed(WIDTH, Some(NAMES_WIDTH)),
            markdown => table("mechanism").markdown(),
            actions => actions(situation),
        }
    };
    minijinja::context! {
        provenance => provenance(semantics),
        legend => LEGEND.map(str::to_owned).into_iter().chain(observers(semantics)).collect::<Vec<_>>(),
        situations => semantics.situations.iter().map(situation).collect::<Vec<_>>(),
        claims => semantics.claims.iter().map(told).collect::<Vec<_>>(),
        tally => tally(&semantics.claims),
    }
}

/// The reports of all mechanisms in one situation, as a table of Markdown. Ends with a newline.
pub fn situation_table(semantics: &Semantics, situation: &SituationReport) -> String {
    table(semantics, situation, "mechanism").markdown()
}

fn table(semantics: &Semantics, situation: &SituationReport, names: &str) -> Grid {
    let columns = [names].into_iter().chain(WaitPhase::ALL.map(WaitPhase::words)).map(Column::words);
    let row = |(names, answers): (String, Vec<String>)| {
        [names].into_iter().chain(answers).map(Into::into).collect()
    };
    Grid { columns: columns.collect(), rows: rows(semantics, situation).into_iter().map(row).collect() }
}

fn provenance(semantics: &Semantics) -> String {
    let Semantics { system, kernel, architecture, muxbench_version, started, .. } = semantics;
    format!("{system} {kernel} on {architecture}, observed by muxbench {muxbench_version} at {started}")
}

/// Each mechanism: how it was used, or why not.
fn observers(semantics: &Semantics) -> Vec<String> {
    let observer = |observer: &Observer| match &observer.unavailable {
        Some(why) => format!("{}: n/a, {why}", observer.name),
        None => format!("{}: {}", observer.name, observer.about),
    };
    semantics.mechanisms.iter().map(observer).collect()
}

/// The rows of a situation: mechanisms that answered the same are one row.
fn rows(semantics: &Semantics, situation: &SituationReport) -> Vec<(String, Vec<String>)> {
    let answers = |name: &str| -> Vec<String> {
        let answer =
            |phase: &PhaseReport| phase.answers.get(name).map_or("-".to_owned(), ToString::to_string);
        situation.phases.iter().map(answer).collect()
    };
    let names = semantics.mechanisms.iter().map(|mechanism| mechanism.name.as_str());
    let rows = grouped(names.map(|name| (answers(name), name)));
    rows.into_iter().map(|(answers, names)| (names.join(", "), answers)).collect()
}

/// The actions before the waits: `partial read: 1 byte of it is read; …`.
fn actions(situation: &SituationReport) -> String {
    let action = |phase: &PhaseReport| {
        let action = phase.action.as_deref().filter(|action| *action != "nothing");
        let told = action.filter(|_| phase.phase != WaitPhase::ArmedAgain);
        told.map(|action| format!("{}: {action}", phase.phase.words()))
    };
    let told: Vec<String> = situation.phases.iter().filter_map(action).collect();
    if told.is_empty() { "nothing is done between the waits".to_owned() } else { told.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn mechanisms_that_answer_the_same_share_a_row() {
        let semantics = testing::semantics();
        let rows = rows(&semantics, &semantics.situations[0]);
        let names: Vec<&str> = rows.iter().map(|(names, _)| names.as_str()).collect();
        assert_eq!(names, ["poll, epoll-lt", "epoll-et", "io-uring-poll"]);
        assert_eq!(rows[1].1, ["IN OUT", "nothing", "IN OUT", "-", "-", "-"]);
    }

    #[test]
    fn every_line_of_a_table_fits_a_terminal_of_120_columns() {
        let text = render(&testing::semantics());
        let tables = text.lines().filter(|line| line.starts_with(['│', '├', '┌', '└', '╞']));
        let widths: Vec<usize> = tables.map(|line| line.chars().count()).collect();
        assert!(!widths.is_empty() && widths.iter().all(|width| *width <= 120), "{widths:?}\n{text}");
    }

    #[test]
    fn a_claim_is_printed_with_its_verdict_its_reasons_and_its_evidence() {
        let mut semantics = testing::semantics();
        semantics.claims.push(semantics.claims[0].clone());
        let text = render(&semantics);
        assert!(text.contains("sndlowat (§ 2.1): REFUTED"), "{text}");
        assert!(text.contains("  refuted by: setsockopt: ENOPROTOOPT, where success is claimed"), "{text}");
        assert!(text.contains("[contradicts] setsockopt: ENOPROTOOPT; claimed: success"), "{text}");
        assert!(text.contains("\n2 refuted: sndlowat, sndlowat\n"), "{text}");
    }

    #[test]
    fn what_is_not_offered_says_why() {
        let text = render(&testing::semantics());
        assert!(text.contains("io-uring-poll: n/a, kernel.io_uring_disabled"), "{text}");
        assert!(text.contains("  not observed: Function not implemented"), "{text}");
    }

    #[test]
    fn every_row_of_the_page_has_as_many_columns_as_its_header() {
        let page = page(&testing::semantics());
        let mut columns = 0;
        for line in page.lines() {
            let count = line.replace("\\|", "").matches('|').count();
            if columns > 0 && count > 0 {
                assert_eq!(count, columns, "{line}");
            }
            columns = count;
        }
        assert!(page.contains("| [sndlowat](#sndlowat) | 2.1 | refuted |"), "{page}");
        assert!(page.contains("\n### sndlowat\n"), "{page}");
    }
}
