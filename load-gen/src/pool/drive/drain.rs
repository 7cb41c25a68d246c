//! Between two windows: no request falls due, and what is under way is answered.

use std::sync::atomic::AtomicBool;

use rustix::io::Errno;
use sys::clock::now_ns;

use super::{LONGEST_SLEEP_NS, is_set};
use crate::client::engine::Engine;
use crate::client::exchange::Exchange;
use crate::record::live::{self, Live};

/// Takes the replies to what is under way, until all are in, `until_ns` has come or one of `ends` is set. They are in
/// nobody's counts but those of the connections.
///
/// # Errors
///
/// When the kernel refuses to wait.
pub fn drain<E: Engine>(
    exchange: &mut Exchange<E>,
    until_ns: u64,
    live: &Live,
    ends: [&AtomicBool; 2],
) -> Result<(), Errno> {
    let mut now = now_ns();
    if exchange.conversations.pending == 0 || now >= until_ns {
        return Ok(());
    }
    // What was held back for a connection that was to leave has been let go, and not been sent.
    for index in 0..exchange.conversations.len() as u32 {
        exchange.send_let_go(index, now);
    }
    while exchange.conversations.pending > 0 && now < until_ns && !is_set(ends) {
        exchange.wait((until_ns - now).min(LONGEST_SLEEP_NS))?;
        while let Some(answered) = exchange.handle_next() {
            live::add(&live.answered, answered.count);
            exchange.send_let_go(answered.index, answered.at_ns);
        }
        now = now_ns();
    }
    Ok(())
}
