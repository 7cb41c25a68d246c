//! `report.md`: a campaign as a page of Markdown.

use std::fmt::Write as _;

use crate::analysis::{Analysis, PointAnalysis, Row};
use crate::map::{MARKS, Map};
use crate::statistics::Summary;
use crate::{costs, format, machine, table};
use model::schema::{ExternalServer, Point};

/// The whole page: the finding, the figures, a table a point, the cells that do not count, the machine,
/// and the command that repeats the run.
///
/// `figures` are the names of the picture files beside the page, those in SVG being shown.
pub fn render(analysis: &Analysis<'_>, figures: &[String]) -> String {
    let campaign = analysis.campaign;
    let mut out = String::new();
    paragraph(&mut out, &format!("# {}: {}", campaign.plan.scenario.name, analysis.finding()));
    paragraph(&mut out, campaign.plan.scenario.analysis.trim());
    for figure in figures.iter().filter(|figure| figure.ends_with(".svg")) {
        let name = figure.trim_end_matches(".svg").rsplit('/').next().unwrap_or(figure);
        paragraph(&mut out, &format!("![{name}]({figure})"));
    }
    for at in &analysis.points {
        paragraph(&mut out, &heading(&at.point));
        paragraph(&mut out, &point_table(at));
    }
    let overtaking = table::overtaking(analysis);
    if !overtaking.is_empty() {
        paragraph(&mut out, "## Who overtakes whom");
        if let Some(map) = Map::of(analysis) {
            paragraph(
                &mut out,
                "By median response, the winner of each point and what it is ahead of the next by:",
            );
            paragraph(&mut out, &map.markdown());
            paragraph(&mut out, MARKS);
        }
        paragraph(&mut out, &bullets(&overtaking));
        paragraph(&mut out, "## How to read it");
    }
    paragraph(&mut out, &bullets(&table::legend(analysis)));
    paragraph(&mut out, "## What an echo costs, and a connection");
    paragraph(&mut out, &costs::markdown(campaign));
    let problems = table::problems(analysis);
    if !problems.is_empty() {
        paragraph(&mut out, "## Cells that do not count");
        paragraph(&mut out, &bullets(&problems));
    }
    let servers = &campaign.plan.scenario.servers;
    if !servers.is_empty() {
        paragraph(&mut out, "## Servers of other making");
        paragraph(&mut out, &bullets(&servers.iter().map(external).collect::<Vec<_>>()));
    }
    paragraph(&mut out, "## Where it was measured");
    paragraph(&mut out, &environment(analysis));
    paragraph(&mut out, "## To repeat it");
    paragraph(&mut out, &format!("```sh\n{}\n```", campaign.command));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Links to the pages of further campaigns, each in a folder below that of the page, with what they found; nothing without any.
pub fn further(campaigns: &[(&str, &Analysis<'_>)]) -> String {
    let link = |(folder, analysis): &(&str, &Analysis<'_>)| {
        let name = escaped(&analysis.campaign.plan.scenario.name);
        format!("- [{name}]({folder}/report.md): {}\n", escaped(&analysis.finding()))
    };
    let links: String = campaigns.iter().map(link).collect();
    if links.is_empty() { links } else { format!("\n## Further campaigns\n\n{links}") }
}

/// One table of all points, for a page that gives the result in short. Ends with a newline.
pub fn summary(analysis: &Analysis<'_>) -> String {
    let mut out = "| sweep | connections | active | mechanism | response p50 | response p99 | capacity, echoes/s \
                   | server, µs/echo | p50 against the best |\n| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |\n"
        .to_owned();
    for at in &analysis.points {
        for row in &at.rows {
            let columns = [
                escaped(&at.point.sweep),
                format::thousands(at.point.connections.into()),
                format::thousands(at.point.active.into()),
                escaped(&row.mechanism),
                table::duration(&row.p50),
                table::duration(&row.p99),
                table::capacity(row.capacity.as_ref()),
                table::microseconds(&row.cpu),
                table::standing(&row.p50.standing),
            ];
            let _ = writeln!(out, "| {} |", columns.join(" | "));
        }
    }
    out
}

fn heading(point: &Point) -> String {
    let [connections, active] =
        [point.connections, point.active].map(|count| format::thousands(count.into()));
    let further: String =
        format::particulars(point).iter().map(|particular| format!(", {particular}")).collect();
    format!("## {}: {connections} connections, {active} active{further}", point.sweep)
}

fn paragraph(out: &mut String, text: &str) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{text}\n\n");
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}", escaped(line))).collect::<Vec<_>>().join("\n")
}

/// Text from outside, so that it cannot end a table cell or start markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}

fn point_table(at: &PointAnalysis) -> String {
    let mut lines = vec![
        "| mechanism | response p50 | response p99 | capacity, echoes/s | server, µs/echo | machine, µs/echo \
         | system calls/echo | p50 against the best | p99 against the best | server µs/echo against the best |"
            .to_owned(),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | --- |".to_owned(),
    ];
    lines.extend(at.rows.iter().map(row));
    lines.join("\n")
}

fn row(row: &Row) -> String {
    let figure = |summary: Option<Summary>, scale: f64| {
        summary
            .map_or_else(|| format::ABSENT.to_owned(), |summary| format::three_digits(summary.median / scale))
    };
    let columns = [
        escaped(&row.mechanism),
        table::duration(&row.p50),
        table::duration(&row.p99),
        table::capacity(row.capacity.as_ref()),
        table::microseconds(&row.cpu),
        figure(row.system_cpu_ns, 1e3),
        figure(row.syscalls, 1.0),
        table::standing(&row.p50.standing),
        table::standing(&row.p99.standing),
        table::standing(&row.cpu.standing),
    ];
    format!("| {} |", columns.join(" | "))
}

/// `socat: socat TCP-LISTEN:{port} PIPE (a process a connection)`
pub(crate) fn external(server: &ExternalServer) -> String {
    let about = server.about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
    format!("{}: {}{about}", server.name, server.command.join(" "))
}

fn environment(analysis: &Analysis<'_>) -> String {
    let campaign = analysis.campaign;
    let facts = machine::facts(campaign).into_iter().map(|(name, value)| format!("{name}: {value}"));
    let doctor =
        campaign.diagnosis.as_ref().map(|told| format!("muxbench doctor: {}", machine::doctor(told)));
    bullets(&facts.chain(doctor).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Shape};
    use model::schema::{Campaign, CellStatus};

    fn page(campaign: &Campaign) -> String {
        page_of(&Analysis::of(campaign).expect("sound histograms"))
    }

    fn page_of(analysis: &Analysis<'_>) -> String {
        render(analysis, &["plots/idle-scaling.svg".to_owned(), "plots/idle-scaling.png".to_owned()])
    }

    #[test]
    fn the_page_starts_with_the_finding_and_ends_with_the_command() {
        let page = page_of(testing::analysis());
        assert!(
            page.starts_with("# many-idle-few-active: At 10,000 connections, 10 active, epoll-"),
            "{page}"
        );
        assert!(page.ends_with("```sh\nmuxbench run --seed 42\n```\n"), "{page}");
        assert!(page.contains("![idle-scaling](plots/idle-scaling.svg)"));
        assert!(!page.contains(".png"));
        assert!(page.contains("- host: bench-01\n- program: muxbench 0.1.0 (release build"), "{page}");
        assert!(page.contains("## idle-scaling: 10,000 connections, 10 active"));
    }

    #[test]
    fn every_row_has_as_many_columns_as_the_header() {
        let page = page_of(testing::analysis());
        let (points, map) = page.split_once("## Who overtakes whom").expect("a map");
        let row = map.lines().find(|line| line.starts_with("| 10,000 |")).expect("a row");
        assert_eq!(row.matches('|').count(), 5, "{row}");
        let columns: Vec<usize> = points
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.matches('|').count())
            .collect();
        assert_eq!(columns.len(), 7 * 6);
        assert!(columns.iter().all(|count| *count == 11), "{columns:?}");
    }

    #[test]
    fn reasons_cannot_break_the_page() {
        let mut campaign = testing::realistic();
        testing::spoil(&mut campaign, 0, CellStatus::Invalid, "a | b\n<script>");
        assert!(page(&campaign).contains("a \\| b \\<script>"), "{}", page(&campaign));
    }

    #[test]
    fn servers_of_other_making_are_rows_and_their_commands_are_told() {
        let mut campaign = testing::with_servers(&["poll"], &["socat"]);
        campaign.plan.scenario.servers[0].about = Some("a process a connection".into());
        let page = page(&campaign);
        assert!(page.contains("- socat: ./socat {port} (a process a connection)\n"), "{page}");
        let (points, _) = page.split_once("## What an echo costs").expect("the costs");
        let rows: Vec<&str> = points.lines().filter(|line| line.starts_with("| socat |")).collect();
        assert_eq!(rows.len(), campaign.plan.points.len());
        // It has no counters, so no system calls an echo: the seventh column.
        assert!(rows.iter().all(|row| row.split('|').nth(7) == Some(" – ")), "{rows:?}");
    }

    #[test]
    fn further_campaigns_are_linked_with_what_they_found() {
        assert_eq!(further(&[]), "");
        let links = further(&[("few", testing::analysis())]);
        let expected =
            "\n## Further campaigns\n\n- [many-idle-few-active](few/report.md): At 10,000 connections, ";
        assert!(links.starts_with(expected), "{links}");
    }

    #[test]
    fn a_campaign_with_nothing_in_it_is_still_a_page() {
        let nothing = testing::campaign(&[], &[], 0, |_, _, _| Shape::default());
        assert!(page(&nothing).contains("nothing was found"));
    }
}
