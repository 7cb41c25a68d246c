//! The content of each figure.

mod bench;
mod course;
mod distribution;
mod finding;
mod herd;
mod load;
mod map;
mod memory;
mod panels;
mod provenance;
mod ratios;
mod reproduction;
mod scaling;
mod spectrum;

pub use self::bench::bench;
pub use self::load::of_load;
pub use self::reproduction::reproductions;

use super::chart::Figure;
use crate::rounds::Analysis;

/// The figures that a campaign has data for, the main one first.
pub fn of_campaign(analysis: &Analysis<'_>) -> Vec<Figure> {
    let twin = ratios::twin(analysis);
    let mut all = if twin.is_empty() { ratios::ratios(analysis) } else { twin };
    // What is left of the ratios comes last.
    let further = all.split_off(all.len().min(1));
    all.extend(map::map(analysis));
    all.extend(scaling::scaling(analysis));
    all.extend(herd::herd(analysis));
    all.extend(distribution::distributions(analysis));
    all.extend([memory::memory(analysis), memory::setup(analysis)].into_iter().flatten());
    all.extend(further);
    all
}
