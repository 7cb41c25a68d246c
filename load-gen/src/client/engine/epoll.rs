//! Readiness: epoll(7), level-triggered, then one recv or send a ready connection.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use sys::clock::now_ns;
use sys::epoll_pwait2;
use sys::ring_size::RingSize;
use sys::timestamps;

use super::{Answered, Engine, MoveSockets};
use crate::client::conversations::Conversations;
use crate::client::payload::LONGEST_SLICE;
use crate::fault::Fault;

/// Events taken from the kernel at once.
const EVENTS_PER_WAIT: usize = 256;
/// The data of an event that is no conversation's: no index is that large.
const WAKE: u64 = u64::MAX;

/// Sockets watched by one epoll instance; an event's data is the index of the conversation.
pub struct Epoll {
    epoll: OwnedFd,
    /// Absent once the conversation has failed. Closing a socket takes it out of the epoll instance: nothing else
    /// refers to it.
    sockets: Vec<Option<OwnedFd>>,
    buffer: Box<[u8]>,
    events: Vec<epoll::Event>,
    /// The number of events that have been handled.
    handled: usize,
}

impl MoveSockets for Epoll {
    fn take(&mut self, index: u32) -> Option<OwnedFd> {
        let socket = self.sockets[index as usize].take()?;
        // It cannot fail: the socket was added.
        let _ = epoll::delete(&self.epoll, &socket);
        Some(socket)
    }

    fn put(&mut self, index: u32, socket: OwnedFd) -> Result<(), Errno> {
        epoll::add(&self.epoll, &socket, EventData::new_u64(u64::from(index)), EventFlags::IN)?;
        self.sockets[index as usize] = Some(socket);
        Ok(())
    }

    fn wake_on(&mut self, descriptor: BorrowedFd<'_>) -> Result<(), Errno> {
        epoll::add(&self.epoll, descriptor, EventData::new_u64(WAKE), EventFlags::IN)
    }
}

impl Engine for Epoll {
    fn new(_ring: &RingSize) -> Result<Self, Errno> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            sockets: Vec::new(),
            buffer: vec![0; LONGEST_SLICE].into_boxed_slice(),
            events: Vec::with_capacity(EVENTS_PER_WAIT),
            handled: 0,
        })
    }

    fn add(&mut self, socket: OwnedFd) -> Result<(), Errno> {
        let data = EventData::new_u64(self.sockets.len() as u64);
        epoll::add(&self.epoll, &socket, data, EventFlags::IN)?;
        self.sockets.push(Some(socket));
        Ok(())
    }

    fn moving(&mut self) -> Option<&mut dyn MoveSockets> {
        Some(self)
    }

    #[inline]
    fn send(&mut self, index: u32, now_ns: u64, conversations: &mut Conversations) {
        loop {
            let bytes = conversations.unsent(index);
            let Some(socket) = &self.sockets[index as usize] else { return };
            if bytes.is_empty() {
                break;
            }
            match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
                Ok(written) => conversations.sent(index, written, now_ns),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !conversations.is_blocked(index) {
                        conversations.block(index);
                        self.watch_writability(index, true);
                    }
                    return;
                }
                Err(errno) => return self.fail(index, errno.into(), conversations),
            }
        }
        if conversations.is_blocked(index) {
            conversations.unblock(index);
            self.watch_writability(index, false);
        }
    }

    #[inline]
    fn flush(&mut self, _conversations: &mut Conversations) -> Result<(), Errno> {
        Ok(())
    }

    #[inline]
    fn wait(&mut self, timeout_ns: u64, _conversations: &mut Conversations) -> Result<bool, Errno> {
        self.handled = 0;
        match epoll_pwait2::wait(&self.epoll, &mut self.events, timeout_ns) {
            Ok(()) | Err(Errno::INTR) => Ok(!self.events.is_empty()),
            Err(errno) => Err(errno),
        }
    }

    #[inline]
    fn handle_next(&mut self, conversations: &mut Conversations) -> Option<Answered> {
        let epoll::Event { data, flags } = *self.events.get(self.handled)?;
        self.handled += 1;
        if data.u64() == WAKE {
            return self.handle_next(conversations);
        }
        let index = data.u64() as u32;
        let mut answered = Answered { index, count: 0, at_ns: 0 };
        // What to do is decided by recv and send alone; flags only say which of them is worth a call.
        if flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP) {
            self.receive(&mut answered, conversations);
        }
        if flags.contains(EventFlags::OUT) {
            answered.at_ns = now_ns();
            self.send(index, answered.at_ns, conversations);
        }
        Some(answered)
    }

    fn sockets(&self) -> impl Iterator<Item = &OwnedFd> {
        self.sockets.iter().flatten()
    }

    fn into_sockets(self) -> impl Iterator<Item = OwnedFd> {
        self.sockets.into_iter().flatten()
    }
}

impl Epoll {
    /// Reads once and checks what came. Level-triggered: what is left makes another event.
    #[inline]
    fn receive(&mut self, answered: &mut Answered, conversations: &mut Conversations) {
        let index = answered.index;
        let Some(socket) = &self.sockets[index as usize] else { return };
        let reading = match &conversations.recorder.stamps {
            None => {
                rustix::net::recv(socket, &mut *self.buffer, RecvFlags::empty()).map(|(read, _)| (read, None))
            }
            Some(_) => timestamps::receive(socket, &mut self.buffer),
        };
        answered.at_ns = now_ns();
        let reading = match reading {
            Ok((0, _)) => Err(conversations.fault_of_end(index)),
            Ok(reading) => Ok(reading),
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(errno) => Err(Fault::from(errno)),
        };
        let outcome = reading.and_then(|(received, stamp_ns)| {
            conversations.received(index, &self.buffer[..received], answered.at_ns, stamp_ns)
        });
        match outcome {
            Ok(count) => answered.count = count,
            Err(fault) => self.fail(index, fault, conversations),
        }
    }

    #[cold]
    fn watch_writability(&mut self, index: u32, is_watched: bool) {
        let flags = if is_watched { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        if let Some(socket) = &self.sockets[index as usize] {
            // It cannot fail: the socket was added, and MOD allocates nothing (fs/eventpoll.c, ep_modify).
            let _ = epoll::modify(&self.epoll, socket, EventData::new_u64(u64::from(index)), flags);
        }
    }

    #[cold]
    fn fail(&mut self, index: u32, fault: Fault, conversations: &mut Conversations) {
        self.sockets[index as usize] = None;
        conversations.fail(index, fault);
    }
}
