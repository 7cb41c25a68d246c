//! The answer for somebody in a hurry: who is the best with most connections idle, by how much, and where that was measured.

use super::{Analysis, Metric, PointAnalysis, Row, Standing};
use crate::{format, line};

impl Analysis<'_> {
    /// Who answers soonest at the idle sweep's largest point, how far the others are behind, and on which machine: two
    /// sentences or three, from intervals alone. `None` where nothing can be compared.
    pub fn answer(&self) -> Option<String> {
        let points = self.sweep(&self.idle_sweep()?.name);
        let at = points
            .iter()
            .rev()
            .find(|at| at.rows.iter().filter(|row| row.p50.summary.is_some()).count() > 1)?;
        Some(format!("{} {}", comparison(at), self.provenance()))
    }

    fn provenance(&self) -> String {
        let campaign = self.campaign;
        let machine = &campaign.environment;
        let hypervisor = machine.hypervisor.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let day = campaign.started.split('T').next().unwrap_or(&campaign.started);
        format!(
            "Measured on {} processors of {}{hypervisor} with Linux {}: {} requests a second over the active connections, at the same \
             instants for all; {} on {day}.",
            machine.processors,
            machine.processor,
            machine.kernel,
            format::nominal_rate(campaign.plan.scenario.load.rate_per_s),
            format::plural(campaign.repeats() as usize, "repeat")
        )
    }
}

/// Who is best, with the median response of each, and by how much the others are behind.
fn comparison(at: &PointAnalysis) -> String {
    let standing = |row: &Row| row.measured(Metric::ResponseP50).standing.clone();
    let best: Vec<&Row> = at
        .rows
        .iter()
        .filter(|row| matches!(standing(row), Standing::Winner | Standing::Tie(_) | Standing::Leading))
        .collect();
    let mut behind: Vec<_> = at
        .rows
        .iter()
        .filter_map(|row| match standing(row) {
            Standing::Behind(ratio) | Standing::Trailing(ratio) => Some((&*row.mechanism, ratio)),
            _ => None,
        })
        .collect();
    behind.sort_by(|(_, one), (_, other)| one.summary.median.total_cmp(&other.summary.median));
    let names: Vec<&str> = best.iter().map(|row| &*row.mechanism).collect();
    let mut medians: Vec<f64> = best.iter().filter_map(|row| row.p50.value_ns).collect();
    medians.sort_by(f64::total_cmp);
    let spread = match medians.as_slice() {
        [] => String::new(),
        [only] => format!(", in {}", format::duration_ns(*only)),
        [least, .., most] => {
            format!(", in {} to {}", format::duration_ns(*least), format::duration_ns(*most))
        }
    };
    let tie = if best.len() > 1 { " (a tie)" } else { "" };
    let verb = if best.len() == 1 { "answers" } else { "answer" };
    let head =
        format!("With {}, {} {verb} soonest{tie}{spread}.", line::place(&at.point), format::and(&names));
    let [(nearest, ratio), further @ ..] = behind.as_slice() else { return head };
    let nearest = format!("{nearest} takes {} as long", format::ratio(ratio));
    let further = further.iter().map(|(name, ratio)| format!("{name} {}", format::ratio(ratio)));
    let behind: Vec<String> = std::iter::once(nearest).chain(further).collect();
    let behind: Vec<&str> = behind.iter().map(String::as_str).collect();
    format!("{head} Compared with the best, {}.", format::and(&behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_answer_names_all_who_tie_how_far_the_others_are_and_the_machine() {
        let answer = testing::analysis().answer().expect("an answer");
        assert!(answer.starts_with("With 10,000 connections, 10 active, epoll-"), "{answer}");
        assert!(answer.contains(" soonest"), "{answer}");
        assert!(answer.contains(". Compared with the best, select takes 2"), "{answer}");
        assert!(answer.contains(") as long and poll 2"), "{answer}");
        assert!(
            answer.ends_with(
                "Measured on 2 processors of AMD EPYC 7R13 Processor (KVM) with Linux 6.8.0-45-generic: 20k requests a second over the \
                 active connections, at the same instants for all; 5 repeats on 2026-01-02."
            ),
            "{answer}"
        );
    }

    #[test]
    fn nothing_to_compare_is_no_answer() {
        let alone = testing::realistic_of(&["poll"]);
        assert_eq!(Analysis::of(&alone).expect("sound histograms").answer(), None);
    }
}
