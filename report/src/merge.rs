//! The shards of one run, put together again without loss.
//!
//! Counters add, histograms add bucket by bucket, and everything that is computed from them is computed anew:
//! the result is the one that a single process would have written that had seen every request. What cannot be
//! put together in that way is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use model::histogram;
use model::schema::{
    Churn, Connections, Interval, Latency, LoadReport, LoadSettings, MergedShard, Shard, TargetReport,
};

/// Of the shards that are missing, those that are named.
const MISSING_NAMED: usize = 8;

/// A result to be merged, and what to call it in an error: the name of its file.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name of its file, for errors.
    pub name: String,
    /// The report in it.
    pub report: LoadReport,
}

/// A result with its shard known.
struct Part {
    name: String,
    shard: Shard,
    report: LoadReport,
}

/// The reason that results cannot be merged: one line that names the results concerned.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{0}")]
pub struct Refusal(String);

/// Merges all the shards of one run, in whatever order they come. Their windows may begin `max_skew` apart.
///
/// # Errors
///
/// When the results are not all the shards of one run, each once, or one is damaged.
pub fn merge(sources: Vec<Source>, max_skew: Duration) -> Result<LoadReport, Refusal> {
    let mut parts = sources.into_iter().map(sound).collect::<Result<Vec<_>, _>>()?;
    // Of a shard that is there twice, the same one comes first whatever the order.
    parts.sort_by(|one, other| (one.shard.index, &one.name).cmp(&(other.shard.index, &other.name)));
    complete(&parts)?;
    let settings = common_settings(&parts)?;
    let (started_at, skew) = start(&parts, max_skew)?;
    let sum = |count: fn(&LoadReport) -> u64| parts.iter().map(|part| count(&part.report)).sum();
    let worst =
        |share: fn(&LoadReport) -> f64| parts.iter().map(|part| share(&part.report)).fold(0.0, f64::max);
    let window_s = worst(|report| report.window_s);
    let replies: f64 = parts.iter().map(|part| replies_inside(&part.report)).sum();
    Ok(LoadReport {
        valid: parts.iter().all(|part| part.report.valid),
        invalid_reasons: parts.iter().flat_map(reasons).collect(),
        settings,
        connections: connections(&parts),
        window_s,
        throughput_per_s: if window_s > 0.0 { replies / window_s } else { 0.0 },
        scheduled: sum(|report| report.scheduled),
        completed: sum(|report| report.completed),
        outstanding: sum(|report| report.outstanding),
        unsent: sum(|report| report.unsent),
        errors: by_name(parts.iter().map(|part| &part.report.errors)),
        errnos: by_name(parts.iter().map(|part| &part.report.errnos)),
        delayed: sum(|report| report.delayed),
        response: sum_of(&parts, "response", |report| report.response.as_ref())?,
        service: sum_latencies("service", parts.iter().map(|part| (part, &part.report.service)))?,
        lateness: sum_of(&parts, "lateness", |report| report.lateness.as_ref())?,
        connect: sum_of(&parts, "connect", |report| report.connect.as_ref())?,
        churn_connect: sum_where_any(&parts, "churn_connect", |report| report.churn_connect.as_ref())?,
        generator_busy: worst(|report| report.generator_busy),
        generator_starved: worst(|report| report.generator_starved),
        steal: worst(|report| report.steal),
        cpu_quota: parts
            .iter()
            .filter_map(|part| part.report.cpu_quota.clone())
            .max_by(|one, other| one.held_back.total_cmp(&other.held_back)),
        // A shard of idle connections has no reply that could be stamped.
        response_kernel: sum_where_any(&parts, "response_kernel", |report| report.response_kernel.as_ref())?,
        generator_added: sum_where_any(&parts, "generator_added", |report| report.generator_added.as_ref())?,
        timestamp_error_ns: parts.iter().filter_map(|part| part.report.timestamp_error_ns).max(),
        // Each generator tested itself: its own test is kept with it.
        self_check: None,
        intervals: intervals(&parts)?,
        started_at,
        shard: None,
        shards: parts.iter().map(kept).collect(),
        start_skew_s: Some(skew.as_secs_f64()),
    })
}

/// A shard whose books balance.
fn sound(Source { name, report }: Source) -> Result<Part, Refusal> {
    if !report.shards.is_empty() {
        return refused(format!("{name} is merged already: name the files of the shards themselves"));
    }
    let Some(shard) = report.shard else {
        return refused(format!("{name} is not a shard: it was measured without --shard"));
    };
    if !(1..=shard.count).contains(&shard.index) {
        return Err(damaged(&name, format!("it says that it is shard {shard}")));
    }
    let ended = [report.completed, report.outstanding].into_iter().chain(report.errors.values().copied());
    if ended.map(u128::from).sum::<u128>() != u128::from(report.scheduled) {
        return Err(damaged(&name, "scheduled is not the sum of completed, errors and outstanding"));
    }
    Ok(Part { name, shard, report })
}

/// Every shard of one run is there once.
fn complete(parts: &[Part]) -> Result<(), Refusal> {
    let Some(first) = parts.first() else {
        return refused("no result to merge: name the files that load-gen --shard i/N --json wrote");
    };
    let count = first.shard.count;
    if let Some(other) = parts.iter().find(|part| part.shard.count != count) {
        let [one, other] = [first, other].map(|part| format!("{} is shard {}", part.name, part.shard));
        return refused(format!("{one} and {other}: merge takes the shards of one run"));
    }
    if let Some(pair) = parts.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
        let (shard, first, second) = (pair[0].shard, &pair[0].name, &pair[1].name);
        return refused(format!("shard {shard} is there twice: {first} and {second}"));
    }
    let missing = count as usize - parts.len();
    if missing > 0 {
        let is_there = |index: &u32| parts.binary_search_by_key(index, |part| part.shard.index).is_ok();
        let first = (1..=count).filter(|index| !is_there(index)).take(MISSING_NAMED);
        let first: Vec<String> = first.map(|index| Shard { index, count }.to_string()).collect();
        return refused(format!("{missing} of {count} shards are missing: {}", first.join(", ")));
    }
    Ok(())
}

/// The settings that all have, with the worker threads of all of them.
fn common_settings(parts: &[Part]) -> Result<LoadSettings, Refusal> {
    let json = |part: &Part| serde_json::to_value(&part.report.settings).expect("settings are JSON");
    let first = json(&parts[0]);
    for part in &parts[1..] {
        if let Some((key, (one, other))) = difference("settings", &first, &json(part)) {
            return refused(format!(
                "{} and {} were not measured with the same settings: {key} is {one} and {other}; merge takes the shards of one run",
                parts[0].name, part.name
            ));
        }
    }
    let threads = parts.iter().map(|part| part.report.settings.threads).fold(0, u32::saturating_add);
    Ok(LoadSettings { threads, ..parts[0].report.settings.clone() })
}

/// The first key in which two values differ, with what they say; how many threads it took is each host's own affair.
fn difference(path: &str, one: &Value, other: &Value) -> Option<(String, (String, String))> {
    let (Value::Object(one), Value::Object(other)) = (one, other) else {
        return (one != other).then(|| (path.to_owned(), (one.to_string(), other.to_string())));
    };
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let mut keys = keys.into_iter().filter(|key| *key != "threads");
    let of = |object: &Map<String, Value>, key: &str| object.get(key).cloned().unwrap_or_default();
    keys.find_map(|key| difference(&format!("{path}.{key}"), &of(one, key), &of(other, key)))
}

/// The time at which the first window began, and how much later the last one did.
fn start(parts: &[Part], bound: Duration) -> Result<(String, Duration), Refusal> {
    let begins = parts.iter().map(|part| Ok((began(part)?, part))).collect::<Result<Vec<_>, Refusal>>()?;
    let (earliest, first) = begins.iter().min_by_key(|(at, _)| *at).expect("there is a first part");
    let (latest, last) = begins.iter().max_by_key(|(at, _)| *at).expect("there is a first part");
    let skew = latest.duration_since(*earliest).expect("the latest is not before the earliest");
    if skew > bound {
        return refused(format!(
            "{} began {skew:.1?} after {}, more than the {bound:?} allowed: give all shards the same --start-at (and their machines the \
             same time), or allow more with --max-skew",
            last.name, first.name
        ));
    }
    Ok((first.report.started_at.clone(), skew))
}

fn began(part: &Part) -> Result<SystemTime, Refusal> {
    let text = &part.report.started_at;
    humantime::parse_rfc3339(text).map_err(|_| {
        damaged(&part.name, format!("started_at is {text:?}, which is no time of RFC 3339 in UTC"))
    })
}

fn refused<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(why.into()))
}

fn damaged(name: &str, what: impl Display) -> Refusal {
    Refusal(format!("{name} is damaged: {what}"))
}

/// Replies that came inside the window: their rate was computed from them, and the window is known.
fn replies_inside(report: &LoadReport) -> f64 {
    (report.throughput_per_s * report.window_s).round()
}

fn reasons(part: &Part) -> impl Iterator<Item = String> {
    part.report.invalid_reasons.iter().map(|reason| format!("shard {}: {reason}", part.shard))
}

fn by_name<'a>(counts: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (name, count) in counts.flatten() {
        *sum.entry(name.clone()).or_default() += count;
    }
    sum
}

fn connections(parts: &[Part]) -> Connections {
    let all = || parts.iter().map(|part| &part.report.connections);
    Connections {
        opened: all().map(|theirs| theirs.opened).sum(),
        // They opened them side by side.
        ramp_s: all().map(|theirs| theirs.ramp_s).fold(0.0, f64::max),
        lost: all().map(|theirs| theirs.lost).sum(),
        churn: all().filter_map(|theirs| theirs.churn).reduce(churn),
        rotated: all().filter_map(|theirs| theirs.rotated).reduce(|one, other| one + other),
        errors: by_name(all().map(|theirs| &theirs.errors)),
        errnos: by_name(all().map(|theirs| &theirs.errnos)),
        targets: targets(all().flat_map(|theirs| &theirs.targets)),
        rss_growth_bytes: all().map(|theirs| theirs.rss_growth_bytes).sum(),
        // Shards on one machine see the same kernel grow: their growth is no sum.
        kernel_growth_bytes: None,
        closed_s: all().filter_map(|theirs| theirs.closed_s).reduce(f64::max),
    }
}

/// The places of the target, each with the sum over all parts, in the order in which the parts first name them.
fn targets<'a>(all: impl Iterator<Item = &'a TargetReport>) -> Vec<TargetReport> {
    let mut sums: Vec<TargetReport> = Vec::new();
    let mut places = HashMap::new();
    for theirs in all {
        let place = *places.entry(&theirs.address).or_insert_with(|| {
            sums.push(TargetReport { address: theirs.address.clone(), ..TargetReport::default() });
            sums.len() - 1
        });
        let sum = &mut sums[place];
        sum.opened += theirs.opened;
        sum.errors = by_name([&sum.errors, &theirs.errors].into_iter());
        sum.errnos = by_name([&sum.errnos, &theirs.errnos].into_iter());
    }
    sums
}

fn churn(one: Churn, other: Churn) -> Churn {
    Churn {
        scheduled: one.scheduled + other.scheduled,
        replaced: one.replaced + other.replaced,
        failed: one.failed + other.failed,
        unfinished: one.unfinished + other.unfinished,
    }
}

/// The distribution of all samples of those parts that have any; absent where none has.
fn sum_where_any(
    parts: &[Part],
    what: &str,
    latency: impl Fn(&LoadReport) -> Option<&Latency>,
) -> Result<Option<Latency>, Refusal> {
    let with = parts.iter().filter_map(|part| Some((part, latency(&part.report)?)));
    let has_any = with.clone().count() > 0;
    has_any.then(|| sum_latencies(what, with)).transpose()
}

/// The distribution of all samples of all parts; absent where no part has one.
fn sum_of(
    parts: &[Part],
    what: &str,
    latency: impl Fn(&LoadReport) -> Option<&Latency>,
) -> Result<Option<Latency>, Refusal> {
    let is_without = |part: &&Part| latency(&part.report).is_none();
    match parts.iter().find(is_without) {
        Some(without) if !parts.iter().all(|part| is_without(&part)) => {
            Err(damaged(&without.name, format!("it has no {what}, which the other shards have")))
        }
        _ => sum_where_any(parts, what, latency),
    }
}

fn sum_latencies<'a>(
    what: &str,
    latencies: impl Iterator<Item = (&'a Part, &'a Latency)>,
) -> Result<Latency, Refusal> {
    let mut sum = histogram::empty();
    for (part, latency) in latencies {
        let theirs = latency.histogram().map_err(|error| damaged(&part.name, format!("{what}: {error}")))?;
        let (count, held) = (latency.count, theirs.len());
        if held != count {
            let what = format!("{what}: its count is {count}, its histogram holds {held}");
            return Err(damaged(&part.name, what));
        }
        sum.add(theirs).expect("all histograms have the project's bounds");
    }
    Ok(Latency::of(&sum))
}

/// The pieces of all windows, index by index. A shard that was interrupted has fewer of them.
fn intervals(parts: &[Part]) -> Result<Vec<Interval>, Refusal> {
    let most = parts.iter().map(|part| part.report.intervals.len()).max().unwrap_or(0);
    (0..most).map(|index| interval(parts, index)).collect()
}

fn interval(parts: &[Part], index: usize) -> Result<Interval, Refusal> {
    let theirs: Vec<(&Part, &Interval)> =
        parts.iter().filter_map(|part| Some((part, part.report.intervals.get(index)?))).collect();
    let start_s = theirs[0].1.start_s;
    if let Some((part, interval)) = theirs.iter().find(|(_, interval)| interval.start_s != start_s) {
        let what = format!("its interval {index} begins at {} s, others' at {start_s} s", interval.start_s);
        return Err(damaged(&part.name, what));
    }
    let responses = theirs.iter().filter_map(|(part, interval)| Some((*part, interval.response.as_ref()?)));
    let has_response = responses.clone().count() > 0;
    let response = has_response.then(|| sum_latencies("intervals.response", responses)).transpose()?;
    let services = theirs.iter().map(|(part, interval)| (*part, &interval.service));
    Ok(Interval {
        start_s,
        length_s: theirs.iter().map(|(_, interval)| interval.length_s).fold(0.0, f64::max),
        completed: theirs.iter().map(|(_, interval)| interval.completed).sum(),
        errors: theirs.iter().map(|(_, interval)| interval.errors).sum(),
        response,
        service: sum_latencies("intervals.service", services)?,
    })
}

/// The part of one shard's report that a merged result keeps.
fn kept(part: &Part) -> MergedShard {
    let report = &part.report;
    MergedShard {
        shard: part.shard,
        valid: report.valid,
        started_at: report.started_at.clone(),
        opened: report.connections.opened,
        scheduled: report.scheduled,
        completed: report.completed,
        failed: report.errors.values().sum(),
        outstanding: report.outstanding,
        throughput_per_s: report.throughput_per_s,
        generator_busy: report.generator_busy,
        generator_starved: report.generator_starved,
        steal: report.steal,
        self_check: report.self_check.clone(),
    }
}

#[cfg(test)]
mod tests;
