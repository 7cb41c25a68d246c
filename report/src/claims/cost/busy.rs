//! The claim about few connections that are all active.

use super::CostClaim;
use super::scale::{FEW, LT, SCANNING};
use crate::cells::Figure;
use crate::claims::base::{Base, Case, SMALL, Seen, Weight, figure_of};
use crate::claims::pooled::{Pool, Pooled};
use crate::format;
use crate::line::{self, Line};
use crate::statistics::{Proportion, Ratio, Verdict};
use model::schema::{Campaign, Point};

use Weight::{Bounding, Essential};

/// The figures by which few busy connections are compared.
const FIGURES: [Figure; 2] = [Figure::ResponseP50, Figure::ServerCpu];
/// One interval in forty lies below 1 by chance.
const BY_CHANCE: f64 = 0.025;

pub(super) const FEW_AND_BUSY: CostClaim = CostClaim {
    id: "few-and-busy",
    section: "6",
    text: "with few connections, highly active, select and poll may do better than epoll",
    gather: |base| {
        let mut case = Case::default();
        let points = points(base);
        let compared = comparisons(&points);
        let pools = FIGURES.map(|figure| Pool { points: &points, contenders: &SCANNING, other: LT, figure });
        let pooled: Vec<(Pool<'_>, Pooled)> =
            pools.into_iter().filter_map(|pool| Some((pool, pool.ratio()?))).collect();
        let what = "select or poll against epoll-lt with 100 connections or fewer, all active, by median response and by \
                    processor time";
        let decided: Vec<&Comparison> = compared.iter().filter(|one| one.is_decided()).collect();
        let Some(none) = Proportion::of(0, decided.len()) else {
            case.lacks(Essential, what, "muxbench run few-and-busy");
            return case;
        };
        let with = |verdict: Verdict| decided.iter().filter(move |one| one.ratio.verdict == verdict);
        let better = Proportion::of(with(Verdict::Below).count(), none.cases).unwrap_or(none);
        let text = format!(
            "better in {} of {} comparisons, worse in {}",
            better.hits,
            better.cases,
            with(Verdict::Above).count()
        );
        let claimed = "better somewhere, more often than by chance, or on the whole";
        let is_better =
            better.low > BY_CHANCE || pooled.iter().any(|(_, pooled)| pooled.ratio.verdict == Verdict::Below);
        let seen = match is_better {
            true => Seen::certain(text, true),
            // Where the whole does not reach far below 1, no more of the single comparisons lie there than by chance.
            false if pooled.iter().all(|(_, pooled)| is_not_far_below(&pooled.ratio)) => {
                Seen::certain(text, false)
            }
            false => Seen::unsure(text),
        };
        case.add(Essential, what, claimed, seen);
        for (pool, pooled) in &pooled {
            let on_the_whole = Bounding("on the whole they do not");
            case.add(on_the_whole, pool.words(pooled), "below 1", Seen::below(&pooled.ratio));
        }
        pools[0].used(&mut case);
        let worst = with(Verdict::Above).max_by(|a, b| a.median().total_cmp(&b.median()));
        let seen =
            Seen::certain(worst.map_or_else(|| "nowhere".to_owned(), |one| one.told()), worst.is_none());
        case.add(Bounding("elsewhere they do worse"), "where they do worst", "nowhere worse", seen);
        if let Some(best) = decided.iter().min_by(|a, b| a.median().total_cmp(&b.median())) {
            let what = format!(
                "{} of {} over that of {LT}, {}, where it does best",
                best.figure.words(),
                best.contender,
                best.place
            );
            case.figure = Some(figure_of(what, &best.ratio.summary, "×"));
        }
        case
    },
};

/// Whether a ratio is not 1 / [`SMALL`] or less.
fn is_not_far_below(ratio: &Ratio) -> bool {
    ratio.summary.interval.is_some_and(|interval| interval.low > 1.0 / SMALL)
}

/// The points at which few connections are all active.
fn points<'a>(base: &Base<'a>) -> Vec<(&'a Campaign, &'a Point)> {
    let is_busy = |point: &Point| point.active == point.connections && point.connections <= FEW;
    let all =
        base.campaigns.iter().flat_map(|campaign| line::plain_points(campaign).map(move |at| (campaign, at)));
    all.filter(|(_, point)| is_busy(point)).collect()
}

/// One contender beside epoll at one point, by one figure.
struct Comparison {
    contender: &'static str,
    place: String,
    figure: Figure,
    ratio: Ratio,
}

impl Comparison {
    fn is_decided(&self) -> bool {
        self.ratio.verdict != Verdict::NotEnoughRepeats
    }

    fn median(&self) -> f64 {
        self.ratio.summary.median
    }

    /// In words, with its ratio.
    fn told(&self) -> String {
        let Self { contender, place, figure, ratio } = self;
        format!("{} of {contender} at {place}, {}", figure.words(), format::ratio(ratio))
    }
}

/// Those of select and of poll, at every point and by every figure.
fn comparisons(points: &[(&Campaign, &Point)]) -> Vec<Comparison> {
    let at = |&(campaign, point): &(&Campaign, &Point)| {
        let alone = Line { campaign, points: vec![(point.connections, point)] };
        let each = SCANNING.into_iter().flat_map(|contender| FIGURES.map(|figure| (contender, figure)));
        let found = each.filter_map(|(contender, figure)| {
            let ratio = alone.ratio(point, contender, LT, figure)?;
            Some(Comparison { contender, place: line::place(point), figure, ratio })
        });
        found.collect::<Vec<_>>()
    };
    points.iter().flat_map(at).collect()
}
