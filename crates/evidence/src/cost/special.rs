//! Parts of claims that no other claim has.

use model::campaign::Started;
use model::schema::{LoadReport, Point};
use stats::{Interval, Proportion};

use super::{FewBusy, LT, POLL, SELECT};
use crate::base::{Base, Number, Place, Spot, mean_ratio};
use crate::part::{Expect, Found, Seen, in_words, metric};
use report::format;
use report::rounds::analysis::MARGIN;
use report::rounds::metrics::{RESPONSE, THROUGHPUT};
use report::rounds::{Better, Metric, distinct, table};

const SCANNING: [&str; 2] = [POLL, SELECT];
/// The metrics by which few busy connections are compared.
const COMPARED: [&str; 3] = ["throughput", "saturation_cpu", "response_p50"];
/// One interval in forty lies below 1 by chance.
const BY_CHANCE: f64 = 0.025;

/// The points at which poll or select does not sustain the light rate.
pub fn saturated(base: &Base<'_>) -> Seen {
    let what = "points at which poll or select does not sustain the light rate".to_owned();
    let mut used = Vec::new();
    for spot in base.all().filter(|spot| spot.point.is_plain()) {
        let candidates = spot.group.candidates.iter().filter(|one| SCANNING.contains(&one.name));
        used.extend(candidates.filter_map(|one| {
            let saturation = table::saturation(one.light.as_ref()?);
            Some(format!("{} at {}, {saturation}", one.name, format::place_in_short(spot.point)))
        }));
    }
    let observed = if used.is_empty() { "none".to_owned() } else { used.join("; ") };
    Found { what, observed, ..Found::default() }.seen()
}

/// Select or poll beside epoll at one point, by one metric.
struct Compared<'a> {
    spot: Spot<'a>,
    name: &'static str,
    metric: &'static Metric,
    number: Number,
    /// True if it is better than epoll; `None` if the interval cannot tell.
    is_better: Option<bool>,
}

fn compared<'a>(base: &Base<'a>) -> Vec<Compared<'a>> {
    let pairs = COMPARED.iter().flat_map(|key| SCANNING.map(|name| (metric(key), name)));
    let at = |(metric, name): (&'static Metric, &'static str)| {
        let spots = base.spots(FewBusy, &[metric], &[name, LT]);
        let one = move |spot: Spot<'a>| {
            let number = Number::from(spot.ratio(metric, [name, LT])?);
            let interval = number.interval?;
            let is_better = match (interval.high < 1.0, interval.low > 1.0) {
                (false, false) => None,
                (is_below, _) => Some(is_below == (metric.better == Better::Lower)),
            };
            Some(Compared { spot, name, metric, number, is_better })
        };
        spots.into_iter().filter_map(one)
    };
    let mut all: Vec<_> = pairs.flat_map(at).collect();
    let place = |spot: &Spot<'_>| base.all().position(|other| other == *spot);
    all.sort_by_key(|one| (one.metric.key, place(&one.spot)));
    all
}

impl Compared<'_> {
    /// A metric at a point is one case.
    fn is_same_case(&self, other: &Self) -> bool {
        self.metric.key == other.metric.key && self.spot == other.spot
    }
}

/// By how many metrics, at how many points of few busy connections, select or poll is better than epoll. The intervals of all candidates
/// hold together by a metric at a point, so that is one case.
pub fn better_somewhere(base: &Base<'_>) -> Seen {
    let what = "select or poll against epoll-lt with 100 connections or fewer, all active".to_owned();
    let all = compared(base);
    let cases = all.chunk_by(|one, other| one.is_same_case(other)).count();
    let count = |is_better| {
        let cases = all.chunk_by(|one, other| one.is_same_case(other));
        cases.filter(|case| case.iter().any(|one| one.is_better == Some(is_better))).count()
    };
    let Some(better) = Proportion::of(count(true) as u64, cases as u64) else {
        return Seen::Lacks(what, FewBusy.command());
    };
    let Proportion { hits, cases, .. } = better;
    let observed =
        format!("better in {hits} of {cases} cases (a metric at a point), worse in {}", count(false));
    // Where there is none, and on the whole none by more than the margin, there is nothing to find.
    let surely_none = || {
        let pairs = COMPARED.iter().flat_map(|key| SCANNING.map(|name| (metric(key), name)));
        let mut means = pairs.filter_map(|(metric, name)| {
            let spots = base.spots(FewBusy, &[metric], &[name, LT]);
            Some((metric, mean_ratio(&spots, metric, [name, LT])?.interval?))
        });
        let is_none = |(metric, at): (&Metric, Interval)| match metric.better {
            Better::Lower => at.low >= 1.0 / (1.0 + MARGIN),
            Better::Higher => at.high <= 1.0 + MARGIN,
        };
        better.hits == 0 && means.all(is_none)
    };
    let holds = if better.interval.low > BY_CHANCE { Some(true) } else { surely_none().then_some(false) };
    let better_ones = all.iter().filter(|one| one.is_better == Some(true));
    let best = better_ones.max_by(|one, other| gain(one).total_cmp(&gain(other)));
    let figure = best.and_then(|one| Found::new(title(one), one.number, "×", String::new()).figure);
    let claimed = "better somewhere, more often than by chance".to_owned();
    let spots = distinct(all.iter().map(|one| one.spot));
    Found { what, claimed, observed, holds, figure, ..Found::default() }
        .at(&spots, &[POLL, SELECT, LT])
        .seen()
}

/// The worst of the cases in which select or poll is surely worse with few busy connections.
pub fn worse_nowhere(base: &Base<'_>) -> Seen {
    let all = compared(base);
    let what = "where select or poll does worst with 100 connections or fewer, all active".to_owned();
    if all.is_empty() {
        return Seen::Lacks(what, FewBusy.command());
    }
    let worse = all.iter().filter(|one| one.is_better == Some(false));
    let worst = worse.min_by(|one, other| gain(one).total_cmp(&gain(other)));
    let observed = worst.map(|one| format!("{}: {}", title(one), in_words(one.metric, one.number)));
    Found {
        what,
        claimed: "nowhere worse".to_owned(),
        holds: Some(worst.is_none()),
        observed: observed.unwrap_or_else(|| "nowhere".to_owned()),
        ..Found::default()
    }
    .seen()
}

/// The logarithm of how much better it is.
fn gain(one: &Compared<'_>) -> f64 {
    let log = one.number.value.ln();
    if one.metric.better == Better::Higher { log } else { -log }
}

fn title(one: &Compared<'_>) -> String {
    format!("{} of {} against {LT} at {}", one.metric.name, one.name, one.spot.place(one.metric))
}

/// The first count of connections at which `name` answers later than epoll.
pub fn fall(base: &Base<'_>, name: &str) -> Seen {
    let what = format!("the first connections at which {name} answers later than {LT}");
    let spots = base.spots(Place::IdleLine, &[&RESPONSE], &[name, LT]);
    let ratio = |spot: &Spot<'_>| spot.ratio(&RESPONSE, [name, LT]).map(Number::from);
    let is_behind = |spot: &Spot<'_>| ratio(spot).is_some_and(|at| Expect::Worse.holds(at) == Some(true));
    let Some(last) = spots.last() else { return Seen::Lacks(what, Place::IdleLine.command()) };
    let claimed = "1,000 to 2,000".to_owned();
    let Some(at) = spots.iter().position(is_behind) else {
        // Where nothing is told apart there is no fall; where it cannot be told, none was seen.
        let holds = ratio(last).and_then(|at| Expect::NotWorse.holds(at)).map(|holds| !holds);
        let observed = format!("none up to {}", format::thousands(last.point.connections.into()));
        return Found { what, claimed, observed, holds, ..Found::default() }.at(&spots, &[name, LT]).seen();
    };
    let count = spots[at].point.connections;
    let before = at.checked_sub(1).map(|before| spots[before].point.connections);
    let number = ratio(&spots[at]).unwrap_or(Number::exact(f64::NAN));
    let words = in_words(&RESPONSE, number);
    let before_text = before.map(|count| format!("; not at {}", format::thousands(count.into())));
    let observed = format!("{}, {words}{}", format::thousands(count.into()), before_text.unwrap_or_default());
    let figure_of = format!("response p50 of {name} against {LT} at {}", spots[at].place(&RESPONSE));
    let figure = Found::new(figure_of, number, "×", String::new()).figure;
    // Where nothing was measured between, the fall may lie anywhere between.
    let holds = Some(count >= 1_000 && before.is_none_or(|before| before < 2_000));
    Found { what, claimed, observed, holds, figure, ..Found::default() }.at(&spots, &[name, LT]).seen()
}

/// The run of the generator that held most connections and lost none.
fn greatest_load<'a>(base: &Base<'a>) -> Option<&'a LoadReport> {
    let sound = base.loads.iter().filter(|load| load.valid && load.connections.lost == 0);
    sound.max_by_key(|load| load.connections.opened)
}

/// The most connections that an epoll server of a campaign held, losing none.
fn greatest_start<'a>(base: &Base<'a>) -> Option<(&'a str, u64)> {
    let held = |started: &'a Started| {
        let connections =
            started.connections.as_ref().filter(|one| one.lost == 0 && started.failed.is_none())?;
        started.candidate.starts_with("epoll").then_some(connections.opened)
    };
    let starts = base.campaigns.iter().flat_map(|analysis| {
        let campaign = analysis.campaign;
        let all = campaign.starts.iter().flat_map(|start| &start.candidates);
        all.filter_map(move |started| Some((campaign.plan.scenario.name.as_str(), held(started)?)))
    });
    starts.max_by_key(|(_, held)| *held)
}

/// The most connections that were held, if they are at least `least`.
pub fn held(base: &Base<'_>, least: u64, command: &'static str) -> Seen {
    let load = greatest_load(base)
        .map(|load| (load.connections.opened, format!("load-gen against {}", load.settings.target)));
    let start = greatest_start(base).map(|(scenario, held)| (held, format!("{scenario}: epoll")));
    let what = format!("{} connections held, and served, without losing one", format::thousands(least));
    let most = [load, start].into_iter().flatten().max_by_key(|(held, _)| *held);
    // Where fewer were asked for, nothing is refuted by them.
    let Some((held, used)) = most.filter(|(held, _)| *held >= least) else {
        return Seen::Lacks(what, command);
    };
    let number = Number::exact(held as f64);
    let found = Found::new(what, number, "connections", format::thousands(held));
    Found { used: vec![used], ..found.expecting(Expect::AtLeast(least as f64), number) }.seen()
}

/// The time that the greatest run took to open its connections, and its p99 response time.
pub fn opened_in(base: &Base<'_>) -> Seen {
    let what = "time to open them, and response p99 among them".to_owned();
    let Some(load) = greatest_load(base) else {
        return Seen::Lacks(what, "scenarios/million 1M --export json=results/million.json");
    };
    let p99_ns = load.response.as_ref().and_then(|response| response.p99_ns);
    let p99 = p99_ns.map_or_else(|| format::ABSENT.to_owned(), |ns| format::duration_ns(ns as f64));
    let observed = format!("{}, {p99}", format::duration_ns(load.connections.ramp_s * 1e9));
    Found { what, observed, ..Found::default() }.seen()
}

/// The memory of one connection of epoll at the server's end, in bytes: half of what the kernel took, since both ends
/// are on the machine, and what the server grew by.
pub fn bytes_each(base: &Base<'_>, expect: Expect) -> Seen {
    let metrics = ["user_bytes_per_connection", "kernel_bytes_per_connection"].map(metric);
    let each = |spot: &Spot<'_>| {
        let [user, kernel] = metrics.map(|metric| spot.figure(metric, LT));
        let (user, kernel) = (user?, kernel?);
        let bytes = |user: f64, kernel: f64| user + kernel / 2.0;
        let ends = user.interval.zip(kernel.interval);
        let between = |(one, other): (Interval, Interval)| Interval {
            low: bytes(one.low, other.low),
            high: bytes(one.high, other.high),
        };
        Some(Number { value: bytes(user.value, kernel.value), interval: ends.map(between) })
    };
    let known = base.all().filter_map(|spot| Some((spot, each(&spot)?)));
    // One start says nothing about the next, however many connections it had.
    let most = known.max_by_key(|(spot, each)| (each.interval.is_some(), spot.point.connections));
    let what = "memory of one connection at the server's end, kernel and user space";
    let Some((spot, each)) = most else { return Seen::Lacks(what.to_owned(), "muxbench run memory") };
    let what = format!("{what}, of {LT} with {}", format::place(spot.point));
    let fit = format::thousands((1e9 / each.value) as u64);
    let text = format!("{} bytes, {fit} connections in 1 GB", each.text());
    Found::new(what, each, "bytes", text).expecting(expect, each).at(&[spot], &[LT]).seen()
}

/// The same point with another way to meet the listener, or another number of threads.
fn with<'a>(base: &Base<'a>, spot: &Spot<'a>, change: impl Fn(&mut Point)) -> Option<Spot<'a>> {
    let mut wanted = spot.point.clone();
    change(&mut wanted);
    base.all().find(|other| std::ptr::eq(other.analysis, spot.analysis) && *other.point == wanted)
}

/// The point with the most loops that meet the listener with EPOLLEXCLUSIVE, of those that `partner` finds one for.
fn exclusive<'a, T>(base: &Base<'a>, partner: impl Fn(&Spot<'a>) -> Option<T>) -> Option<(Spot<'a>, T)> {
    let is_exclusive =
        |spot: &Spot<'_>| spot.point.threads > 1 && spot.point.accept.as_deref() == Some("exclusive");
    let pairs = base.all().filter(is_exclusive).filter_map(|spot| Some((spot, partner(&spot)?)));
    pairs.max_by_key(|(spot, _)| (spot.point.threads, spot.point.churn_per_s))
}

const HERD: &str = "muxbench run thundering-herd";

/// A figure of several loops with EPOLLEXCLUSIVE over that with another way to meet the listener. The two were measured apart.
pub fn by_accept<'a>(base: &Base<'a>, key: &str, accept: &str, expect: Expect) -> Seen {
    let metric = metric(key);
    let what = format!("{} of {LT}, exclusive against {accept}", metric.name);
    let ratio = |spot: &Spot<'a>| {
        let other = with(base, spot, |point| point.accept = Some(accept.to_owned()));
        other.and_then(|other| Some((other, spot.figure(metric, LT)?.over(other.figure(metric, LT)?))))
    };
    let Some((spot, (other, number))) = exclusive(base, ratio) else { return Seen::Lacks(what, HERD) };
    let judged = if metric.better == Better::Higher { Number::exact(1.0).over(number) } else { number };
    let what = format!("{what} at {}", spot.place(metric));
    let found = Found::new(what, number, "×", in_words(metric, number));
    found.expecting(expect, judged).at(&[spot, other], &[LT]).seen()
}

/// Wake-ups for nothing with EPOLLEXCLUSIVE.
pub fn empty_per_accept(base: &Base<'_>) -> Seen {
    let metric = metric("accept_empty_wakeups");
    let what = format!("{} of {LT}, exclusive", metric.name);
    let Some((spot, number)) = exclusive(base, |spot| spot.figure(metric, LT)) else {
        return Seen::Lacks(what, HERD);
    };
    let what = format!("{what}, at {}", spot.place(metric));
    let found = Found::new(what, number, "per connection accepted", number.text());
    found.expecting(Expect::AtMost(0.1), number).at(&[spot], &[LT]).seen()
}

/// The throughput of the most loops with EPOLLEXCLUSIVE over that of the fewest.
pub fn scaling<'a>(base: &Base<'a>) -> Seen {
    let alike = |point: &Point| Point { threads: 0, accept: None, sweep: String::new(), ..point.clone() };
    let fewest = |spot: &Spot<'a>| {
        let is_fewer = |other: &Spot<'a>| {
            let is_comparable =
                other.point.threads == 1 || other.point.accept.as_deref() == Some("exclusive");
            std::ptr::eq(other.analysis, spot.analysis)
                && is_comparable
                && other.point.threads < spot.point.threads
                && alike(other.point) == alike(spot.point)
                && other.figure(&THROUGHPUT, LT).is_some()
        };
        let few = base.all().filter(is_fewer).min_by_key(|other| other.point.threads)?;
        Some((few, spot.figure(&THROUGHPUT, LT)?.over(few.figure(&THROUGHPUT, LT)?)))
    };
    let what = format!("throughput of {LT} with EPOLLEXCLUSIVE, many loops over few");
    let Some((spot, (few, number))) = exclusive(base, fewest) else { return Seen::Lacks(what, HERD) };
    let [many, fewer] = [spot.point.threads, few.point.threads];
    let what = format!("{what}: {many} over {fewer}");
    let processors = spot.analysis.campaign.environment.usable_processors();
    // The generator needs one too.
    if many + 1 > processors {
        let need = "loops need as many processors besides the generator's, and this machine has";
        return Seen::Cannot(what, format!("{many} {need} {processors} in all"));
    }
    // Nine tenths of what as many loops could do.
    let least = Expect::AtLeast((9.0 * f64::from(many) / f64::from(fewer)).round() / 10.0);
    Found::new(what, number, "×", number.text()).expecting(least, number).at(&[spot, few], &[LT]).seen()
}
