//! The opening of a worker's share of the connections: in turns, at a bounded pace, and never past a full queue.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use model::histogram::{self, Histogram};
use model::schema::TargetReport;
use rustix::io::Errno;
use sys::clock::now_ns;
use sys::listen_queue::{ListenQueues, is_of_this_machine};

use crate::fault::{Fault, Faults};
use crate::plan::source::Sources;
use crate::plan::target::{Endpoint, Target};
use crate::pool::dialer::{Dialed, Dialer};
use crate::pool::worker::Shared;
use crate::record::live::Live;

/// Connections on their way at once, over all workers: well below the backlog of an ordinary listener (somaxconn, 4096).
const ON_THEIR_WAY: usize = 1024;
/// Connections on their way that one worker may have, at least and at most.
const UNDER_WAY_PER_WORKER: std::ops::RangeInclusive<usize> = 16..=256;
/// Connections that a worker opens in one turn, about.
const A_TURN: u32 = 64;
/// Connections of the whole run that a turn may run ahead of those that wait for theirs, at least.
const AHEAD: u32 = 1024;
/// The time before a queue without room is looked at again.
const LOOK_AGAIN: Duration = Duration::from_micros(200);
/// The longest wait: how soon an end is noticed.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// The outcome of opening connections: a worker's share of them, or all.
pub struct Opened {
    /// From connect(2) to the established connection.
    pub durations: Histogram,
    /// Connections that could not be opened.
    pub failed: Faults,
    /// The same by the place of the target.
    failed_at: BTreeMap<usize, Faults>,
    /// Connections that are open and, if active, watched.
    pub opened: u64,
    /// The same by the place of the target.
    opened_at: Vec<u64>,
    /// The instant at which the last one was established.
    pub last_ns: u64,
}

impl Opened {
    /// Nothing yet of what is to be opened to `target` from `began_ns` on.
    pub fn none(target: &Target, began_ns: u64) -> Self {
        Self {
            durations: histogram::empty(),
            failed: Faults::default(),
            failed_at: BTreeMap::new(),
            opened: 0,
            opened_at: vec![0; target.endpoints().len()],
            last_ns: began_ns,
        }
    }

    /// Adds what another worker opened.
    pub fn merge(&mut self, other: &Self) {
        self.durations.add(&other.durations).expect("all histograms have the project's bounds");
        self.failed.merge(&other.failed);
        for (&place, theirs) in &other.failed_at {
            self.failed_at.entry(place).or_default().merge(theirs);
        }
        self.opened += other.opened;
        self.opened_at.iter_mut().zip(&other.opened_at).for_each(|(all, theirs)| *all += theirs);
        self.last_ns = self.last_ns.max(other.last_ns);
    }

    /// The outcome of the connections to each place of `target`, with the addresses of names that nothing was opened to.
    pub fn by_place(&self, target: &Target) -> Vec<TargetReport> {
        let none = Faults::default();
        let failed_at = |place: usize| self.failed_at.get(&place).unwrap_or(&none);
        let counts = self.opened_at.iter().enumerate().map(|(place, &opened)| (opened, failed_at(place)));
        let places = target.endpoints().iter().zip(counts);
        let silent = target.silent().iter().map(|(endpoint, faults)| (endpoint, (0, faults)));
        places
            .chain(silent)
            .map(|(endpoint, (opened, faults))| TargetReport {
                address: endpoint.to_string(),
                opened,
                errors: faults.by_name(),
                errnos: faults.by_errno(),
            })
            .collect()
    }
}

/// Opens the share of the worker with descriptor table `table`, and hands each connection to `keep`.
///
/// Connections are opened in the order of the whole run, as [`crate::pool::turns`] has it, so that the active ones end up
/// evenly spread over the order in which the server accepts.
pub fn open(
    table: u32,
    shared: &Shared,
    live: &Live,
    keep: impl FnMut(u32, OwnedFd) -> Result<(), Errno>,
) -> Opened {
    let options = &shared.options;
    let sources = Sources::new(&options.target, options.conns, shared.local_ports);
    let began_ns = now_ns();
    let mut opening = Opening {
        table,
        shared,
        live,
        keep,
        dialer: Dialer::new(&options.target, sources, options.timeout),
        queues: Queues::of(&options.target),
        began_ns,
        seen: Opened::none(&options.target, began_ns),
    };
    opening.run();
    opening.seen
}

struct Opening<'a, K> {
    table: u32,
    shared: &'a Shared,
    live: &'a Live,
    keep: K,
    dialer: Dialer<'a, ()>,
    queues: Queues,
    began_ns: u64,
    seen: Opened,
}

impl<K: FnMut(u32, OwnedFd) -> Result<(), Errno>> Opening<'_, K> {
    fn run(&mut self) {
        let Shared { placement, turns, .. } = self.shared;
        let on_their_way = (ON_THEIR_WAY / placement.tables as usize)
            .clamp(*UNDER_WAY_PER_WORKER.start(), *UNDER_WAY_PER_WORKER.end());
        let ahead = A_TURN.saturating_mul(placement.tables).max(AHEAD);
        let mut mine = placement.of_table(self.table).peekable();
        while let Some(&next) = mine.peek() {
            let over = || self.shared.is_over();
            if !self.sleep_until_due(next) {
                break;
            }
            let Some(turn) = turns.take(self.table as usize, next, over) else { break };
            let end = next.saturating_add(ahead);
            for _ in 0..self.await_room(next) {
                let in_turn = |index: &u32| *index < end && self.due_ns(*index) <= now_ns();
                let Some(index) = mine.next_if(in_turn) else { break };
                if let Some(dialed) = self.dialer.start(index, ()) {
                    self.ended(dialed);
                }
                if self.dialer.on_their_way() >= on_their_way {
                    break;
                }
                self.judge();
                if self.shared.is_over() {
                    return;
                }
            }
            drop(turn);
            self.await_established(on_their_way - 1);
        }
        self.await_established(0);
    }

    /// Waits until at most `most` connections are on their way.
    fn await_established(&mut self, most: usize) {
        loop {
            while let Some(dialed) = self.dialer.next_dialed(now_ns()) {
                self.ended(dialed);
            }
            self.tell();
            self.judge();
            if self.dialer.on_their_way() <= most || self.shared.is_over() {
                return;
            }
            self.dialer.wait(LONGEST_WAIT);
        }
    }

    /// Keeps a connection that is established, and counts it or what became of it.
    fn ended(&mut self, Dialed { number: index, began_ns, at_ns, outcome, .. }: Dialed<()>) {
        let kept = outcome.and_then(|socket| {
            self.seen.durations.saturating_record(at_ns - began_ns);
            (self.keep)(index, socket).map_err(Fault::from)
        });
        match kept {
            Ok(()) => {
                self.seen.opened += 1;
                self.seen.opened_at[self.shared.options.target.place(index)] += 1;
            }
            Err(fault) => self.fail(index, fault),
        }
    }

    fn fail(&mut self, index: u32, fault: Fault) {
        self.seen.failed.add(fault);
        self.seen.failed_at.entry(self.shared.options.target.place(index)).or_default().add(fault);
    }

    /// Lets others see how far it is.
    fn tell(&mut self) {
        if self.seen.opened > self.live.opened.load(Relaxed) {
            self.seen.last_ns = now_ns();
            self.live.opened.store(self.seen.opened, Relaxed);
            self.shared.established_ns.fetch_max(self.seen.last_ns, Relaxed);
        }
    }

    /// The earliest instant at which connection `index` may be opened.
    fn due_ns(&self, index: u32) -> u64 {
        match self.shared.options.connect_rate {
            Some(rate) => self.began_ns + (f64::from(index) / rate * 1e9) as u64,
            None => 0,
        }
    }

    /// Sleeps until connection `index` may be opened; false if opening is over before that.
    fn sleep_until_due(&mut self, index: u32) -> bool {
        loop {
            let left = Duration::from_nanos(self.due_ns(index).saturating_sub(now_ns()));
            if left.is_zero() || self.shared.is_over() {
                return !self.shared.is_over();
            }
            std::thread::sleep(left.min(LONGEST_WAIT));
        }
    }

    /// Waits until the server's queue has room, and says for how many connections this worker may use it in this turn.
    ///
    /// A server that makes no room for the time that a connection may take accepts nothing: opening is then over, of which
    /// connection `next` is told.
    fn await_room(&mut self, next: u32) -> u32 {
        let deadline_ns = now_ns() + self.shared.options.timeout.as_nanos() as u64;
        loop {
            match self.queues.room() {
                0 if self.shared.is_over() => return 0,
                0 if now_ns() >= deadline_ns => {
                    self.fail(next, Fault::BacklogFull);
                    self.shared.give_up.store(true, Relaxed);
                    return 0;
                }
                0 => std::thread::sleep(LOOK_AGAIN),
                // Others see the same room at the same time.
                room => return (room / (2 * self.shared.at_once)).max(1),
            }
        }
    }

    /// Ends the opening where going on makes no sense: the target answers nothing, or this side has run out of something.
    fn judge(&self) {
        let Opened { failed, opened, .. } = &self.seen;
        if failed.total() > 0 && is_useless(failed, *opened, || self.is_deaf()) {
            self.shared.give_up.store(true, Relaxed);
        }
    }

    /// Returns whether no worker has established anything for as long as a connection may take.
    fn is_deaf(&self) -> bool {
        let timeout_ns = self.shared.options.timeout.as_nanos() as u64;
        now_ns() >= self.shared.established_ns.load(Relaxed).max(self.began_ns) + timeout_ns
    }
}

fn is_useless(failed: &Faults, opened: u64, is_deaf: impl Fn() -> bool) -> bool {
    const ENOUGH: u64 = 16;
    let count = |faults: &[Fault]| faults.iter().map(|&fault| failed.count(fault)).sum::<u64>();
    // What answers at once that it is not there, or cannot be reached from here.
    const NOT_THERE: [Fault; 5] =
        [Fault::Refused, Fault::Unreachable, Fault::NoAddress, Fault::WrongType, Fault::InvalidAddress];
    let not_there = count(&NOT_THERE);
    let nobody_there = not_there + failed.count(Fault::TimedOut);
    let nothing_left =
        count(&[Fault::OutOfDescriptors, Fault::OutOfPorts, Fault::OutOfMemory, Fault::Denied]);
    (opened == 0 && not_there > 0)
        || nobody_there >= ENOUGH.max(opened)
        || nothing_left >= ENOUGH
        || failed.count(Fault::BacklogFull) > 0
        || (failed.count(Fault::TimedOut) > 0 && is_deaf())
}

/// The queues that connections wait in until the server accepts them, where they can be seen.
struct Queues {
    seen: Option<ListenQueues>,
    /// The server's addresses on this machine.
    addresses: Vec<SocketAddr>,
}

impl Queues {
    fn of(target: &Target) -> Self {
        let addresses: Vec<_> = target
            .endpoints()
            .iter()
            .filter_map(|endpoint| match endpoint {
                Endpoint::Tcp(address) => Some(*address),
                Endpoint::Unix(_) => None,
            })
            .filter(|address| is_of_this_machine(address.ip()))
            .collect();
        // A kernel without sock_diag(7) leaves it at a bound on the connections on their way.
        let seen = if addresses.is_empty() { None } else { ListenQueues::new().ok() };
        Self { seen, addresses }
    }

    /// Room in the fullest of them; any number where it cannot be seen, or where nothing listens.
    fn room(&mut self) -> u32 {
        let room = self.seen.as_mut().map(|queues| queues.room(&self.addresses));
        match room {
            Some(Ok(Some(room))) => room,
            Some(Err(_)) => {
                self.seen = None;
                u32::MAX
            }
            Some(Ok(None)) | None => u32::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(fault: Fault, count: u64) -> Faults {
        let mut faults = Faults::default();
        (0..count).for_each(|_| faults.add(fault));
        faults
    }

    #[test]
    fn a_target_that_answers_nothing_is_given_up_and_one_that_loses_a_few_is_not() {
        let heard = || false;
        assert!(is_useless(&faults(Fault::Refused, 1), 0, heard));
        assert!(!is_useless(&faults(Fault::Refused, 15), 10, heard));
        assert!(is_useless(&faults(Fault::TimedOut, 20), 10, heard));
        assert!(!is_useless(&faults(Fault::TimedOut, 1), 0, heard));
        assert!(is_useless(&faults(Fault::TimedOut, 1), 5_000, || true));
    }

    #[test]
    fn what_has_run_out_here_does_not_come_back_by_trying() {
        for fault in [Fault::OutOfDescriptors, Fault::OutOfPorts, Fault::OutOfMemory, Fault::Denied] {
            assert!(is_useless(&faults(fault, 16), 1_000_000, || false), "{fault:?}");
            assert!(!is_useless(&faults(fault, 3), 1_000_000, || false), "{fault:?}");
        }
        assert!(is_useless(&faults(Fault::BacklogFull, 1), 1_000_000, || false));
    }
}
