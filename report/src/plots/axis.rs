//! Axes: logarithmic with ticks at 1, 2 and 5 of each decade, or linear from zero.

use std::ops::RangeInclusive;

use super::layout::Area;
use crate::format;
use crate::rounds::Unit;

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Logarithmic,
    /// From zero: for what may be nothing.
    Linear,
    /// Logarithmic over 1 / (1 - p), labelled as the percentile p.
    Percentiles,
}

/// One axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub unit: Unit,
    pub scale: Scale,
    /// On a logarithmic axis, the value in whose place zero stands; nothing else is labelled up to there.
    pub zero: Option<f64>,
}

/// A position on an axis that is ruled, and perhaps labelled.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: Option<String>,
}

impl Axis {
    fn logarithmic(low: f64, high: f64, unit: Unit) -> Self {
        Self { low, high, unit, scale: Scale::Logarithmic, zero: None }
    }

    /// The logarithmic axis that holds all `values`, widened to the next 1, 2 or 5. Without usable values, a decade.
    pub fn holding(values: impl IntoIterator<Item = f64>, unit: Unit) -> Self {
        let (low, high) = extent(values).unwrap_or((1.0, 10.0));
        let (mut low, mut high) = (step_at_or_below(low), step_at_or_above(high));
        if low >= high {
            (low, high) = (step_at_or_below(low * 0.9), step_at_or_above(high * 1.1));
        }
        Self::logarithmic(low, high, unit)
    }

    /// The logarithmic axis from the least to the greatest of `values`, with a margin of `share` of its length at
    /// both ends; for values that ticks need not enclose.
    pub fn around(values: impl IntoIterator<Item = f64>, share: f64, unit: Unit) -> Self {
        let (low, high) = extent(values).unwrap_or((1.0, 10.0));
        if low >= high {
            return Self::logarithmic(low / 3.0, high * 3.0, unit);
        }
        let margin = (high / low).powf(share);
        Self::logarithmic(low / margin, high * margin, unit)
    }

    /// The axis of percentiles that holds those at `values` of 1 / (1 - p).
    pub fn of_percentiles(values: impl Iterator<Item = f64>) -> Self {
        Self { scale: Scale::Percentiles, ..Self::around(values.chain([1.0]), 0.0, Unit::Count) }
    }

    /// This axis with a place for zero before its least value, a fifth of its length away.
    pub fn with_zero(self) -> Self {
        let step = (self.high / self.low).powf(0.2);
        let zero = self.low / step;
        Self { low: zero / (self.high / self.low).powf(0.04), zero: Some(zero), ..self }
    }

    /// The linear axis from zero that holds all `values`, up to the next 1, 2 or 5.
    pub fn from_zero(values: impl IntoIterator<Item = f64>, unit: Unit) -> Self {
        let high = extent(values).map_or(1.0, |(_, high)| step_at_or_above(high));
        // Below zero there is room for half a marker.
        Self { low: -0.04 * high, high, unit, scale: Scale::Linear, zero: None }
    }

    /// The position of a value: 0 at the low end, 1 at the high end.
    pub fn share(&self, value: f64) -> f64 {
        match (self.scale, self.zero) {
            (Scale::Linear, _) => (value - self.low) / (self.high - self.low),
            (_, Some(zero)) if value <= 0.0 => self.share(zero),
            _ => (value / self.low).log10() / (self.high / self.low).log10(),
        }
    }

    /// The place of a value on this axis at the foot of `plot`.
    pub fn x(&self, plot: Area, value: f64) -> f64 {
        plot.left + self.share(value) * plot.width()
    }

    /// The same at its side.
    pub fn y(&self, plot: Area, value: f64) -> f64 {
        plot.bottom - self.share(value) * (plot.bottom - plot.top)
    }

    /// The ticks, labelled as densely as `length` pixels allow at `room` pixels a label: at 1, 2 and 5,
    /// at whole decades where those would collide, at every digit where those would be too few.
    pub fn ticks(&self, length: f64, room: f64) -> Vec<Tick> {
        if self.scale == Scale::Linear {
            return self.linear_ticks(length, room);
        }
        let per_decade = length / (self.high / self.low).log10();
        let fits = |gap: f64| per_decade * gap.log10() >= room;
        let few = self.steps(&[1, 2, 5]).count() < 4;
        let mut ticks = if few && fits(10.0 / 9.0) {
            self.labelled(&[1, 2, 3, 4, 5, 6, 7, 8, 9], |_, _| true)
        } else if few && fits(10.0 / 8.0) {
            self.labelled(&[1, 2, 3, 4, 6, 8], |_, _| true)
        } else {
            let apart = (room / per_decade).ceil().max(1.0) as i32;
            // An axis without two labels would give no scale.
            let label_all = fits(2.0) || self.steps(&[1]).count() < 2;
            self.labelled(&[1, 2, 5], |exponent, digit| label_all || (digit == 1 && exponent % apart == 0))
        };
        if let Some(zero) = self.zero {
            ticks.insert(0, Tick { value: zero, label: Some("0".to_owned()) });
        }
        ticks
    }

    /// Ticks at `values`, those that were measured, labelled as densely as `length` pixels allow at `room` pixels a label.
    pub fn ticks_at(&self, values: impl IntoIterator<Item = f64>, length: f64, room: f64) -> Vec<Tick> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let place = |value: f64| self.share(value) * length;
        let last = values.last().copied();
        let mut labelled: Option<f64> = None;
        let tick = |value: f64| {
            // The last one is labelled in any case.
            let before_last = last.is_none_or(|last| last == value || place(last) - place(value) >= room);
            let fits = before_last && labelled.is_none_or(|before| place(value) - place(before) >= room);
            labelled = if fits { Some(value) } else { labelled };
            Tick { value, label: fits.then(|| self.label(value)) }
        };
        values.into_iter().map(tick).collect()
    }

    fn linear_ticks(&self, length: f64, room: f64) -> Vec<Tick> {
        let most = (length / room).floor().max(1.0);
        let step = step_at_or_above(self.high / most);
        let count = (self.high / step * (1.0 + 1e-9)).floor() as u32;
        let value = |index: u32| f64::from(index) * step;
        (0..=count).map(|index| Tick { value: value(index), label: Some(self.label(value(index))) }).collect()
    }

    fn labelled(&self, digits: &[u32], is_labelled: impl Fn(i32, u32) -> bool) -> Vec<Tick> {
        self.steps(digits)
            .map(|(exponent, digit)| {
                let value = f64::from(digit) * power_of_ten(exponent);
                Tick { value, label: is_labelled(exponent, digit).then(|| self.label(value)) }
            })
            .collect()
    }

    /// The digits of each decade that lie on the axis, and beyond the place of zero by enough for a label.
    fn steps(&self, digits: &[u32]) -> impl Iterator<Item = (i32, u32)> {
        let beyond_zero = self.zero.map_or(self.low, |zero| zero * (self.high / zero).powf(0.15));
        let (low, high) = (beyond_zero * (1.0 - 1e-9), self.high * (1.0 + 1e-9));
        let first = low.log10().floor() as i32;
        let last = high.log10().ceil() as i32;
        (first..=last).flat_map(move |exponent| digits.iter().map(move |digit| (exponent, *digit))).filter(
            move |(exponent, digit)| {
                let value = f64::from(*digit) * power_of_ten(*exponent);
                low <= value && value <= high
            },
        )
    }

    fn label(&self, value: f64) -> String {
        let in_units = |units: &[(&str, f64)], least: &str| {
            let found = units.iter().find(|(_, scale)| value >= *scale * (1.0 - 1e-9));
            let (unit, scale) = found.copied().unwrap_or((least, 1.0));
            format!("{} {unit}", shortest(value / scale))
        };
        match self.unit {
            _ if value == 0.0 => "0".to_owned(),
            _ if self.scale == Scale::Percentiles => {
                // As many decimals as tell this percentile from the next power of ten's.
                let decimals = 10_f64.powf(value.max(1.0).log10().floor() + 1.0);
                format!("{}%", shortest(((100.0 - 100.0 / value) * decimals).round() / decimals))
            }
            Unit::Nanoseconds => in_units(&[("s", 1e9), ("ms", 1e6), ("µs", 1e3)], "ns"),
            // Sizes of messages are chosen so; `65.536 kB` has no room below an axis.
            Unit::Bytes if value % 1024.0 == 0.0 && value % 1000.0 != 0.0 => {
                in_units(&[("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)], "B")
            }
            Unit::Bytes => in_units(&[("GB", 1e9), ("MB", 1e6), ("kB", 1e3)], "B"),
            Unit::PerSecond => format!("{}/s", counted(value)),
            Unit::Count => counted(value),
            Unit::Share => format!("{}%", shortest(value * 100.0)),
        }
    }
}

fn counted(value: f64) -> String {
    let is_whole = (value - value.round()).abs() < 1e-6;
    if is_whole && value >= 0.0 { format::count(value.round() as u64) } else { shortest(value) }
}

fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    // A logarithm has no place for zero.
    let usable = values.into_iter().filter(|value| value.is_finite() && *value > 0.0);
    usable.fold(None, |extent, value| {
        let (low, high) = extent.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

fn power_of_ten(exponent: i32) -> f64 {
    // Parsing rounds correctly, which powi does not promise; ticks are compared and printed.
    format!("1e{exponent}").parse().unwrap_or(1.0)
}

fn shortest(value: f64) -> String {
    format::shortest(value, 6)
}

/// 1, 2 and 5 of each decade of `exponents`, ascending.
fn steps(exponents: RangeInclusive<i32>) -> impl DoubleEndedIterator<Item = f64> {
    exponents.flat_map(|exponent| [1.0, 2.0, 5.0].map(|digit| digit * power_of_ten(exponent)))
}

fn step_at_or_below(value: f64) -> f64 {
    let exponent = value.log10().floor() as i32;
    steps(exponent - 1..=exponent).rfind(|step| *step <= value * (1.0 + 1e-9)).unwrap_or(value)
}

fn step_at_or_above(value: f64) -> f64 {
    let exponent = value.log10().floor() as i32;
    steps(exponent..=exponent + 1).find(|step| *step >= value * (1.0 - 1e-9)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, length: f64) -> Vec<String> {
        axis.ticks(length, 30.0).into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn durations_are_labelled_with_units_at_one_two_and_five() {
        let axis = Axis::holding([33e3, 1.2e6], Unit::Nanoseconds);
        assert_eq!(labels(&axis, 400.0), ["20 µs", "50 µs", "100 µs", "200 µs", "500 µs", "1 ms", "2 ms"]);
    }

    #[test]
    fn counts_are_labelled_in_short() {
        let axis = Axis::holding([10.0, 10_000.0], Unit::Count);
        assert_eq!(labels(&axis, 200.0), ["10", "100", "1k", "10k"]);
        let small = Axis::holding([0.06, 3.0], Unit::Count);
        assert_eq!(labels(&small, 400.0), ["0.05", "0.1", "0.2", "0.5", "1", "2", "5"]);
    }

    #[test]
    fn percentiles_are_labelled_as_such() {
        let to = |high| Axis { scale: Scale::Percentiles, ..Axis::logarithmic(1.0, high, Unit::Count) };
        let axis = to(10_000.0);
        assert_eq!(labels(&axis, 200.0), ["0%", "90%", "99%", "99.9%", "99.99%"]);
        let short = to(4.0);
        assert!(labels(&short, 400.0).contains(&"66.7%".to_owned()), "{:?}", labels(&short, 400.0));
    }

    #[test]
    fn a_narrow_axis_is_labelled_at_every_digit() {
        let axis = Axis::holding([2.1, 3.0], Unit::Count);
        assert_eq!(labels(&axis, 400.0), ["2", "3", "4", "5"]);
    }

    #[test]
    fn a_single_value_lies_inside_its_axis_with_two_labels_or_more() {
        for value in [35e3, 50e3, 1.0, 1e3] {
            let axis = Axis::holding([value], Unit::Nanoseconds);
            assert!(axis.low <= value && value <= axis.high && axis.low < axis.high, "{axis:?}");
            assert!(labels(&axis, 300.0).len() >= 2, "{axis:?}");
        }
    }

    #[test]
    fn values_without_a_logarithm_do_not_move_the_axis() {
        let axis = Axis::holding([0.0, f64::NAN, f64::INFINITY, -3.0, 20.0, 50.0], Unit::Count);
        assert_eq!((axis.low, axis.high), (20.0, 50.0));
        assert_eq!(Axis::holding([], Unit::Count).high, 10.0);
    }

    #[test]
    fn many_decades_are_thinned_rather_than_overprinted() {
        let axis = Axis::logarithmic(1.0, 1e12, Unit::Count);
        assert!(labels(&axis, 120.0).len() <= 5, "{:?}", labels(&axis, 120.0));
    }
    #[test]
    fn bytes_rates_and_shares_have_units_of_their_own() {
        let bytes = Axis::holding([40.0, 14_000.0], Unit::Bytes);
        assert_eq!(labels(&bytes, 120.0), ["100 B", "1 kB", "10 kB"]);
        let of_powers_of_two =
            [1.0, 512.0, 4_096.0, 65_536.0, 1_048_576.0, 1e10].map(|size| bytes.label(size));
        assert_eq!(of_powers_of_two, ["1 B", "512 B", "4 KiB", "64 KiB", "1 MiB", "10 GB"]);
        let rates = Axis::around([1e3, 60e3], 0.0, Unit::PerSecond);
        assert_eq!(labels(&rates, 300.0), ["1k/s", "2k/s", "5k/s", "10k/s", "20k/s", "50k/s"]);
        let shares = Axis::around([0.001, 1.0], 0.0, Unit::Share);
        assert_eq!(labels(&shares, 120.0), ["0.1%", "1%", "10%", "100%"]);
    }

    #[test]
    fn zero_has_a_place_of_its_own_before_the_least_value() {
        let axis = Axis::around([100.0, 2_000.0], 0.04, Unit::PerSecond).with_zero();
        assert_eq!(labels(&axis, 400.0), ["0", "100/s", "200/s", "500/s", "1k/s", "2k/s"]);
        let (zero, least) = (axis.share(0.0), axis.share(100.0));
        assert!(0.0 < zero && zero + 0.1 < least && least < 0.3, "{zero} {least}");
    }

    #[test]
    fn ticks_stand_at_what_was_measured_and_the_last_is_labelled() {
        let axis = Axis::around([10.0, 10_000.0], 0.04, Unit::Count);
        let labels = |length: f64| -> Vec<Option<String>> {
            let measured = [100.0, 10.0, 1_000.0, 10_000.0, 10_000.0];
            axis.ticks_at(measured, length, 40.0).into_iter().map(|tick| tick.label).collect()
        };
        let all = ["10", "100", "1k", "10k"].map(|label| Some(label.to_owned()));
        assert_eq!(labels(400.0), all);
        assert_eq!(labels(100.0), [all[0].clone(), None, None, all[3].clone()]);
    }

    #[test]
    fn what_may_be_nothing_has_a_linear_axis_from_zero() {
        let axis = Axis::from_zero([0.0, 3.4], Unit::Count);
        assert_eq!(labels(&axis, 200.0), ["0", "1", "2", "3", "4", "5"]);
        assert!(axis.share(0.0) > 0.0 && axis.share(0.0) < 0.05 && axis.share(5.0) == 1.0);
        assert_eq!(labels(&Axis::from_zero([0.0], Unit::Count), 70.0), ["0", "0.5", "1"]);
    }
}
