//! The claims about cost and scale: each a pure function from results to evidence.

mod busy;
mod calls;
mod growth;
mod herd;
mod limits;
mod scale;
mod select;
mod triggers;

pub use limits::LIMITED;

use super::base::{Base, Case};
use super::decided;
use model::schema::{ClaimResult, ClaimVerdict};

/// The command that measures what most of these claims rest on.
const RUN: &str = "muxbench run many-idle-few-active";
/// The command that measures single waits.
const BENCH_WAIT: &str = "cargo bench -- wait";

/// A claim about cost.
pub struct CostClaim {
    /// Its name.
    pub id: &'static str,
    /// The section of the tutorial that makes it.
    pub section: &'static str,
    /// The claim in one sentence.
    pub text: &'static str,
    /// Gathers the evidence.
    gather: fn(&Base<'_>) -> Case,
}

/// All of them, in the order of docs/CLAIMS.md.
pub static ALL: [CostClaim; 18] = [
    scale::MANY_IDLE,
    busy::FEW_AND_BUSY,
    growth::EPOLL_FLAT,
    growth::SCAN,
    scale::KNEE,
    select::POLL_FASTER,
    limits::LINKED_LIST,
    limits::CTL_LOG_N,
    calls::READY_LIST,
    calls::WAKE_UPS,
    calls::NO_THREAD_SWITCH,
    limits::MILLION,
    limits::MEMORY,
    herd::EXCLUSIVE_HERD,
    herd::EXCLUSIVE_SCALES,
    triggers::ET_FASTER,
    triggers::SYNC_ASYNC,
    limits::EPOLL_1023,
];

impl CostClaim {
    /// Decides it from what there is. Where nothing essential was measured it is open, and the result says which command
    /// measures that.
    pub fn decide(&self, base: &Base<'_>) -> ClaimResult {
        let case = (self.gather)(base);
        let more = case.more();
        let Case { evidence, figure, cells, mut needs, is_decided, is_unsure, .. } = case;
        let mut result = decided(self.id, self.section, self.text, evidence);
        if !is_decided {
            if is_unsure {
                needs.extend(more);
            }
            result.verdict =
                if needs.is_empty() { ClaimVerdict::NotMeasurableHere } else { ClaimVerdict::Open };
        }
        ClaimResult { figure: figure.filter(|_| is_decided), cells, needs, ..result }
    }
}

/// All verdicts.
pub fn decide_all(base: &Base<'_>) -> Vec<ClaimResult> {
    ALL.iter().map(|claim| claim.decide(base)).collect()
}

#[cfg(test)]
mod tests;
