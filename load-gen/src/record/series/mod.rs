//! The time series of a run: what came in each interval, recorded without making a worker late.
//!
//! A worker records into one [`Set`] of histograms. At the edge of an interval it swaps that for an empty one, which is
//! an exchange of two pointers over channels whose memory was taken beforehand. A thread of the series takes the full
//! ones, encodes them, which makes a kilobyte of half a megabyte, and gives them back empty. So an hour with an interval
//! of a second is a few megabytes. Only when that thread has had no processor for several intervals does the worker make
//! another set itself, and only behind [`QUEUE`] full ones does it wait; both show as lateness of the generator.

mod cut;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use model::histogram::{self, Histogram};
use model::schema::{Interval, Latency};

use crate::plan::window::Window;
use cut::Cut;

/// The shortest interval: what the thread of the series keeps up with easily.
pub const SHORTEST: Duration = Duration::from_millis(10);
/// The most intervals of a window: their histograms are kept in memory and go into one file.
pub const MOST: u128 = 100_000;

/// Empty sets that a worker has in reserve, each half a megabyte: those that are kept open, one being encoded, and two
/// more for a thread that is late.
const RESERVE: usize = OPEN + 3;
/// Full sets that can wait for the thread of the series.
const QUEUE: usize = 1024;
/// Intervals that are kept as histograms for workers that hand theirs in late; older ones are encoded.
const OPEN: usize = 3;

/// The record of one worker within one interval.
struct Set {
    worker: usize,
    index: u64,
    completed: u64,
    errors: u64,
    response: Histogram,
    service: Histogram,
}

impl Set {
    fn new(worker: usize) -> Box<Self> {
        let (response, service) = (histogram::empty(), histogram::empty());
        let mut set = Box::new(Self { worker, index: 0, completed: 0, errors: 0, response, service });
        // Writing to all of its memory takes the page faults here rather than in a worker.
        set.clear();
        set
    }

    fn clear(&mut self) {
        (self.completed, self.errors) = (0, 0);
        self.response.reset();
        self.service.reset();
    }

    fn is_empty(&self) -> bool {
        self.completed == 0 && self.errors == 0
    }

    fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.errors += other.errors;
        self.response.add(&other.response).expect("all histograms have the project's bounds");
        self.service.add(&other.service).expect("all histograms have the project's bounds");
    }
}

/// The memory of a series: takes milliseconds to make, so it is made before the start of a run is set.
#[allow(clippy::vec_box)] // sets change hands, and a box is a pointer
pub struct Stock(Vec<(Box<Set>, Vec<Box<Set>>)>);

impl Stock {
    /// For so many workers.
    pub fn new(workers: usize) -> Self {
        let sets = |worker| (Set::new(worker), (0..RESERVE).map(|_| Set::new(worker)).collect());
        Self((0..workers).map(sets).collect())
    }
}

/// A worker's end of the series.
pub struct Writer {
    cut: Cut,
    current: Box<Set>,
    current_end_ns: u64,
    full: SyncSender<Box<Set>>,
    empty: Receiver<Box<Set>>,
}

impl Writer {
    /// A request was answered now; without a schedule there is no response.
    #[inline]
    pub fn completed(&mut self, now_ns: u64, response_ns: Option<u64>, service_ns: u64) {
        let set = self.at(now_ns);
        set.completed += 1;
        set.service.saturating_record(service_ns);
        if let Some(response_ns) = response_ns {
            set.response.saturating_record(response_ns);
        }
    }

    /// A request failed now.
    #[cold]
    pub fn failed(&mut self, now_ns: u64) {
        self.at(now_ns).errors += 1;
    }

    #[inline]
    fn at(&mut self, now_ns: u64) -> &mut Set {
        if now_ns >= self.current_end_ns {
            self.turn(self.cut.index(now_ns));
        }
        &mut self.current
    }

    #[cold]
    fn turn(&mut self, index: u64) {
        if !self.current.is_empty() {
            // Without an empty one, because the other thread had no processor for several intervals, one is made.
            let next = self.empty.try_recv().unwrap_or_else(|_| Set::new(self.current.worker));
            let full = std::mem::replace(&mut self.current, next);
            // The series ends after its writers.
            let _ = self.full.send(full);
        }
        self.current.index = index;
        self.current_end_ns = self.cut.end_ns(index);
    }

    /// Hands in what is left.
    pub fn finish(mut self) {
        self.turn(0);
    }
}

/// The series of one window, and the thread that encodes it.
pub struct Series {
    cut: Cut,
    thread: JoinHandle<BTreeMap<u64, Encoded>>,
}

impl Series {
    /// A series of the window `cut` in pieces, and an end of it for each worker that the stock is for.
    fn start(cut: Cut, stock: Stock) -> std::io::Result<(Self, Vec<Writer>)> {
        let (full, filled) = sync_channel(QUEUE);
        let (returns, writers): (Vec<_>, Vec<_>) = stock
            .0
            .into_iter()
            .map(|(current, reserve)| {
                let (give_back, empty) = sync_channel(QUEUE);
                reserve.into_iter().for_each(|set| give_back.try_send(set).expect("the queue has room"));
                (give_back, Writer { cut, current, current_end_ns: cut.end_ns(0), full: full.clone(), empty })
            })
            .unzip();
        let collector = Collector { filled, returns, open: BTreeMap::new(), encoded: BTreeMap::new() };
        // Waking a sleeper costs the waker a system call: so nobody sleeps on the channel.
        let pause = Duration::from_nanos(cut.length_ns / 4).clamp(SHORTEST / 4, Duration::from_millis(50));
        let thread = std::thread::Builder::new().name("series".into()).spawn(move || collector.run(pause))?;
        Ok((Self { cut, thread }, writers))
    }

    /// The intervals from the window's begin until it ended (`end_ns`) and the last reply came. All writers must
    /// have finished.
    pub fn finish(self, end_ns: u64, open_loop: bool) -> Vec<Interval> {
        let mut encoded = self.thread.join().expect("the thread of the series does not panic");
        let begun = match end_ns.checked_sub(self.cut.window.begin_ns) {
            None | Some(0) => 0,
            Some(_) => self.cut.index(end_ns - 1) + 1,
        };
        let count = encoded.keys().next_back().map_or(0, |last| last + 1).max(begun);
        (0..count)
            .map(|index| {
                let found = encoded.remove(&index).unwrap_or_else(Encoded::empty);
                let (begin_ns, planned_ns) = (self.cut.begin_ns(index), self.cut.end_ns(index));
                let is_last = begin_ns < end_ns && end_ns < planned_ns;
                let interval_end_ns = if is_last { end_ns } else { planned_ns };
                Interval {
                    start_s: (begin_ns - self.cut.window.begin_ns) as f64 / 1e9,
                    length_s: (interval_end_ns - begin_ns) as f64 / 1e9,
                    completed: found.completed,
                    errors: found.errors,
                    response: open_loop.then_some(found.response),
                    service: found.service,
                }
            })
            .collect()
    }
}

/// The series of `window` that is asked for, if one is, with an end of it for each worker that the stock is for.
///
/// # Errors
///
/// When no thread can be started.
pub fn start(
    interval: Option<Duration>,
    window: Window,
    stock: Option<Stock>,
) -> std::io::Result<(Option<Series>, impl Iterator<Item = Writer>)> {
    let started = match interval.zip(stock) {
        Some((interval, stock)) => Some(Series::start(Cut::new(window, interval), stock)?),
        None => None,
    };
    let (series, writers) = started.unzip();
    Ok((series, writers.unwrap_or_default().into_iter()))
}

/// An interval that has been encoded.
struct Encoded {
    completed: u64,
    errors: u64,
    response: Latency,
    service: Latency,
}

impl Encoded {
    fn empty() -> Self {
        let nothing = Latency::of(&histogram::empty());
        Self { completed: 0, errors: 0, response: nothing.clone(), service: nothing }
    }

    fn of(set: &Set) -> Self {
        Self {
            completed: set.completed,
            errors: set.errors,
            response: Latency::of(&set.response),
            service: Latency::of(&set.service),
        }
    }

    fn add_to(&self, set: &mut Set) {
        let decode = |latency: &Latency| histogram::decode(&latency.histogram).expect("it was encoded here");
        let (response, service) = (decode(&self.response), decode(&self.service));
        let Self { completed, errors, .. } = *self;
        let mine = Set { worker: set.worker, index: set.index, completed, errors, response, service };
        set.add(&mine);
    }
}

struct Collector {
    filled: Receiver<Box<Set>>,
    returns: Vec<SyncSender<Box<Set>>>,
    open: BTreeMap<u64, Box<Set>>,
    encoded: BTreeMap<u64, Encoded>,
}

impl Collector {
    fn run(mut self, pause: Duration) -> BTreeMap<u64, Encoded> {
        // Whoever is measured goes first: on a machine without a processor to spare, encoding would be in the responses.
        let _ = rustix::process::nice(19);
        loop {
            match self.filled.try_recv() {
                Ok(set) => self.take(set),
                Err(TryRecvError::Empty) => std::thread::sleep(pause),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        while !self.open.is_empty() {
            self.encode_oldest();
        }
        self.encoded
    }

    fn take(&mut self, set: Box<Set>) {
        match self.open.get_mut(&set.index) {
            Some(open) => {
                open.add(&set);
                self.give_back(set);
            }
            None => {
                self.open.insert(set.index, set);
            }
        }
        while self.open.len() > OPEN {
            self.encode_oldest();
        }
    }

    fn encode_oldest(&mut self) {
        let Some((index, mut set)) = self.open.pop_first() else { return };
        if let Some(earlier) = self.encoded.get(&index) {
            // A worker handed in its part of this interval long after the others.
            earlier.add_to(&mut set);
        }
        self.encoded.insert(index, Encoded::of(&set));
        self.give_back(set);
    }

    fn give_back(&self, mut set: Box<Set>) {
        set.clear();
        // A worker that is gone, or has plenty, needs no more.
        let _ = self.returns[set.worker].try_send(set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Window = Window { begin_ns: 1_000, end_ns: 1_000 + 2_500 };

    fn cut() -> Cut {
        Cut::new(WINDOW, Duration::from_nanos(1_000))
    }

    #[test]
    fn an_interval_in_which_nothing_came_is_there_and_empty() {
        let (series, mut writers) = Series::start(cut(), Stock::new(1)).expect("a thread");
        let mut writer = writers.remove(0);
        writer.completed(1_100, Some(50), 40);
        writer.completed(4_600, Some(3_000), 3_000);
        writer.failed(4_700);
        writer.finish();
        let intervals = series.finish(WINDOW.end_ns, true);
        let counts: Vec<_> = intervals.iter().map(|interval| (interval.completed, interval.errors)).collect();
        assert_eq!(counts, [(1, 0), (0, 0), (0, 0), (0, 0), (1, 1)]);
        assert_eq!(intervals[2].length_s, 500e-9, "cut at the window's end");
        assert_eq!(intervals[4].start_s, 3_500e-9);
    }

    #[test]
    fn a_worker_without_an_empty_set_in_reserve_loses_nothing() {
        let cut = Cut::new(Window { begin_ns: 0, end_ns: 1_000_000 }, Duration::from_nanos(1_000));
        let (series, mut writers) = Series::start(cut, Stock::new(1)).expect("a thread");
        let mut writer = writers.remove(0);
        (0..500).for_each(|interval| writer.completed(interval * 1_000, None, interval + 1));
        writer.finish();
        let intervals = series.finish(500_000, false);
        assert_eq!(intervals.len(), 500);
        assert!(intervals.iter().all(|interval| interval.completed == 1 && interval.response.is_none()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_intervals_of_all_workers_add_up_to_what_was_recorded(
            replies in prop::collection::vec((0usize..3, 0u64..600, 1u64..1_000_000), 0..80),
        ) {
            let (series, mut writers) = Series::start(cut(), Stock::new(3)).expect("a thread");
            let mut all = histogram::empty();
            let mut now = [WINDOW.begin_ns; 3];
            for &(worker, pause, service) in &replies {
                now[worker] += pause;
                writers[worker].completed(now[worker], Some(service + 1), service);
                all.saturating_record(service);
            }
            writers.into_iter().for_each(Writer::finish);
            let mut sum = histogram::empty();
            for (index, interval) in series.finish(WINDOW.end_ns, true).iter().enumerate() {
                let service = histogram::decode(&interval.service.histogram).expect("decodes");
                prop_assert_eq!(service.len(), interval.completed, "interval {}", index);
                sum.add(&service).expect("same bounds");
            }
            prop_assert!(sum == all);
        }
    }
}
