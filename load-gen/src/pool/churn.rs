//! The replacement of connections: which of them, and when.

use crate::plan::schedule::{Due, Schedule};
use crate::pool::dialer::{Dialed, Dialer};

/// The purpose of a new connection.
#[derive(Debug, Clone, Copy)]
pub struct Replacement {
    /// The conversation that it carries; one that is idle carries none.
    pub conversation: Option<u32>,
    /// True if it fell due inside the window.
    pub is_counted: bool,
}

/// Replaces connections at a constant mean rate, without waiting for any.
///
/// Gaps are exponential and each connection is as likely as any other. A connection is closed with a FIN after its
/// last reply, as a client does: its TIME_WAIT is then on this side (RFC 9293, 3.6).
pub struct Churn<'a> {
    schedule: Schedule,
    /// The next replacement, in nanoseconds of the clock.
    next: Due,
    start_ns: u64,
    end_ns: u64,
    /// Active connections of the worker, which come before the idle ones.
    active: u32,
    /// Opens the new connections.
    pub dialer: Dialer<'a, Replacement>,
    /// Counts the connections, so that they come from all source addresses in turn.
    number: u32,
}

impl<'a> Churn<'a> {
    /// Replaces one of the connections at each instant of `schedule`, in nanoseconds since `start_ns`, until `end_ns`.
    /// The first `active` of the schedule's connections are conversations; new ones come from `dialer`.
    pub fn new(
        schedule: Schedule,
        (start_ns, end_ns): (u64, u64),
        active: u32,
        dialer: Dialer<'a, Replacement>,
    ) -> Self {
        let next = Due { at_ns: 0, connection: 0 };
        let mut churn = Self { schedule, next, start_ns, end_ns, active, dialer, number: 0 };
        churn.next = churn.draw();
        churn
    }

    /// The next instant at which there is something to do, apart from news of connections on their way.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        self.next.at_ns.min(self.dialer.look_ns())
    }

    /// Replaces no further connection; those on their way are still awaited.
    pub fn end(&mut self) {
        self.next.at_ns = u64::MAX;
    }

    /// A connection of the worker that is to be replaced now; `idle` ones are there beside the active ones.
    pub fn due(&mut self, now_ns: u64, idle: usize) -> Option<Due> {
        if self.next.at_ns > now_ns {
            return None;
        }
        let next = self.draw();
        let due = std::mem::replace(&mut self.next, next);
        // An idle one on its way is not there: the choice falls on another.
        let connection = match due.connection.checked_sub(self.active) {
            Some(position) if idle > 0 => self.active + position % idle as u32,
            Some(position) => position % self.active,
            None => due.connection,
        };
        Some(Due { connection, ..due })
    }

    fn draw(&mut self) -> Due {
        let due = self.schedule.next().expect("a schedule is endless");
        let at_ns = self.start_ns.saturating_add(due.at_ns);
        Due { at_ns: if at_ns < self.end_ns { at_ns } else { u64::MAX }, ..due }
    }

    /// Begins to open a connection; returns it if it is established, or has failed, at once.
    pub fn begin(&mut self, replacement: Replacement) -> Option<Dialed<Replacement>> {
        self.number = self.number.wrapping_add(1);
        self.dialer.start(self.number, replacement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::schedule::{Purpose, random_for};
    use crate::plan::source::Sources;
    use crate::plan::target::Target;
    use model::schema::Arrivals;
    use std::time::Duration;

    #[test]
    fn every_connection_is_as_likely_as_any_other_and_those_on_their_way_are_left_alone() {
        let target: Target = "127.0.0.1:1".parse().expect("a target");
        let dialer = Dialer::new(&target, Sources::new(&target, 10, 28_000), Duration::ZERO);
        let schedule = Schedule::new(Arrivals::Poisson, 100.0, 10, random_for(Purpose::Churn, 1, 0, 0));
        let mut churn = Churn::new(schedule, (0, u64::MAX), 4, dialer);
        let mut hits = [0_u32; 10];
        for _ in 0..10_000 {
            hits[churn.due(u64::MAX - 1, 6).expect("always due").connection as usize] += 1;
        }
        // Chi-squared with 9 degrees of freedom: 27.9 is its 99.9th percentile.
        let chi_squared: f64 = hits.iter().map(|&hits| (f64::from(hits) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi_squared < 27.9, "{hits:?}");
        assert!((0..1_000).all(|_| churn.due(u64::MAX - 1, 1).expect("always due").connection < 5));
        assert!((0..1_000).all(|_| churn.due(u64::MAX - 1, 0).expect("always due").connection < 4));
    }
}
