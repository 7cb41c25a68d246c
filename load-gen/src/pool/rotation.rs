//! The moves of the active set: when it moves, and on to which connections.

use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Connections exchanged in a row before requests are looked at again: each takes two calls, and what is due
/// meanwhile waits.
const BURST: u32 = 8;

/// A walk of the active set over all connections of a worker.
///
/// Idle connections wait in line, in a seeded random order. The one in front takes the place of an active one, which
/// goes to the end of the line: nobody becomes active twice before all others have been.
pub struct Rotation {
    every_ns: u64,
    next_ns: u64,
    end_ns: u64,
    /// Exchanges that this move still has to make.
    left: u32,
    /// The conversation whose connection goes next.
    slot: u32,
    /// The idle connection in front of the line.
    front: usize,
}

impl Rotation {
    /// Moves every `every_ns` from `start_ns` on, until `end_ns`; brings the `idle` connections into the order of
    /// their line.
    pub fn new<T>(
        every_ns: u64,
        start_ns: u64,
        end_ns: u64,
        idle: &mut [T],
        random: &mut Xoshiro256PlusPlus,
    ) -> Self {
        idle.shuffle(random);
        Self { every_ns, next_ns: start_ns + every_ns, end_ns, left: 0, slot: 0, front: 0 }
    }

    /// The instant at which the next exchange is due; `u64::MAX` if there is none.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        match self.left {
            0 if self.next_ns < self.end_ns => self.next_ns,
            0 => u64::MAX,
            _ => 0,
        }
    }

    /// Makes no further exchange.
    pub fn end(&mut self) {
        (self.end_ns, self.left) = (0, 0);
    }

    /// The conversations whose connections go now, of `active` ones with `idle` in line; what is left is due still.
    pub fn due(&mut self, now_ns: u64, active: usize, idle: usize) -> impl Iterator<Item = u32> + use<> {
        if self.left == 0 && self.next_ns() <= now_ns {
            self.left = active.min(idle) as u32;
            // A worker that was away for several moves makes one.
            self.next_ns += ((now_ns - self.next_ns) / self.every_ns + 1) * self.every_ns;
        }
        let count = self.left.min(BURST);
        let first = self.slot;
        self.left -= count;
        self.slot = (first + count) % active.max(1) as u32;
        (0..count).map(move |step| (first + step) % active as u32)
    }

    /// The place in line, of `idle`, that is exchanged now; none when nobody is in line.
    pub fn turn(&mut self, idle: usize) -> Option<usize> {
        if self.front >= idle {
            self.front = 0;
        }
        let turn = self.front;
        self.front += 1;
        (idle > 0).then_some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::schedule::{Purpose, random_for};
    use proptest::prelude::*;

    fn rotation(end_ns: u64) -> Rotation {
        Rotation::new(100, 0, end_ns, &mut [(); 0], &mut random_for(Purpose::Rotation, 1, 0, 0))
    }

    /// Lets `active` and `idle` connections rotate `moves` times; who was active, move by move.
    fn walk(active: usize, idle: usize, moves: u64) -> Vec<Vec<u32>> {
        let mut rotation = rotation(u64::MAX);
        let mut slots: Vec<u32> = (0..active as u32).collect();
        let mut line: Vec<u32> = (active as u32..(active + idle) as u32).collect();
        let mut seen = Vec::new();
        for now_ns in (1..=moves).map(|number| number * 100) {
            while rotation.next_ns() <= now_ns {
                for slot in rotation.due(now_ns, active, idle) {
                    let turn = rotation.turn(idle).expect("somebody is in line");
                    std::mem::swap(&mut slots[slot as usize], &mut line[turn]);
                }
            }
            seen.push(slots.clone());
        }
        seen
    }

    #[test]
    fn the_active_ones_become_idle_and_others_active() {
        assert_eq!(walk(2, 4, 3), [vec![2, 3], vec![4, 5], vec![0, 1]]);
    }

    #[test]
    fn a_worker_that_was_away_makes_one_move_and_none_after_the_end() {
        let mut rotation = rotation(1_000);
        assert_eq!(rotation.due(550, 1, 9).count(), 1);
        assert_eq!(rotation.next_ns(), 600);
        assert_eq!(rotation.due(950, 1, 9).count(), 1);
        assert_eq!(rotation.next_ns(), u64::MAX);
    }

    proptest! {
        #[test]
        fn nobody_is_active_again_before_all_others_have_been(active in 1usize..40, idle in 1usize..80) {
            let moves = 5 * (active + idle) as u64;
            let mut last_entered = vec![None; active + idle];
            let mut entered = 0_usize;
            let mut before: Vec<u32> = (0..active as u32).collect();
            for now in walk(active, idle, moves) {
                for &connection in now.iter().filter(|connection| !before.contains(connection)) {
                    let last = last_entered[connection as usize].replace(entered);
                    // Since it entered the last time, everybody else in line has: all but those active at a time.
                    prop_assert!(last.is_none_or(|last: usize| entered - last >= idle));
                    entered += 1;
                }
                before = now;
            }
            prop_assert!(last_entered.iter().all(Option::is_some));
        }
    }
}
