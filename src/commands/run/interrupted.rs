//! The last words of a `muxbench run` that was interrupted: the commands that complete it.

use std::path::Path;

use model::note;
use muxbench::experiment::shell;

use super::{Run, Work};

impl Run {
    /// The command that goes on with the campaign in `folder`, to the same end: what was measured is told, and held to what was asked.
    fn to_complete(&self, folder: &Path) -> String {
        let json = if self.json { " --json" } else { "" };
        format!("muxbench run --resume {}{json}{}", shell::path(folder), self.baselines.options_given())
    }

    /// Says how what was interrupted while it was measured, and what had not begun, can be completed.
    pub(super) fn tell_interrupted(&self, work: &Work, left: &[Work]) {
        note!(
            "muxbench: interrupted; {} are kept; to complete: {}; what they say so far: muxbench report {}",
            report::format::plural(work.campaign.rounds.len(), "round"),
            self.to_complete(&work.folder),
            shell::path(&work.folder)
        );
        self.baselines.tell_not_kept("it was interrupted");
        self.tell_not_begun(left);
    }

    /// Says how what was interrupted when all of it was measured, and what had not begun, can be completed.
    pub(super) fn tell_not_told(&self, work: &Work, left: &[Work]) {
        note!(
            "muxbench: interrupted; {} is measured, and all of it is kept; to tell it: {}",
            work.campaign.plan.scenario.name,
            self.to_complete(&work.folder)
        );
        self.tell_not_begun(left);
    }

    fn tell_not_begun(&self, left: &[Work]) {
        for Work { campaign, folder, .. } in left {
            let name = &campaign.plan.scenario.name;
            note!("muxbench: {name} was not begun; to measure it: {}", self.to_complete(folder));
        }
    }
}
