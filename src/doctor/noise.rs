//! Listening to the machine: how long equal work takes, how late a timer comes, and who else works.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Duration;

use model::histogram::{self, Histogram};
use model::schema::{BusyProcess, Noise};
use sys::clock::now_ns;
use sys::processors;
use sys::usage;

use crate::experiment::environment::Pinning;

/// Steps of the work whose length is always the same: some ten microseconds.
const STEPS: u64 = 8_192;
/// Windows, each taken for a figure of one repeat: at five seconds about as short as the shortest of a campaign.
const WINDOWS: u64 = 24;
/// Repeats of which an interval is formed, as in a campaign.
const REPEATS: usize = 6;
/// The duration that the timer is set to.
const TIMER: Duration = Duration::from_millis(1);
/// Busy processes that are named.
const NAMED_AT_MOST: usize = 5;

/// Listens for `length`, half of it to equal work on both processors, half of it to a timer on the generator's.
///
/// Nothing where the system's accounts cannot be read.
pub fn listen(length: Duration, pinning: &Pinning) -> Option<Noise> {
    let (before, worked_before) = (usage::system().ok()?, ticks_by_process());
    let begun_ns = now_ns();
    let half_ns = length.as_nanos() as u64 / 2;
    let cpus = [pinning.server, pinning.generator];
    let works: Vec<Work> = std::thread::scope(|scope| {
        let threads = cpus.map(|cpu| scope.spawn(move || work(half_ns, cpu)));
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let timer = std::thread::scope(|scope| scope.spawn(|| timer(half_ns, pinning.generator)).join().ok())?;
    let length_s = (now_ns() - begun_ns) as f64 / 1e9;
    let system = usage::system_since(usage::system().ok()?, before);
    let busy = busy(&worked_before, &ticks_by_process(), length_s);
    Some(Noise {
        length_s,
        lost_share: works.iter().map(|work| work.lost_share()).fold(0.0, f64::max),
        longest_gap_ns: works.iter().map(Work::longest_gap_ns).max()?,
        timer_late_p50_ns: timer.value_at_quantile(0.5),
        timer_late_p99_ns: timer.value_at_quantile(0.99),
        steal_share: system.steal_s / (length_s * f64::from(system.processors.max(1))),
        visible_difference: works.iter().map(|work| visible_difference(&work.windows)).fold(0.0, f64::max),
        busy,
    })
}

/// The times that equal work took.
struct Work {
    pieces: Histogram,
    /// The mean of the pieces of each window.
    windows: Vec<f64>,
}

/// Does the same work over and over for `length_ns`.
fn work(length_ns: u64, cpu: Option<u32>) -> Work {
    pin(cpu);
    let mut outcome = Work { pieces: histogram::empty(), windows: Vec::new() };
    let mut now = now_ns();
    for _ in 0..WINDOWS {
        let (begun_ns, mut pieces) = (now, 0_u32);
        while now < begun_ns + length_ns / WINDOWS {
            for step in 0..STEPS {
                black_box(step);
            }
            let then = now_ns();
            outcome.pieces.saturating_record(then - now);
            pieces += 1;
            now = then;
        }
        outcome.windows.push((now - begun_ns) as f64 / f64::from(pieces.max(1)));
    }
    outcome
}

impl Work {
    /// Share of the time beyond what the pieces would have taken if each had taken the median.
    fn lost_share(&self) -> f64 {
        let median = self.pieces.value_at_quantile(0.5);
        let pieces =
            || self.pieces.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value() as f64));
        let all: f64 = pieces().map(|(ns, count)| ns as f64 * count).sum();
        let lost: f64 = pieces().map(|(ns, count)| ns.saturating_sub(median) as f64 * count).sum();
        lost / all
    }

    fn longest_gap_ns(&self) -> u64 {
        self.pieces.max().saturating_sub(self.pieces.value_at_quantile(0.5))
    }
}

/// Half the interval of the ratio of equal things over [`REPEATS`] repeats: the median of those that the windows give.
fn visible_difference(windows: &[f64]) -> f64 {
    let ratios: Vec<f64> = windows.chunks_exact(2).map(|pair| pair[0] / pair[1]).collect();
    let half_widths: Vec<f64> = ratios
        .windows(REPEATS)
        .filter_map(stats::of_repeats)
        .map(|level| (level.interval.high - level.interval.low) / 2.0)
        .collect();
    stats::median(&half_widths).unwrap_or(f64::NAN)
}

/// Sets a timer over and over for `length_ns`, and returns how late it was each time, in nanoseconds.
fn timer(length_ns: u64, cpu: Option<u32>) -> Histogram {
    pin(cpu);
    // As the generator's workers do; otherwise it is 50 µs late by design.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut late = histogram::empty();
    let end_ns = now_ns() + length_ns;
    while now_ns() < end_ns {
        let due_ns = now_ns() + TIMER.as_nanos() as u64;
        std::thread::sleep(TIMER);
        late.saturating_record(now_ns().saturating_sub(due_ns));
    }
    late
}

/// Binds the calling thread to its processor, where it has one and may.
fn pin(cpu: Option<u32>) {
    if let Some(cpu) = cpu {
        let _ = processors::pin_to(&[cpu]);
    }
}

/// Returns the processor time that every other process has used so far, in ticks, by process id (proc_pid_stat(5),
/// utime and stime).
fn ticks_by_process() -> BTreeMap<u32, u64> {
    let own = std::process::id();
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).filter(|&id| id != own);
    ids.filter_map(|id| Some((id, ticks(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?))).collect()
}

/// The two fields after the name, which may hold anything, and eleven others.
pub(crate) fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    user.checked_add(system)
}

/// Returns the processes that worked between two readings, the busiest first, at most [`NAMED_AT_MOST`].
fn busy(before: &BTreeMap<u32, u64>, after: &BTreeMap<u32, u64>, length_s: f64) -> Vec<BusyProcess> {
    let tick_s = 1.0 / rustix::param::clock_ticks_per_second() as f64;
    let mut busy: Vec<BusyProcess> = after
        .iter()
        .filter_map(|(&pid, &ticks)| {
            let worked = ticks.saturating_sub(before.get(&pid).copied().unwrap_or(0));
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
            (worked > 0).then(|| BusyProcess { pid, name, share: worked as f64 * tick_s / length_s })
        })
        .collect();
    busy.sort_by(|one, other| other.share.total_cmp(&one.share));
    busy.truncate(NAMED_AT_MOST);
    busy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_finds_something_on_any_machine() {
        let noise =
            listen(Duration::from_millis(3_000), &Pinning::choose()).expect("the system keeps accounts");
        assert!(noise.length_s >= 3.0 && (0.0..1.0).contains(&noise.lost_share), "{noise:?}");
        assert!(noise.visible_difference.is_finite() && noise.visible_difference > 0.0, "{noise:?}");
        assert!(noise.timer_late_p99_ns >= noise.timer_late_p50_ns, "{noise:?}");
    }

    #[test]
    fn time_beyond_the_median_is_lost() {
        let mut work = Work { pieces: histogram::empty(), windows: Vec::new() };
        (0..99).for_each(|_| work.pieces.saturating_record(1_000));
        work.pieces.saturating_record(100_000);
        // 99,000 of 199,000 ns.
        assert!((work.lost_share() - 0.4975).abs() < 0.001, "{}", work.lost_share());
        assert!(work.longest_gap_ns().abs_diff(99_000) < 100);
    }

    #[test]
    fn equal_windows_let_everything_be_seen_and_unequal_ones_do_not() {
        assert_eq!(visible_difference(&[10.0; 24]), 0.0);
        let unequal: Vec<f64> = (0..24).map(|at| 10.0 + f64::from(at * 7 % 5)).collect();
        assert!(visible_difference(&unequal) > 0.05);
        assert!(visible_difference(&[10.0; 4]).is_nan());
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "17 (a) b) (c) S 1 17 17 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("17 (torn"), None);
    }

    #[test]
    fn who_works_most_is_named_first() {
        let own = std::process::id();
        let (before, after) = (BTreeMap::from([(1, 100), (own, 0)]), BTreeMap::from([(1, 150), (own, 100)]));
        let busy = busy(&before, &after, 10.0);
        assert_eq!(busy.iter().map(|process| process.pid).collect::<Vec<_>>(), [own, 1]);
    }
}
