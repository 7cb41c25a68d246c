//! The answer of a campaign for a terminal: at most 40 lines.

use model::schema::{Health, Point};
use stats::Relation;

use super::analysis::{Analysis, Comparison, Extreme, Lead, MARGIN};
use super::grouped;
use super::lengths;
use super::metrics::{Metric, Subject};
use super::resolution::{self, Resolution};
use super::table;
use super::troubles::{Silences, Trouble};
use crate::grid::Grid;
use crate::{format, machine};

/// The lines of an answer at most.
pub const LINES: usize = 40;
/// Characters of a line of words at most.
const WIDTH: usize = 120;
/// Lines about what servers did wrong at most.
const TROUBLES: usize = 3;
/// Reasons for leaving something out that are told.
const EXCLUSIONS: usize = 3;
/// Reasons for dropped rounds that are told.
const REASONS: usize = 2;

/// The answer: who leads, by how much and at what cost, one table, what the figures are worth, and `rest`, a sentence on where the
/// rest is. Ends with a newline.
pub fn render(analysis: &Analysis<'_>, rest: &str) -> String {
    let with = |detail: Detail| {
        let mut head: Vec<String> = interruption(analysis).into_iter().collect();
        head.extend(analysis.leads.iter().filter_map(|lead| sentence(analysis, lead, detail)));
        head.push(provenance(analysis));
        head.extend(unfit(analysis));
        let mut worth: Vec<String> = [dropped(analysis)].into_iter().chain(twin(analysis)).collect();
        if detail == Detail::Brief {
            // There may be room for one line only: reasons can be cut, how often equal things differ cannot.
            worth.reverse();
        }
        let mut tail = vec![table::legend(analysis), worth.join(" ")];
        tail.extend(resolution(analysis));
        tail.extend(halves(analysis));
        tail.extend(doubled(analysis));
        tail.extend(left_out(analysis, if detail == Detail::Brief { 1 } else { EXCLUSIONS }));
        tail.extend(troubles(analysis, if detail == Detail::Brief { 1 } else { TROUBLES }));
        tail.push(rest.to_owned());
        [head, tail]
    };
    assemble(analysis, with)
}

/// The table before the campaign is over. Ends with a newline.
pub fn provisional(analysis: &Analysis<'_>) -> String {
    let (measured, planned) = starts(analysis);
    let head = format!(
        "Provisional, after {measured} of {planned} starts: figures will move, and intervals get narrower."
    );
    assemble(analysis, |_| [vec![head.clone()], vec![table::legend(analysis), dropped(analysis)]])
}

/// The answer in sentences, as [`render`] has them where there is room.
pub fn sentences(analysis: &Analysis<'_>) -> Vec<String> {
    let leads = analysis.leads.iter().filter_map(|lead| sentence(analysis, lead, Detail::Full));
    interruption(analysis).into_iter().chain(leads).chain(unfit(analysis)).collect()
}

/// The worth of the figures in sentences: rounds that do not count, the twin, halves of slices, what was left out, and what servers did wrong.
pub fn worth(analysis: &Analysis<'_>) -> Vec<String> {
    let validity =
        [Some(dropped(analysis)), twin(analysis), resolution(analysis), halves(analysis), doubled(analysis)];
    let found = left_out(analysis, usize::MAX).into_iter().chain(troubles(analysis, usize::MAX));
    validity.into_iter().flatten().chain(found).collect()
}

/// The level of detail of the sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// All.
    Full,
    /// The leaders, and both extremes.
    Short,
    /// The main things, so that the table has room.
    Brief,
}

/// The whole answer: the words before and after the table, and between them the first form of the table that fits.
/// Words are cut before figures are.
fn assemble(analysis: &Analysis<'_>, words: impl Fn(Detail) -> [Vec<String>; 2]) -> String {
    let around =
        [(Detail::Full, 4), (Detail::Full, 2), (Detail::Short, 2), (Detail::Brief, 2), (Detail::Brief, 1)];
    let around = around.map(|(detail, most)| words(detail).map(|texts| wrapped(&texts, most)));
    let room = |[head, tail]: &[Vec<String>; 2]| LINES.saturating_sub(head.len() + tail.len() + 1);
    let lines_of = |grid: Grid| grid.text().lines().map(str::to_owned).collect::<Vec<_>>();
    let forms = [table::long(analysis), table::short(analysis)].map(lines_of);
    let mut all = forms.iter().flat_map(|table| around.iter().map(move |words| (words, table.clone())));
    let shortest = || (&around[0], lines_of(table::shortest(analysis, room(&around[0]))));
    let ([head, tail], table) =
        all.find(|(words, table)| table.len() <= room(words)).unwrap_or_else(shortest);
    let blank = [String::new()];
    let lines = head.iter().chain(&blank).chain(&table).chain(tail);
    lines.take(LINES).map(|line| format!("{line}\n")).collect()
}

/// Texts in lines of at most [`WIDTH`] characters, those after the first of each indented. What takes more than `most` is cut.
fn wrapped(texts: &[String], most: usize) -> Vec<String> {
    let wrap = |text: &String| {
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let last = lines.last_mut().expect("never empty");
            match last.chars().count() + 1 + word.chars().count() {
                _ if last.is_empty() => last.push_str(word),
                length if length <= WIDTH => *last += &format!(" {word}"),
                _ => lines.push(format!("  {word}")),
            }
        }
        if lines.len() > most {
            lines.truncate(most);
            let last = &mut lines[most - 1];
            while last.chars().count() + 2 > WIDTH {
                let end = last.rfind(' ').unwrap_or(0);
                last.truncate(end);
            }
            *last += " …";
        }
        lines
    };
    texts.iter().flat_map(wrap).collect()
}

/// The number of starts that were measured, and of those that were planned.
fn starts(analysis: &Analysis<'_>) -> (usize, usize) {
    let campaign = analysis.campaign;
    let groups: usize = campaign.plan.points.iter().map(|point| point.groups.len()).sum();
    let each = campaign.plan.scenario.rounds.starts as usize;
    let measured = analysis.points.iter().flat_map(|point| &point.groups).map(|group| group.starts).sum();
    (measured, (groups * each).max(measured))
}

fn interruption(analysis: &Analysis<'_>) -> Option<String> {
    let (measured, planned) = starts(analysis);
    (!analysis.campaign.complete).then(|| {
        format!("Interrupted: {measured} of {planned} starts were measured, not all of them to the end.")
    })
}

/// A sentence on a metric: its leaders, the saturated candidates, and the surest differences from the reference.
fn sentence(analysis: &Analysis<'_>, lead: &Lead<'_>, detail: Detail) -> Option<String> {
    let what = match lead.metric.subject {
        Subject::Latency => "Response",
        Subject::Throughput => "Throughput",
        _ => "CPU time per request",
    };
    let gain = lead.gain.filter(|_| detail != Detail::Brief || lead.loss.is_none());
    let mut parts: Vec<String> =
        leading(lead, analysis.points.len(), detail).into_iter().chain(saturated(analysis, lead)).collect();
    let place = |one: &Extreme<'_>| analysis.points[one.point].point;
    parts.extend([gain, lead.loss].into_iter().flatten().map(|one| extreme(place(&one), lead.metric, &one)));
    if !lead.leaders.is_empty() && parts.len() == 1 {
        parts.push(format!("none is distinguishable from {}", analysis.campaign.plan.reference));
    }
    (!parts.is_empty()).then(|| format!("{what}: {}.", parts.join("; ")))
}

/// `epoll-et and epoll-lt are unbeaten at 5 of 6 points, io-uring at 2`: nothing is surely better than they are. Of `all_points` those count
/// at which anybody can be compared.
fn leading(lead: &Lead<'_>, all_points: usize, detail: Detail) -> Option<String> {
    if lead.leaders.is_empty() && lead.is_bounded {
        return Some("the generator was full too, so that nobody is known to lead".to_owned());
    }
    let most = lead.leaders.first()?.1;
    let most_names = if detail == Detail::Brief { 2 } else { 3 };
    let (among, elsewhere) = match all_points - lead.points {
        0 => ("", String::new()),
        others => (" that can be compared", format!(" ({others} cannot)")),
    };
    let groups = lead.leaders.chunk_by(|one, other| one.1 == other.1);
    let told = groups.take(if detail == Detail::Full { 2 } else { 1 }).map(|group| {
        let names: Vec<&str> = group.iter().map(|(name, _)| *name).collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        let names = several(&names, most_names);
        match group[0].1 {
            points if points == lead.points => {
                format!("{names} {verb} unbeaten at every point{among}{elsewhere}")
            }
            points if points == most => {
                let all = format::plural(lead.points, "point");
                format!("{names} {verb} unbeaten at {points} of {all}{among}{elsewhere}")
            }
            points => format!("{names} at {points}"),
        }
    });
    Some(told.collect::<Vec<_>>().join(", "))
}

/// `poll and select are saturated at 10k × 10`.
fn saturated(analysis: &Analysis<'_>, lead: &Lead<'_>) -> Option<String> {
    let (_, first, _) = *lead.saturated.first()?;
    let names: Vec<&str> = lead.saturated.iter().map(|(name, ..)| *name).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let is_one_point = lead.saturated.iter().all(|(_, at, points)| (*at, *points) == (first, 1));
    let most = lead.saturated.iter().map(|(.., points)| points).max().unwrap_or(&0);
    let place = match is_one_point {
        true => format::place_in_short(analysis.points[first].point),
        false => format!("up to {most} points"),
    };
    Some(format!("{} {verb} saturated at {place}", several(&names, 3)))
}

/// `poll is faster by 6.4% (5.7–7.4%) at 100 × 100`.
pub fn extreme(place: &Point, metric: &Metric, extreme: &Extreme<'_>) -> String {
    let place = format::place_in_short(place);
    let used = extreme.utilisation.filter(|_| metric.subject == Subject::Latency);
    let used = used.map(|share| format!(" ({} CPU)", format::percent(share))).unwrap_or_default();
    let verb = if metric.subject == Subject::Cost { "costs" } else { "is" };
    format!("{} {verb} {} at {place}{used}", extreme.candidate, relation(metric, &extreme.comparison))
}

/// Names as a phrase of at most `most` parts, the last of which counts the names that are left.
fn several(names: &[&str], most: usize) -> String {
    if names.len() <= most {
        return format::and(names);
    }
    let more = format!("{} more", names.len() + 1 - most);
    format::and(&[&names[..most - 1], &[more.as_str()]].concat())
}

/// A comparison in words: `slower by 6.4% (5.7–7.4%)`, `equal within 2%`, `not distinguishable (0.98–1.03)`.
pub fn relation(metric: &Metric, comparison: &Comparison) -> String {
    let Comparison { ratio, interval, relation, generator_full } = *comparison;
    let [below, above] = metric.words();
    let by = |word| format!("{word} by {}", format::difference(ratio, interval.low, interval.high));
    let text = match relation {
        Relation::Below => by(below),
        Relation::Above => by(above),
        Relation::Equal => format!("equal within {}", format::percent(MARGIN)),
        Relation::NotDistinguishable => {
            let [_, low, high] = comparison.texts();
            format!("not distinguishable ({low}–{high})")
        }
    };
    if generator_full { text + ", generator full" } else { text }
}

/// The machine, and how much was measured.
pub fn provenance(analysis: &Analysis<'_>) -> String {
    let campaign = analysis.campaign;
    let starts = format::plural(starts(analysis).0, "start");
    let rounds = format::plural(campaign.rounds.len(), "round");
    format!("{}; {starts}, {rounds}.", machine::in_short(&campaign.environment))
}

/// The doctor's verdict where the machine is not fit.
fn unfit(analysis: &Analysis<'_>) -> Option<String> {
    let diagnosis = analysis.campaign.diagnosis.as_ref().filter(|diagnosis| diagnosis.failed())?;
    let failed = diagnosis.symptoms.iter().filter(|symptom| symptom.state == Health::Fail);
    let found: Vec<String> = failed.map(|symptom| format!("{}: {}", symptom.name, symptom.found)).collect();
    Some(format!("The machine is not fit (muxbench doctor): {}.", found.join("; ")))
}

fn dropped(analysis: &Analysis<'_>) -> String {
    let dropped = &analysis.dropped;
    if dropped.rounds == 0 {
        return format!("None of {} was dropped.", format::plural(dropped.of, "round"));
    }
    let told = dropped.reasons.iter().take(REASONS);
    let mut reasons: Vec<String> = told.map(|(reason, rounds)| format!("{rounds} ({reason})")).collect();
    let rest: usize = dropped.reasons.iter().skip(REASONS).map(|(_, rounds)| rounds).sum();
    reasons.extend((rest > 0).then(|| format!("{rest} for other reasons")));
    let of = format::plural(dropped.of, "round");
    format!("{} of {of} dropped for all candidates: {}.", dropped.rounds, reasons.join(", "))
}

/// The twin of the reference: how often it differs where nothing does.
fn twin(analysis: &Analysis<'_>) -> Option<String> {
    let share = analysis.false_differences?;
    let reference = &analysis.campaign.plan.reference;
    Some(format!(
        "A second {reference} differed from {reference} in {} of {} comparisons ({}).",
        share.hits,
        share.cases,
        format::percent_between(share.interval.low, share.interval.high)
    ))
}

/// The smallest difference that is told, by each metric: what the twin's intervals do not exclude, over the points.
pub fn resolution(analysis: &Analysis<'_>) -> Option<String> {
    let found = resolution::of(analysis);
    let share = |one: &Resolution| match [one.least, one.most].map(format::percent) {
        [least, most] if least == most => most,
        _ => format::percent_between(one.least, one.most),
    };
    let told: Vec<String> = found.iter().map(|one| format!("{} {}", one.metric.name, share(one))).collect();
    let over = if analysis.points.len() > 1 { ", by point" } else { "" };
    (!told.is_empty())
        .then(|| format!("Resolution{over}: {}; less is told as no difference.", told.join(", ")))
}

/// A sentence on slices that were doubled, so that earlier starts do not count, if there are any.
fn doubled(analysis: &Analysis<'_>) -> Option<String> {
    let all = lengths::too_short(analysis.campaign);
    let first = all.first()?;
    let place = format::place_in_short(analysis.points.get(first.point)?.point);
    let more = format::further(all.len() - 1, |more| format!(" and {}", format::plural(more, "more point")));
    let starts = format::plural(all.iter().map(|one| one.starts).sum(), "start");
    Some(format!("Slices were doubled at {place}{more}: {starts} with shorter ones do not count."))
}

/// A sentence on halves of slices that do not agree, if there are any.
fn halves(analysis: &Analysis<'_>) -> Option<String> {
    let mut differ = analysis.points.iter().flat_map(|point| {
        let groups = point.groups.iter().flat_map(|group| &group.halves);
        groups.flat_map(move |halves| halves.differ().map(move |one| (point, halves.metric, one)))
    });
    let (point, metric, (name, comparison)) = differ.next()?;
    let more = format::further(differ.count(), |more| format!(", and {more} more"));
    Some(format!(
        "Halves of slices differ, so slices are too short there: {} of {name} at {}, relative to the reference, {} in the second half{more}.",
        metric.name,
        format::place_in_short(point.point),
        relation(metric, comparison),
    ))
}

/// Lines on what was left out: one per reason, at most `most` of them, and a count of the others.
fn left_out(analysis: &Analysis<'_>, most: usize) -> Vec<String> {
    let all = format::exclusions(&analysis.campaign.plan.scenario);
    let left = all.len().saturating_sub(most);
    let lines = all.iter().take(most).map(|line| format!("Left out: {line}."));
    lines.chain((left > 0).then(|| format!("{left} more reasons for leaving something out."))).collect()
}

/// Lines on what servers did wrong: one per server and kind, at most `most` of them, and a count of the others.
fn troubles(analysis: &Analysis<'_>, most: usize) -> Vec<String> {
    let all = analysis.points.iter().flat_map(|point| {
        let candidates = point.groups.iter().flat_map(|group| &group.candidates);
        candidates.flat_map(move |candidate| {
            let kind = |trouble| (candidate.name, std::mem::discriminant(trouble));
            candidate.troubles.iter().map(move |trouble| (kind(trouble), (trouble, point.point)))
        })
    });
    let mut told = grouped(all);
    told.sort_by(|(_, one), (_, other)| one[0].0.cmp(other[0].0));
    let left = told.len().saturating_sub(most);
    let lines = told.iter().take(most).map(|((name, _), found)| {
        let (trouble, point) = found[0];
        let more = format::further(found.len() - 1, |more| format!(", and {more} more of this kind"));
        format!("{name} at {}: {}{more}.", format::place_in_short(point), words(trouble))
    });
    lines.chain((left > 0).then(|| format!("{left} more of what servers did wrong."))).collect()
}

/// A trouble in words: `stalled in 3 of 60 slices, up to 40.0 ms`.
pub fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Failed { starts, of, why } => {
            format!("failed in {starts} of {}: {}", format::plural(*of, "start"), why.replace('\n', " "))
        }
        Trouble::Stalled(Silences { slices, in_warmup, of, longest_ns }) => {
            let longest = format::duration_ns(*longest_ns as f64);
            let after_pause = format::further(*in_warmup as usize, |count| {
                format!(", {} on the first requests after a pause", format::plural(count, "time"))
            });
            format!("stalled in {slices} of {of} slices, up to {longest}{after_pause}")
        }
        Trouble::Errors { name, count, of } => format!("{count} of {of} requests failed: {name}"),
        Trouble::Busy { per_mille } => {
            let share = format::percent(*per_mille as f64 / 1_000.0);
            format!("used {share} of a processor while others were measured: measure it in a run of its own")
        }
        Trouble::Lost { connections } => {
            format!("lost {}", format::plural(*connections as usize, "connection"))
        }
    }
}
