//! The active connections of one worker: their conversations, and the engine that moves the bytes.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt;
use sys::ring_size::RingSize;

use crate::client::conversations::Conversations;
use crate::client::engine::{Answered, Engine};
use crate::fault::Fault;
use crate::plan::sizes::Sizes;
use crate::record::recorder::Recorder;

/// Requests and replies on the active connections of one worker.
pub struct Exchange<E> {
    /// Moves the bytes.
    pub engine: E,
    /// The requests that are due, under way and answered.
    pub conversations: Conversations,
    sizes: Sizes,
}

impl<E: Engine> Exchange<E> {
    /// An exchange of `conversations`, none so far, that sends requests of `sizes`, with the room of `ring` where the engine has one.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for the engine, or does not know it.
    pub fn new(conversations: Conversations, sizes: Sizes, ring: &RingSize) -> Result<Self, Errno> {
        Ok(Self { engine: E::new(ring)?, conversations, sizes })
    }

    /// The recorder of the run.
    #[inline]
    pub fn recorder(&mut self) -> &mut Recorder {
        &mut self.conversations.recorder
    }

    /// Adds an open connection.
    ///
    /// # Errors
    ///
    /// When the kernel cannot watch one more.
    pub fn add(&mut self, socket: OwnedFd, id: u32) -> Result<(), Errno> {
        self.engine.add(socket)?;
        self.conversations.add(id);
        Ok(())
    }

    /// Sends the acknowledgements that the kernel holds back, and lets it hold back later ones as before (tcp(7), TCP_QUICKACK).
    ///
    /// The last reply of each connection is acknowledged by a timer, 40 ms later (TCP_ATO_MIN, net/ipv4/tcp_input.c). After a slice on a thousand
    /// connections these come within a tick or two, keep the server's processor for milliseconds, and would do so in somebody else's window.
    pub fn acknowledge(&self) {
        for socket in self.engine.sockets() {
            // What is no TCP has none.
            let _ = sockopt::set_tcp_quickack(socket, true)
                .and_then(|()| sockopt::set_tcp_quickack(socket, false));
        }
    }

    /// Lets `count` requests that were intended for `intended_ns` fall due on connection `index`, and sends
    /// what the socket takes. They go out whether or not earlier ones have been answered.
    #[inline]
    pub fn request(&mut self, index: u32, count: u64, intended_ns: u64, now_ns: u64) {
        for _ in 0..count {
            self.conversations.fall_due(index, self.sizes.next(), intended_ns);
        }
        if !self.conversations.is_blocked(index) {
            self.engine.send(index, now_ns, &mut self.conversations);
        }
    }

    /// Sends what was let go on connection `index` because others have been answered.
    #[inline]
    pub fn send_let_go(&mut self, index: u32, now_ns: u64) {
        if self.conversations.has_unsent(index) && !self.conversations.is_blocked(index) {
            self.engine.send(index, now_ns, &mut self.conversations);
        }
    }

    /// Lets requests go out on connection `index` again, those first that were held back.
    pub fn go_on(&mut self, index: u32, now_ns: u64) {
        self.conversations.go_on(index);
        self.send_let_go(index, now_ns);
    }

    /// See [`MoveSockets::take`](crate::client::engine::MoveSockets::take); none where the engine cannot move sockets.
    pub fn take(&mut self, index: u32) -> Option<OwnedFd> {
        self.engine.moving()?.take(index)
    }

    /// See [`MoveSockets::put`](crate::client::engine::MoveSockets::put).
    ///
    /// # Errors
    ///
    /// When the kernel cannot watch one more; EOPNOTSUPP where the engine cannot move sockets.
    pub fn put(&mut self, index: u32, socket: OwnedFd) -> Result<(), Errno> {
        self.engine.moving().ok_or(Errno::OPNOTSUPP)?.put(index, socket)
    }

    /// Gives up connection `index` and whatever is under way on it.
    pub fn fail(&mut self, index: u32, fault: Fault) {
        drop(self.take(index));
        self.conversations.fail(index, fault);
    }

    /// See [`Engine::wait`].
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait.
    #[inline]
    pub fn wait(&mut self, timeout_ns: u64) -> Result<bool, Errno> {
        self.engine.wait(timeout_ns, &mut self.conversations)
    }

    /// See [`Engine::flush`].
    ///
    /// # Errors
    ///
    /// When the kernel does not take what is to be sent.
    #[inline]
    pub fn flush(&mut self) -> Result<(), Errno> {
        self.engine.flush(&mut self.conversations)
    }

    /// See [`Engine::handle_next`].
    #[inline]
    pub fn handle_next(&mut self) -> Option<Answered> {
        self.engine.handle_next(&mut self.conversations)
    }
}
