//! Numbers as people read them. Every figure that a table, a page or a plot shows is written here.

use std::borrow::Borrow;

use model::schema::{Exclude, Point, Scenario};

use crate::rounds::{Unit, grouped};

/// The text in place of a figure that is absent.
pub const ABSENT: &str = "–";

/// An error and what caused it in a line, each told once: many an error has the words of its cause among its own.
pub fn error(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text += &format!(": {words}");
        }
        cause = next.source();
    }
    text
}

/// A duration with three significant digits and a unit: `35.1 µs`, `1.21 ms`.
pub fn duration_ns(ns: f64) -> String {
    in_units(ns, [(" ns", 1.0), (" µs", 1e3), (" ms", 1e6), (" s", 1e9)])
}

/// A value in the first unit of which it has less than 1,000, or else the last.
fn in_units<const N: usize>(value: f64, units: [(&str, f64); N]) -> String {
    // A value that rounds up to 1,000 of its unit belongs to the next one.
    let (unit, scale) = units.into_iter().find(|(_, scale)| value / scale < 999.5).unwrap_or(units[N - 1]);
    three_digits(value / scale) + unit
}

/// Three significant digits, never in exponential notation: `0.0612`, `1.21`, `35.1`, `902`.
pub fn three_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { ABSENT.to_owned() };
    }
    let exponent = format!("{:.2e}", value.abs())
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse::<i32>().ok())
        .unwrap_or(0);
    format!("{value:.*}", usize::try_from(2 - exponent).unwrap_or(0).min(9))
}

/// A count in short: `10`, `1k`, `10k`, `1M`, `1.5k`; counts that would lose digits stay whole.
pub fn count(value: u64) -> String {
    for (suffix, scale) in [("M", 1_000_000), ("k", 1_000)] {
        if value >= scale && value.is_multiple_of(scale / 10) {
            let tenths = value / (scale / 10);
            return match tenths % 10 {
                0 => format!("{}{suffix}", tenths / 10),
                tenth => format!("{}.{tenth}{suffix}", tenths / 10),
            };
        }
    }
    value.to_string()
}

/// A count with its thousands apart: `10,000`.
pub fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A rate with three significant digits: `950`, `12.1k`, `142k`, `1.21M`.
pub fn rate(per_s: f64) -> String {
    in_units(per_s, [("", 1.0), ("k", 1e3), ("M", 1e6)])
}

/// A rate as it was asked for: `20k`, `12.3k`.
pub fn nominal_rate(per_s: f64) -> String {
    let whole = per_s.round();
    if whole == per_s && whole >= 0.0 { count(whole as u64) } else { rate(per_s) }
}

/// Bytes with three significant digits in decimal units: `512 B`, `8.30 kB`, `24.0 GB`.
pub fn bytes(value: u64) -> String {
    if value < 1_000 {
        return format!("{value} B");
    }
    in_units(value as f64, [(" kB", 1e3), (" MB", 1e6), (" GB", 1e9), (" TB", 1e12)])
}

/// A share as whole percent; below half a percent `<1%`.
pub fn percent(share: f64) -> String {
    let percent = (share * 100.0).round();
    if percent < 1.0 && share > 0.0 { "<1%".to_owned() } else { format!("{percent}%") }
}

/// Two shares as whole percent: `0–4%`.
pub fn percent_between(low: f64, high: f64) -> String {
    format!("{:.0}–{:.0}%", low * 100.0, high * 100.0)
}

/// A share in percent with what digits it has, to a hundredth of a percent: `1%`, `0.1%`, `12.5%`.
pub fn share(share: f64) -> String {
    shortest(share * 100.0, 2) + "%"
}

/// A number with what decimals it has, `most` (at least 1) at most: `12.5`, `3`.
pub fn shortest(value: f64, most: usize) -> String {
    format!("{value:.most$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number of things: `1 repeat`, `5 repeats`.
pub fn plural(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// The `words` for so many further things; nothing where there are none.
pub fn further(count: usize, words: impl Fn(usize) -> String) -> String {
    if count == 0 { String::new() } else { words(count) }
}

/// The properties of a point besides connections, in words: `4 threads`, `shared`, `1,024 B`; empty if there are none.
pub fn particulars(point: &Point) -> Vec<String> {
    let counted =
        |value: Option<u32>, unit: &str| value.map(|value| format!("{}{unit}", thousands(value.into())));
    let threads = (point.threads > 1).then(|| format!("{} threads", point.threads));
    let all = [
        threads,
        point.accept.clone(),
        counted(point.size_bytes, " B"),
        counted(point.rate_per_s, " requests/s"),
        counted(point.churn_per_s, " replaced/s"),
        counted(point.slice_ms, " ms slices"),
        point.alive.map(|alive| format!("{alive} alive at a time")),
    ];
    all.into_iter().flatten().collect()
}

/// A point in words: `10,000 connections, 10 active`.
pub fn place(point: &Point) -> String {
    let active = match point.active == point.connections {
        true => "all active".to_owned(),
        false => format!("{} active", thousands(point.active.into())),
    };
    let further: String = particulars(point).iter().map(|particular| format!(", {particular}")).collect();
    format!("{} connections, {active}{further}", thousands(point.connections.into()))
}

/// A point in short: `10k × 10`, with what else there is to it.
pub fn place_in_short(point: &Point) -> String {
    let counts = [point.connections, point.active].map(|value| count(value.into()));
    [vec![counts.join(" × ")], particulars(point)].concat().join(", ")
}

/// The exclusions of a scenario in words, a line for those that differ in the candidate alone: `poll and select above 1,024 connections:
/// they take too long`. All candidates are called `all`, and come first.
pub fn exclusions(scenario: &Scenario) -> Vec<String> {
    let rest = |one: &Exclude| Exclude { mechanism: String::new(), ..one.clone() };
    let groups = grouped(scenario.excludes.iter().map(|one| (rest(one), one.mechanism.as_str())));
    let are_all = |names: &[&str]| names.len() > 1 && scenario.candidates().all(|name| names.contains(&name));
    let (all, some): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, names)| are_all(names));
    let all = all.iter().map(|(exclude, _)| exclusion("all", exclude));
    all.chain(some.iter().map(|(exclude, names)| exclusion(&and(names), exclude))).collect()
}

/// An exclusion of `who` in words.
pub fn exclusion(who: &str, exclude: &Exclude) -> String {
    let Exclude { mechanism: _, reason, sweep, above_connections, accept } = exclude;
    let sweep = sweep.as_ref().map(|sweep| format!(" in {sweep}"));
    let above = above_connections.map(|most| format!(" above {} connections", thousands(most.into())));
    let accept = accept.as_ref().map(|accept| format!(" with --accept {accept}"));
    let place: String = [sweep, above, accept].into_iter().flatten().collect();
    format!("{who}{place}: {}", reason.replace('\n', " "))
}

/// Several names as a phrase: `a`, `a and b`, `a, b and c`.
pub fn and(names: &[impl Borrow<str>]) -> String {
    match names {
        [] => String::new(),
        [one] => one.borrow().to_owned(),
        [first @ .., last] => format!("{} and {}", first.join(", "), last.borrow()),
    }
}

/// A ratio and the ends of its interval, all with the same decimals, four at most: `1.80`, `1.72` and `1.91`.
pub fn ratio_and_ends(ratio: f64, low: f64, high: f64) -> [String; 3] {
    let mut decimals = ratio_decimals(ratio);
    let printed = |decimals: usize| [ratio, low, high].map(|value| format!("{value:.decimals$}"));
    let is_one = |text: &String| text.parse() == Ok(1.0);
    // An interval that leaves 1 out must not be printed as if it touched it.
    let leaves_one_out = low > 1.0 || high < 1.0;
    while leaves_one_out && decimals < MOST_DECIMALS && printed(decimals)[1..].iter().any(is_one) {
        decimals += 1;
    }
    // Nor one with a width as if it had none.
    let collapses = |[_, low, high]: [String; 3]| low == high;
    while low < high && decimals < 2 && collapses(printed(decimals)) {
        decimals += 1;
    }
    // What is nearer to 1 than the decimals tell stands on the side on which it lies.
    let step = 10f64.powi(-(decimals as i32));
    let beside_one = if low > 1.0 { 1.0 + step } else { 1.0 - step };
    printed(decimals).map(|text| match leaves_one_out && is_one(&text) {
        true => format!("{beside_one:.decimals$}"),
        false => text,
    })
}

/// A ratio and its interval: `1.80 (1.72–1.91)`.
pub fn ratio_with_ends(ratio: f64, low: f64, high: f64) -> String {
    let [ratio, low, high] = ratio_and_ends(ratio, low, high);
    format!("{ratio} ({low}–{high})")
}

/// The most decimals that a ratio has; a difference in percent has two less, which are as fine.
const MOST_DECIMALS: usize = 4;

/// The difference that a ratio and its interval, which leaves 1 out, make: `9.5% (8.4–10.0%)` for 0.905, from 2 on and below a half the factor:
/// `7.2× (7.1–7.4)`. The direction is left to words.
pub fn difference(ratio: f64, low: f64, high: f64) -> String {
    if !(0.5..2.0).contains(&ratio) {
        let [ratio, low, high] =
            if ratio < 1.0 { [1.0 / ratio, 1.0 / high, 1.0 / low] } else { [ratio, low, high] };
        let [ratio, low, high] = ratio_and_ends(ratio, low, high);
        return format!("{ratio}× ({low}–{high})");
    }
    let percent = |value: f64| (value - 1.0).abs() * 100.0;
    let (value, mut ends) = (percent(ratio), [percent(low), percent(high)]);
    ends.sort_by(f64::total_cmp);
    let mut decimals = usize::from(value < 9.95);
    let printed = |decimals: usize| [value, ends[0], ends[1]].map(|value| format!("{value:.decimals$}"));
    let is_none = |text: &String| text.parse() == Ok(0.0);
    while decimals < MOST_DECIMALS - 2 && is_none(&printed(decimals)[1]) {
        decimals += 1;
    }
    let least = format!("{:.decimals$}", 10f64.powi(-(decimals as i32)));
    let [value, low, high] = printed(decimals).map(|text| if is_none(&text) { least.clone() } else { text });
    format!("{value}% ({low}–{high}%)")
}

/// A value of a metric: `35.1 µs`, `142k`, `97%`.
pub fn quantity(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Nanoseconds => duration_ns(value),
        Unit::PerSecond => rate(value),
        Unit::Share => percent(value),
        Unit::Count => three_digits(value),
        Unit::Bytes => bytes(value.max(0.0).round() as u64),
    }
}

/// A value of a metric and its interval, all in the unit that suits the value: `35.1 µs (34.9–35.4)`.
pub fn quantity_and_ends(unit: Unit, value: f64, low: f64, high: f64) -> String {
    let text = quantity(unit, value);
    // The number as it is printed tells scale and decimals.
    let digits: String =
        text.chars().take_while(|character| !character.is_alphabetic() && *character != ' ').collect();
    let printed: f64 = digits.trim_end_matches('%').parse().unwrap_or(value);
    let (scale, decimals) = match unit {
        Unit::Share => (0.01, 0),
        _ if printed == 0.0 => (1.0, 2),
        _ => {
            let power = (value / printed).abs().log10().round() as i32;
            (10f64.powi(power), digits.split_once('.').map_or(0, |(_, decimals)| decimals.len()))
        }
    };
    format!("{text} ({:.decimals$}–{:.decimals$})", low / scale, high / scale)
}

fn ratio_decimals(ratio: f64) -> usize {
    match ratio {
        ratio if ratio >= 10.0 => 0,
        ratio if ratio >= 2.0 => 1,
        ratio if ratio >= 0.1 => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_is_told_once_however_often_it_is_in_the_chain() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read a.json: {source}")]
        struct WithItsCause {
            source: Plain,
        }
        #[derive(Debug, thiserror::Error)]
        #[error("nothing was drawn")]
        struct WithoutItsCause(#[source] WithItsCause);
        #[derive(Debug, thiserror::Error)]
        #[error("no space left")]
        struct Plain;
        let told = error(&WithoutItsCause(WithItsCause { source: Plain }));
        assert_eq!(told, "nothing was drawn: cannot read a.json: no space left");
    }

    #[test]
    fn durations_choose_their_unit() {
        let cases = [
            (0.0, "0 ns"),
            (999.0, "999 ns"),
            (999.6, "1.00 µs"),
            (35_100.0, "35.1 µs"),
            (1.21e6, "1.21 ms"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration_ns(ns), text);
        }
        assert_eq!(duration_ns(3.6e12), "3600 s");
    }

    #[test]
    fn three_digits_are_three_digits() {
        let cases = [(0.0612, "0.0612"), (1.0, "1.00"), (9.999, "10.0"), (902.4, "902"), (12_345.0, "12345")];
        for (value, text) in cases {
            assert_eq!(three_digits(value), text);
        }
    }

    #[test]
    fn counts_are_short_only_where_nothing_is_lost() {
        let cases =
            [(10, "10"), (1_000, "1k"), (1_500, "1.5k"), (1_024, "1024"), (10_000, "10k"), (1_000_000, "1M")];
        for (value, text) in cases {
            assert_eq!(count(value), text);
        }
        assert_eq!(thousands(1_014_900), "1,014,900");
        assert_eq!(thousands(100), "100");
    }

    #[test]
    fn rates_and_bytes_have_suffixes() {
        assert_eq!(rate(142_345.0), "142k");
        assert_eq!(rate(999.9), "1.00k");
        assert_eq!(nominal_rate(20_000.0), "20k");
        assert_eq!(nominal_rate(0.5), "0.500");
        assert_eq!(bytes(24_000_000_000), "24.0 GB");
        assert_eq!(bytes(512), "512 B");
    }

    #[test]
    fn a_difference_is_a_percentage_or_a_factor_and_never_none() {
        assert_eq!(difference(0.905, 0.9, 0.916), "9.5% (8.4–10.0%)");
        assert_eq!(difference(1.215, 1.202, 1.234), "22% (20–23%)");
        assert_eq!(difference(1.014, 1.0004, 1.025), "1.40% (0.04–2.50%)");
        assert_eq!(difference(1.014, 1.000_004, 1.025), "1.40% (0.01–2.50%)");
        assert_eq!(difference(0.986, 0.975, 0.999_996), "1.40% (0.01–2.50%)");
        assert_eq!(difference(7.21, 7.1, 7.38), "7.2× (7.1–7.4)");
        assert_eq!(difference(0.1, 0.09, 0.11), "10× (9–11)");
    }

    #[test]
    fn an_interval_has_the_unit_and_the_decimals_of_its_value() {
        assert_eq!(quantity_and_ends(Unit::Nanoseconds, 35_123.0, 34_900.0, 35_380.0), "35.1 µs (34.9–35.4)");
        assert_eq!(quantity_and_ends(Unit::Nanoseconds, 1.214e6, 999_000.0, 1.4e6), "1.21 ms (1.00–1.40)");
        assert_eq!(quantity_and_ends(Unit::PerSecond, 142_345.0, 140_100.0, 144_000.0), "142k (140–144)");
        assert_eq!(quantity_and_ends(Unit::Share, 0.973, 0.95, 0.99), "97% (95–99)");
        assert_eq!(quantity_and_ends(Unit::Bytes, 8_300.0, 8_250.0, 8_350.0), "8.30 kB (8.25–8.35)");
        assert_eq!(quantity_and_ends(Unit::Count, 0.533, 0.53, 0.54), "0.533 (0.530–0.540)");
        assert_eq!(quantity_and_ends(Unit::Count, 0.0, 0.0, 0.0), "0 (0.00–0.00)");
    }

    proptest! {
        #[test]
        fn no_interval_that_leaves_one_out_is_printed_as_touching_it(low in 1e-6f64..2.0, width in 1e-9f64..2.0, share in 0f64..1.0) {
            let high = low + width;
            let texts = ratio_and_ends(low + width * share, low, high);
            let decimals = texts.each_ref().map(|text| text.split_once('.').map_or(0, |(_, decimals)| decimals.len()));
            prop_assert!(decimals[0] <= 4 && decimals.iter().all(|of_one| *of_one == decimals[0]), "{:?}", texts);
            let [ratio, printed_low, printed_high] = texts.map(|text| text.parse::<f64>().expect("a number"));
            prop_assert!((printed_low..=printed_high).contains(&ratio));
            prop_assert_eq!(printed_low > 1.0 || printed_high < 1.0, low > 1.0 || high < 1.0);
        }
    }

    #[test]
    fn a_ratio_has_the_decimals_that_its_size_and_its_interval_ask_for() {
        for ((ratio, low, high), texts) in [
            ((1.02, 1.003, 1.03), ["1.020", "1.003", "1.030"]),
            ((61.0, 58.0, 64.0), ["61", "58", "64"]),
            ((42.0, 41.8, 42.1), ["42.0", "41.8", "42.1"]),
            ((0.0061, 0.0052, 0.0063), ["0.0061", "0.0052", "0.0063"]),
        ] {
            assert_eq!(ratio_and_ends(ratio, low, high), texts);
        }
    }

    #[test]
    fn an_end_next_to_one_stands_on_its_side_of_it_with_four_decimals() {
        for ((ratio, low, high), texts) in [
            ((1.01, 1.0004, 1.02), ["1.0100", "1.0004", "1.0200"]),
            ((1.01, 1.000_004, 1.02), ["1.0100", "1.0001", "1.0200"]),
            ((0.99, 0.98, 0.999_996), ["0.9900", "0.9800", "0.9999"]),
            ((1.000_02, 1.000_01, 1.000_03), ["1.0001", "1.0001", "1.0001"]),
            ((12.0, 1.000_004, 100.0), ["12.0000", "1.0001", "100.0000"]),
            ((1.0, 1.0, 1.0), ["1.00", "1.00", "1.00"]),
        ] {
            assert_eq!(ratio_and_ends(ratio, low, high), texts);
        }
    }

    #[test]
    fn shares_keep_the_digits_that_they_have() {
        let cases = [(1.0, "100%"), (0.1, "10%"), (0.125, "12.5%"), (0.001, "0.1%"), (0.0005, "0.05%")];
        for (value, text) in cases {
            assert_eq!(share(value), text);
        }
    }

    #[test]
    fn a_plain_point_has_no_particulars() {
        let plain = Point::new("idle-scaling", 100, 10);
        let full = Point {
            threads: 4,
            accept: Some("shared".into()),
            size_bytes: Some(1024),
            rate_per_s: Some(2000),
            churn_per_s: Some(100),
            slice_ms: Some(80),
            alive: Some(2),
            ..plain.clone()
        };
        assert!(plain.is_plain() && particulars(&plain).is_empty());
        assert!(!full.is_plain());
        let particulars = particulars(&full).join(", ");
        assert_eq!(
            particulars,
            "4 threads, shared, 1,024 B, 2,000 requests/s, 100 replaced/s, 80 ms slices, 2 alive at a time"
        );
    }

    #[test]
    fn names_become_a_phrase() {
        assert_eq!(and(&["a"]), "a");
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
    }
}
