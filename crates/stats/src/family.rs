//! All candidates of a point beside its reference: one family of ratios whose intervals hold together.

use crate::covariance::Covariance;
use crate::interval::{Estimate, Ratio};
use crate::location::{Midmean, mean_and_squares, midmean};
use crate::log_ratios::LogRatios;
use crate::{CONFIDENCE, Error};

/// Degrees of freedom that a variance pooled over all pairs of candidates counts for, beside a pair's own: between starts, and between rounds as
/// well. Fewer make intervals wider, more let a candidate that is noisier than others be found different too often: see the
/// crate's documentation.
const PRIOR: f64 = 4.0;

/// The ratios of one figure at one point, reduced to a location for each start, and what their errors consist of.
#[derive(Debug, Clone)]
pub struct Family {
    reference: usize,
    /// By start and candidate: the log ratios to the reference, reduced.
    starts: Vec<Vec<Option<Midmean>>>,
    /// The part of the covariance of a start's locations that the differences between rounds explain.
    within: Covariance,
    /// The covariance of a start's locations which all candidates together suggest.
    covariance: Covariance,
    prior: f64,
    /// Degrees of freedom of one pair's variance alone.
    freedom: f64,
    /// Degrees of freedom of the variances that intervals are made of.
    degrees_of_freedom: f64,
}

impl Family {
    /// Reduces `ratios`; starts without a round of the reference are left out.
    ///
    /// # Errors
    ///
    /// [`Error::TooFew`] where no candidate was measured beside the reference in two starts, or in four rounds of a single one.
    pub fn new(ratios: &LogRatios) -> Result<Self, Error> {
        Self::with_prior(ratios, PRIOR)
    }

    /// The same with other degrees of freedom for what is pooled: with 0 each pair is on its own.
    pub(crate) fn with_prior(ratios: &LogRatios, prior: f64) -> Result<Self, Error> {
        let (candidates, reference) = (ratios.candidates(), ratios.reference());
        let column = |start: &[Vec<_>], at: usize| start.iter().map(|round| round[at]).collect::<Vec<_>>();
        let reduce = |start: &Vec<_>| (0..candidates).map(|at| midmean(&column(start, at))).collect();
        let mut starts: Vec<Vec<Option<Midmean>>> = ratios.starts().iter().map(reduce).collect();
        starts.retain(|start| start[reference].is_some());
        let by_rounds =
            starts.iter().flat_map(|start| &start[reference]).map(|midmean| midmean.freedom).sum();
        let freedom = if starts.len() > 1 { (starts.len() - 1) as f64 } else { by_rounds };
        let present: Vec<usize> =
            (0..candidates).filter(|at| starts.iter().any(|start| start[*at].is_some())).collect();
        if present.len() < 2 || freedom < 1.0 {
            return Err(Error::TooFew);
        }
        let explained = explained_by_rounds(&starts, reference);
        let share = by_rounds / (by_rounds + PRIOR);
        let within = explained.mixed(share, &explained.equalised(&present, reference), 1.0 - share);
        let covariance = within.clone();
        let family =
            Self { reference, starts, within, covariance, prior, freedom, degrees_of_freedom: freedom };
        family.pooled(&present)
    }

    /// Compares how all pairs of candidates differ between starts with what their rounds explain.
    fn pooled(mut self, present: &[usize]) -> Result<Self, Error> {
        let (mut found, mut explained, mut weights) = (0.0, 0.0, 0.0);
        for (first, second) in pairs(present) {
            let by_rounds = self.within.of_difference(first, second);
            if let Some((_, variance, freedom)) = self.difference(first, second) {
                // Noisy candidates tell little about how the starts of calm ones differ.
                let weight = freedom / by_rounds.max(1e-12).powi(2);
                found += weight * variance;
                explained += weight * by_rounds;
                weights += weight;
            }
        }
        if weights == 0.0 {
            return Err(Error::TooFew);
        }
        if found > explained {
            // The rest is the starts', the same for all: half of it the candidate's own, half the other's.
            self.covariance = self.within.with_own((found - explained) / weights / 2.0, self.reference);
        } else if explained > 0.0 {
            self.covariance = self.within.mixed(found / explained, &self.within, 0.0);
        }
        let pooled = self.freedom * self.covariance.effective_rank(present);
        self.degrees_of_freedom = pooled.min(self.prior + self.freedom);
        Ok(self)
    }

    /// Returns whether the intervals hold what differs between starts; with one start they hold the rounds alone.
    pub fn holds_starts(&self) -> bool {
        self.starts.len() > 1
    }

    /// The ratio of each candidate to the reference, with intervals; `None` for a candidate never measured beside it. The
    /// reference's own is exactly 1 and takes no part in the family.
    pub fn ratios(&self) -> Vec<Option<Ratio>> {
        let critical = self.critical(&self.to_reference());
        let ratio = |candidate| match candidate == self.reference {
            true => Some(Estimate::ONE.ratio(0.0)),
            false => Some(self.estimate(candidate, self.reference)?.ratio(critical)),
        };
        (0..self.candidates()).map(ratio).collect()
    }

    /// The ratio of each candidate divided by its ratio in `base`, which was measured at another time: what has changed about the candidate
    /// beside the reference, without what has changed about the host and the reference. `None` where either has no ratio.
    ///
    /// Errors add up as Welch's do; the intervals hold together.
    ///
    /// # Errors
    ///
    /// [`Error::Ragged`] where the number of candidates or the reference differs.
    pub fn against(&self, base: &Self) -> Result<Vec<Option<Ratio>>, Error> {
        if (self.candidates(), self.reference) != (base.candidates(), base.reference) {
            return Err(Error::Ragged);
        }
        let change = |(candidate, reference): (usize, usize)| {
            let old = base.estimate(candidate, reference)?.reciprocal();
            Some(Estimate::sum([self.estimate(candidate, reference)?, old], 1.0))
        };
        let mut compared = self.to_reference();
        compared.retain(|pair| change(*pair).is_some());
        let freedoms = compared.iter().filter_map(|pair| Some(change(*pair)?.degrees_of_freedom));
        let freedom = freedoms.fold(f64::INFINITY, f64::min);
        let [share, base_share] = [self, base].map(|family| 1.0 / family.starts.len() as f64);
        let covariance = self.covariance.mixed(share, &base.covariance, base_share);
        let critical = covariance.critical(&compared, freedom, CONFIDENCE);
        let ratio = |candidate| match candidate == self.reference {
            true => Some(Estimate::ONE.ratio(0.0)),
            false => Some(change((candidate, self.reference))?.ratio(critical)),
        };
        Ok((0..self.candidates()).map(ratio).collect())
    }

    /// The number of candidates, the reference among them.
    pub(crate) fn candidates(&self) -> usize {
        self.within.len()
    }

    /// The index of the reference.
    pub(crate) fn reference(&self) -> usize {
        self.reference
    }

    /// The logarithm of the ratio of candidate `first` to `second`: the mean of the starts' locations. `None` where no start has both.
    pub(crate) fn estimate(&self, first: usize, second: usize) -> Option<Estimate> {
        let (log, own, freedom) = self.difference(first, second)?;
        let pooled = self.covariance.of_difference(first, second);
        // A variance shrunk to a common one (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004).
        let variance = (self.prior * pooled + freedom * own) / (self.prior + freedom);
        let starts = self.shared(first, second).count() as f64;
        let standard_error = (variance / starts).sqrt();
        Some(Estimate { log, standard_error, degrees_of_freedom: self.degrees_of_freedom })
    }

    /// The number of standard errors that the intervals of all `pairs` reach, so that they hold together.
    pub(crate) fn critical(&self, pairs: &[(usize, usize)]) -> f64 {
        self.covariance.critical(pairs, self.degrees_of_freedom, CONFIDENCE)
    }

    /// The candidates that have a ratio, each with the reference.
    fn to_reference(&self) -> Vec<(usize, usize)> {
        let is_compared =
            |&at: &usize| at != self.reference && self.shared(at, self.reference).next().is_some();
        (0..self.candidates()).filter(is_compared).map(|at| (at, self.reference)).collect()
    }

    /// The differences between two candidates in the starts that have both.
    fn shared(&self, first: usize, second: usize) -> impl Iterator<Item = f64> {
        let location = |midmean: &Option<Midmean>| Some(midmean.as_ref()?.location);
        self.starts.iter().filter_map(move |start| Some(location(&start[first])? - location(&start[second])?))
    }

    /// The mean of the differences between two candidates, the variance of one of them, and the degrees of freedom which that has.
    fn difference(&self, first: usize, second: usize) -> Option<(f64, f64, f64)> {
        let differences: Vec<f64> = self.shared(first, second).collect();
        let (mean, squares) = mean_and_squares(&differences);
        let freedom = differences.len().checked_sub(1)? as f64;
        Some(match self.holds_starts() {
            true => (mean, squares / freedom.max(1.0), freedom),
            false => (mean, self.within.of_difference(first, second), self.freedom),
        })
    }
}

/// All pairs of some candidates.
pub(crate) fn pairs(of: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    of.iter().enumerate().flat_map(|(at, &first)| of[at + 1..].iter().map(move |&second| (first, second)))
}

/// The covariance of a start's locations as far as the differences between rounds explain it, on average over the starts that a candidate has.
fn explained_by_rounds(starts: &[Vec<Option<Midmean>>], reference: usize) -> Covariance {
    let parts = |candidate: usize| {
        let count = starts.iter().filter(|start| start[candidate].is_some()).count() as f64;
        let of_start = |start: &Vec<Option<Midmean>>| match (&start[candidate], &start[reference]) {
            (Some(midmean), _) => midmean.parts.iter().map(|part| part / count.sqrt()).collect(),
            (None, Some(reference)) => vec![0.0; reference.parts.len()],
            (None, None) => Vec::new(),
        };
        starts.iter().flat_map(of_start).collect()
    };
    let candidates = starts.first().map_or(0, Vec::len);
    Covariance::of_parts(&(0..candidates).map(parts).collect::<Vec<_>>())
}
