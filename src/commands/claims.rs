//! `muxbench claims`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use evidence::base::Base;
use evidence::cost;
use evidence::semantics::{self, Selection};
use model::campaign::{Campaign, Histograms, Length};
use model::schema::{
    BenchGroup, Claims as Verdicts, LoadReport, Reproductions, ResultFile, SCHEMA_VERSION, Semantics,
};
use model::{note, read};
use report::claims::{self, page};
use report::rounds::Analysis;

use super::{UsageError, print};

/// The folder in which results are looked for when none is named.
const REFERENCE: &str = "results/reference";

/// Decide every claim of docs/CLAIMS.md from results, and say what each verdict rests on
///
/// DIR is the folder of a campaign, or one of several: every result in it and in its folders is used (campaigns, micro-benchmarks of
/// `cargo bench`, results of `load-gen --json` and of `muxbench semantics --json`). Where no result of `muxbench semantics` is there, the
/// claims about semantics are decided live. A claim that nothing was measured for is open, with the command that measures it. Exits 0
/// whatever the verdicts are.
#[derive(clap::Args)]
pub struct Claims {
    /// Folders with results; results/reference without
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Print JSON (schema: results/schema.json, kind "claims")
    #[arg(long)]
    json: bool,
    /// Print docs/CLAIMS.md
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

impl Claims {
    /// Reads, decides and prints.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let folders = if self.folders.is_empty() { vec![PathBuf::from(REFERENCE)] } else { self.folders };
        let mut found = Found::default();
        for folder in &folders {
            if !folder.is_dir() {
                let folder = folder.display();
                return Err(UsageError(format!(
                    "{folder}: no such folder; name one with results, as `muxbench run` leaves them in results/"
                ))
                .into());
            }
            found.gather(folder)?;
        }
        let verdicts = found.decide();
        let text = if self.json {
            serde_json::to_string_pretty(&ResultFile::Claims(verdicts))? + "\n"
        } else if self.markdown {
            page::page(&verdicts, cost::is_one)
        } else {
            page::render(&verdicts)
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// All results of some folders.
#[derive(Default)]
pub struct Found {
    pub campaigns: Vec<(Campaign, Histograms)>,
    /// The folder of each campaign.
    pub folders: Vec<PathBuf>,
    pub benches: Vec<BenchGroup>,
    pub loads: Vec<LoadReport>,
    pub semantics: Option<Semantics>,
    pub reproductions: Option<Reproductions>,
    pub sources: Vec<String>,
}

/// Every result in `folder` and in the folders in it, by the names under which they are read, in their order.
pub fn json_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.ends_with("baselines") {
            // Copies of campaigns that are there already, or are gone for a reason.
        } else if path.is_dir() {
            files.extend(json_files(&path)?);
        } else {
            files.extend(read::result_name(&path));
        }
    }
    Ok(files)
}

impl Found {
    /// Takes every result in `folder` and in the folders in it, in the order of names.
    fn gather(&mut self, folder: &Path) -> anyhow::Result<()> {
        json_files(folder)?.iter().try_for_each(|path| self.take(path))
    }

    /// Takes the result in a file; one that is no result, or of no use here, is passed over.
    pub fn take(&mut self, path: &Path) -> anyhow::Result<()> {
        let source = match read::kind(path)?.as_deref() {
            Some("campaign") => {
                let (campaign, histograms) = read::campaign(path)?;
                let source = of_campaign(&campaign);
                self.campaigns.push((campaign, histograms));
                self.folders.push(path.parent().unwrap_or(Path::new("")).to_owned());
                source
            }
            Some("bench") => {
                let bench = read::bench(path)?;
                let source = format!(
                    "cargo bench, {}, of {}, {}",
                    bench.group,
                    bench.started,
                    machine(&bench.environment)
                );
                self.benches.push(bench);
                source
            }
            Some("load") => {
                let loads = read::loads(path)?;
                let most = loads.iter().map(|load| load.connections.opened).max().unwrap_or_default();
                self.loads.extend(loads);
                format!("load-gen, {} connections", report::format::thousands(most))
            }
            Some("semantics") => {
                let semantics = read::semantics(path)?;
                let source = of_semantics(&semantics);
                self.semantics = Some(semantics);
                source
            }
            Some("reproductions") => {
                // No claim rests on them.
                self.reproductions = Some(read::reproductions(path)?);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.sources.push(source);
        Ok(())
    }

    /// Decides everything; the claims about semantics live, where no result of theirs was found.
    fn decide(mut self) -> Verdicts {
        if self.semantics.is_none() {
            let observed = semantics::observe(&Selection::all());
            observed.failures.iter().for_each(|failure| note!("muxbench: {failure}"));
            self.sources.push(format!("{}, live", of_semantics(&observed.semantics)));
            self.semantics = Some(observed.semantics);
        }
        let analyses: Vec<_> = self.campaigns.iter().map(|(one, counts)| Analysis::of(one, counts)).collect();
        self.verdicts(&analyses)
    }

    /// Decides what can be decided from `campaigns` and what else was found, without observing anything.
    pub fn verdicts(&self, campaigns: &[Analysis<'_>]) -> Verdicts {
        let base = Base {
            campaigns,
            benches: &self.benches,
            loads: &self.loads,
            semantics: self.semantics.as_ref(),
        };
        let mut claims = cost::decide_all(&base);
        claims.extend(self.semantics.iter().flat_map(|semantics| semantics.claims.iter().cloned()));
        Verdicts {
            schema_version: SCHEMA_VERSION,
            muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
            sources: self.sources.clone(),
            false_differences: claims::twins(campaigns),
            claims,
        }
    }
}

/// A campaign as a source of verdicts.
pub fn of_campaign(campaign: &Campaign) -> String {
    let scenario = &campaign.plan.scenario.name;
    let rounds = report::format::plural(campaign.rounds.len(), "round");
    let length = match campaign.length {
        Length::Quick => ", quick",
        Length::Default => "",
        Length::Thorough => ", thorough",
    };
    let machine = machine(&campaign.environment);
    format!("campaign {scenario} of {}, {rounds}{length}, {machine}", campaign.started)
}

fn of_semantics(semantics: &Semantics) -> String {
    let Semantics { system, kernel, architecture, started, .. } = semantics;
    format!("muxbench semantics of {started}, {system} {kernel} on {architecture}")
}

fn machine(environment: &model::schema::Environment) -> String {
    format!("{}, {} processors, Linux {}", environment.processor, environment.processors, environment.kernel)
}
