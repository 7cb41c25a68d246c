//! Tests of comparisons of made-up campaigns that differ in known ways.

mod absences;
mod builds;
mod verdicts;

use model::schema::{ComparedVerdict, Point};

use super::judge::is_difference;
use super::*;
use crate::rounds::testing::{Behaviour, Shape, decoded};

const CANDIDATES: [&str; 3] = ["epoll-lt", "epoll-et", "poll"];

/// "epoll-lt" as the reference, "epoll-et" and "poll" at two points.
fn shape(seed: u64) -> Shape {
    let points = [100, 10_000].map(|connections| Point::new("idle-scaling", connections, 10));
    Shape { points: points.into(), seed, rounds: 12, ..Shape::of(&CANDIDATES) }
}

/// A campaign in which `slow` is `factor` times worse by every figure than the others.
fn campaign(seed: u64, slow: &str, factor: f64) -> Campaign {
    shape(seed).campaign(|name, _| match name == slow {
        true => Behaviour::times(factor, 1.0 / factor, factor),
        false => Behaviour::default(),
    })
}

fn compared(base: &Campaign, new: &Campaign, fail_above: Option<f64>) -> Result<Comparison, Refused> {
    let [(base, before), (new, after)] = [base, new].map(|campaign| decoded(campaign.clone()));
    let base = Source { name: "base.json", campaign: &base, histograms: &before };
    let new = Source { name: "new.json", campaign: &new, histograms: &after };
    compare(base, new, &Options { across_machines: false, fail_above })
}

fn gate(comparison: &Comparison) -> Gate {
    Gate::of(comparison.fail_above, &comparison.comparisons, &comparison.missing)
}

fn of<'a>(comparison: &'a Comparison, candidate: &str, metric: &str) -> Vec<&'a Compared> {
    comparison.comparisons.iter().filter(|one| one.candidate == candidate && one.metric == metric).collect()
}
