//! `report.md`: a campaign as a page of Markdown.

use std::fmt::Write as _;

use crate::analysis::{Analysis, PointAnalysis, Row};
use crate::format;
use crate::schema::Point;
use crate::statistics::Summary;
use crate::table;

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
    paragraph(&mut out, &bullets(&table::legend(analysis)));
    let problems = table::problems(analysis);
    if !problems.is_empty() {
        paragraph(&mut out, "## Cells that do not count");
        paragraph(&mut out, &bullets(&problems));
    }
    paragraph(&mut out, "## Where it was measured");
    paragraph(&mut out, &environment(analysis));
    paragraph(&mut out, "## To repeat it");
    paragraph(&mut out, &format!("```sh\n{}\n```", campaign.command));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
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
    format!("## {}: {connections} connections, {active} active", point.sweep)
}

fn paragraph(out: &mut String, text: &str) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{text}\n\n");
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}", escaped(line))).collect::<Vec<_>>().join("\n")
}

/// Text from outside, so that it cannot end a table cell or start markup.
fn escaped(text: &str) -> String {
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

fn environment(analysis: &Analysis<'_>) -> String {
    let campaign = analysis.campaign;
    let machine = &campaign.environment;
    let cpu =
        |cpu: Option<u32>| cpu.map_or_else(|| "not pinned".to_owned(), |cpu| format!("processor {cpu}"));
    let mitigations: Vec<String> =
        machine.mitigations.iter().map(|(name, state)| format!("{name}: {state}")).collect();
    let sysctls: Vec<String> =
        machine.sysctls.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let limits = machine.limits;
    bullets(&[
        format!(
            "host {}, muxbench {} ({} build, {}) at {}",
            machine.host, campaign.muxbench_version, machine.profile, machine.rustc_version, campaign.started
        ),
        format!(
            "{} processors of {}, {}",
            machine.processors,
            machine.processor,
            format::bytes(machine.memory_bytes)
        ),
        format!("hypervisor: {}", machine.hypervisor.as_deref().unwrap_or("none reported")),
        format!("Linux {}, clock source {}", machine.kernel, machine.clock_source),
        format!("governor: {}", machine.governor.as_deref().unwrap_or("none reported")),
        format!("server on {}, generator on {}", cpu(machine.server_cpu), cpu(machine.generator_cpu)),
        format!(
            "steal since boot {}, load average {}",
            format::percent(machine.steal_since_boot),
            format::three_digits(machine.load_average)
        ),
        format!("descriptor limit {} (hard {})", limits.nofile_soft, limits.nofile_hard),
        format!("mitigations: {}", mitigations.join("; ")),
        format!("settings: {}", sysctls.join("; ")),
        format!("seed {}", campaign.plan.seed),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Campaign, CellStatus};
    use crate::testing::{self, Shape};

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
        assert!(page.contains("host bench-01, muxbench 0.1.0 (release build"));
        assert!(page.contains("## idle-scaling: 10,000 connections, 10 active"));
    }

    #[test]
    fn every_row_has_as_many_columns_as_the_header() {
        let page = page_of(testing::analysis());
        let columns: Vec<usize> =
            page.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
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
    fn a_campaign_with_nothing_in_it_is_still_a_page() {
        let nothing = testing::campaign(&[], &[], 0, |_, _, _| Shape::default());
        assert!(page(&nothing).contains("nothing was found"));
    }
}
