//! Where one mechanism overtakes another, along connections and along active ones.
//!
//! A crossing needs a point at which the one is better by an interval that leaves 1 out, and a later one at which it is
//! worse by such an interval, with nothing but ties between. Where it lies is found within each repeat, by
//! interpolation on logarithmic scales, and then summarised over the repeats.

use crate::cells::Figure;
use crate::format;
use crate::line::{Course, Line};
use crate::statistics::{Summary, Verdict};
use model::schema::{Campaign, Point};

/// What crossings are about: the figure by which winners are named.
const FIGURE: Figure = Figure::ResponseP50;

/// One mechanism overtaken by another along a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// Better before.
    pub overtaken: String,
    /// Better after.
    pub by: String,
    /// The greatest number at which the one is known to be better.
    pub after: u32,
    /// The least number after it at which the other is.
    pub before: u32,
    /// Where the two are equal, by interpolation; absent where no repeat has a crossing between the two numbers.
    pub at: Option<Summary>,
    /// What varies: `connections`, `active connections`.
    pub varies: &'static str,
    /// What does not: `10 active`, `1% active`, `1,000 connections`.
    pub fixed: String,
}

impl Crossing {
    /// In a sentence: `poll is overtaken by epoll-lt between 30 and 100 connections at 10 active, at about 62 (48 to 81)`.
    pub fn sentence(&self) -> String {
        let Self { overtaken, by, after, before, at, varies, fixed } = self;
        let [after, before] = [after, before].map(|number| format::thousands((*number).into()));
        let number = |value: f64| format::thousands(value.round() as u64);
        let at = at.map(|at| {
            let ends = at.interval.map(|ends| format!(" ({} to {})", number(ends.low), number(ends.high)));
            format!(", at about {}{}", number(at.median), ends.unwrap_or_default())
        });
        let at = at.unwrap_or_default();
        format!("{overtaken} is overtaken by {by} between {after} and {before} {varies} at {fixed}{at}")
    }
}

/// Every crossing of a campaign: along connections for each count and each share of active ones, and along active ones for each
/// number of connections.
pub fn crossings(campaign: &Campaign) -> Vec<Crossing> {
    let count = |line: Line<'_>| {
        let fixed = format!("{} active", format::thousands(line.first().active.into()));
        of_line(&line, "connections", &fixed)
    };
    let share = |(share, line): (String, Line<'_>)| {
        let fixed = if share == "100%" { "all active".to_owned() } else { format!("{share} active") };
        of_line(&line, "connections", &fixed)
    };
    let active = |line: Line<'_>| {
        let fixed = format!("{} connections", format::thousands(line.first().connections.into()));
        of_line(&line, "active connections", &fixed)
    };
    let along_counts = Line::along_connections(campaign).into_iter().flat_map(count);
    let along_shares = Line::along_connections_of_a_share(campaign).into_iter().flat_map(share);
    let along_active = Line::along_active(campaign).into_iter().flat_map(active);
    along_counts.chain(along_shares).chain(along_active).collect()
}

/// The crossings of every two contenders along one line.
fn of_line(line: &Line<'_>, varies: &'static str, fixed: &str) -> Vec<Crossing> {
    let contenders: Vec<&str> = line.campaign.plan.scenario.contenders().collect();
    let mut found = Vec::new();
    for (index, first) in contenders.iter().enumerate() {
        for second in &contenders[index + 1..] {
            found.extend(of_pair(line, first, second).into_iter().map(|mut crossing| {
                (crossing.varies, crossing.fixed) = (varies, fixed.to_owned());
                crossing
            }));
        }
    }
    found
}

/// The crossings of two contenders along one line, in its order.
fn of_pair(line: &Line<'_>, first: &str, second: &str) -> Vec<Crossing> {
    let verdict = |point: &Point| line.ratio(point, first, second, FIGURE).map(|ratio| ratio.verdict);
    let decided: Vec<(usize, bool)> = line
        .points
        .iter()
        .enumerate()
        .filter_map(|(at, (_, point))| match verdict(point)? {
            Verdict::Below => Some((at, true)),
            Verdict::Above => Some((at, false)),
            Verdict::Tie | Verdict::NotEnoughRepeats => None,
        })
        .collect();
    let turns = decided.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    turns
        .map(|pair| {
            let [(from, first_is_better), (to, _)] = [pair[0], pair[1]];
            let (overtaken, by) = if first_is_better { (first, second) } else { (second, first) };
            let within = Line { campaign: line.campaign, points: line.points[from..=to].to_vec() };
            Crossing {
                overtaken: overtaken.to_owned(),
                by: by.to_owned(),
                after: line.points[from].0,
                before: line.points[to].0,
                at: Summary::of(&equal_at(&within, overtaken, by)),
                varies: "",
                fixed: String::new(),
            }
        })
        .collect()
}

/// Where the two are equal, in each repeat in which they are: the first place at which the logarithm of their ratio, linear in that
/// of the number that varies, goes from below zero to above.
fn equal_at(line: &Line<'_>, overtaken: &str, by: &str) -> Vec<f64> {
    let [ours, theirs] = [overtaken, by].map(|name| line.by_repeat(name, FIGURE));
    let in_repeat = |(ours, theirs): (&Course, &Course)| {
        let logs: Vec<(f64, f64)> = ours
            .iter()
            .filter_map(|(number, value)| {
                let (_, other) = theirs.iter().find(|(known, _)| known == number)?;
                Some((number.ln(), (value / other).ln()))
            })
            .collect();
        let rises = |pair: &&[(f64, f64)]| pair[0].1 <= 0.0 && pair[1].1 > 0.0;
        let pair = logs.windows(2).find(rises)?;
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        Some((x0 + (x1 - x0) * -y0 / (y1 - y0)).exp())
    };
    ours.iter().zip(&theirs).filter_map(in_repeat).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::{self, Shape};

    /// A grid of connections and activities; poll's cost grows with the connections and epoll's with the active ones.
    pub(crate) fn grid(noise: f64) -> Campaign {
        let connections = [10u32, 100, 1_000];
        let points: Vec<Point> = connections
            .into_iter()
            .flat_map(|all| [all / 10, all].map(|active| Point::new("grid", all, active)))
            .collect();
        testing::campaign(&["poll", "epoll-lt"], &points, 7, |mechanism, point, repeat| {
            let (all, active) = (f64::from(point.connections), f64::from(point.active));
            let cost = if mechanism == "poll" { 10.0 + all } else { 40.0 + active };
            let odd = 1.0 + noise * f64::from((repeat * 5 + mechanism.len() as u32) % 7) / 7.0;
            Shape { p50_ns: 1_000.0 * cost * odd, ..Shape::default() }
        })
    }

    #[test]
    fn a_crossing_is_found_between_its_points_and_interpolated() {
        // At 10% active: 20 against 41 at 10 connections, 110 against 50 at 100.
        let found = crossings(&grid(0.02));
        let along: Vec<&Crossing> = found.iter().filter(|crossing| crossing.fixed == "10% active").collect();
        let [crossing] = along[..] else { panic!("{found:?}") };
        assert_eq!((crossing.after, crossing.before), (10, 100));
        assert_eq!((crossing.overtaken.as_str(), crossing.by.as_str()), ("poll", "epoll-lt"));
        let at = crossing.at.expect("interpolated");
        // The logarithms are equal at 10 * 10^(ln(41/20) / ln(41/20 * 110/50)).
        let truth = 10.0 * 10f64.powf((41.0f64 / 20.0).ln() / (41.0f64 / 20.0 * 110.0 / 50.0).ln());
        assert!((at.median / truth - 1.0).abs() < 0.05, "{at:?}, not {truth}");
        assert!(at.interval.expect("seven repeats").covers(truth), "{at:?}, not {truth}");
        let sentence = crossing.sentence();
        assert!(
            sentence.starts_with(
                "poll is overtaken by epoll-lt between 10 and 100 connections at 10% active, at about 3"
            ),
            "{sentence}"
        );
    }

    #[test]
    fn a_crossing_may_go_the_other_way_along_active_connections() {
        let found = crossings(&grid(0.02));
        let at = |fixed: &str| found.iter().find(|crossing| crossing.fixed == fixed);
        // 110 against 50 with 10 active, against 140 with all.
        let crossing = at("100 connections").expect("a crossing");
        assert_eq!((crossing.overtaken.as_str(), crossing.by.as_str()), ("epoll-lt", "poll"));
        assert_eq!(crossing.varies, "active connections");
        // 20 against 41 and 50: poll all along.
        assert_eq!(at("10 connections"), None);
    }

    #[test]
    fn ties_and_too_few_repeats_are_no_crossings() {
        assert_eq!(crossings(&grid(40.0)), []);
        let mut few = grid(0.02);
        few.cells.retain(|cell| cell.repeat < 2);
        assert_eq!(crossings(&few), []);
        assert_eq!(crossings(&testing::campaign(&[], &[], 0, |_, _, _| Shape::default())), []);
    }
}
