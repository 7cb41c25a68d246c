//! What is odd about a campaign's figures, with advice.

use crate::cells::{self, Figure};
use crate::format;
use crate::line;
use crate::statistics::{median, spearman};
use model::schema::{Campaign, CellStatus};

/// A drift is told if chance gives one like it in fewer than one campaign of a hundred,
const DRIFT_P: f64 = 0.01;
/// and if figures end at least so much higher or lower than they began.
const DRIFT: f64 = 1.1;
/// Cells below which nothing is said of drift.
const DRIFT_CELLS: usize = 8;
/// A repeat is told that is so many times as far from the median of its cell as half of the repeats are,
const OUTLIER_DEVIATIONS: f64 = 8.0;
/// and differs from that median by such a factor.
const OUTLIER_FACTOR: f64 = 1.5;
/// Repeats of a cell below which none of them is called an outlier.
const OUTLIER_REPEATS: usize = 5;
/// Outliers that are told one by one.
const OUTLIERS_TOLD: usize = 3;

/// A sentence for each thing that a reader should know before trusting the figures.
pub fn of(campaign: &Campaign) -> Vec<String> {
    drift(campaign).into_iter().chain(outliers(campaign)).collect()
}

/// Contenders whose median response rose, or fell, over the campaign's course.
fn drift(campaign: &Campaign) -> Option<String> {
    let names: Vec<&str> = campaign.plan.scenario.contenders().collect();
    let drifting: Vec<(&str, f64)> =
        names.iter().filter_map(|name| Some((*name, drift_of(campaign, name)?))).collect();
    let (_, most) = drifting.iter().max_by(|a, b| a.1.ln().abs().total_cmp(&b.1.ln().abs()))?;
    let who = match drifting.len() {
        all if all == names.len() && all > 1 => "all contenders".to_owned(),
        _ => format::and(&drifting.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
    };
    let change = format!("{}×", format::three_digits(*most));
    let advice = if drifting.len() * 2 > names.len() {
        "the machine changed under it; ratios within repeats bear that, absolute figures do not: use the ratios, or repeat it on a \
         quieter machine"
    } else {
        "others did not, so something of its own changed: repeat it, and look at it alone"
    };
    Some(format!(
        "drift: the median responses of {who} changed over the campaign's course, by {change} at most from the first third to the \
         last; {advice}"
    ))
}

/// By what factor a contender's figures end higher than they began, each against the median of its cell, where that is no chance.
fn drift_of(campaign: &Campaign, contender: &str) -> Option<f64> {
    let mut course: Vec<(f64, f64)> = Vec::new();
    for point in &campaign.plan.points {
        let cells = cells::valid(campaign, point, contender);
        let values = cells.iter().filter_map(|cell| Some((cell.began_s, Figure::ResponseP50.of(cell)?)));
        let values: Vec<(f64, f64)> = values.collect();
        let Some(centre) = median(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>()) else {
            continue;
        };
        // A cell with one repeat is its own median, and would say that nothing drifts.
        if values.len() > 1 {
            course.extend(values.iter().map(|(began_s, value)| (*began_s, value / centre)));
        }
    }
    if course.len() < DRIFT_CELLS {
        return None;
    }
    course.sort_by(|a, b| a.0.total_cmp(&b.0));
    let third = course.len() / 3;
    let of = |part: &[(f64, f64)]| median(&part.iter().map(|(_, value)| *value).collect::<Vec<_>>());
    let factor = of(&course[course.len() - third..])? / of(&course[..third])?;
    let is_chance = spearman(&course).p_value >= DRIFT_P;
    let is_small = factor < DRIFT && factor > 1.0 / DRIFT;
    (!is_chance && !is_small).then_some(factor)
}

/// Single repeats far from the others of their cell.
fn outliers(campaign: &Campaign) -> Vec<String> {
    let mut found: Vec<(f64, String)> = Vec::new();
    for point in &campaign.plan.points {
        for contender in campaign.plan.scenario.contenders() {
            let cells = cells::valid(campaign, point, contender);
            let values: Vec<(u32, f64)> =
                cells.iter().filter_map(|cell| Some((cell.repeat, Figure::ResponseP50.of(cell)?))).collect();
            for (repeat, value, centre) in outliers_of(&values) {
                let told = format!(
                    "repeat {} of {contender} at {}: {}, where the others' median is {}",
                    repeat + 1,
                    line::place(point),
                    format::duration_ns(value),
                    format::duration_ns(centre),
                );
                found.push(((value / centre).ln().abs(), told));
            }
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    let valid = campaign.cells.iter().filter(|cell| cell.status == CellStatus::Valid).count();
    let heading = format!(
        "outliers: {} of {valid} valid cells lie far from the others of their point; medians and intervals bear a few, and more repeats make \
         them matter less:",
        found.len()
    );
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let more = found.len().saturating_sub(OUTLIERS_TOLD);
    let told = found.into_iter().take(OUTLIERS_TOLD).map(|(_, told)| told);
    let rest = (more > 0).then(|| format!("and {more} more like these"));
    std::iter::once(heading).chain(told).chain(rest).collect()
}

/// The repeats, with their values, that lie far from the median of the others, which is given too. Distances are those of
/// logarithms, against the median absolute deviation.
fn outliers_of(values: &[(u32, f64)]) -> Vec<(u32, f64, f64)> {
    if values.len() < OUTLIER_REPEATS {
        return Vec::new();
    }
    let others = |repeat: u32| -> Vec<f64> {
        values.iter().filter(|(other, _)| *other != repeat).map(|(_, value)| value.ln()).collect()
    };
    let is_far = |(repeat, value): &(u32, f64)| {
        let others = others(*repeat);
        let centre = median(&others)?;
        let spread = median(&others.iter().map(|other| (other - centre).abs()).collect::<Vec<_>>())?;
        let distance = (value.ln() - centre).abs();
        let far = distance > OUTLIER_DEVIATIONS * spread && distance > OUTLIER_FACTOR.ln();
        far.then(|| (*repeat, *value, centre.exp()))
    };
    values.iter().filter_map(is_far).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Shape, point};

    /// Two contenders at two points over nine repeats; `factor` by contender and repeat.
    fn campaign(factor: impl Fn(&str, u32) -> f64) -> Campaign {
        let points = [point("idle", 10, 10), point("idle", 1_000, 10)];
        testing::campaign(&["poll", "epoll-lt"], &points, 9, |mechanism, point, repeat| {
            let noise =
                1.0 + f64::from((repeat * 5 + point.connections + mechanism.len() as u32) % 7) / 200.0;
            Shape { p50_ns: 30_000.0 * noise * factor(mechanism, repeat), ..Shape::default() }
        })
    }

    #[test]
    fn steady_figures_need_no_warning() {
        assert_eq!(of(&campaign(|_, _| 1.0)), [""; 0]);
        assert_eq!(of(&testing::realistic()), [""; 0]);
    }

    #[test]
    fn a_machine_that_drifts_is_told_apart_from_a_contender_that_does() {
        let all = of(&campaign(|_, repeat| 1.0 + f64::from(repeat) / 8.0));
        assert!(all[0].starts_with("drift: the median responses of all contenders changed"), "{all:?}");
        assert!(all[0].contains("use the ratios"), "{all:?}");
        let one =
            of(&campaign(|name, repeat| if name == "poll" { 1.0 + f64::from(repeat) / 8.0 } else { 1.0 }));
        assert!(one[0].starts_with("drift: the median responses of poll changed"), "{one:?}");
        // 1.75 to 2 at the end, 1 to 1.25 at the begin.
        assert!(one[0].contains("by 1.6") || one[0].contains("by 1.7"), "{one:?}");
    }

    #[test]
    fn a_slow_drift_within_the_noise_is_not_told() {
        assert_eq!(of(&campaign(|_, repeat| 1.0 + f64::from(repeat) / 400.0)), [""; 0]);
    }

    #[test]
    fn a_repeat_far_from_the_others_is_named_with_both_figures() {
        let told = of(&campaign(|name, repeat| if (name, repeat) == ("poll", 4) { 10.0 } else { 1.0 }));
        assert!(told[0].starts_with("outliers: 2 of 36 valid cells"), "{told:?}");
        assert!(told[1].starts_with("repeat 5 of poll at "), "{told:?}");
        assert!(told[1].contains("where the others' median is 30."), "{told:?}");
        assert_eq!(told.len(), 3);
    }
}
