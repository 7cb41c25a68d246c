//! Counts of what happened to connections while they carried load.

use model::histogram::{self, Histogram};
use model::schema::Churn;

use crate::fault::Faults;

/// Counts of what happened to connections during a window.
#[derive(Default)]
pub struct TurnoverCounts {
    /// Times that a connection became active for another.
    pub rotated: u64,
    /// Replacements.
    pub churn: Churn,
    /// From connect(2) to the established connection, of those that replaced others; only where some are to.
    pub connect: Option<Histogram>,
    /// Idle connections that could not be replaced.
    pub lost: Faults,
}

impl TurnoverCounts {
    /// Adds what another worker saw.
    pub fn merge(&mut self, other: &Self) {
        self.rotated += other.rotated;
        self.churn.scheduled += other.churn.scheduled;
        self.churn.replaced += other.churn.replaced;
        self.churn.failed += other.churn.failed;
        self.lost.merge(&other.lost);
        if let Some(theirs) = &other.connect {
            let mine = self.connect.get_or_insert_with(histogram::empty);
            mine.add(theirs).expect("all histograms have the project's bounds");
        }
    }

    /// The replacements, those included that never came to an end.
    pub fn churn(&self) -> Churn {
        let Churn { scheduled, replaced, failed, .. } = self.churn;
        Churn { unfinished: scheduled - replaced - failed, ..self.churn }
    }

    /// A replacement that fell due inside the window is over, after so many nanoseconds of connecting.
    pub fn replaced(&mut self, duration_ns: u64) {
        self.churn.replaced += 1;
        if let Some(connect) = &mut self.connect {
            connect.saturating_record(duration_ns);
        }
    }
}
