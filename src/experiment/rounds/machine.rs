//! Faults of the machine in a round, beside those of generator and servers: they drop the round for all candidates.

use std::time::Instant;

use model::campaign::Slice;
use sys::quota::{self, Groups};
use sys::usage;

/// The share of a round's processor time that the hypervisor may have given to others.
const STOLEN_AT_MOST: f64 = 0.1;
/// The share of a round for which a quota may have held a processor back: none but for the rounding of its account.
const HELD_BACK_AT_MOST: f64 = 0.01;
/// The share of a slice for which its server may have been ready and without a processor. A kernel thread that delivers packets takes some.
pub const STARVED_AT_MOST: f64 = 0.25;

/// The machine's accounts at the begin of a round.
pub struct Machine<'a> {
    groups: &'a Groups,
    at: Instant,
    system: usage::SystemUsage,
    held_back_s: Vec<f64>,
}

impl<'a> Machine<'a> {
    /// The accounts now. Where /proc is not mounted there are none, and nothing is found.
    pub fn now(groups: &'a Groups) -> Self {
        Self {
            groups,
            at: Instant::now(),
            system: usage::system().unwrap_or_default(),
            held_back_s: groups.held_back_s(),
        }
    }

    /// Its fault in the time since then, if it has one.
    pub fn fault(&self) -> Option<String> {
        let now = Self::now(self.groups);
        let round_s = now.at.duration_since(self.at).as_secs_f64();
        let held_back = quota::held_back(&self.held_back_s, &now.held_back_s, round_s);
        if held_back > HELD_BACK_AT_MOST {
            return Some(format!(
                "the CPU quota held the processes back for {:.0} % of a round",
                held_back * 100.0
            ));
        }
        let stolen = usage::stolen(usage::system_since(now.system, self.system), round_s);
        (stolen > STOLEN_AT_MOST)
            .then(|| format!("the hypervisor took {:.0} % of the processor time of a round", stolen * 100.0))
    }
}

/// Says so where a server was ready in its slice and had no processor: another process had it.
pub fn starved(slices: &[Slice]) -> Option<String> {
    let share = |slice: &Slice| Some(slice.server.starved_s? / slice.window_s);
    let worst = slices.iter().filter_map(share).fold(0.0, f64::max);
    (worst > STARVED_AT_MOST)
        .then(|| format!("a server had no processor for {:.0} % of its slice", worst * 100.0))
}

#[cfg(test)]
mod tests {
    use model::campaign::ServerCost;

    use super::*;

    #[test]
    fn a_server_that_waits_long_for_a_processor_is_starved_and_one_of_many_threads_is_not_asked() {
        let slice = |starved_s| Slice {
            window_s: 0.1,
            server: ServerCost { starved_s, ..ServerCost::default() },
            ..Slice::default()
        };
        assert_eq!(starved(&[slice(Some(0.02)), slice(None)]), None);
        let text = starved(&[slice(Some(0.0)), slice(Some(0.05)), slice(None)]);
        assert_eq!(text.as_deref(), Some("a server had no processor for 50 % of its slice"));
    }
}
