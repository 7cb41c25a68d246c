//! The troubles of candidates: what their servers did wrong. A fault of the generator or the machine drops a round;
//! what is found here is a result of the candidate.

use std::collections::BTreeMap;

use model::campaign::{Phase, Started};
use stats::{Proportion, median};

use super::samples::Samples;

/// The shortest silence that is a stall.
const STALL_NS: f64 = 5e6;
/// The factor by which a stall exceeds the candidate's own median response under the same load. A server that stalls in every slice
/// is not excused by its usual silence.
const BEYOND_RESPONSE: f64 = 10.0;

/// Something that a candidate did wrong at a point, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// It could not be measured, or not to the end, in so many starts; the reason of the first.
    Failed {
        /// Starts in which it failed.
        starts: usize,
        /// All starts.
        of: usize,
        /// The reason of the first.
        why: String,
    },
    /// Requests failed, by the fault's name.
    Errors {
        /// The fault's name.
        name: String,
        /// Requests that had it.
        count: u64,
        /// Requests that were scheduled.
        of: u64,
    },
    /// It used CPU time while others were measured, and so disturbed them.
    Busy {
        /// CPU time in their slices per thousand of their time, in the worst start.
        per_mille: u64,
    },
    /// Connections were lost after they were established.
    Lost {
        /// Connections lost, over all starts.
        connections: u64,
    },
    /// It did not answer for much longer than it takes, and more often than the others, which share the machine.
    Stalled(Silences),
}

/// The silences of a candidate that its response does not explain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silences {
    /// Slices with one.
    pub slices: u64,
    /// Of those, the ones in which it was before the window, on the first requests after a pause.
    pub in_warmup: u64,
    /// All of its slices.
    pub of: u64,
    /// The longest, in nanoseconds.
    pub longest_ns: u64,
}

const PHASES: [Phase; 3] = [Phase::Saturation, Phase::Light, Phase::Busy];

/// The troubles of each candidate.
pub fn find(samples: &Samples<'_>) -> Vec<Vec<Trouble>> {
    let stalls = stalls(samples);
    let all = |candidate: usize| {
        let started = samples.starts.iter().flat_map(|start| &start.candidates);
        let own: Vec<&Started> =
            started.filter(|one| one.candidate == samples.candidates[candidate]).collect();
        let lost: u64 = own.iter().filter_map(|one| Some(one.connections.as_ref()?.lost)).sum();
        let lost = (lost > 0).then_some(Trouble::Lost { connections: lost });
        let errors = errors(samples, candidate);
        failed(&own)
            .into_iter()
            .chain(busy(&own))
            .chain(stalls[candidate].clone())
            .chain(errors)
            .chain(lost)
            .collect()
    };
    (0..samples.len()).map(all).collect()
}

fn failed(own: &[&Started]) -> Option<Trouble> {
    let mut reasons = own.iter().filter_map(|one| one.failed.as_ref());
    let why = reasons.next()?.clone();
    Some(Trouble::Failed { starts: 1 + reasons.count(), of: own.len(), why })
}

/// CPU time beside others, in thousandths of their time, that is no housekeeping any more.
const BUSY_PER_MILLE: f64 = 10.0;

fn busy(own: &[&Started]) -> Option<Trouble> {
    let worst = own.iter().filter_map(|one| one.cpu_beside_others).fold(0.0, f64::max) * 1_000.0;
    (worst >= BUSY_PER_MILLE).then_some(Trouble::Busy { per_mille: worst as u64 })
}

fn errors(samples: &Samples<'_>, candidate: usize) -> Vec<Trouble> {
    let (mut errors, mut of) = (BTreeMap::<&String, u64>::new(), 0);
    for slice in PHASES.into_iter().flat_map(|phase| samples.slices(phase, candidate)) {
        // A closed loop has no schedule: there its requests are those that came to an end.
        of += slice.scheduled.max(slice.completed + slice.errors.values().sum::<u64>());
        slice.errors.iter().for_each(|(name, count)| *errors.entry(name).or_default() += count);
    }
    let error = |(name, count): (&String, u64)| Trouble::Errors { name: name.clone(), count, of };
    errors.into_iter().filter(|(_, count)| *count > 0).map(error).collect()
}

impl Silences {
    fn of(samples: &Samples<'_>, candidate: usize) -> Self {
        let mut found = Self::default();
        for phase in PHASES {
            let slices = || samples.slices(phase, candidate);
            let responses: Vec<f64> = slices().filter_map(|slice| Some(slice.p50_ns? as f64)).collect();
            let bound = STALL_NS.max(BEYOND_RESPONSE * median(&responses).unwrap_or(0.0));
            for slice in slices() {
                let silences_ns = [slice.longest_silence_ns, slice.warmup_silence_ns];
                let [in_window, in_warmup] = silences_ns.map(|silence_ns| silence_ns as f64 > bound);
                found.of += 1;
                found.slices += u64::from(in_window || in_warmup);
                found.in_warmup += u64::from(in_warmup);
                let stalls_ns = silences_ns.into_iter().filter(|silence_ns| *silence_ns as f64 > bound);
                found.longest_ns = stalls_ns.fold(found.longest_ns, u64::max);
            }
        }
        found
    }
}

/// The stalls that are the candidates' own: the machine's hit all alike, so a candidate is charged with its stalls where they are surely more frequent than
/// those of the candidates that are not.
fn stalls(samples: &Samples<'_>) -> Vec<Option<Trouble>> {
    let silences: Vec<Silences> =
        (0..samples.len()).map(|candidate| Silences::of(samples, candidate)).collect();
    let mut charged = vec![false; silences.len()];
    loop {
        let is_own = |at: usize| {
            let rest = (0..silences.len()).filter(|other| *other != at && !charged[*other]);
            let (hits, cases) = rest.fold((0, 0), |(hits, cases), other| {
                (hits + silences[other].slices, cases + silences[other].of)
            });
            let own = Proportion::of(silences[at].slices, silences[at].of);
            let usual = Proportion::of(hits, cases).map_or(1.0, |usual| usual.interval.high);
            own.is_some_and(|own| own.interval.low > usual)
        };
        let now: Vec<bool> = (0..silences.len()).map(|at| charged[at] || is_own(at)).collect();
        if now == charged {
            break;
        }
        charged = now;
    }
    let own = silences.into_iter().zip(charged);
    own.map(|(silences, is_charged)| is_charged.then_some(Trouble::Stalled(silences))).collect()
}
