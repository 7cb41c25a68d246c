//! How the connections to each place of the target fared.

use model::schema::TargetReport;

use crate::fault::Faults;
use crate::plan::target::Target;
use crate::pool::opening::Opened;

/// What was counted at each place.
pub(super) struct Places {
    opened: Vec<u64>,
    failed: Vec<Faults>,
}

impl Places {
    /// Nothing yet, at the places of `target`.
    pub(super) fn of(target: &Target) -> Self {
        let places = target.endpoints().len();
        Self { opened: vec![0; places], failed: vec![Faults::default(); places] }
    }

    /// Adds what a worker opened.
    pub(super) fn add(&mut self, worker: &Opened) {
        self.opened.iter_mut().zip(&worker.opened_at).for_each(|(all, theirs)| *all += theirs);
        worker.failed_at.iter().for_each(|(&place, theirs)| self.failed[place].merge(theirs));
    }

    /// What is told of it, with the addresses of names that nothing was opened to.
    pub(super) fn report(&self, target: &Target) -> Vec<TargetReport> {
        let counts = self.opened.iter().copied().zip(&self.failed);
        let places = target.endpoints().iter().zip(counts);
        let silent = target.silent().iter().map(|(endpoint, faults)| (endpoint, (0, faults)));
        places
            .chain(silent)
            .map(|(endpoint, (opened, faults))| TargetReport {
                address: endpoint.to_string(),
                opened,
                errors: faults.by_name(),
                errnos: faults.by_errno(),
            })
            .collect()
    }
}
