//! libevent's figure: a hundred active socketpairs of N pass bytes on, dispatch alone and with every event set anew.

use std::os::fd::RawFd;

use sys::clock::now_ns;

use super::channels::Channels;
use super::waiters::{self, Wait};
use super::{Case, Table, head};

/// The name of the table.
pub const NAME: &str = "libevent";

/// Channels that have a byte at the beginning.
const ACTIVE: usize = 100;
/// Bytes that are passed on in all.
const WRITES: usize = 1_000;
/// Rounds of one measurement.
const ROUNDS: u32 = 5;

const SIZES: [u32; 3] = [2_500, 5_000, 10_000];
/// Read from the published figure, in milliseconds: select and poll; epoll is flat there.
const PUBLISHED: [f64; 3] = [20.0, 40.0, 80.0];

/// N. Provos, libevent; the benchmark is its test/bench.c.
pub fn table(limit: u32) -> Table<'static> {
    let head = head(
        NAME,
        "libevent's figure: 100 active of N socketpairs",
        "N. Provos, libevent (libevent.org), read from the figure; test/bench.c",
        "N pairs of connected Unix sockets, 100 of them active: a byte goes into each, and whoever finds a byte reads it \
         and writes one to the next pair, until 1,000 more are written and all are read. 'add' has every descriptor \
         taken off and put on again within the time, which is what one of libevent's two figures contains.",
        "The mechanism's calls alone, without libevent's own lists, timers and callbacks. In turn with libevent 2.1 itself, with poll and \
         epoll, a round takes between four fifths and nine eighths of libevent's, and sizes and mechanisms have the same \
         order: bytes are passed on by read(2) and write(2) here and by recv(2) and send(2) there, which are some percent \
         lighter on a socket (with the same calls in both, ours is the lighter one); and with 'add' libevent keeps a map of its descriptors as well. Its select \
         cannot be compared where the C library checks FD_SET, and ends the program above descriptor 1,023. A limit of \
         20,000 descriptors allows 9,970 pairs for 10,000. Kernel and processor are some twenty years younger.",
        "ms",
    );
    let ways = [
        ("poll", "poll", false),
        ("poll, add", "poll", true),
        ("select", "select", false),
        ("select, add", "select", true),
        ("epoll-lt", "epoll-lt", false),
        ("epoll-lt, add", "epoll-lt", true),
    ];
    let cases = ways.into_iter().flat_map(|(name, mechanism, with_add)| {
        SIZES.into_iter().zip(PUBLISHED).map(move |(size, published)| {
            let watched = Channels::at_most(size, limit);
            let measure = Box::new(move || dispatch_ms(watched, mechanism, with_add));
            let is_published = !with_add && mechanism != "epoll-lt";
            Case { mechanism: name, watched, published: is_published.then_some(published), measure }
        })
    });
    (head, cases.collect())
}

/// The mean time of a round, in milliseconds.
fn dispatch_ms(count: u32, mechanism: &str, with_add: bool) -> f64 {
    let channels = Channels::pairs(count);
    let descriptors = channels.descriptors();
    let places = places(&descriptors);
    let mut waiter = waiters::waiter(mechanism, &descriptors);
    round(&channels, &places, &mut *waiter);
    let total_ns: u64 = (0..ROUNDS)
        .map(|_| {
            let begun_ns = now_ns();
            if with_add {
                waiter.watch_anew(&descriptors);
            }
            let added_ns = now_ns() - begun_ns;
            added_ns + round(&channels, &places, &mut *waiter)
        })
        .sum();
    total_ns as f64 / f64::from(ROUNDS) / 1e6
}

/// The place of each descriptor, by its number.
fn places(descriptors: &[RawFd]) -> Vec<usize> {
    let highest = descriptors.iter().copied().max().unwrap_or(0);
    let mut places = vec![0; highest as usize + 1];
    descriptors.iter().enumerate().for_each(|(at, &fd)| places[fd as usize] = at);
    places
}

/// Nanoseconds until every byte is passed on and read.
fn round(channels: &Channels, places: &[usize], waiter: &mut dyn Wait) -> u64 {
    let space = (channels.len() / ACTIVE).max(1);
    let active = ACTIVE.min(channels.len());
    (0..active).for_each(|at| channels.raise(at * space));
    let (mut to_write, mut to_read) = (WRITES, active + WRITES);
    let mut found = Vec::with_capacity(active);
    let begun_ns = now_ns();
    while to_read > 0 {
        found.clear();
        waiter.wait(&mut found);
        for fd in &found {
            let at = places[*fd as usize];
            channels.lower(at);
            to_read -= 1;
            if to_write > 0 {
                channels.raise((at + 1) % channels.len());
                to_write -= 1;
            }
        }
    }
    now_ns() - begun_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_whatever_waits() {
        for mechanism in waiters::MECHANISMS.into_iter().filter(|name| *name != "epoll-et") {
            for with_add in [false, true] {
                assert!(dispatch_ms(150, mechanism, with_add) > 0.0, "{mechanism}");
            }
        }
    }
}
