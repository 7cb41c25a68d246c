//! A campaign of rounds, and its histograms.

use crate::histogram::{Counts, DecodeError, decode_counts};
pub use crate::schema::campaign::{
    Campaign, Length, Phase, Plan, PlannedPoint, Round, ServerCost, Slice, Start, Started,
};

/// The histograms of a campaign's slices, decoded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histograms(Vec<Vec<Durations>>);

/// The durations of a slice's requests.
#[derive(Debug, Clone, Default, PartialEq)]
struct Durations {
    all: Counts,
    disturbed: Counts,
}

impl Histograms {
    /// Those of no slice at all.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Decodes the histogram of every slice.
    ///
    /// # Errors
    ///
    /// When the text of one is damaged.
    pub fn of(campaign: &Campaign) -> Result<Self, DecodeError> {
        let of_slice = |slice: &Slice| -> Result<Durations, DecodeError> {
            let disturbed = slice.disturbed.as_deref().map(decode_counts).transpose()?.unwrap_or_default();
            Ok(Durations { all: decode_counts(&slice.response)?, disturbed })
        };
        let of_round = |round: &Round| round.slices.iter().map(of_slice).collect();
        Ok(Self(campaign.rounds.iter().map(of_round).collect::<Result<_, _>>()?))
    }

    /// The histogram of a slice, by the index of its round in the campaign and its own in the round; empty where none was decoded.
    pub fn slice(&self, round: usize, slice: usize) -> &[(u64, u64)] {
        self.durations(round, slice).map_or(&[], |durations| &durations.all)
    }

    /// The part of that histogram which met a gap of the generator's own clock.
    pub fn disturbed(&self, round: usize, slice: usize) -> &[(u64, u64)] {
        self.durations(round, slice).map_or(&[], |durations| &durations.disturbed)
    }

    fn durations(&self, round: usize, slice: usize) -> Option<&Durations> {
        self.0.get(round)?.get(slice)
    }
}
