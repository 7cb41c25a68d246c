//! What each mechanism reports: as tables for a terminal, and as a page of Markdown.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};

use crate::markdown::escaped;
use model::schema::{ClaimResult, Evidence, Finding, Semantics, SituationReport, WaitPhase};

/// Columns of a terminal that every table fits into.
const WIDTH: u16 = 118;

/// Of these, the column of mechanisms: two of them fit on a line.
const NAMES_WIDTH: u16 = 30;

/// What the cells mean, once for all tables.
const LEGEND: [&str; 4] = [
    "Each cell is one wait without timeout, in the order of columns; each mechanism meets objects of its own.",
    "READ, WRITE, EXCEPT: select's three sets. The others are the bits of poll(2) and epoll(7): IN is POLLIN or EPOLLIN.",
    "nothing: the wait reported no event. EPERM and the like: it cannot be watched, or the wait failed. n/a: no such mechanism.",
    "-: the situation has no such action. Watched are IN, PRI, OUT and RDHUP, by select all three sets.",
];

/// The tables, then the claims with their evidence. Ends with a newline.
pub fn render(semantics: &Semantics) -> String {
    let mut out = format!("{}\n", provenance(semantics));
    if !semantics.situations.is_empty() {
        line(&mut out, "");
        LEGEND.iter().for_each(|legend| line(&mut out, legend));
        observers(semantics).iter().for_each(|observer| line(&mut out, observer));
    }
    for situation in &semantics.situations {
        line(&mut out, &format!("\n{}: {}", situation.name, situation.about));
        match &situation.unavailable {
            Some(why) => line(&mut out, &format!("  not observed: {why}")),
            None => {
                for row in table(semantics, situation).lines() {
                    line(&mut out, row.trim_end());
                }
                line(&mut out, &format!("  {}", actions(situation)));
            }
        }
    }
    for claim in &semantics.claims {
        line(
            &mut out,
            &format!("\n{} (§ {}): {}", claim.id, claim.section, claim.verdict.words().to_uppercase()),
        );
        line(&mut out, &format!("  claimed: {}", claim.claim));
        claim.because.iter().for_each(|why| line(&mut out, &format!("  {}: {why}", because(claim))));
        claim.evidence.iter().for_each(|evidence| line(&mut out, &format!("  {}", sentence(evidence))));
    }
    if semantics.claims.len() > 1 {
        line(&mut out, "");
        tally(&semantics.claims).iter().for_each(|verdict| line(&mut out, verdict));
    }
    out
}

/// The same as a page. Ends with a newline.
pub fn page(semantics: &Semantics) -> String {
    let mut out = format!("# What each mechanism reports\n\n{}.\n", escaped(&provenance(semantics)));
    if !semantics.situations.is_empty() {
        line(&mut out, "\n## Situations\n");
        LEGEND.iter().for_each(|legend| line(&mut out, &format!("- {}", escaped(legend))));
        observers(semantics).iter().for_each(|observer| line(&mut out, &format!("- {}", escaped(observer))));
    }
    for situation in &semantics.situations {
        line(&mut out, &format!("\n### {}\n\n{}.\n", situation.name, escaped(&situation.about)));
        match &situation.unavailable {
            Some(why) => line(&mut out, &format!("Not observed: {}.", escaped(why))),
            None => situation_page(&mut out, semantics, situation),
        }
    }
    if !semantics.claims.is_empty() {
        line(&mut out, "\n## Claims\n\n| claim | § | verdict |\n| --- | --- | --- |");
    }
    for claim in &semantics.claims {
        let ClaimResult { id, section, verdict, .. } = claim;
        line(&mut out, &format!("| [{id}](#{id}) | {section} | {} |", verdict.words()));
    }
    semantics.claims.iter().for_each(|claim| claim_page(&mut out, claim));
    out
}

fn situation_page(out: &mut String, semantics: &Semantics, situation: &SituationReport) {
    out.push_str(&situation_table(semantics, situation));
    line(out, &format!("\n{}.", escaped(&actions(situation))));
}

/// What each mechanism reported in one situation, as a table of Markdown. Ends with a newline.
pub fn situation_table(semantics: &Semantics, situation: &SituationReport) -> String {
    let mut out = format!("| mechanism | {} |\n", WaitPhase::ALL.map(WaitPhase::words).join(" | "));
    line(&mut out, &format!("| --- |{}", " --- |".repeat(WaitPhase::ALL.len())));
    for (mechanisms, answers) in rows(semantics, situation) {
        line(&mut out, &format!("| {mechanisms} | {} |", answers.join(" | ")));
    }
    out
}

fn claim_page(out: &mut String, claim: &ClaimResult) {
    let ClaimResult { id, section, verdict, .. } = claim;
    line(out, &format!("\n### {id}\n\n§ {section}: {}.\n", escaped(&claim.claim)));
    line(out, &format!("**{}**{}\n", verdict.words(), if claim.because.is_empty() { "." } else { ":" }));
    if !claim.because.is_empty() {
        claim.because.iter().for_each(|why| line(out, &format!("- {}", escaped(why))));
        line(out, "");
    }
    line(out, "| what was done | claimed | observed | note | |\n| --- | --- | --- | --- | --- |");
    for evidence in &claim.evidence {
        let Evidence { what, claimed, observed, note, finding } = evidence;
        let text = |text: &Option<String>| text.as_deref().map_or_else(String::new, escaped);
        let observed = if observed.is_none() { "not observed".to_owned() } else { text(observed) };
        let columns = [escaped(what), text(claimed), observed, text(note), mark(*finding).to_owned()];
        line(out, &format!("| {} |", columns.join(" | ")));
    }
}

fn line(out: &mut String, text: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn provenance(semantics: &Semantics) -> String {
    let Semantics { system, kernel, architecture, muxbench_version, started, .. } = semantics;
    format!("{system} {kernel} on {architecture}, observed by muxbench {muxbench_version} at {started}")
}

/// Each mechanism: how it was used, or why not.
fn observers(semantics: &Semantics) -> Vec<String> {
    let observer = |observer: &model::schema::Observer| match &observer.unavailable {
        Some(why) => format!("{}: n/a, {why}", observer.name),
        None => format!("{}: {}", observer.name, observer.about),
    };
    semantics.mechanisms.iter().map(observer).collect()
}

/// The rows of a situation: mechanisms that answered the same are one row.
fn rows(semantics: &Semantics, situation: &SituationReport) -> Vec<(String, Vec<String>)> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for mechanism in &semantics.mechanisms {
        let answer = |phase: &model::schema::PhaseReport| {
            phase.answers.get(&mechanism.name).map_or_else(|| "-".to_owned(), ToString::to_string)
        };
        let answers: Vec<String> = situation.phases.iter().map(answer).collect();
        match rows.iter_mut().find(|(_, known)| *known == answers) {
            Some((names, _)) => {
                names.push_str(", ");
                names.push_str(&mechanism.name);
            }
            None => rows.push((mechanism.name.clone(), answers)),
        }
    }
    rows
}

fn table(semantics: &Semantics, situation: &SituationReport) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    table.set_header(std::iter::once("").chain(WaitPhase::ALL.map(WaitPhase::words)));
    for (mechanisms, answers) in rows(semantics, situation) {
        table.add_row(std::iter::once(mechanisms).chain(answers));
    }
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(NAMES_WIDTH)));
    }
    table.to_string()
}

/// What was done before the waits: `partial read: 1 byte of it is read; …`.
fn actions(situation: &SituationReport) -> String {
    let action = |phase: &model::schema::PhaseReport| {
        let action = phase.action.as_deref().filter(|action| *action != "nothing");
        let told = action.filter(|_| phase.phase != WaitPhase::ArmedAgain);
        told.map(|action| format!("{}: {action}", phase.phase.words()))
    };
    let told: Vec<String> = situation.phases.iter().filter_map(action).collect();
    if told.is_empty() { "nothing is done between the waits".to_owned() } else { told.join("; ") }
}

/// What a line of `because` is.
fn because(claim: &ClaimResult) -> &'static str {
    use model::schema::ClaimVerdict::{Confirmed, ConfirmedWithConditions, NotMeasurableHere, Open, Refuted};
    match claim.verdict {
        Confirmed | ConfirmedWithConditions => "condition",
        Refuted => "refuted by",
        NotMeasurableHere | Open => "why",
    }
}

/// `[as claimed] epoll_ctl(ADD) of a regular file: EPERM`.
pub(crate) fn sentence(evidence: &Evidence) -> String {
    let Evidence { what, claimed, observed, note, finding } = evidence;
    let observed = observed.as_deref().unwrap_or("not observed");
    let claimed = match (finding, claimed) {
        (Finding::Condition | Finding::Contradicts, Some(claimed)) => format!("; claimed: {claimed}"),
        _ => String::new(),
    };
    // A condition's note is among the conditions.
    let note = note.as_deref().filter(|_| *finding != Finding::Condition);
    let note = note.map_or_else(String::new, |note| format!(" ({note})"));
    format!("[{}] {what}: {observed}{claimed}{note}", mark(*finding))
}

fn mark(finding: Finding) -> &'static str {
    match finding {
        Finding::AsClaimed => "as claimed",
        Finding::Condition => "condition",
        Finding::Contradicts => "contradicts",
        Finding::Open | Finding::OpenAside => "open",
        Finding::Context => "context",
    }
}

/// How many claims have which verdict, and which.
pub(crate) fn tally(claims: &[ClaimResult]) -> Vec<String> {
    use model::schema::ClaimVerdict::{Confirmed, ConfirmedWithConditions, NotMeasurableHere, Open, Refuted};
    let told = [Confirmed, ConfirmedWithConditions, Refuted, NotMeasurableHere, Open].map(|verdict| {
        let with_it = claims.iter().filter(|claim| claim.verdict == verdict);
        let ids: Vec<&str> = with_it.map(|claim| claim.id.as_str()).collect();
        (!ids.is_empty()).then(|| format!("{} {}: {}", ids.len(), verdict.words(), ids.join(", ")))
    });
    told.into_iter().flatten().collect()
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
