//! The statistics of muxbench: numbers in, numbers out.
//!
//! At one point all candidates are alive at once. There are several *starts* of everything, in each some *rounds*, and in each round every candidate
//! has one value of a figure, or none. [`LogRatios`] brings the values of a round to a fixed reference, [`Family`] makes ratios with intervals of
//! them, [`Groups`] the order of the candidates, [`Relation`] what an interval says. [`level()`] and [`Merged`] are figures as they are, [`change`]
//! what became of one between two campaigns, [`of_repeats`] the median of a few values that are no rounds,
//! [`Proportion`] a share of cases.
//!
//! # How the intervals are made
//!
//! A round is the unit, never a slice of one candidate: the host drifts by more than candidates differ, and what it does to a whole round
//! cancels in the round's ratios. Means are not used within a start, since noise has heavy tails. Each start is reduced to the midmean of
//! its log ratios, the mean of their middle half: of 6 and 20 rounds its error is 0.049 and 0.024, the median's 0.049 and 0.025, the
//! Hodges-Lehmann estimator's 0.090 and 0.027, the mean's 0.14 and 0.07. A ratio is the mean of its starts, which count alike. Its variance is that
//! between its starts, shrunk towards one which all candidates together suggest, with four degrees of freedom: of that, the part which rounds
//! explain is the pair's own (Winsorised, and shrunk in the same way), the rest is common to all pairs. So it holds both levels, two starts
//! are enough, and a noisy candidate has wide intervals alone. The intervals of a family reach the quantile of the maximum of a multivariate t
//! distribution with the correlation that candidates have by sharing the reference (Dunnett's; Bonferroni's would be wider).
//!
//! In simulated campaigns of nine candidates, with heavy tails on one side or both, drift of the host and of each candidate, every tenth round
//! disturbed by 1.5-3 times, starts that differ by 2 % (or by 0.5-3 %) and noise that differs by up to 2.7 times, all eight intervals hold
//! together in 94-98 % of campaigns, for 2-10 starts of 4-40 rounds. With variances of each pair alone they do in 90 % and are 38 % wider (4
//! starts of 40 rounds), with one variance for all in 92 % (10 of 40), and percentiles of a bootstrap of starts and rounds hold a single
//! ratio in 87 % (4 of 40). Where starts differ by 0.5 %, a difference of 3 % is found by six starts of 40 rounds in 82 % of campaigns, by six of
//! ten in 22 %. These figures are of ten times as many campaigns as the tests in `simulation.rs` make unless MUXBENCH_SIMULATE is set; they
//! print them.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod covariance;
mod family;
mod groups;
mod interval;
mod level;
mod location;
mod log_ratios;
mod proportion;
mod repeats;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;

pub use family::Family;
pub use groups::Groups;
pub use interval::{CONFIDENCE, Estimate, Interval, Ratio, Relation, student};
pub use level::{Level, Merged, SAMPLES_BEYOND, change, level};
pub use location::median;
pub use log_ratios::LogRatios;
pub use proportion::Proportion;
pub use repeats::{REPEATS_FOR_EXACT, of_repeats};

/// The reason why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Rounds, or two sets of ratios, do not have the same candidates.
    #[error("the same candidates must be in every round, and in both of two that are compared")]
    Ragged,
    /// The reference is none of the candidates.
    #[error("candidate {reference} cannot be the reference of {candidates} candidates")]
    NoReference {
        /// The index asked for.
        reference: usize,
        /// The number of candidates there are.
        candidates: usize,
    },
    /// Too few starts and rounds have values for an interval.
    #[error("an interval takes two starts, or one of enough rounds")]
    TooFew,
}
