//! Logarithmic axes with ticks at 1, 2 and 5 of each decade.

use crate::format;

/// What the values of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, labelled in ns, µs, ms or s.
    Duration,
    /// Things counted, labelled 10, 100, 1k.
    Count,
    /// 1 / (1 - p), labelled as the percentile p.
    Percentile,
}

/// A logarithmic axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub unit: Unit,
}

/// A position on an axis that is ruled, and perhaps labelled.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: Option<String>,
}

impl Axis {
    /// The axis that holds all `values`, widened to the next 1, 2 or 5. Without usable values, a decade.
    pub fn holding(values: impl IntoIterator<Item = f64>, unit: Unit) -> Self {
        let (low, high) = extent(values).unwrap_or((1.0, 10.0));
        let (mut low, mut high) = (step_at_or_below(low), step_at_or_above(high));
        if low >= high {
            (low, high) = (step_at_or_below(low * 0.9), step_at_or_above(high * 1.1));
        }
        Self { low, high, unit }
    }

    /// The axis from the least to the greatest of `values`, with a margin of `share` of its length at
    /// both ends; for values that ticks need not enclose.
    pub fn around(values: impl IntoIterator<Item = f64>, share: f64, unit: Unit) -> Self {
        let (low, high) = extent(values).unwrap_or((1.0, 10.0));
        if low >= high {
            return Self { low: low / 3.0, high: high * 3.0, unit };
        }
        let margin = (high / low).powf(share);
        Self { low: low / margin, high: high * margin, unit }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end.
    pub fn share(&self, value: f64) -> f64 {
        (value / self.low).log10() / (self.high / self.low).log10()
    }

    /// The ticks, labelled as densely as `length` pixels allow at `room` pixels a label: at 1, 2 and 5,
    /// at whole decades where those would collide, at every digit where those would be too few.
    pub fn ticks(&self, length: f64, room: f64) -> Vec<Tick> {
        let per_decade = length / (self.high / self.low).log10();
        let fits = |gap: f64| per_decade * gap.log10() >= room;
        let few = self.steps(&[1, 2, 5]).count() < 4;
        if few && fits(10.0 / 9.0) {
            return self.labelled(&[1, 2, 3, 4, 5, 6, 7, 8, 9], |_, _| true);
        }
        let apart = (room / per_decade).ceil().max(1.0) as i32;
        // An axis without two labels would give no scale.
        let label_all = fits(2.0) || self.steps(&[1]).count() < 2;
        self.labelled(&[1, 2, 5], |exponent, digit| label_all || (digit == 1 && exponent % apart == 0))
    }

    fn labelled(&self, digits: &[u32], is_labelled: impl Fn(i32, u32) -> bool) -> Vec<Tick> {
        self.steps(digits)
            .map(|(exponent, digit)| {
                let value = f64::from(digit) * power_of_ten(exponent);
                Tick { value, label: is_labelled(exponent, digit).then(|| self.label(value)) }
            })
            .collect()
    }

    /// The digits of each decade that lie on the axis.
    fn steps(&self, digits: &[u32]) -> impl Iterator<Item = (i32, u32)> {
        let (low, high) = (self.low * (1.0 - 1e-9), self.high * (1.0 + 1e-9));
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
        match self.unit {
            Unit::Duration => {
                let (unit, scale) = [("s", 1e9), ("ms", 1e6), ("µs", 1e3)]
                    .into_iter()
                    .find(|(_, scale)| value >= *scale * (1.0 - 1e-9))
                    .unwrap_or(("ns", 1.0));
                format!("{} {unit}", shortest(value / scale))
            }
            Unit::Count if value >= 1.0 => format::count(value.round() as u64),
            Unit::Count => shortest(value),
            Unit::Percentile => format!("{}%", shortest(100.0 - 100.0 / value)),
        }
    }
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
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn step_at_or_below(value: f64) -> f64 {
    let exponent = value.log10().floor() as i32;
    [(exponent, 5), (exponent, 2), (exponent, 1), (exponent - 1, 5)]
        .into_iter()
        .map(|(exponent, digit)| f64::from(digit) * power_of_ten(exponent))
        .find(|step| *step <= value * (1.0 + 1e-9))
        .unwrap_or(value)
}

fn step_at_or_above(value: f64) -> f64 {
    let exponent = value.log10().floor() as i32;
    [(exponent, 1), (exponent, 2), (exponent, 5), (exponent + 1, 1), (exponent + 1, 2)]
        .into_iter()
        .map(|(exponent, digit)| f64::from(digit) * power_of_ten(exponent))
        .find(|step| *step >= value * (1.0 - 1e-9))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, length: f64) -> Vec<String> {
        axis.ticks(length, 30.0).into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn durations_are_labelled_with_units_at_one_two_and_five() {
        let axis = Axis::holding([33e3, 1.2e6], Unit::Duration);
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
        let axis = Axis { low: 1.0, high: 10_000.0, unit: Unit::Percentile };
        assert_eq!(labels(&axis, 200.0), ["0%", "90%", "99%", "99.9%", "99.99%"]);
    }

    #[test]
    fn a_narrow_axis_is_labelled_at_every_digit() {
        let axis = Axis::holding([2.1, 3.0], Unit::Count);
        assert_eq!(labels(&axis, 400.0), ["2", "3", "4", "5"]);
    }

    #[test]
    fn a_single_value_lies_inside_its_axis_with_two_labels_or_more() {
        for value in [35e3, 50e3, 1.0, 1e3] {
            let axis = Axis::holding([value], Unit::Duration);
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
        let axis = Axis { low: 1.0, high: 1e12, unit: Unit::Count };
        assert!(labels(&axis, 120.0).len() <= 5, "{:?}", labels(&axis, 120.0));
    }
}
