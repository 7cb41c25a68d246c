//! The turns in which workers open connections.
//!
//! Each worker opens its own connections, into its own descriptor table, yet they should reach the server in the order
//! of the whole run: the active ones evenly among the idle ones. And no more workers should open at once than there are
//! processors, for the server needs those too. So they take turns, and the next turn is the one whose connection is the
//! earliest. No worker waits for one that is not there, because it has not started yet or never will.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest time before a worker that waits for its turn notices that there is none to come.
const LOOK_UP_EVERY: Duration = Duration::from_millis(20);

/// The turns of all workers.
#[derive(Debug)]
pub struct Turns {
    state: Mutex<State>,
    granted: Vec<Condvar>,
}

#[derive(Debug)]
struct State {
    /// Turns that may be taken at this moment.
    free: usize,
    /// The workers that wait, each with the index of the connection that it wants to open next.
    waiting: BinaryHeap<Reverse<(u32, usize)>>,
    is_granted: Vec<bool>,
}

/// A turn; it ends when this is dropped, also by a panic.
#[derive(Debug)]
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// The turns of `workers` workers, `at_once` of them at a time.
    pub fn new(workers: usize, at_once: usize) -> Self {
        let state =
            State { free: at_once.max(1), waiting: BinaryHeap::new(), is_granted: vec![false; workers] };
        Self { state: Mutex::new(state), granted: (0..workers).map(|_| Condvar::new()).collect() }
    }

    /// Waits until it is the turn of `worker`, whose next connection is `index`; none once `is_over` says so.
    pub fn take(&self, worker: usize, index: u32, is_over: impl Fn() -> bool) -> Option<Turn<'_>> {
        let mut state = self.lock();
        state.waiting.push(Reverse((index, worker)));
        self.grant(&mut state);
        loop {
            if std::mem::take(&mut state.is_granted[worker]) {
                return Some(Turn(self));
            }
            if is_over() {
                state.waiting.retain(|&Reverse((_, waiting))| waiting != worker);
                return None;
            }
            let woken = self.granted[worker].wait_timeout(state, LOOK_UP_EVERY);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn grant(&self, state: &mut State) {
        while state.free > 0 {
            let Some(Reverse((_, worker))) = state.waiting.pop() else { return };
            state.free -= 1;
            state.is_granted[worker] = true;
            self.granted[worker].notify_one();
        }
    }

    /// The state is whole between any two of its changes, so that a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.free += 1;
        self.0.grant(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use std::thread;

    fn waiting(turns: &Turns) -> usize {
        turns.lock().waiting.len()
    }

    #[test]
    fn the_next_turn_is_the_one_whose_connection_is_the_earliest() {
        let turns = Turns::new(4, 1);
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let first = turns.take(0, 0, || false).expect("nobody else waits");
            for (worker, index) in [(1, 30), (2, 10), (3, 20)] {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let turn = turns.take(worker, index, || false).expect("it is not over");
                    order.lock().expect("no panic").push(index);
                    drop(turn);
                });
            }
            while waiting(&turns) < 3 {
                thread::yield_now();
            }
            drop(first);
        });
        assert_eq!(order.into_inner().expect("no panic"), [10, 20, 30]);
    }

    #[test]
    fn no_more_than_allowed_have_their_turn_at_once() {
        let turns = Turns::new(8, 2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for worker in 0..8 {
                let (turns, now, most) = (&turns, &now, &most);
                scope.spawn(move || {
                    for index in 0..200 {
                        let turn = turns.take(worker, index, || false);
                        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                        now.fetch_sub(1, SeqCst);
                        drop(turn);
                    }
                });
            }
        });
        assert!((1..=2).contains(&most.into_inner()));
    }

    #[test]
    fn a_panic_ends_a_turn_and_an_end_ends_the_waiting() {
        let turns = Turns::new(2, 1);
        let panicking = || {
            let _turn = turns.take(0, 0, || false);
            panic!("on purpose");
        };
        assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        let held = turns.take(1, 1, || false).expect("the turn was given back");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let waits = scope.spawn(|| turns.take(0, 2, || is_over.load(SeqCst)).is_none());
            while waiting(&turns) == 0 {
                thread::yield_now();
            }
            is_over.store(true, SeqCst);
            assert!(waits.join().expect("no panic"), "it gave up waiting");
        });
        drop(held);
        assert!(turns.take(0, 3, || false).is_some(), "nobody is left in the queue");
    }
}
