//! Baselines: campaigns that are kept by name, to compare later ones with.
//!
//! A baseline is a folder, `results/baselines/NAME`, with a file for each scenario, so that a run of several scenarios has them all
//! under one name, and one that is measured again replaces only its own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use model::campaign::Campaign;
use model::note;
use report::compare::{Gate, Options, page};

use super::compare::{File, gate, percent};
use super::{INVALID, UsageError};

/// The folder of all baselines.
const FOLDER: &str = "results/baselines";
/// The share that a figure may be worse by in a run with a baseline, unless that is said.
const USUAL_BOUND: f64 = 0.1;

/// The baselines and gates of a `run`.
#[derive(Debug, clap::Args)]
pub struct Baselines {
    /// Keep the campaign as a baseline of this name, for --baseline, if it is complete and has no gaps; with a gate too, only if it passes. Otherwise
    /// the earlier one stays
    #[arg(long, value_name = "NAME", value_parser = name)]
    save_baseline: Option<String>,
    /// Compare at the end with the baseline of this name, and end with 3 if a figure is worse by more than 10 %, or --fail-above; with 4 if
    /// less was measured than for the baseline
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "against")]
    baseline: Option<String>,
    /// With --against or --baseline: end with 3 if response p50, throughput or CPU time per request of a candidate is surely worse by more
    /// than this, 5%; with 4 if that cannot be told
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_above: Option<f64>,
}

impl Baselines {
    /// Returns whether any of these options is given.
    pub fn is_any(&self) -> bool {
        self.save_baseline.is_some() || self.baseline.is_some() || self.fail_above.is_some()
    }

    /// The options that ask the same again, each after a space.
    pub fn options_given(&self) -> String {
        let names = [("save-baseline", &self.save_baseline), ("baseline", &self.baseline)];
        let named =
            names.into_iter().filter_map(|(option, name)| Some(format!(" --{option} {}", name.as_ref()?)));
        // Not 7.000000000000001.
        let percent = |share: f64| (share * 1e8).round() / 1e6;
        let bound = self.fail_above.map(|share| format!(" --fail-above {}%", percent(share)));
        named.chain(bound).collect()
    }

    /// Finds out before anything is measured whether `campaign` can be compared when it is.
    ///
    /// # Errors
    ///
    /// When there is no such baseline, or it was measured under other conditions.
    pub fn check(&self, campaign: &Campaign) -> anyhow::Result<()> {
        let Some(name) = &self.baseline else {
            let is_gate = campaign.plan.against.is_some() || self.fail_above.is_none();
            return match is_gate {
                true => Ok(()),
                false => {
                    Err(UsageError("--fail-above goes with --against or --baseline NAME".to_owned()).into())
                }
            };
        };
        let base = File::read(find(name, &campaign.plan.scenario.name)?)?;
        for line in base.prospect(campaign, &self.options())? {
            note!("muxbench: baseline '{name}': {line}: this run will end with {INVALID}");
        }
        Ok(())
    }

    /// Compares the campaign of a `scenario` that was measured into `file` with its baseline, as was asked. Gives the comparison as text, and
    /// whether it passes.
    pub fn compare(&self, scenario: &str, file: &Path) -> anyhow::Result<(String, Gate)> {
        let Some(name) = &self.baseline else { return Ok((String::new(), Gate::Passed)) };
        let base = File::read(find(name, scenario)?)?;
        let comparison = base.compare(&File::read(file.to_owned())?, &self.options())?;
        Ok((page::text(&comparison), gate(&comparison)))
    }

    /// Keeps the campaign of a `scenario` that was measured into `file` as a baseline, if that was asked.
    pub fn keep(&self, scenario: &str, file: &Path) -> anyhow::Result<()> {
        self.save_baseline.as_ref().map_or(Ok(()), |name| save(name, scenario, file))
    }

    /// Says that a campaign that was to become a baseline does not.
    pub fn tell_not_kept(&self, because: &str) {
        if let Some(name) = &self.save_baseline {
            note!("muxbench: not kept as baseline '{name}', since {because}; an earlier one stays as it is");
        }
    }

    fn options(&self) -> Options {
        Options { across_machines: false, fail_above: Some(self.fail_above.unwrap_or(USUAL_BOUND)) }
    }
}

/// A name that is a folder's.
pub fn name(text: &str) -> Result<String, String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('.') {
        Ok(text.to_owned())
    } else {
        Err("a baseline's name is of letters, digits, dashes, underscores and dots, and begins with none of these".to_owned())
    }
}

/// The file of the baseline `name` for `scenario`.
///
/// # Errors
///
/// When there is none; it says which there are.
pub fn find(name: &str, scenario: &str) -> anyhow::Result<PathBuf> {
    let folder = Path::new(FOLDER);
    let path = file_of(folder, name, scenario);
    if path.is_file() {
        return Ok(path);
    }
    let advice = match (names_in(&folder.join(name)), names_in(folder)) {
        (kept, _) if !kept.is_empty() => format!("it has {}", kept.join(", ")),
        (_, known) if !known.is_empty() => format!("there are {}", known.join(", ")),
        _ => "there is none yet".to_owned(),
    };
    let sentence = format!(
        "no baseline '{name}' of scenario {scenario} in {FOLDER}; {advice}; `muxbench run --save-baseline {name}` makes one"
    );
    Err(UsageError(sentence).into())
}

/// Keeps what is in `file` under `name`.
fn save(name: &str, scenario: &str, file: &Path) -> anyhow::Result<()> {
    let path = file_of(Path::new(FOLDER), name, scenario);
    if let Some(folder) = path.parent() {
        model::files::make_folder(folder)?;
    }
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    model::files::write_atomically(&path, &text)?;
    note!("muxbench: kept as baseline '{name}': {}", path.display());
    Ok(())
}

fn file_of(folder: &Path, name: &str, scenario: &str) -> PathBuf {
    folder.join(name).join(format!("{}.json", report::export::file_name(scenario)))
}

/// The files of a folder, by name without extension, in order; nothing where there is no such folder.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_ask_the_same_again() {
        let asked = Baselines {
            save_baseline: Some("last".to_owned()),
            baseline: Some("main".to_owned()),
            fail_above: percent("7%").ok(),
        };
        assert_eq!(asked.options_given(), " --save-baseline last --baseline main --fail-above 7%");
        let nothing = Baselines { save_baseline: None, baseline: None, fail_above: None };
        assert_eq!(nothing.options_given(), "");
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        assert_eq!(name("main-2026.1"), Ok("main-2026.1".to_owned()));
        for wrong in ["", "..", ".hidden", "a/b", "a b"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
