//! Published tables beside ours: text for a terminal, and the page `docs/REPRODUCTIONS.md`.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::format::{ABSENT, thousands, three_digits};
use model::schema::{ReproducedFigure, Reproduction, Reproductions};

/// The columns of every table.
const HEADER: [&str; 6] = ["mechanism", "watched", "published", "ours", "95 % interval", "published / ours"];

/// Marks a figure that its repeats do not agree on: an end of its interval is farther from it than [`NOISY`].
const MARK: &str = "~";
/// As a share of the figure.
const NOISY: f64 = 0.25;

/// The page.
pub fn page(all: &Reproductions) -> String {
    let machine = &all.environment;
    let mut page = format!(
        "# Published figures, measured again\n\nMeasured on {} ({} processors{}), Linux {}, with muxbench {}, at {}. Repeat it with\n\n\
         ```sh\n{}\n```\n\nMedian of the repeats, which ran in turn in random order, with its 95 % interval.\n",
        machine.processor,
        machine.processors,
        machine.hypervisor.as_ref().map(|name| format!(", {name}")).unwrap_or_default(),
        machine.kernel,
        machine.muxbench_version,
        all.started,
        all.command,
    );
    for table in &all.tables {
        page += &format!(
            "\n## {}\n\n{}.\n\n**What is measured.** {}\n\n**What differs.** {}\n\n{}",
            table.title,
            table.source,
            table.what,
            table.differs,
            markdown(table)
        );
        let growths = growths(table);
        if !growths.is_empty() {
            page += &format!("\n{}\n", growths.join(" "));
        }
        page += &legend(table).map(|legend| format!("\n{legend}\n")).unwrap_or_default();
    }
    page
}

/// What a terminal shows.
pub fn render(all: &Reproductions) -> String {
    let mut text = String::new();
    for table in &all.tables {
        text += &format!("{}\n", table.title);
        text += &on_a_terminal(table);
        text += &growths(table).iter().map(|line| format!("{line}\n")).collect::<String>();
        text += &legend(table).map(|legend| legend + "\n").unwrap_or_default();
        text += "\n";
    }
    text
}

fn on_a_terminal(table: &Reproduction) -> String {
    let mut drawn = Table::new();
    drawn.load_style(NOTHING).set_header(header(table)).add_rows(rows(table));
    let figures = drawn.column_iter_mut().skip(1);
    figures.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    format!("{drawn}\n")
}

pub(crate) fn header(table: &Reproduction) -> Vec<String> {
    let unit = |name: &str| match name {
        "published" | "ours" => format!("{name}, {}", table.unit),
        other => other.to_owned(),
    };
    HEADER.into_iter().map(unit).collect()
}

fn markdown(table: &Reproduction) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&header(table));
    text += "| --- | ---: | ---: | ---: | ---: | ---: |\n";
    rows(table).iter().for_each(|row| text += &line(row));
    text
}

pub(crate) fn rows(table: &Reproduction) -> Vec<Vec<String>> {
    let row = |figure: &ReproducedFigure| {
        vec![
            figure.mechanism.clone(),
            thousands(figure.watched.into()),
            figure.published.map_or(ABSENT.to_owned(), three_digits),
            three_digits(figure.median),
            format!(
                "{} to {}{}",
                three_digits(figure.low),
                three_digits(figure.high),
                if is_noisy(figure) { format!(" {MARK}") } else { String::new() }
            ),
            figure.published.map_or(ABSENT.to_owned(), |published| {
                format!("{}×", three_digits(published / figure.median))
            }),
        ]
    };
    table.figures.iter().map(row).collect()
}

/// Whether the interval of a figure reaches so far that a difference of a quarter says nothing.
fn is_noisy(figure: &ReproducedFigure) -> bool {
    (figure.high - figure.median).max(figure.median - figure.low) > NOISY * figure.median
}

/// What the mark means, where one stands.
fn legend(table: &Reproduction) -> Option<String> {
    let noisy = table.figures.iter().filter(|figure| is_noisy(figure)).count();
    (noisy > 0).then(|| {
        format!(
            "{MARK} marks {noisy} of {}: the interval reaches more than {:.0} % of the figure to one side, so that \
             differences of this size say nothing.",
            crate::format::plural(table.figures.len(), "figure"),
            100.0 * NOISY
        )
    })
}

/// How many times longer each mechanism takes with ten times the descriptors, from the fewest to the most: 10 is linear, 1 flat.
pub(crate) fn growths(table: &Reproduction) -> Vec<String> {
    const TIMES: [&str; 3] = ["s", "ms", "µs"];
    if !TIMES.contains(&table.unit.as_str()) {
        return Vec::new();
    }
    let mut names: Vec<&str> = table.figures.iter().map(|figure| figure.mechanism.as_str()).collect();
    names.dedup();
    let growth = |name: &str| {
        let of = |figure: &&ReproducedFigure| figure.mechanism == name;
        let (first, last) = (table.figures.iter().find(of)?, table.figures.iter().rfind(of)?);
        let decades = (f64::from(last.watched) / f64::from(first.watched)).log10();
        (decades > 0.5).then(|| {
            let a_decade = |less: f64, more: f64| three_digits((more / less).powf(1.0 / decades));
            let published = first.published.zip(last.published);
            let published = published
                .map(|(first, last)| format!(" (published: {}×)", a_decade(first, last)))
                .unwrap_or_default();
            // The ends of the two intervals that lie farthest apart, since they are known apart.
            format!(
                "{name} grows {}× ({} to {}) a decade of descriptors{published}.",
                a_decade(first.median, last.median),
                a_decade(first.high, last.low),
                a_decade(first.low, last.high)
            )
        })
    };
    names.into_iter().filter_map(growth).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing;
    use model::schema::SCHEMA_VERSION;

    fn figure(mechanism: &str, watched: u32, published: Option<f64>, median: f64) -> ReproducedFigure {
        ReproducedFigure {
            mechanism: mechanism.into(),
            watched,
            published,
            median,
            low: median * 0.9,
            high: median * 1.1,
            repeats: 6,
        }
    }

    pub(crate) fn all() -> Reproductions {
        let figures = vec![
            figure("poll", 10, Some(0.61), 0.061),
            figure("poll", 1_000, Some(61.0), 6.1),
            figure("epoll-lt", 10, None, 0.05),
            figure("epoll-lt", 1_000, None, 0.05),
        ];
        let table = Reproduction {
            name: "tlpi".into(),
            title: "Table".into(),
            source: "A book".into(),
            what: "A wait.".into(),
            differs: "Everything.".into(),
            unit: "s".into(),
            figures,
        };
        Reproductions {
            schema_version: SCHEMA_VERSION,
            started: "2026-01-02T03:04:05Z".into(),
            command: "muxbench run reproductions --seed 1".into(),
            environment: testing::environment(),
            tables: vec![table],
        }
    }

    #[test]
    fn ours_stands_beside_what_was_published() {
        let page = page(&all());
        assert!(page.contains("| poll | 10 | 0.610 | 0.0610 | 0.0549 to 0.0671 | 10.0× |"), "{page}");
        assert!(page.contains("| epoll-lt | 10 | – | 0.0500 |"), "{page}");
        assert!(
            page.contains("muxbench run reproductions --seed 1")
                && page.contains("**What differs.** Everything.")
        );
    }

    #[test]
    fn growth_is_given_for_a_decade() {
        let text = render(&all());
        assert!(
            text.contains("poll grows 10.0× (9.05 to 11.1) a decade of descriptors (published: 10.0×)."),
            "{text}"
        );
        assert!(text.contains("epoll-lt grows 1.00× (0.905 to 1.11) a decade of descriptors."), "{text}");
    }

    #[test]
    fn a_figure_that_its_repeats_do_not_agree_on_is_marked_and_the_mark_explained() {
        let mut all = all();
        assert!(!page(&all).contains('~') && !render(&all).contains('~'));
        let unsteady = &mut all.tables[0].figures[2];
        (unsteady.low, unsteady.high) = (0.04, 0.07);
        let page = page(&all);
        assert!(page.contains("| epoll-lt | 10 | – | 0.0500 | 0.0400 to 0.0700 ~ | – |"), "{page}");
        let legend = "~ marks 1 of 4 figures: the interval reaches more than 25 % of the figure to one side";
        assert!(page.contains(legend) && render(&all).contains(legend), "{page}");
        assert_eq!(page.matches('~').count(), 2, "{page}");
    }
}
