//! `muxbench report`

#[cfg(feature = "plots")]
mod file;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[cfg(feature = "plots")]
use anyhow::Context;
use model::campaign as rounds;
use model::note;
use model::read;
use model::schema::{BenchGroup, Campaign};
use muxbench::experiment::FILE_NAME;
use report::analysis::Analysis;
use report::page::{self, Figure, Part, Sources};

use super::claims::{Found, json_files};

/// Draw figures, print the table and make the page of a campaign, or of several, from results alone
///
/// DIR is the folder of a campaign, of one with further campaigns in folders below it, or of several. Writes report.html into DIR: one page,
/// which needs nothing else, of every result there (campaigns, micro-benchmarks, runs of load-gen, published tables, semantics) with what they
/// say of the claims. Writes report.md beside each campaign, and its figures as SVG and PNG: into plots/NAME for a campaign in
/// results/NAME, into DIR/plots otherwise. Micro-benchmarks are those in DIR, or else in bench beside DIR. The same results give the
/// same SVG, Markdown and HTML, byte for byte.
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
    /// Draw the figures as SVG alone: most of the time goes into PNG
    #[arg(long)]
    no_png: bool,
    /// Print the campaign's table as Markdown, and write nothing
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
        #[cfg(feature = "plots")]
        if self.folder.is_file() {
            return file::draw(&self.folder, self.plots);
        }
        let own = self.folder.join(FILE_NAME);
        if read::exists(&own) && read::kind(&own)?.as_deref() == Some("rounds") {
            let (campaign, histograms) = read::rounds(&own)?;
            return self.of_rounds(&campaign, &histograms);
        }
        if self.table {
            let campaign = read::campaign(&self.folder.join(FILE_NAME))?;
            super::print(report::markdown::summary(&Analysis::of(&campaign)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        let (campaigns, found) = self.gather()?;
        self.report(&campaigns, &found, true)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Prints the answer of a campaign of rounds, and writes its whole table beside it; or prints that table, if asked.
    pub fn of_rounds(
        &self,
        campaign: &rounds::Campaign,
        histograms: &rounds::Histograms,
    ) -> anyhow::Result<ExitCode> {
        let analysis = report::rounds::Analysis::of(campaign, histograms);
        let table = report::rounds::table::full(&analysis).markdown();
        if self.table {
            super::print(table)?;
            return Ok(ExitCode::SUCCESS);
        }
        let page = self.folder.join("report.md");
        let rest = format!("every figure of every candidate: {}", page.display());
        let answer = report::rounds::answer::render(&analysis, &rest);
        // What cannot be printed is written all the same.
        let printed = super::print(&answer);
        let text = format!("# {}\n\n```\n{}\n```\n\n{table}", campaign.plan.scenario.name, answer.trim_end());
        model::files::write_atomically(&page, text.as_bytes())?;
        printed?;
        Ok(ExitCode::SUCCESS)
    }

    /// Every result in the folder and below, its own campaign first. What cannot be read is told and left out, but for
    /// that campaign, which a page cannot do without unless there are others.
    fn gather(&self) -> anyhow::Result<(Vec<Campaign>, Found)> {
        let own = self.folder.join(FILE_NAME);
        let (mut campaigns, mut found) = (Vec::new(), Found::default());
        if read::exists(&own) {
            campaigns.push(read::campaign(&own)?);
            found.folders.push(self.folder.clone());
        }
        let files = if self.folder.is_dir() { json_files(&self.folder)? } else { Vec::new() };
        for path in files.iter().filter(|path| **path != own) {
            match read::kind(path) {
                Ok(Some(kind)) if kind == "campaign" => match read::campaign(path) {
                    Ok(campaign) => {
                        campaigns.push(campaign);
                        found.folders.push(path.parent().unwrap_or(Path::new("")).to_owned());
                    }
                    Err(error) => note!("muxbench: left out: {}", report::format::error(&error)),
                },
                _ => take(&mut found, path),
            }
        }
        if campaigns.is_empty() {
            campaigns.push(read::campaign(&own)?);
        }
        if found.benches.is_empty() {
            self.take_benches(&mut found);
        }
        Ok((campaigns, found))
    }

    /// The micro-benchmarks of the folder, or those beside it, where `cargo bench` leaves them.
    fn take_benches(&self, found: &mut Found) {
        let beside = self.folder.parent().map(|parent| parent.join("bench")).unwrap_or_default();
        let folder = [self.folder.join("bench"), beside].into_iter().find(|folder| folder.is_dir());
        let files = folder.and_then(|folder| json_files(&folder).ok()).unwrap_or_default();
        files.iter().for_each(|path| take(found, path));
    }

    /// Writes everything about `campaigns`, whose folders `found` has.
    fn report(&self, campaigns: &[Campaign], found: &Found, print: bool) -> anyhow::Result<()> {
        let analyses: Vec<Analysis<'_>> = campaigns.iter().map(Analysis::of).collect::<Result<_, _>>()?;
        // What cannot be printed is written all the same.
        let printed = if print { super::print(tables(&analyses)) } else { Ok(()) };
        let below: Vec<String> = found
            .folders
            .iter()
            .map(|folder| folder.strip_prefix(&self.folder).unwrap_or(folder).display().to_string())
            .collect();
        let mut figures = Vec::new();
        for (index, (analysis, folder)) in analyses.iter().zip(&found.folders).enumerate() {
            let is_home = folder == &self.folder;
            let benches: &[BenchGroup] = if index == 0 { &found.benches } else { &[] };
            let further = below.iter().map(String::as_str).zip(&analyses).skip(1);
            let further: Vec<_> = further.filter(|_| is_home).collect();
            figures.push(self.write_campaign(analysis, benches, folder, &further)?);
        }
        let parts: Vec<Part<'_>> = analyses
            .iter()
            .zip(&below)
            .zip(&figures)
            .map(|((analysis, folder), figures)| Part { analysis, folder, figures })
            .collect();
        let html = page::render(&Sources {
            parts: &parts,
            benches: &found.benches,
            loads: &found.loads,
            reproductions: found.reproductions.as_ref(),
            claims: &found.verdicts(&[]),
        })?;
        let path = self.folder.join("report.html");
        model::files::write_atomically(&path, html.as_bytes())?;
        note!("muxbench: page {}", path.display());
        printed
    }

    /// Writes the figures of one campaign, and its page of Markdown, which links to the `further` ones, into its folder.
    fn write_campaign(
        &self,
        analysis: &Analysis<'_>,
        benches: &[BenchGroup],
        folder: &Path,
        further: &[(&str, &Analysis<'_>)],
    ) -> anyhow::Result<Vec<Figure>> {
        let plots = self.plots_folder(folder);
        let (figures, paths) = self.draw(analysis, benches, &plots)?;
        let names: Vec<String> = paths.iter().map(|path| relative(path, folder)).collect();
        let page = folder.join("report.md");
        let text = report::markdown::render(analysis, &names) + &report::markdown::further(further);
        model::files::write_atomically(&page, text.as_bytes())?;
        note!("muxbench: result {}", folder.join(FILE_NAME).display());
        note!("muxbench: page {}", page.display());
        let and_png = if self.no_png { "" } else { " (and .png)" };
        for figure in paths.iter().filter(|figure| figure.extension().is_some_and(|kind| kind == "svg")) {
            note!("muxbench: figure {}{and_png}", figure.display());
        }
        Ok(figures)
    }

    #[cfg(feature = "plots")]
    fn draw(
        &self,
        analysis: &Analysis<'_>,
        benches: &[BenchGroup],
        plots: &Path,
    ) -> anyhow::Result<(Vec<Figure>, Vec<PathBuf>)> {
        let drawings = report::plots::draw(analysis, benches);
        let paths = report::plots::write_all(&drawings, plots, !self.no_png)
            .with_context(|| format!("cannot draw figures into {}", plots.display()))?;
        let figure =
            |drawn: report::plots::Drawing| Figure { name: drawn.name, title: drawn.title, svg: drawn.svg };
        Ok((drawings.into_iter().map(figure).collect(), paths))
    }

    #[cfg(not(feature = "plots"))]
    fn draw(
        &self,
        _analysis: &Analysis<'_>,
        _benches: &[BenchGroup],
        plots: &Path,
    ) -> anyhow::Result<(Vec<Figure>, Vec<PathBuf>)> {
        note!(
            "muxbench: this build draws no figures into {}; build it with --features plots",
            plots.display()
        );
        Ok((Vec::new(), Vec::new()))
    }

    /// Where the figures of the campaign in `folder` go, which is this one or below it.
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

/// The table of the first campaign, and what each further one found.
fn tables(analyses: &[Analysis<'_>]) -> String {
    let Some((first, further)) = analyses.split_first() else { return String::new() };
    let found = |analysis: &Analysis<'_>| {
        format!("{}: {}\n", analysis.campaign.plan.scenario.name, analysis.finding())
    };
    let further: String = further.iter().map(found).collect();
    let apart = if further.is_empty() { "" } else { "\n" };
    report::table::render(first) + apart + &further
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
