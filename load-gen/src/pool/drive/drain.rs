//! Between two windows: no request falls due, and what is under way is answered.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::io::Errno;
use sys::clock::now_ns;

use super::{LONGEST_SLEEP_NS, is_set};
use crate::client::engine::Engine;
use crate::client::exchange::Exchange;
use crate::plan::window::Window;
use crate::record::live::{self, Live};
use crate::record::recorder::Recorder;

/// Takes the replies to what is under way, until all are in, `until_ns` has come or one of `ends` is set. They are in
/// nobody's counts but those of the connections.
///
/// # Errors
///
/// When the kernel refuses to wait.
pub fn drain<E: Engine>(
    exchange: &mut Exchange<E>,
    until_ns: u64,
    live: &Arc<Live>,
    ends: [&AtomicBool; 2],
) -> Result<(), Errno> {
    let mut now = now_ns();
    if exchange.conversations.pending == 0 || now >= until_ns {
        return Ok(());
    }
    let never = Window { begin_ns: u64::MAX, end_ns: u64::MAX };
    let mut recorder = Recorder::new(never, false, Arc::clone(live));
    // What was held back for a connection that was to leave has been let go, and not been sent.
    for index in 0..exchange.conversations.len() as u32 {
        exchange.send_let_go(index, now, &mut recorder);
    }
    while exchange.conversations.pending > 0 && now < until_ns && !is_set(ends) {
        exchange.wait((until_ns - now).min(LONGEST_SLEEP_NS), &mut recorder)?;
        while let Some(answered) = exchange.handle_next(&mut recorder) {
            live::add(&live.answered, answered.count);
            exchange.send_let_go(answered.index, answered.at_ns, &mut recorder);
        }
        now = now_ns();
    }
    Ok(())
}
