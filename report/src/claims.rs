//! From evidence to verdict, and claims in words.

pub mod explanation;
pub mod page;

use model::schema::{ClaimResult, ClaimVerdict, Evidence, FalseDifferences, Finding};
use stats::{Interval, Proportion};

use crate::rounds::Analysis;

/// Returns the verdict on the claim that `evidence` was gathered for, with the reasons unless it is simply confirmed.
///
/// One essential part found otherwise refutes a claim, even if all else is as claimed. A claim of which nothing
/// essential could be observed is not measurable here. What only bounds it, or was not observed, is a condition.
pub fn judge(evidence: &[Evidence]) -> (ClaimVerdict, Vec<String>) {
    let of = |finding: Finding| -> Vec<String> {
        evidence.iter().filter(|evidence| evidence.finding == finding).map(reason).collect()
    };
    let contradictions = of(Finding::Contradicts);
    if !contradictions.is_empty() {
        return (ClaimVerdict::Refuted, contradictions);
    }
    let open = of(Finding::Open);
    if of(Finding::AsClaimed).is_empty() {
        return (ClaimVerdict::NotMeasurableHere, [open, of(Finding::OpenAside)].concat());
    }
    let mut conditions = of(Finding::Condition);
    // One condition may bound several parts.
    conditions.dedup();
    conditions.extend([open, of(Finding::OpenAside)].concat());
    let verdict = match conditions.is_empty() {
        true => ClaimVerdict::Confirmed,
        false => ClaimVerdict::ConfirmedWithConditions,
    };
    (verdict, conditions)
}

/// A claim with the verdict that `evidence` gives it.
pub fn decided(id: &str, section: &str, claim: &str, evidence: Vec<Evidence>) -> ClaimResult {
    let (verdict, because) = judge(&evidence);
    ClaimResult {
        id: id.to_owned(),
        section: section.to_owned(),
        claim: claim.to_owned(),
        verdict,
        because,
        evidence,
        figure: None,
        used: Vec::new(),
        needs: Vec::new(),
    }
}

/// The comparisons in which the twins of all campaigns differed from their references; `None` if there is no twin.
pub fn twins(campaigns: &[Analysis<'_>]) -> Option<FalseDifferences> {
    let each: Vec<Proportion> = campaigns.iter().filter_map(|campaign| campaign.false_differences).collect();
    let different = each.iter().map(|one| one.hits).sum();
    let comparisons = each.iter().map(|one| one.cases).sum();
    let Interval { low, high } = Proportion::of(different, comparisons)?.interval;
    Some(FalseDifferences { campaigns: each.len() as u32, comparisons, different, low, high })
}

/// One line about evidence that is not simply as claimed.
fn reason(evidence: &Evidence) -> String {
    let Evidence { what, claimed, observed, note, finding } = evidence;
    let note = note.as_deref().unwrap_or("no reason given");
    match (finding, claimed, observed) {
        (Finding::Condition, ..) => note.to_owned(),
        (Finding::Contradicts, Some(claimed), Some(observed)) => {
            format!("{what}: {observed}, where {claimed} is claimed")
        }
        (_, _, Some(observed)) => format!("{what}: {observed}, which does not decide it ({note})"),
        _ => format!("not observed: {what} ({note})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(what: &str, finding: Finding) -> Evidence {
        Evidence {
            what: what.to_owned(),
            claimed: Some("EPERM".to_owned()),
            observed: Some("success".to_owned()),
            note: Some("only on Tuesdays".to_owned()),
            finding,
        }
    }

    fn verdict(findings: &[Finding]) -> ClaimVerdict {
        judge(&findings.iter().map(|finding| evidence("ADD", *finding)).collect::<Vec<_>>()).0
    }

    #[test]
    fn the_twins_of_several_campaigns_are_one_rate() {
        use crate::rounds::testing::{Shape, realistic};
        use model::campaign::Histograms;
        let shape = Shape { starts: 3, rounds: 4, ..Shape::of(&["poll"]) };
        let (campaign, none) = (shape.campaign(realistic), Histograms::default());
        let [one, other] = [0, 1].map(|_| Analysis::of(&campaign, &none));
        let alone = one.false_differences.expect("a twin");
        let both = twins(&[one, other]).expect("twins");
        assert_eq!((both.campaigns, both.comparisons, both.different), (2, 2 * alone.cases, 2 * alone.hits));
        assert!(both.high - both.low < alone.interval.high - alone.interval.low);
        assert_eq!(twins(&[]), None);
    }

    #[test]
    fn one_contradiction_outweighs_every_confirmation() {
        use Finding::{AsClaimed, Contradicts, Open};
        assert_eq!(verdict(&[AsClaimed, AsClaimed, Contradicts, Open]), ClaimVerdict::Refuted);
        let (_, why) = judge(&[evidence("ADD of a file", Contradicts)]);
        assert_eq!(why, ["ADD of a file: success, where EPERM is claimed"]);
    }

    #[test]
    fn a_claim_with_nothing_essential_observed_is_not_measurable() {
        use Finding::{Condition, Context, Open};
        assert_eq!(verdict(&[]), ClaimVerdict::NotMeasurableHere);
        assert_eq!(verdict(&[Context, Open]), ClaimVerdict::NotMeasurableHere);
        assert_eq!(verdict(&[Condition, Open]), ClaimVerdict::NotMeasurableHere);
    }

    #[test]
    fn conditions_and_gaps_are_told_but_context_is_not() {
        use Finding::{AsClaimed, Condition, Context, Open, OpenAside};
        assert_eq!(verdict(&[AsClaimed, Context]), ClaimVerdict::Confirmed);
        for bound in [Condition, Open, OpenAside] {
            assert_eq!(verdict(&[AsClaimed, bound]), ClaimVerdict::ConfirmedWithConditions);
        }
        let unseen = Evidence { observed: None, ..evidence("DEL", Open) };
        let found = [evidence("ADD", AsClaimed), evidence("MOD", Condition), unseen];
        assert_eq!(judge(&found).1, ["only on Tuesdays", "not observed: DEL (only on Tuesdays)"]);
        let unsure = judge(&[evidence("ADD", AsClaimed), evidence("MOD", OpenAside)]).1;
        assert_eq!(unsure, ["MOD: success, which does not decide it (only on Tuesdays)"]);
    }
}
