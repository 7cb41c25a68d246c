//! Published tables beside ours: text for a terminal, and the page `docs/REPRODUCTIONS.md`.

use minijinja::value::Value;

use crate::format::{ABSENT, plural, thousands, three_digits};
use crate::grid::{Cell, Column, Grid};
use crate::templates;
use model::schema::{ReproducedFigure, Reproduction, Reproductions};

/// Marks a figure that its repeats do not agree on: an end of its interval is farther from it than [`NOISY`].
const MARK: &str = "~";
/// As a share of the figure.
const NOISY: f64 = 0.25;

/// The page. Ends with a newline.
pub fn page(all: &Reproductions) -> String {
    templates::text("reproductions.md.jinja", context(all))
}

/// The text for a terminal. Ends with a newline.
pub fn render(all: &Reproductions) -> String {
    templates::text("reproductions.txt.jinja", context(all))
}

fn context(all: &Reproductions) -> Value {
    let table = |of: &Reproduction| {
        let grid = grid(of);
        minijinja::context! {
            of, text => grid.text(), markdown => grid.markdown(), growths => growths(of), legend => legend(of),
        }
    };
    minijinja::context! {
        all,
        machine => all.environment,
        tables => all.tables.iter().map(table).collect::<Vec<_>>(),
    }
}

/// A published table beside ours.
pub(crate) fn grid(table: &Reproduction) -> Grid {
    let figures =
        [format!("published, {}", table.unit), format!("ours, {}", table.unit), "95 % interval".to_owned()];
    let numbers = ["watched".to_owned()].into_iter().chain(figures).chain(["published / ours".to_owned()]);
    let row = |figure: &ReproducedFigure| {
        let [median, low, high] = [figure.median, figure.low, figure.high].map(three_digits);
        let mark = if is_noisy(figure) { format!(" {MARK}") } else { String::new() };
        let ratio = figure.published.map(|published| three_digits(published / figure.median) + "×");
        let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_owned());
        let texts = [
            figure.mechanism.clone(),
            thousands(figure.watched.into()),
            or_absent(figure.published.map(three_digits)),
            median,
            format!("{low} to {high}{mark}"),
            or_absent(ratio),
        ];
        texts.map(Cell::from).into()
    };
    Grid {
        columns: [Column::words("mechanism")].into_iter().chain(numbers.map(Column::numbers)).collect(),
        rows: table.figures.iter().map(row).collect(),
    }
}

/// Returns whether the interval of a figure reaches so far that a difference of a quarter means nothing.
fn is_noisy(figure: &ReproducedFigure) -> bool {
    (figure.high - figure.median).max(figure.median - figure.low) > NOISY * figure.median
}

/// The meaning of the mark; `None` where no figure has it.
fn legend(table: &Reproduction) -> Option<String> {
    let noisy = table.figures.iter().filter(|figure| is_noisy(figure)).count();
    (noisy > 0).then(|| {
        format!(
            "{MARK} marks {noisy} of {}: the interval reaches more than {:.0} % of the figure to one side, so that \
             differences of this size say nothing.",
            plural(table.figures.len(), "figure"),
            100.0 * NOISY
        )
    })
}

/// The factor by which each mechanism takes longer with ten times the descriptors, from the fewest to the most: 10 is
/// linear, 1 flat.
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
