//! Values become logarithms of ratios to the reference of the same round.

use crate::Error;

/// The natural logarithms of the ratios of all candidates of a point to its reference, each formed within a round.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRatios {
    /// By start, round and candidate.
    starts: Vec<Vec<Vec<Option<f64>>>>,
    candidates: usize,
    reference: usize,
}

impl LogRatios {
    /// The ratios of `values`, by start, round and candidate, to those of candidate `reference`.
    ///
    /// A value that is missing, not positive or not finite has no ratio; where it is the reference's, its round has none.
    ///
    /// # Errors
    ///
    /// [`Error::Ragged`] where a round has more or fewer candidates than another, [`Error::NoReference`] where there is no candidate of
    /// that index.
    pub fn new(values: &[Vec<Vec<Option<f64>>>], reference: usize) -> Result<Self, Error> {
        let mut rounds = values.iter().flatten();
        let candidates = rounds.next().map_or(0, Vec::len);
        if rounds.any(|round| round.len() != candidates) {
            return Err(Error::Ragged);
        }
        if reference >= candidates {
            return Err(Error::NoReference { reference, candidates });
        }
        let logarithm = |value: &Option<f64>| value.map(f64::ln).filter(|log| log.is_finite());
        let ratios = |round: &Vec<Option<f64>>| -> Vec<Option<f64>> {
            let base = logarithm(&round[reference]);
            round.iter().map(|value| Some(logarithm(value)? - base?)).collect()
        };
        let starts = values.iter().map(|start| start.iter().map(ratios).collect()).collect();
        Ok(Self { starts, candidates, reference })
    }

    /// The ratios of these to `base`, round by round: of the second halves of slices to their first halves, say, which are 1 where
    /// slices are long enough.
    ///
    /// # Errors
    ///
    /// [`Error::Ragged`] where the two have not the same starts, rounds, candidates and reference.
    pub fn over(&self, base: &Self) -> Result<Self, Error> {
        let shape = |of: &Self| of.starts.iter().map(Vec::len).collect::<Vec<_>>();
        let same = (self.candidates, self.reference) == (base.candidates, base.reference);
        if !same || shape(self) != shape(base) {
            return Err(Error::Ragged);
        }
        let quotient = |(round, base): (&Vec<Option<f64>>, &Vec<Option<f64>>)| -> Vec<Option<f64>> {
            round.iter().zip(base).map(|(new, old)| Some((*new)? - (*old)?)).collect()
        };
        let starts = self.starts.iter().zip(&base.starts);
        let starts = starts.map(|(new, old)| new.iter().zip(old).map(quotient).collect()).collect();
        Ok(Self { starts, ..*self })
    }

    /// The number of candidates, the reference among them.
    pub fn candidates(&self) -> usize {
        self.candidates
    }

    /// The index of the reference.
    pub fn reference(&self) -> usize {
        self.reference
    }

    /// The starts, each by round and candidate.
    pub(crate) fn starts(&self) -> &[Vec<Vec<Option<f64>>>] {
        &self.starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_formed_within_a_round() {
        let values = [vec![vec![Some(2.0), Some(4.0)], vec![Some(30.0), Some(15.0)]]];
        let ratios = LogRatios::new(&values, 0).expect("two candidates");
        let of = |round: usize| ratios.starts()[0][round][1].expect("a ratio").exp();
        assert!((of(0) - 2.0).abs() < 1e-12 && (of(1) - 0.5).abs() < 1e-12);
        assert_eq!(ratios.starts()[0][0][0], Some(0.0));
    }

    #[test]
    fn a_round_without_the_reference_has_no_ratio_and_a_missing_value_costs_itself_alone() {
        let values = [vec![vec![None, Some(4.0), Some(1.0)], vec![Some(3.0), Some(0.0), Some(3.0)]]];
        let ratios = LogRatios::new(&values, 0).expect("three candidates");
        assert_eq!(ratios.starts()[0], [vec![None; 3], vec![Some(0.0), None, Some(0.0)]]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let ragged = [vec![vec![Some(1.0), Some(1.0)], vec![Some(1.0)]]];
        assert_eq!(LogRatios::new(&ragged, 0), Err(Error::Ragged));
        let values = [vec![vec![Some(1.0), Some(1.0)]]];
        assert_eq!(LogRatios::new(&values, 2), Err(Error::NoReference { reference: 2, candidates: 2 }));
        assert_eq!(LogRatios::new(&[], 0), Err(Error::NoReference { reference: 0, candidates: 0 }));
        let [first, second] =
            [0, 1].map(|reference| LogRatios::new(&values, reference).expect("a candidate"));
        assert_eq!(first.over(&second), Err(Error::Ragged));
    }
}
