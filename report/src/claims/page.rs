//! The claims with their verdicts, for a terminal and as docs/CLAIMS.md.

use minijinja::context;
use minijinja::value::Value;

use super::explanation;
use crate::grid::{Column, Grid, Tone};
use crate::{format, templates};
use model::schema::ClaimVerdict::{Confirmed, ConfirmedWithConditions, NotMeasurableHere, Open, Refuted};
use model::schema::{ClaimFigure, ClaimResult, ClaimVerdict, Claims, Evidence, FalseDifferences, Finding};

/// Columns of a terminal that the table fits into.
const WIDTH: u16 = 118;

/// A claim in words, as templates have it.
pub(crate) fn told(claim: &ClaimResult) -> Value {
    let reason_is = match claim.verdict {
        Confirmed | ConfirmedWithConditions => "condition",
        Refuted => "refuted by",
        NotMeasurableHere | Open => "why",
    };
    context! {
        name => claim.id,
        section => claim.section,
        claim => claim.claim,
        verdict => claim.verdict.words(),
        class => look(claim.verdict).0,
        figure => figure(claim),
        because => claim.because,
        reason_is,
        explanation => explanation::of(&claim.id),
        evidence => claim.evidence.iter().map(sentence).collect::<Vec<_>>(),
        parts => claim.evidence.iter().map(parts).collect::<Vec<_>>(),
        used => claim.used,
        needs => claim.needs,
    }
}

/// A table of verdicts, then each claim with its reasons and its evidence. Ends with a newline.
pub fn render(claims: &Claims) -> String {
    templates::text("claims.txt.jinja", context(claims, |_| false))
}

/// docs/CLAIMS.md; `is_cost` tells the claims about cost by their names. Ends with a newline.
pub fn page(claims: &Claims, is_cost: impl Fn(&str) -> bool) -> String {
    templates::text("claims.md.jinja", context(claims, is_cost))
}

fn context(claims: &Claims, is_cost: impl Fn(&str) -> bool) -> Value {
    let all = &claims.claims;
    let (cost, semantics): (Vec<&ClaimResult>, Vec<_>) = all.iter().partition(|claim| is_cost(&claim.id));
    let told = |claims: Vec<&ClaimResult>| claims.into_iter().map(told).collect::<Vec<_>>();
    let row = |claim: &ClaimResult| {
        [&claim.id, &claim.section, claim.verdict.words(), &figure(claim)].map(Into::into)
    };
    let table = Grid {
        columns: ["claim", "§", "verdict", "figure"].map(Column::words).into(),
        rows: all.iter().map(|claim| row(claim).into()).collect(),
    };
    context! {
        sources => claims.sources,
        twins => claims.false_differences.as_ref().map(twins),
        table => table.boxed(WIDTH, None),
        tally => tally(all),
        claims => told(all.iter().collect()),
        cost => told(cost),
        semantics => told(semantics),
    }
}

/// The class and the tone of a verdict.
pub(crate) fn look(verdict: ClaimVerdict) -> (&'static str, Tone) {
    match verdict {
        Confirmed => ("good", Tone::Good),
        ConfirmedWithConditions => ("partly", Tone::Partly),
        Refuted => ("bad", Tone::Bad),
        NotMeasurableHere | Open => ("muted", Tone::Muted),
    }
}

/// `31.0 × (21.0 to 56.0): median response of poll …`; a dash where a claim has none.
pub(crate) fn figure(claim: &ClaimResult) -> String {
    let Some(ClaimFigure { what, value, low, high, unit }) = &claim.figure else {
        return format::ABSENT.to_owned();
    };
    let number = |value: f64| match value.abs() {
        whole if whole >= 1_000.0 => format::thousands(whole as u64),
        _ => format::three_digits(value),
    };
    let interval = low.zip(*high).map(|(low, high)| format!(" ({} to {})", number(low), number(high)));
    format!("{} {unit}{}: {what}", number(*value), interval.unwrap_or_default())
}

/// The comparisons in which twins differed from their references, over all campaigns; without a full stop.
fn twins(found: &FalseDifferences) -> String {
    let FalseDifferences { campaigns, comparisons, different, low, high } = *found;
    format!(
        "twins of the reference, over {}: {different} of {comparisons} comparisons differ, {:.1}% (95% interval {:.1}–{:.1}%)",
        format::plural(campaigns as usize, "campaign"),
        100.0 * different as f64 / comparisons as f64,
        100.0 * low,
        100.0 * high
    )
}

/// `[as claimed] epoll_ctl(ADD) of a regular file: EPERM`.
fn sentence(evidence: &Evidence) -> String {
    let Evidence { what, claimed, observed, note, finding } = evidence;
    let observed = observed.as_deref().unwrap_or("not observed");
    let claimed = match (finding, claimed) {
        (Finding::Condition | Finding::Contradicts, Some(claimed)) => format!("; claimed: {claimed}"),
        _ => String::new(),
    };
    // A condition's note is among the conditions.
    let note = note.as_deref().filter(|_| *finding != Finding::Condition);
    let note = note.map_or_else(String::new, |note| format!(" ({note})"));
    format!("[{}] {what}: {observed}{claimed}{note}", mark(*finding))
}

/// The columns of evidence in a table.
fn parts(evidence: &Evidence) -> [String; 5] {
    let Evidence { what, claimed, observed, note, finding } = evidence;
    let observed = observed.as_deref().unwrap_or("not observed");
    let or_nothing = |text: &Option<String>| text.clone().unwrap_or_default();
    [what.clone(), or_nothing(claimed), observed.to_owned(), or_nothing(note), mark(*finding).to_owned()]
}

fn mark(finding: Finding) -> &'static str {
    match finding {
        Finding::AsClaimed => "as claimed",
        Finding::Condition => "condition",
        Finding::Contradicts => "contradicts",
        Finding::Open | Finding::OpenAside => "open",
        Finding::Context => "context",
    }
}

/// The verdicts, each with how many claims have it, and which.
pub(crate) fn tally(claims: &[ClaimResult]) -> Vec<String> {
    let told = [Confirmed, ConfirmedWithConditions, Refuted, NotMeasurableHere, Open].map(|verdict| {
        let with_it = claims.iter().filter(|claim| claim.verdict == verdict);
        let ids: Vec<&str> = with_it.map(|claim| claim.id.as_str()).collect();
        (!ids.is_empty()).then(|| format!("{} {}: {}", ids.len(), verdict.words(), ids.join(", ")))
    });
    told.into_iter().flatten().collect()
}
