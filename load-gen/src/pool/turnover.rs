//! Connections of one worker that take each other's places while load runs: the active set moves over the idle ones
//! ([`Rotation`]), and connections are closed and opened anew ([`Churn`]).
//!
//! A conversation goes on over another connection, where its stream of bytes stood: nothing is under way when it moves.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use sys::{clock, timestamps};

use crate::client::engine::Engine;
use crate::client::exchange::Exchange;
use crate::fault::Fault;
use crate::plan::window::Window;
use crate::pool::churn::{Churn, Replacement};
use crate::pool::dialer::Dialed;
use crate::pool::rotation::Rotation;

/// The reason that the connection of a conversation is about to be exchanged for another, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// It is not.
    No,
    /// It becomes idle when it has been answered.
    ForIdleness,
    /// It is closed when it has been answered; whether that fell due inside the window.
    ForGood { is_counted: bool },
    /// It has been closed, the one that replaces it is on its way.
    Gone,
}

/// The connections of one worker, and what moves them.
pub struct Turnover<'a> {
    idle: &'a mut Vec<OwnedFd>,
    leaving: Vec<Leaving>,
    rotation: Option<Rotation>,
    churn: Option<Churn<'a>>,
    /// True in closed loop: requests wait for a connection that is to become idle, since it would never be quiet
    /// otherwise.
    holds: bool,
    window: Window,
}

impl<'a> Turnover<'a> {
    /// The turnover of the `active` and the `idle` connections of one worker. With `holds`, in closed loop, a
    /// connection that is to become idle carries no further request.
    pub fn new(
        idle: &'a mut Vec<OwnedFd>,
        active: usize,
        rotation: Option<Rotation>,
        churn: Option<Churn<'a>>,
        holds: bool,
        window: Window,
    ) -> Self {
        let leaving =
            if rotation.is_some() || churn.is_some() { vec![Leaving::No; active] } else { Vec::new() };
        Self { idle, leaving, rotation, churn, holds, window }
    }

    /// The next instant at which there is something to do.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        let rotation = self.rotation.as_ref().map_or(u64::MAX, Rotation::next_ns);
        rotation.min(self.churn.as_ref().map_or(u64::MAX, Churn::next_ns))
    }

    /// Returns whether connections are on their way.
    #[inline]
    pub fn is_connecting(&self) -> bool {
        self.churn.as_ref().is_some_and(|churn| churn.dialer.on_their_way() > 0)
    }

    /// Does what is due, but only so much that no request becomes late for it: the rest is due still.
    pub fn advance<E: Engine>(&mut self, now_ns: u64, exchange: &mut Exchange<E>) {
        if let Some(rotation) = &mut self.rotation {
            for slot in rotation.due(now_ns, self.leaving.len(), self.idle.len()) {
                self.let_go(slot, Leaving::ForIdleness, now_ns, exchange);
            }
        }
        if let Some(due) = self.churn.as_mut().and_then(|churn| churn.due(now_ns, self.idle.len())) {
            let is_counted = self.window.contains(due.at_ns);
            exchange.recorder().turnover.churn.scheduled += u64::from(is_counted);
            match due.connection.checked_sub(self.leaving.len() as u32) {
                None => self.let_go(due.connection, Leaving::ForGood { is_counted }, now_ns, exchange),
                Some(position) => {
                    drop(self.idle.swap_remove(position as usize));
                    self.replace(Replacement { conversation: None, is_counted }, exchange);
                }
            }
        }
        while let Some(dialed) = self.churn.as_mut().and_then(|churn| churn.dialer.next_dialed(now_ns)) {
            self.replaced(dialed, exchange);
        }
    }

    /// Lets the connection of conversation `index` go, if it was to go as soon as it had been answered, and returns the
    /// time: what is sent next has waited for that.
    #[inline]
    pub fn answered<E: Engine>(&mut self, index: u32, now_ns: u64, exchange: &mut Exchange<E>) -> u64 {
        match self.leaving.get(index as usize) {
            None | Some(Leaving::No | Leaving::Gone) => return now_ns,
            Some(_) if !exchange.conversations.is_quiet(index) => return now_ns,
            Some(Leaving::ForIdleness) => self.swap(index, now_ns, exchange),
            Some(&Leaving::ForGood { is_counted }) => self.reopen(index, is_counted, exchange),
        }
        clock::now_ns()
    }

    /// The load has ended: no further connection begins to move.
    pub fn end_load(&mut self) {
        if let Some(rotation) = &mut self.rotation {
            rotation.end();
        }
        if let Some(churn) = &mut self.churn {
            churn.end();
        }
    }

    /// Gives up what is unfinished when a run ends.
    pub fn finish<E: Engine>(mut self, exchange: &mut Exchange<E>) {
        for index in 0..self.leaving.len() as u32 {
            match self.leaving[index as usize] {
                Leaving::No => {}
                // The next window begins with its old connection. What was held back is not sent: this one is over.
                Leaving::ForIdleness | Leaving::ForGood { .. } => exchange.conversations.go_on(index),
                Leaving::Gone => exchange.fail(index, Fault::TimedOut),
            }
        }
        if let Some(churn) = &mut self.churn {
            let idle = churn.dialer.abandon().filter(|replacement| replacement.conversation.is_none());
            idle.for_each(|_| exchange.recorder().turnover.lost.add(Fault::TimedOut));
        }
    }

    /// Lets the connection of conversation `index` go, now or when it has been answered, unless it is to go already: for good
    /// it also goes if it was to become idle.
    fn let_go<E: Engine>(&mut self, index: u32, leaving: Leaving, now_ns: u64, exchange: &mut Exchange<E>) {
        let is_for_good = leaving != Leaving::ForIdleness;
        let is_free = match self.leaving[index as usize] {
            Leaving::No => true,
            Leaving::ForIdleness => is_for_good,
            Leaving::ForGood { .. } | Leaving::Gone => false,
        };
        if !is_free || !exchange.conversations.is_alive(index) {
            return;
        }
        self.leaving[index as usize] = leaving;
        if is_for_good || self.holds {
            exchange.conversations.hold(index);
        }
        self.answered(index, now_ns, exchange);
    }

    /// Exchanges the connection of conversation `index` for the idle one whose turn it is.
    fn swap<E: Engine>(&mut self, index: u32, now_ns: u64, exchange: &mut Exchange<E>) {
        self.leaving[index as usize] = Leaving::No;
        let turn = self.rotation.as_mut().and_then(|rotation| rotation.turn(self.idle.len()));
        if let Some(turn) = turn {
            let Some(old) = exchange.take(index) else { return };
            let new = std::mem::replace(&mut self.idle[turn], old);
            if let Err(errno) = put(index, new, exchange) {
                return exchange.fail(index, errno.into());
            }
            exchange.recorder().turnover.rotated += u64::from(self.window.contains(now_ns));
        }
        exchange.go_on(index, clock::now_ns());
    }

    /// Closes the connection of conversation `index` and begins to open the one that replaces it.
    fn reopen<E: Engine>(&mut self, index: u32, is_counted: bool, exchange: &mut Exchange<E>) {
        let Some(old) = exchange.take(index) else { return };
        drop(old);
        self.leaving[index as usize] = Leaving::Gone;
        self.replace(Replacement { conversation: Some(index), is_counted }, exchange);
    }

    fn replace<E: Engine>(&mut self, replacement: Replacement, exchange: &mut Exchange<E>) {
        let churn = self.churn.as_mut().expect("without it nothing is replaced");
        if let Some(dialed) = churn.begin(replacement) {
            self.replaced(dialed, exchange);
        }
    }

    /// Puts a connection that is established to its place, or records that it could not be.
    fn replaced<E: Engine>(&mut self, dialed: Dialed<Replacement>, exchange: &mut Exchange<E>) {
        let Dialed { purpose: Replacement { conversation, is_counted }, began_ns, at_ns, outcome, .. } =
            dialed;
        let outcome = outcome.and_then(|socket| match conversation {
            Some(index) => put(index, socket, exchange).map_err(Fault::from),
            None => {
                self.idle.push(socket);
                Ok(())
            }
        });
        let counts = &mut exchange.recorder().turnover;
        match outcome {
            Ok(()) if is_counted => counts.replaced(at_ns.saturating_sub(began_ns)),
            Ok(()) => {}
            Err(_) => counts.churn.failed += u64::from(is_counted),
        }
        if let Some(index) = conversation {
            self.leaving[index as usize] = Leaving::No;
        }
        match (outcome, conversation) {
            (Ok(()), Some(index)) => exchange.go_on(index, clock::now_ns()),
            (Ok(()), None) => {}
            (Err(fault), Some(index)) => exchange.fail(index, fault),
            (Err(fault), None) => exchange.recorder().turnover.lost.add(fault),
        }
    }
}

/// Gives conversation `index` its new connection.
fn put<E: Engine>(index: u32, socket: OwnedFd, exchange: &mut Exchange<E>) -> Result<(), Errno> {
    if exchange.recorder().stamps.is_some() {
        // A socket that cannot is one without time-stamps, and the result says that there are none.
        let _ = timestamps::enable(&socket);
    }
    exchange.put(index, socket)
}

#[cfg(test)]
mod tests;
