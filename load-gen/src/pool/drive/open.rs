//! Open loop: a schedule says when each request is due, whatever has become of the earlier ones.

use rustix::io::Errno;
use sys::clock::now_ns;

use super::{BURST, Run};
use crate::client::engine::Engine;
use crate::plan::schedule::{Due, Schedule};
use crate::plan::window::Window;
use crate::record::live;
use crate::record::sample::Sample;
use crate::record::times::Delay;

/// Requests that were not sent and are drawn all the same, one by one: a millisecond's work.
const DRAWN_AT_MOST: u32 = 1 << 16;

/// The schedule of a run, in nanoseconds of the clock.
struct Agenda {
    schedule: Schedule,
    /// The next request; never due once the load has ended.
    due: Due,
    /// Requests of the window that are still to fall due.
    left: u64,
}

impl<E: Engine> Run<'_, E> {
    /// Sends each request when its schedule says so.
    pub(super) fn open_loop<const VARIED: bool>(&mut self, schedule: Schedule) -> Result<(), Errno> {
        let left = self.order.requests.unwrap_or(u64::MAX);
        let mut agenda = Agenda { schedule, due: Due { at_ns: 0, connection: 0 }, left };
        self.draw::<VARIED>(&mut agenda);
        let mut now = now_ns();
        let mut heard_ns = now;
        loop {
            now = self.send_due::<VARIED>(&mut agenda, now);
            if VARIED {
                now = self.turn_over(now);
                // Of a counted window nothing else bounds the wait for a server that answers nothing more.
                let is_stuck = self.order.requests.is_some() && self.exchange.conversations.is_full();
                if is_stuck && now >= heard_ns.saturating_add(self.order.drain_ns) {
                    self.end_window(now);
                    self.count_unsent::<VARIED>(&mut agenda);
                    return Ok(());
                }
            }
            if self.is_over(now) {
                self.count_unsent::<VARIED>(&mut agenda);
                return Ok(());
            }
            let before = now;
            // With all the room taken nothing is sent before a reply has come.
            let due_ns = if self.exchange.conversations.is_full() { u64::MAX } else { agenda.due.at_ns };
            let next_ns = if VARIED { due_ns.min(self.turnover.next_ns()) } else { due_ns };
            let has_events = self.wait(next_ns.saturating_sub(now))?;
            while let Some(answered) = self.exchange.handle_next() {
                if answered.count > 0 {
                    live::add(&self.live.answered, answered.count);
                    heard_ns = answered.at_ns;
                    if VARIED {
                        self.go_on(answered.index, answered.at_ns);
                    }
                }
                // A long batch of replies must not make the next request late.
                if agenda.due.at_ns <= answered.at_ns {
                    self.send_due::<VARIED>(&mut agenda, answered.at_ns);
                    self.exchange.flush()?;
                }
            }
            now = now_ns();
            if !has_events {
                live::add(&self.live.idle_ns, now - before);
            }
        }
    }

    /// Does what an answer on connection `index` makes possible: another takes its place, or what was held back is
    /// sent.
    fn go_on(&mut self, index: u32, now: u64) {
        let now = self.turnover.answered(index, now, self.exchange);
        self.exchange.send_let_go(index, now);
    }

    /// Enters the requests that fell due and were never sent, because this worker fell behind, or because so many are
    /// unanswered: they are in the count. A few are drawn like those before them, so that the seed alone decides how many
    /// there are; of a rate beyond all means they would be more than can be drawn in the time of the run.
    fn count_unsent<const VARIED: bool>(&mut self, agenda: &mut Agenda) {
        let by = if self.exchange.conversations.is_full() { Delay::Server } else { Delay::Generator };
        let Window { begin_ns, end_ns } = self.exchange.recorder().window;
        let mut drawn = 0;
        while agenda.due.at_ns < end_ns && drawn < DRAWN_AT_MOST {
            self.exchange.recorder().never_begun(agenda.due.at_ns, 1, by);
            self.draw::<VARIED>(agenda);
            drawn += 1;
        }
        if agenda.due.at_ns >= end_ns {
            return;
        }
        self.exchange.recorder().never_begun(agenda.due.at_ns, 1, by);
        // The load is at its full rate from the end of the ramp on, which is before the window.
        let began_ns = self.order.start_ns + self.order.ramp_ns / 2;
        let mut from_ns = agenda.due.at_ns.max(begin_ns);
        let parts = self.exchange.recorder().samples.first().map_or_else(Vec::new, Sample::part_ends_ns);
        for until_ns in parts.into_iter().filter(|&part_ns| part_ns < end_ns).chain([end_ns]) {
            if until_ns > from_ns {
                let count =
                    agenda.schedule.count_between(from_ns - began_ns, until_ns - began_ns).min(agenda.left);
                self.exchange.recorder().never_begun(from_ns, count, by);
                agenda.left -= count;
                from_ns = until_ns;
            }
        }
    }

    /// Draws the next request of the schedule.
    #[inline]
    fn draw<const VARIED: bool>(&mut self, agenda: &mut Agenda) {
        if VARIED && agenda.left == 0 {
            agenda.due.at_ns = u64::MAX;
            return self.exhaust(now_ns());
        }
        let due = agenda.schedule.next().expect("a schedule is endless");
        let after_ns = if VARIED { ramped(due.at_ns, self.order.ramp_ns) } else { due.at_ns };
        // Of a rate that is next to nothing the gap can be longer than the clock tells.
        let at_ns = self.order.start_ns.saturating_add(after_ns);
        if VARIED && self.exchange.recorder().window.contains(at_ns) {
            agenda.left -= 1;
        }
        agenda.due = Due { at_ns: if at_ns < self.order.window.end_ns { at_ns } else { u64::MAX }, ..due };
    }

    /// Sends what is due, at most a burst of it, and returns the time.
    #[inline]
    fn send_due<const VARIED: bool>(&mut self, agenda: &mut Agenda, mut now: u64) -> u64 {
        for _ in 0..BURST {
            let Due { at_ns, connection } = agenda.due;
            if at_ns > now || self.exchange.conversations.is_full() {
                break;
            }
            self.exchange.recorder().tried(at_ns, now);
            self.exchange.request(connection, 1, at_ns, now);
            self.draw::<VARIED>(agenda);
            now = now_ns();
        }
        now
    }
}

/// The instant at which a request falls due that would at `at_ns` at the full rate, if the rate grows from nothing to
/// the full one during `ramp_ns`: at `t`, as many have fallen due as at `ramp_ns * (t / ramp_ns)^2 / 2` at the full
/// rate.
fn ramped(at_ns: u64, ramp_ns: u64) -> u64 {
    match at_ns < ramp_ns / 2 {
        true => (2.0 * ramp_ns as f64 * at_ns as f64).sqrt() as u64,
        false => at_ns + ramp_ns / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::ramped;

    #[test]
    fn a_ramp_takes_half_of_its_requests_and_then_the_rate_is_whole() {
        // 1,000 a second: 500 in a ramp of one second, a quarter of those in its first half.
        let after: Vec<u64> = (0..1_000).map(|number| ramped(number * 1_000_000, 1_000_000_000)).collect();
        assert_eq!(after.iter().filter(|&&after| after < 500_000_000).count(), 125);
        assert_eq!(after.iter().filter(|&&after| after < 1_000_000_000).count(), 500);
        assert!(after.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(after[500..].windows(2).all(|pair| pair[1] - pair[0] == 1_000_000));
        assert_eq!(ramped(12_345, 0), 12_345);
    }
}
