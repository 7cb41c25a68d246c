//! `muxbench compare`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::read;
use model::schema::{Campaign, Comparison, ResultFile};
use muxbench::experiment::FILE_NAME;
use report::compare::{self, Options, Source, page};

use super::{GATE, INVALID, UsageError, baseline, print};

/// Say whether one campaign is better or worse than another
///
/// Pairs what both have measured: the same contender at the same point. Each figure has the ratio NEW/BASE with the 95 % interval of
/// two independent samples, and a verdict: better or worse where the whole interval lies on one side of 1, tie where it covers 1, not
/// comparable where there are too few valid repeats, another rate or size, or only lower bounds of a capacity.
///
/// Refused (2): another processor, number of processors, hypervisor, kernel, mitigation, clock source, governor or pinning, unless
/// --across-machines; a debug build beside a release build; without --fail-above, nothing in common. A warning: another host, memory, kernel setting, version,
/// compiler, scenario, extent (--quick), length of windows, or command of an external server.
///
/// Ends with 3 if a figure is worse by more than --fail-above allows, and with 4 where that cannot be said: NEW measured less than BASE
/// (a contender, a point or a figure is missing, for whatever reason), or of a contender no figure could be compared.
#[derive(clap::Args)]
pub struct Compare {
    /// BASE and NEW, each the folder of a campaign or its campaign.json; with --baseline NEW alone
    #[arg(value_name = "BASE NEW", required = true, num_args = 1..=2)]
    campaigns: Vec<PathBuf>,
    /// Compare with what `run --save-baseline NAME` kept of NEW's scenario
    #[arg(long, value_name = "NAME", value_parser = baseline::name)]
    baseline: Option<String>,
    #[command(flatten)]
    rules: Rules,
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

/// What decides a comparison, in `compare` and in `run --baseline`.
#[derive(Debug, clap::Args)]
pub struct Rules {
    /// End with 3 if a figure is worse by more than this, its whole interval: 10%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_above: Option<f64>,
    /// Divide each figure by that of this contender in the same repeat, so that what the machine did to both cancels out
    #[arg(long, value_name = "NAME")]
    pub relative_to: Option<String>,
}

impl Compare {
    /// Compares and prints.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let (base, new) = self.files()?;
        let [before, after] = [read::campaign(&base)?, read::campaign(&new)?];
        let options = Options {
            across_machines: self.across_machines,
            relative_to: self.rules.relative_to.clone(),
            fail_above: self.rules.fail_above,
        };
        let comparison = of_files((&base, &before), (&new, &after), &options)?;
        let text = if self.json {
            serde_json::to_string_pretty(&ResultFile::Comparison(comparison.clone()))? + "\n"
        } else if self.markdown {
            page::markdown(&comparison)
        } else {
            page::text(&comparison)
        };
        print(&text)?;
        Ok(status(&comparison))
    }

    /// The two files that are meant.
    fn files(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
        match (&self.campaigns[..], &self.baseline) {
            ([base, new], None) => Ok((file(base), file(new))),
            ([new], Some(name)) => {
                let new = file(new);
                let scenario = read::campaign(&new)?.plan.scenario.name;
                Ok((baseline::find(name, &scenario)?, new))
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

/// Compares two campaigns, each beside the file that it is in; a refusal is a mistake in the command line.
pub fn of_files(
    (base_file, base): (&Path, &Campaign),
    (new_file, new): (&Path, &Campaign),
    options: &Options,
) -> anyhow::Result<Comparison> {
    let [base_name, new_name] = [base_file, new_file].map(|file| file.display().to_string());
    let base = Source { name: &base_name, campaign: base };
    let new = Source { name: &new_name, campaign: new };
    compare::compare(base, new, options).map_err(|refused| UsageError(refused.0.join("\nmuxbench: ")).into())
}

/// How a process ends that was to fail above some bound.
pub fn status(comparison: &Comparison) -> ExitCode {
    ExitCode::from(match Gate::of(comparison) {
        Gate::Passed => 0,
        Gate::Worse => GATE,
        Gate::Undecided => INVALID,
    })
}

/// What became of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing is worse than allowed, or nothing was to be.
    Passed,
    /// Something is.
    Worse,
    /// That cannot be said.
    Undecided,
}

impl Gate {
    /// Whether `comparison` passes the bound that it was made with.
    pub fn of(comparison: &Comparison) -> Self {
        if comparison.fail_above.is_none() {
            Self::Passed
        } else if comparison.failed() > 0 {
            Self::Worse
        } else if !comparison.missing.is_empty()
            || !comparison.undecided().is_empty()
            || comparison.compared() == 0
        {
            Self::Undecided
        } else {
            Self::Passed
        }
    }
}

/// `10%` as a share.
fn percent(text: &str) -> Result<f64, String> {
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
