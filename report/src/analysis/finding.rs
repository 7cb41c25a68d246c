//! What one point says, in a sentence.

use super::{Metric, PointAnalysis, Row, Standing};
use crate::statistics::Ratio;
use crate::{format, line};

/// The finding of one point by one metric: the best against the mechanism furthest behind it, by an
/// interval that leaves 1 out.
pub fn finding_at(at: &PointAnalysis, metric: Metric) -> String {
    let wherever = format!("At {}", line::place(&at.point));
    if at.rows.iter().filter(|row| row.measured(metric).summary.is_some()).count() < 2 {
        return format!("{wherever}: too little was measured in a repeat to compare anything");
    }
    let standing = |row: &'_ Row| row.measured(metric).standing.clone();
    let behind = at.rows.iter().filter_map(|row| match standing(row) {
        Standing::Behind(ratio) => Some((row, ratio)),
        _ => None,
    });
    let Some((slowest, ratio)) = behind.max_by(|a, b| a.1.summary.median.total_cmp(&b.1.summary.median))
    else {
        let undecided =
            at.rows.iter().any(|row| matches!(standing(row), Standing::Leading | Standing::Trailing(_)));
        return if undecided {
            format!("{wherever}: too few repeats for an interval, so no finding")
        } else {
            format!("{wherever}: no difference that the interval carries")
        };
    };
    let best = at
        .rows
        .iter()
        .find(|row| matches!(standing(row), Standing::Winner | Standing::Leading | Standing::Tie(None)))
        .map_or("the best", |row| row.mechanism.as_str());
    let claim = match metric {
        Metric::ResponseP50 => ("answers", "sooner"),
        Metric::ResponseP99 => ("answers", "sooner at the 99th percentile"),
        Metric::ServerCpu => ("needs", "less server processor time an echo"),
    };
    let tied: Vec<&str> = at
        .rows
        .iter()
        .filter(|row| matches!(standing(row), Standing::Tie(Some(_))))
        .map(|row| row.mechanism.as_str())
        .collect();
    sentence(&wherever, best, claim, &ratio, &slowest.mechanism, &tied)
}

/// `At 10,000 connections, epoll-lt answers 61× sooner than poll (58–64); epoll-et ties with it`. Verb and object of the
/// `claim` are those between which the factor stands.
pub(crate) fn sentence(
    wherever: &str,
    best: &str,
    (verb, object): (&str, &str),
    ratio: &Ratio,
    worst: &str,
    tied: &[&str],
) -> String {
    let ratio = format::ratio(ratio);
    let (factor, interval) = ratio.split_once(' ').unwrap_or((&ratio, ""));
    let ties = match tied.len() {
        0 => String::new(),
        1 => format!("; {} ties with it", tied[0]),
        2 | 3 => format!("; {} tie with it", format::and(tied)),
        more => format!("; {more} others tie with it"),
    };
    format!("{wherever}, {best} {verb} {factor} {object} than {worst} {interval}{ties}")
}
