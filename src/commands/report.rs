//! `muxbench report`

mod file;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use model::campaign::{Campaign, Histograms};
use model::{note, read};
use muxbench::experiment::FILE_NAME;
use report::page::{self, Drawing, Part, Sources};
use report::rounds::{Analysis, answer, table};

use super::claims::{Found, json_files};

/// Print the answer of a campaign, or of several, and write its tables, figures and page from results alone
///
/// DIR is the folder of a campaign, of one with further campaigns in folders below it, or of several. Writes report.html into DIR: one page,
/// which needs nothing else, of every result there (campaigns, micro-benchmarks, runs of load-gen, published tables, semantics) with what they
/// say of the claims. Writes report.md beside each campaign, and its figures as SVG (and PNG, in a build with the feature png): into
/// plots/NAME for a campaign in results/NAME, into DIR/plots otherwise. Micro-benchmarks are those in DIR, or else in bench beside
/// DIR. The same results give the same SVG, Markdown and HTML, byte for byte.
///
/// In the place of DIR, the file of a run (load-gen --json) or of published tables (muxbench run reproductions) has its figures
/// drawn beside it.
#[derive(clap::Args)]
pub struct Report {
    /// Folder of the campaign: results/<time>-<host>
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Folder for the figures
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Draw the figures as SVG alone, in a build that writes PNG too: most of the time goes into that
    #[arg(long)]
    no_png: bool,
    /// Print the campaign's whole table as Markdown, and write nothing
    #[arg(long)]
    table: bool,
}

impl Report {
    /// The report of the campaign in `folder`, figures in their usual place.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), plots: None, no_png: false, table: false }
    }

    /// Reads the results and reports them.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        if self.folder.is_file() {
            return file::draw(&self.folder, self.plots);
        }
        if self.table {
            let (campaign, histograms) = read::campaign(&self.folder.join(FILE_NAME))?;
            super::print(table::full(&Analysis::of(&campaign, &histograms)).markdown())?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut found = self.gather()?;
        let campaigns = std::mem::take(&mut found.campaigns);
        let campaigns: Vec<_> =
            campaigns.iter().map(|(campaign, histograms)| (campaign, histograms)).collect();
        self.report(&campaigns, &found)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Reports the one campaign in the folder.
    pub fn of_rounds(&self, campaign: &Campaign, histograms: &Histograms) -> anyhow::Result<ExitCode> {
        let mut found = Found::default();
        found.folders.push(self.folder.clone());
        self.take_benches(&mut found);
        self.report(&[(campaign, histograms)], &found)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Every result in the folder and below, its own campaign first. What cannot be read is told and left out, but for
    /// that campaign, which a page cannot do without unless there are others.
    fn gather(&self) -> anyhow::Result<Found> {
        let own = self.folder.join(FILE_NAME);
        let mut found = Found::default();
        if read::exists(&own) {
            found.campaigns.push(read::campaign(&own)?);
            found.folders.push(self.folder.clone());
        }
        let files = if self.folder.is_dir() { json_files(&self.folder)? } else { Vec::new() };
        files.iter().filter(|path| **path != own).for_each(|path| take(&mut found, path));
        if found.campaigns.is_empty() {
            found.campaigns.push(read::campaign(&own)?);
        }
        if found.benches.is_empty() {
            self.take_benches(&mut found);
        }
        Ok(found)
    }

    /// The micro-benchmarks of the folder, or those beside it, where `cargo bench` leaves them.
    fn take_benches(&self, found: &mut Found) {
        let beside = self.folder.parent().map(|parent| parent.join("bench")).unwrap_or_default();
        let folder = [self.folder.join("bench"), beside].into_iter().find(|folder| folder.is_dir());
        let files = folder.and_then(|folder| json_files(&folder).ok()).unwrap_or_default();
        files.iter().for_each(|path| take(found, path));
    }

    /// Writes everything about `campaigns`, whose folders `found` has, and prints the answer of the first and what the others found.
    fn report(&self, campaigns: &[(&Campaign, &Histograms)], found: &Found) -> anyhow::Result<()> {
        let analyses: Vec<Analysis<'_>> =
            campaigns.iter().map(|(campaign, histograms)| Analysis::of(campaign, histograms)).collect();
        let mut drawn = Vec::new();
        for (at, (analysis, folder)) in analyses.iter().zip(&found.folders).enumerate() {
            let plots = self.plots_folder(folder);
            let benches = if at == 0 { found.benches.as_slice() } else { &[] };
            let (drawings, paths) = self.draw(analysis, benches, &plots)?;
            let answer = answer::render(analysis, &self.rest(folder, paths.first().map(|_| plots.as_path())));
            // The page stands wherever its folder does.
            let of_page = answer::render(analysis, "All of it: report.html and report.md.");
            write_markdown(analysis, &of_page, &paths, folder)?;
            drawn.push((drawings, answer));
        }
        let below: Vec<String> = found.folders.iter().map(|folder| self.below(folder)).collect();
        let parts: Vec<Part<'_>> = analyses
            .iter()
            .zip(&below)
            .zip(&drawn)
            .map(|((analysis, folder), (figures, _))| Part { analysis, folder, figures })
            .collect();
        let html = page::render(&Sources {
            parts: &parts,
            benches: &found.benches,
            loads: &found.loads,
            reproductions: found.reproductions.as_ref(),
            claims: &found.verdicts(&analyses),
        })?;
        model::files::write_atomically(&self.folder.join("report.html"), html.as_bytes())?;
        let further = analyses.iter().skip(1).map(|analysis| {
            format!("\n{}: {}\n", analysis.campaign.plan.scenario.name, answer::sentences(analysis).join(" "))
        });
        super::print(drawn.first().map_or("", |(_, answer)| answer).to_owned() + &further.collect::<String>())
    }

    /// A sentence on where the rest is: of the campaign in `folder`, whose figures are in `plots`.
    fn rest(&self, folder: &Path, plots: Option<&Path>) -> String {
        let figures = plots.map(|plots| format!("; figures in {}", plots.display())).unwrap_or_default();
        let [page, text] = [self.folder.join("report.html"), folder.join("report.md")];
        format!("All of it: {}, {}{figures}.", page.display(), text.display())
    }

    fn draw(
        &self,
        analysis: &Analysis<'_>,
        benches: &[model::schema::BenchGroup],
        plots: &Path,
    ) -> anyhow::Result<(Vec<Drawing>, Vec<PathBuf>)> {
        let drawings = report::plots::draw(analysis, benches);
        let paths = report::plots::write_all(&drawings, plots, !self.no_png)
            .with_context(|| format!("cannot draw figures into {}", plots.display()))?;
        Ok((drawings, paths))
    }

    /// The path of `folder` below the one that is reported; empty for that one.
    fn below(&self, folder: &Path) -> String {
        folder.strip_prefix(&self.folder).unwrap_or(folder).display().to_string()
    }

    /// The folder for the figures of the campaign in `folder`, which is the reported one or below it.
    fn plots_folder(&self, folder: &Path) -> PathBuf {
        let usual = || match (self.folder.parent(), self.folder.file_name()) {
            (Some(parent), Some(name)) if parent.file_name().is_some_and(|parent| parent == "results") => {
                parent.with_file_name("plots").join(name)
            }
            _ => self.folder.join("plots"),
        };
        let plots = self.plots.clone().unwrap_or_else(usual);
        let below = folder.strip_prefix(&self.folder).unwrap_or(Path::new(""));
        plots.components().chain(below.components()).collect()
    }
}

/// Takes a result, or says why it is left out: it costs its part of the page, not the page.
fn take(found: &mut Found, path: &Path) {
    if let Err(error) = found.take(path) {
        note!("muxbench: left out: {}", report::format::error(error.as_ref()));
    }
}

/// Writes report.md into `folder`: the answer, the figures, the whole table.
fn write_markdown(
    analysis: &Analysis<'_>,
    answer: &str,
    figures: &[PathBuf],
    folder: &Path,
) -> anyhow::Result<()> {
    let shown = figures.iter().filter(|figure| figure.extension().is_some_and(|kind| kind == "svg"));
    let link = |figure: &PathBuf| {
        let name = figure.file_stem().unwrap_or_default().display();
        format!("![{name}]({})\n\n", relative(figure, folder))
    };
    let figures: String = shown.map(link).collect();
    let scenario = &analysis.campaign.plan.scenario.name;
    let table = table::full(analysis).markdown();
    let text = format!("# {scenario}\n\n```\n{}\n```\n\n{figures}{table}", answer.trim_end());
    model::files::write_atomically(&folder.join("report.md"), text.as_bytes())?;
    Ok(())
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

    fn plots(folder: &str, below: &str) -> PathBuf {
        Report::of(Path::new(folder)).plots_folder(&Path::new(folder).join(below))
    }

    #[test]
    fn figures_of_a_campaign_in_results_go_to_plots() {
        assert_eq!(plots("results/a", ""), Path::new("plots/a"));
        assert_eq!(plots("/x/results/a", ""), Path::new("/x/plots/a"));
        assert_eq!(plots("/tmp/a", ""), Path::new("/tmp/a/plots"));
    }

    #[test]
    fn figures_of_campaigns_below_go_below_those_of_the_first() {
        assert_eq!(plots("results/a", "crossover"), Path::new("plots/a/crossover"));
        assert_eq!(plots("/tmp/a", "crossover"), Path::new("/tmp/a/plots/crossover"));
    }

    #[test]
    fn a_page_links_to_its_figures_wherever_they_are() {
        assert_eq!(relative(Path::new("plots/a/x.svg"), Path::new("results/a")), "../../plots/a/x.svg");
        assert_eq!(
            relative(Path::new("plots/a/b/x.svg"), Path::new("results/a/b")),
            "../../../plots/a/b/x.svg"
        );
        assert_eq!(relative(Path::new("/tmp/a/plots/x.svg"), Path::new("/tmp/a")), "plots/x.svg");
    }
}
