//! A mechanism against itself: how often a campaign, or several, see a difference where there is none.

use crate::cells::{self, Figure};
use crate::format;
use crate::statistics::{Proportion, Ratio, Verdict};
use model::schema::{Campaign, FalseDifferences, Point};

/// The figures that are compared.
const FIGURES: [Figure; 4] =
    [Figure::ResponseP50, Figure::ResponseP99, Figure::Throughput, Figure::ServerCpu];

/// How often a 95 % interval leaves 1 out although there is no difference, at most.
const NOMINAL: f64 = 0.05;

/// The most false differences that are acceptable, where there are [`ENOUGH`] comparisons.
const ACCEPTABLE: f64 = 0.08;

/// Comparisons without which a rate says little.
const ENOUGH: u64 = 100;

/// What became of the A/A pair of a campaign: one contender, measured twice under two names.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The contender.
    pub control: String,
    /// The comparisons that called it different from itself, among all that came to a verdict.
    pub different: Proportion,
    /// Those comparisons.
    pub differences: Vec<(Point, Figure, Ratio)>,
}

impl Agreement {
    /// Compares the pair by every figure at every point; `None` where the campaign has no such pair, or no
    /// comparison that came to a verdict.
    pub fn of(campaign: &Campaign) -> Option<Self> {
        let scenario = &campaign.plan.scenario;
        let (control, again) = (scenario.control.clone()?, scenario.control_name()?);
        let mut differences = Vec::new();
        let mut comparisons = 0;
        for point in &campaign.plan.points {
            let [first, second] = [&control, &again].map(|name| cells::valid(campaign, point, name));
            for figure in FIGURES {
                let Some(ratio) = cells::ratio(&second, &first, figure) else { continue };
                comparisons += usize::from(ratio.verdict != Verdict::NotEnoughRepeats);
                if matches!(ratio.verdict, Verdict::Above | Verdict::Below) {
                    differences.push((point.clone(), figure, ratio));
                }
            }
        }
        let different = Proportion::of(differences.len(), comparisons)?;
        Some(Self { control, different, differences })
    }

    /// Whether there are more false differences than chance gives.
    pub fn is_too_often(&self) -> bool {
        self.different.low > NOMINAL
    }

    /// The result in a sentence, with advice where it is bad.
    pub fn sentence(&self) -> String {
        let Proportion { hits, cases, low, high } = self.different;
        let [share, low, high] = [self.different.share(), low, high].map(format::percent);
        let advice = if self.is_too_often() {
            ", which is more than chance: do not trust differences of this size; repeat it on a quieter machine, with more repeats"
        } else {
            ""
        };
        format!(
            "A/A: {} measured twice is told apart from itself in {hits} of {}, {share} (95% interval {low}–{high}; at most 5% are \
             due to chance){advice}",
            self.control,
            format::plural(cases, "comparison"),
        )
    }
}

/// How often all of `campaigns` together told a mechanism from itself; `None` where no pair of theirs came to a verdict.
pub fn over(campaigns: &[&Campaign]) -> Option<FalseDifferences> {
    let pairs: Vec<Agreement> = campaigns.iter().filter_map(|campaign| Agreement::of(campaign)).collect();
    let sum =
        |count: fn(&Proportion) -> usize| pairs.iter().map(|pair| count(&pair.different)).sum::<usize>();
    let share = Proportion::exact(sum(|share| share.hits), sum(|share| share.cases))?;
    Some(FalseDifferences {
        campaigns: pairs.len() as u32,
        comparisons: share.cases as u64,
        different: share.hits as u64,
        low: share.low,
        high: share.high,
    })
}

/// The share of comparisons that called equal things different, 0 to 1.
pub fn share(found: &FalseDifferences) -> f64 {
    found.different as f64 / found.comparisons as f64
}

/// Whether the share is known, and at most 8 %.
pub fn is_acceptable(found: &FalseDifferences) -> bool {
    found.comparisons >= ENOUGH && share(found) <= ACCEPTABLE
}

/// What the figures say, with advice where it is bad.
fn judgement(found: &FalseDifferences) -> &'static str {
    if found.low > NOMINAL {
        "more than chance: do not trust small differences, repeat on a quieter machine"
    } else if found.comparisons < ENOUGH {
        "fewer than 100 comparisons say little"
    } else if found.high <= ACCEPTABLE {
        "at most 8%, by the whole interval"
    } else if is_acceptable(found) {
        "at most 8%, though the interval reaches beyond"
    } else {
        "more than 8%, though it may be chance: more repeats tell"
    }
}

/// The share in one line, without an end.
pub fn line(found: &FalseDifferences) -> String {
    let [share, low, high] = [share(found), found.low, found.high].map(|share| 100.0 * share);
    format!(
        "A/A over {}: a mechanism measured twice is told apart from itself in {} of {}, {share:.1}% (exact 95% interval \
         {low:.1}–{high:.1}%; 5% are due to chance): {}",
        format::plural(found.campaigns as usize, "campaign"),
        found.different,
        format::plural(found.comparisons as usize, "comparison"),
        judgement(found),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Shape, point};

    /// "a" and "b" at ten points, and "a" again, `factor` times as slow in its own right.
    fn pair(repeats: u32, factor: f64) -> Campaign {
        let points: Vec<Point> = (1..=10).map(|tens| point("idle-scaling", tens * 10, 10)).collect();
        let names = ["a", "b", "a again"];
        let mut campaign = testing::campaign(&names, &points, repeats, |name, point, repeat| {
            let number = repeat * 7 + point.connections / 10 * 3 + name.len() as u32 * 5;
            let noise = 1.0 + f64::from(number * number % 13) / 50.0;
            let noise = if name == "a again" { noise * factor } else { noise };
            Shape {
                p50_ns: 30_000.0 * noise,
                cpu_ns: 7_000.0 * noise,
                echoes_per_s: 120_000.0 / noise,
                ..Shape::default()
            }
        });
        campaign.plan.scenario.mechanisms.truncate(2);
        campaign.plan.scenario.control = Some("a".to_owned());
        campaign
    }

    #[test]
    fn a_pair_that_differs_by_noise_alone_is_rarely_told_apart() {
        let agreement = Agreement::of(&pair(8, 1.0)).expect("a pair");
        assert_eq!(agreement.different.cases, 40);
        assert!(agreement.different.hits <= 4, "{agreement:?}");
        assert_eq!(agreement.differences.len(), agreement.different.hits);
        assert!(!agreement.is_too_often());
        let sentence = agreement.sentence();
        assert!(sentence.starts_with("A/A: a measured twice is told apart from itself in "), "{sentence}");
        assert!(sentence.contains(" of 40 comparisons, "), "{sentence}");
        assert!(sentence.ends_with("are due to chance)"), "{sentence}");
    }

    #[test]
    fn a_pair_that_differs_by_more_is_found_out_and_advice_is_given() {
        let agreement = Agreement::of(&pair(8, 2.0)).expect("a pair");
        assert_eq!(agreement.different.hits, 40);
        assert!(agreement.sentence().contains("do not trust differences of this size"));
    }

    #[test]
    fn without_a_pair_or_with_too_few_repeats_nothing_is_said() {
        assert_eq!(Agreement::of(&testing::realistic()), None);
        assert_eq!(Agreement::of(&pair(2, 1.0)), None);
    }

    #[test]
    fn several_campaigns_are_one_rate_with_an_exact_interval() {
        let (sound, without) = (pair(8, 1.0), testing::realistic());
        let few = over(&[&sound, &without]).expect("a pair");
        let of_one = Agreement::of(&sound).expect("a pair").different;
        assert_eq!((few.campaigns, few.comparisons), (1, 40));
        assert_eq!(few.different, of_one.hits as u64);
        assert!(few.low <= of_one.low && of_one.high <= few.high, "{few:?} is not wider than {of_one:?}");
        assert!(!is_acceptable(&few) && line(&few).ends_with("fewer than 100 comparisons say little"));
        let many = over(&[&sound; 10]).expect("pairs");
        assert_eq!((many.campaigns, many.comparisons, many.different), (10, 400, 10 * few.different));
        assert!(many.high - many.low < few.high - few.low);
        assert_eq!(is_acceptable(&many), share(&many) <= 0.08);
        assert!(line(&many).starts_with("A/A over 10 campaigns: "), "{many:?}");
        assert_eq!(over(&[&without]), None);
        assert_eq!(over(&[]), None);
    }

    #[test]
    fn a_rate_of_false_differences_is_judged_by_its_share_and_its_interval() {
        let judged = |different, comparisons| {
            let Proportion { low, high, .. } = Proportion::exact(different, comparisons).expect("cases");
            let (different, comparisons) = (different as u64, comparisons as u64);
            let rate = FalseDifferences { campaigns: 2, comparisons, different, low, high };
            (is_acceptable(&rate), line(&rate))
        };
        let cases = [
            (3, 400, true, "at most 8%, by the whole interval"),
            (28, 400, true, "at most 8%, though the interval reaches beyond"),
            (9, 100, false, "more than 8%, though it may be chance: more repeats tell"),
            (1, 99, false, "fewer than 100 comparisons say little"),
            (60, 400, false, "repeat on a quieter machine"),
        ];
        for (different, comparisons, acceptable, end) in cases {
            let (is_acceptable, sentence) = judged(different, comparisons);
            assert_eq!(is_acceptable, acceptable, "{sentence}");
            assert!(sentence.ends_with(end), "{sentence}");
        }
        assert!(judged(28, 400).1.contains("in 28 of 400 comparisons, 7.0% (exact 95% interval 4.7–"));
    }
}
