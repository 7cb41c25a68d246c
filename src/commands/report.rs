//! `muxbench report`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use muxbench::experiment::run::FILE_NAME;
use report::analysis::Analysis;
use report::campaign;
use report::schema::Campaign;

/// Draw a campaign's figures and print its table, from its result alone
///
/// Micro-benchmarks in DIR/bench, or else in bench beside DIR, are drawn with it. Writes report.md into DIR, and figures as SVG and PNG: into plots/NAME for a campaign in results/NAME,
/// into DIR/plots otherwise. The same result gives the same SVG and Markdown, byte for byte.
#[derive(clap::Args)]
pub struct Report {
    /// Folder of the campaign: results/<time>-<host>
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Folder for the figures
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Print the table as Markdown, and write nothing
    #[arg(long)]
    table: bool,
}

impl Report {
    /// The report of the campaign in `folder`, figures in their usual place.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), plots: None, table: false }
    }

    /// Reads the result and reports it.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let campaign = campaign::read(&self.folder.join(FILE_NAME))?;
        if self.table {
            let table = report::markdown::summary(&Analysis::of(&campaign)?);
            std::io::stdout()
                .lock()
                .write_all(table.as_bytes())
                .context("cannot write to standard output")?;
        } else {
            self.write(&campaign, true)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Writes the page and the figures of `campaign`, and prints the table if asked.
    pub fn write(&self, campaign: &Campaign, print: bool) -> anyhow::Result<()> {
        let analysis = Analysis::of(campaign)?;
        if print {
            let table = report::table::render(&analysis);
            std::io::stdout()
                .lock()
                .write_all(table.as_bytes())
                .context("cannot write to standard output")?;
        }
        let figures = self.figures(&analysis)?;
        let page = self.folder.join("report.md");
        let names: Vec<String> = figures.iter().map(|figure| relative(figure, &self.folder)).collect();
        report::files::write_atomically(&page, report::markdown::render(&analysis, &names).as_bytes())?;
        eprintln!("muxbench: result {}", self.folder.join(FILE_NAME).display());
        eprintln!("muxbench: page {}", page.display());
        for figure in figures.iter().filter(|figure| figure.extension().is_some_and(|kind| kind == "svg")) {
            eprintln!("muxbench: figure {} (and .png)", figure.display());
        }
        Ok(())
    }

    #[cfg(feature = "plots")]
    fn figures(&self, analysis: &Analysis<'_>) -> anyhow::Result<Vec<PathBuf>> {
        let plots = self.plots_folder();
        std::fs::create_dir_all(&plots)
            .with_context(|| format!("cannot make the folder {} for figures", plots.display()))?;
        Ok(report::plots::draw_all(analysis, &benches(&self.folder)?, &plots)?)
    }

    #[cfg(not(feature = "plots"))]
    fn figures(&self, _analysis: &Analysis<'_>) -> anyhow::Result<Vec<PathBuf>> {
        let plots = self.plots_folder();
        eprintln!(
            "muxbench: this build draws no figures into {}; build it with --features plots",
            plots.display()
        );
        Ok(Vec::new())
    }

    /// Where the figures go.
    fn plots_folder(&self) -> PathBuf {
        let usual = || match (self.folder.parent(), self.folder.file_name()) {
            (Some(parent), Some(name)) if parent.file_name().is_some_and(|parent| parent == "results") => {
                parent.with_file_name("plots").join(name)
            }
            _ => self.folder.join("plots"),
        };
        self.plots.clone().unwrap_or_else(usual)
    }
}

/// The micro-benchmarks beside the campaign: in its own folder, or where `cargo bench` leaves them.
#[cfg(feature = "plots")]
fn benches(folder: &Path) -> anyhow::Result<Vec<report::schema::BenchGroup>> {
    let beside = folder.parent().map(|parent| parent.join("bench")).unwrap_or_default();
    let found = [folder.join("bench"), beside].into_iter().find(|folder| folder.is_dir());
    let Some(found) = found else { return Ok(Vec::new()) };
    let entries = std::fs::read_dir(&found).with_context(|| format!("cannot read {}", found.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .collect();
    paths.sort();
    // A file that cannot be read costs its figure, not the campaign's.
    let readable = paths.iter().filter_map(|path| {
        campaign::read_bench(path).map_err(|error| eprintln!("muxbench: left out: {error}")).ok()
    });
    Ok(readable.collect())
}

/// `path` as a page in `folder` links to it: up to the closest common folder, and down again.
fn relative(path: &Path, folder: &Path) -> String {
    folder
        .ancestors()
        .enumerate()
        .find_map(|(above, ancestor)| {
            let rest = path.strip_prefix(ancestor).ok()?;
            Some(format!("{}{}", "../".repeat(above), rest.display()))
        })
        .unwrap_or_else(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_campaign_in_results_go_to_plots() {
        assert_eq!(Report::of(Path::new("results/a")).plots_folder(), Path::new("plots/a"));
        assert_eq!(Report::of(Path::new("/x/results/a")).plots_folder(), Path::new("/x/plots/a"));
        assert_eq!(Report::of(Path::new("/tmp/a")).plots_folder(), Path::new("/tmp/a/plots"));
    }

    #[test]
    fn a_page_links_to_its_figures_wherever_they_are() {
        assert_eq!(relative(Path::new("plots/a/x.svg"), Path::new("results/a")), "../../plots/a/x.svg");
        assert_eq!(relative(Path::new("/tmp/a/plots/x.svg"), Path::new("/tmp/a")), "plots/x.svg");
    }
}
