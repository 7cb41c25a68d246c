//! Closed loop: a reply triggers the next request on its connection.

use rustix::io::Errno;
use sys::clock::now_ns;

use super::{BURST, Order, Run};
use crate::client::engine::{Answered, Engine};
use crate::plan::schedule::{self, Purpose};
use crate::plan::think::Thinking;
use crate::record::live;

/// The connections that are still to begin, and those that pause.
struct Pace {
    /// The connections that have begun, of all; over the ramp one after another begins.
    begun: u32,
    all: u32,
    thinking: Option<Thinking>,
}

impl<E: Engine> Run<'_, E> {
    /// Keeps `pipeline` requests under way on every connection.
    pub(super) fn closed_loop<const VARIED: bool>(&mut self, pipeline: u64) -> Result<(), Errno> {
        let mut pace = self.pace(pipeline);
        if self.order.ramp_ns == 0 {
            while pace.begun < pace.all {
                self.send::<VARIED>(pace.begun, pipeline, now_ns());
                pace.begun += 1;
            }
        }
        let mut now = now_ns();
        let mut heard_ns = now;
        loop {
            if VARIED {
                now = self.send_begun(&mut pace, pipeline, now);
                now = self.turn_over(now);
                // Of a counted window nothing else bounds the wait for a server that has fallen silent.
                let is_waiting = self.exchange.conversations.pending > 0;
                if self.order.requests.is_some()
                    && is_waiting
                    && now >= heard_ns.saturating_add(self.order.drain_ns)
                {
                    self.exhaust(now);
                }
            }
            if self.is_over(now) {
                return Ok(());
            }
            let before = now;
            let until_ns = if VARIED { self.next_ns(&pace).saturating_sub(now) } else { u64::MAX };
            let has_events = self.wait(until_ns)?;
            while let Some(Answered { index, count, at_ns }) = self.exchange.handle_next() {
                if count > 0 {
                    live::add(&self.live.answered, count);
                    now = at_ns;
                    heard_ns = at_ns;
                    if VARIED {
                        now = self.turnover.answered(index, now, self.exchange);
                    }
                    match &mut pace.thinking {
                        Some(thinking) if VARIED => (0..count).for_each(|_| thinking.begin(index, now)),
                        _ => self.send::<VARIED>(index, count, now),
                    }
                }
            }
            if now == before {
                now = now_ns();
            }
            if !has_events {
                live::add(&self.live.idle_ns, now - before);
            }
        }
    }

    fn pace(&self, pipeline: u64) -> Pace {
        let all = self.exchange.conversations.len() as u32;
        let Order { seed, shard, stream, .. } = *self.order;
        let random = schedule::random_for(Purpose::Thinking, seed, shard, stream);
        let most = all as usize * pipeline as usize;
        let thinking = self.order.think.map(|pause| Thinking::new(pause, most, random));
        Pace { begun: 0, all, thinking }
    }

    /// Sends `count` further requests on connection `index`, or as many as are left of what was asked for.
    #[inline]
    fn send<const VARIED: bool>(&mut self, index: u32, mut count: u64, now: u64) {
        if now >= self.load_end_ns {
            return;
        }
        let recorder = self.exchange.recorder();
        if VARIED && let Some(requests) = self.order.requests.filter(|_| recorder.window.contains(now)) {
            count = count.min(requests.saturating_sub(recorder.scheduled));
            if recorder.scheduled + count >= requests {
                self.exhaust(now);
            }
        }
        self.exchange.request(index, count, now, now);
    }

    /// The instant at which the next connection begins: during the ramp, one begins after another. `u64::MAX` once all
    /// have begun.
    fn begins_ns(&self, pace: &Pace) -> u64 {
        if pace.begun == pace.all {
            return u64::MAX;
        }
        let share = f64::from(pace.begun) / f64::from(pace.all);
        self.order.start_ns + (share * self.order.ramp_ns as f64) as u64
    }

    /// The next instant at which there is something to do besides handling replies.
    fn next_ns(&self, pace: &Pace) -> u64 {
        let thought_ns = pace.thinking.as_ref().map_or(u64::MAX, Thinking::next_ns);
        self.begins_ns(pace).min(thought_ns).min(self.turnover.next_ns())
    }

    /// Sends on the connections that begin or have paused, at most a burst of requests, and returns the time.
    fn send_begun(&mut self, pace: &mut Pace, pipeline: u64, mut now: u64) -> u64 {
        for _ in 0..BURST {
            if self.begins_ns(pace) <= now {
                self.send::<true>(pace.begun, pipeline, now);
                pace.begun += 1;
            } else if let Some(index) = pace.thinking.as_mut().and_then(|thinking| thinking.take_ended(now)) {
                self.send::<true>(index, 1, now);
            } else {
                break;
            }
            now = now_ns();
        }
        now
    }
}
