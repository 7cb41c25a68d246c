//! `muxbench compare`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::campaign::{Campaign, Histograms};
use model::read;
use model::schema::{Comparison, ResultFile};
use muxbench::experiment::FILE_NAME;
use report::compare::{self, Gate, Options, Source, page};

use super::{GATE, INVALID, UsageError, baseline, print};

/// Say whether one campaign is better or worse than another
///
/// Pairs what both have measured: the same candidate beside the same reference at the same point. Each figure's ratio to the reference in NEW is
/// divided by that in BASE, so that the host's drift cancels, with an interval that holds together with those of the other candidates at the
/// point, and a word: better or worse where the interval excludes 1, equal where it lies within 2 %, otherwise not distinguishable. A
/// saturation that is new is worse. What became of the reference itself is shown, and decides nothing.
///
/// Refused (2): another processor, number of processors, CPU quota, hypervisor, kernel, mitigation, clock source, governor, pinning or
/// sharing of descriptor tables, unless --across-machines; a debug build beside a release build; without --fail-above, nothing in common. A
/// warning: another host, memory, kernel setting, version, compiler, scenario, length (--quick), rounds, or command of an external server.
///
/// Ends with 3 if response p50, throughput or CPU time per request of a candidate is surely worse by more than --fail-above allows, and with 4 where
/// that cannot be said: NEW measured less than BASE (a candidate, a point or a metric is missing, for whatever reason), or of a
/// candidate no figure could be compared.
#[derive(clap::Args)]
pub struct Compare {
    /// BASE and NEW, each the folder of a campaign or its campaign.json; with --baseline NEW alone
    #[arg(value_name = "BASE NEW", required = true, num_args = 1..=2)]
    campaigns: Vec<PathBuf>,
    /// Compare with what `run --save-baseline NAME` kept of NEW's scenario
    #[arg(long, value_name = "NAME", value_parser = baseline::name)]
    baseline: Option<String>,
    /// End with 3 if a figure is worse by more than this, its whole interval: 10%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_above: Option<f64>,
    /// Compare campaigns of different machines or kernels, with a warning
    #[arg(long)]
    across_machines: bool,
    /// Print Markdown, for a pull request or the summary of a CI job
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON (schema: results/schema.json, kind "comparison")
    #[arg(long)]
    json: bool,
}

impl Compare {
    /// Compares and prints.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let (base, new) = self.read()?;
        let options = Options { across_machines: self.across_machines, fail_above: self.fail_above };
        let comparison = base.compare(&new, &options)?;
        let text = if self.json {
            serde_json::to_string_pretty(&ResultFile::Comparison(comparison.clone()))? + "\n"
        } else if self.markdown {
            page::markdown(&comparison)
        } else {
            page::text(&comparison)
        };
        print(&text)?;
        Ok(ExitCode::from(status(gate(&comparison))))
    }

    /// The two campaigns that are meant.
    fn read(&self) -> anyhow::Result<(File, File)> {
        match (&self.campaigns[..], &self.baseline) {
            ([base, new], None) => Ok((File::read(file(base))?, File::read(file(new))?)),
            ([new], Some(name)) => {
                let new = File::read(file(new))?;
                Ok((File::read(baseline::find(name, &new.campaign.plan.scenario.name)?)?, new))
            }
            ([_], None) => Err(usage("compare takes BASE and NEW, or --baseline NAME and NEW")),
            _ => Err(usage("with --baseline NAME there is only NEW to name")),
        }
    }
}

fn usage(sentence: &str) -> anyhow::Error {
    UsageError(sentence.to_owned()).into()
}

/// The campaign's file in a folder, or the file itself.
pub fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() }
}

/// A campaign, its histograms, and the file that it is in.
pub struct File {
    path: PathBuf,
    campaign: Campaign,
    histograms: Histograms,
}

impl File {
    /// Reads the campaign in a file.
    pub fn read(path: PathBuf) -> anyhow::Result<Self> {
        let (campaign, histograms) = read::campaign(&path)?;
        Ok(Self { path, campaign, histograms })
    }

    /// Compares `new` with this.
    pub fn compare(&self, new: &Self, options: &Options) -> anyhow::Result<Comparison> {
        let name = new.path.display().to_string();
        let new = Source { name: &name, campaign: &new.campaign, histograms: &new.histograms };
        compare::compare(self.source(&self.name()), new, options).map_err(refusal)
    }

    /// The lines about all that this has and `new`, which is yet to be measured, will not have.
    pub fn prospect(&self, new: &Campaign, options: &Options) -> anyhow::Result<Vec<String>> {
        let new = Source { name: "-", campaign: new, histograms: &Histograms::default() };
        compare::prospect(self.source(&self.name()), new, options).map_err(refusal)
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn source<'a>(&'a self, name: &'a str) -> Source<'a> {
        Source { name, campaign: &self.campaign, histograms: &self.histograms }
    }
}

/// A refusal is a mistake in the command line.
fn refusal(refused: compare::Refused) -> anyhow::Error {
    UsageError(refused.0.join("\nmuxbench: ")).into()
}

/// The outcome of the gate that `comparison` was made with.
pub fn gate(comparison: &Comparison) -> Gate {
    Gate::of(comparison.fail_above, &comparison.comparisons, &comparison.missing)
}

/// The status that a process ends with.
pub fn status(gate: Gate) -> u8 {
    match gate {
        Gate::Passed => 0,
        Gate::Worse => GATE,
        Gate::Undecided => INVALID,
    }
}

/// `10%` as a share.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match number {
        Some(percent) if percent.is_finite() && percent >= 0.0 => Ok(percent / 100.0),
        Some(_) => Err("write a percentage of 0% or more".to_owned()),
        None => Err(format!("'{text}' is not a percentage: write 10%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_percentage_and_nothing_else() {
        assert_eq!(percent("10%"), Ok(0.1));
        assert_eq!(percent("0%"), Ok(0.0));
        for wrong in ["0.1", "10", "-5%", "%", "inf%", "nan%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
