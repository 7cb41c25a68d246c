//! Requests and replies on the active connections of one worker: the hot path of the generator.

use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use crate::clock::now_ns;
use crate::fault::{Fault, Faults};
use crate::measure::{Recorder, Times};
use crate::payload::{Checked, LONGEST_SLICE, Payload};

/// No entry, in the lists of requests under way.
const NONE: u32 = u32::MAX;

/// One connection that carries requests.
struct Active {
    /// Absent once the connection has failed.
    socket: Option<OwnedFd>,
    /// Which connection of the whole run it is: chooses its stream of bytes.
    id: u32,
    /// Bytes of the stream handed to the kernel.
    sent: u64,
    checked: Checked,
    /// Requests that fell due, that were begun, and that were answered, since the connection opened.
    due: u64,
    begun: u64,
    answered: u64,
    /// Its requests under way, oldest first; `unsent` is the first of them that has not been begun.
    oldest: u32,
    newest: u32,
    unsent: u32,
    /// Whether epoll watches for writability because a request could not be written whole.
    blocked: bool,
}

/// A request under way, in a list of its connection's.
#[derive(Clone, Copy)]
struct UnderWay {
    times: Times,
    next: u32,
}

/// The active connections of one worker, their requests under way, and the calls that move both on.
///
/// The requests of all connections live in one vector with a free list, so that nothing is allocated
/// while load is constant; only a stall longer than any before makes it grow.
pub struct Exchange {
    epoll: OwnedFd,
    actives: Vec<Active>,
    under_way: Vec<UnderWay>,
    free: u32,
    size: u32,
    payload: Payload,
    buffer: Box<[u8]>,
    /// Requests under way, over all connections.
    pub pending: u64,
    /// Connections that have not failed.
    pub alive: usize,
    /// Connections that failed, by fault.
    pub failed: Faults,
}

impl Exchange {
    /// An exchange without connections that sends requests of `size` bytes.
    ///
    /// # Errors
    ///
    /// When no epoll instance can be made.
    pub fn new(size: u32, payload: Payload) -> Result<Self, Errno> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            actives: Vec::new(),
            under_way: Vec::with_capacity(4096),
            free: NONE,
            size,
            payload,
            buffer: vec![0; LONGEST_SLICE].into_boxed_slice(),
            pending: 0,
            alive: 0,
            failed: Faults::default(),
        })
    }

    /// Adds an open connection.
    ///
    /// # Errors
    ///
    /// When the kernel cannot watch one more.
    pub fn add(&mut self, socket: OwnedFd, id: u32) -> Result<(), Errno> {
        let data = EventData::new_u64(self.actives.len() as u64);
        epoll::add(&self.epoll, &socket, data, EventFlags::IN)?;
        self.actives.push(Active {
            socket: Some(socket),
            id,
            sent: 0,
            checked: Checked::default(),
            due: 0,
            begun: 0,
            answered: 0,
            oldest: NONE,
            newest: NONE,
            unsent: NONE,
            blocked: false,
        });
        self.alive += 1;
        Ok(())
    }

    /// The instance that watches the connections; an event's data is the connection's index.
    pub fn epoll(&self) -> &OwnedFd {
        &self.epoll
    }

    /// Number of connections, failed ones included.
    #[allow(clippy::len_without_is_empty)] // a worker is never given an empty exchange to drive
    pub fn len(&self) -> usize {
        self.actives.len()
    }

    /// The open sockets, to close them.
    pub fn into_sockets(self) -> impl Iterator<Item = OwnedFd> {
        self.actives.into_iter().filter_map(|active| active.socket)
    }

    /// Lets `count` requests that were intended for `intended_ns` fall due on connection `index`, and sends
    /// what the socket takes. They go out whether or not earlier ones have been answered.
    #[inline]
    pub fn request(&mut self, index: u32, count: u64, intended_ns: u64, now_ns: u64, books: &mut Recorder) {
        for _ in 0..count {
            books.due(intended_ns);
            if self.actives[index as usize].socket.is_none() {
                books.failed(intended_ns, Fault::Lost);
                continue;
            }
            self.push(index, intended_ns);
            if self.actives[index as usize].blocked {
                books.delayed(intended_ns);
            }
        }
        let active = &self.actives[index as usize];
        if active.unsent != NONE && !active.blocked {
            self.send(index, now_ns, books);
        }
    }

    /// Handles one event of connection `index`; returns how many requests were answered and when.
    #[inline]
    pub fn handle(&mut self, index: u32, flags: EventFlags, books: &mut Recorder) -> (u64, u64) {
        // What to do is decided by recv and send alone; flags only say which of them is worth a call.
        let mut answered = (0, 0);
        if flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP) {
            answered = self.receive(index, books);
        }
        if flags.contains(EventFlags::OUT) && self.actives[index as usize].socket.is_some() {
            self.send(index, now_ns(), books);
        }
        answered
    }

    /// Appends a request to the list of connection `index`.
    #[inline]
    fn push(&mut self, index: u32, intended_ns: u64) {
        let entry = UnderWay { times: Times { intended_ns, sent_ns: 0 }, next: NONE };
        let slot = if self.free == NONE {
            self.under_way.push(entry);
            (self.under_way.len() - 1) as u32
        } else {
            let slot = self.free;
            self.free = self.under_way[slot as usize].next;
            self.under_way[slot as usize] = entry;
            slot
        };
        let active = &mut self.actives[index as usize];
        match active.newest {
            NONE => active.oldest = slot,
            newest => self.under_way[newest as usize].next = slot,
        }
        active.newest = slot;
        if active.unsent == NONE {
            active.unsent = slot;
        }
        active.due += 1;
        self.pending += 1;
    }

    /// Takes the oldest request off the list of connection `index`.
    #[inline]
    fn pop(&mut self, index: u32) -> Times {
        let active = &mut self.actives[index as usize];
        let slot = active.oldest;
        let entry = &mut self.under_way[slot as usize];
        active.oldest = entry.next;
        if active.oldest == NONE {
            active.newest = NONE;
        }
        if active.unsent == slot {
            active.unsent = active.oldest;
        }
        entry.next = self.free;
        self.free = slot;
        self.pending -= 1;
        entry.times
    }

    /// Writes what is due on connection `index` until it is written or the socket is full.
    #[inline]
    fn send(&mut self, index: u32, now_ns: u64, books: &mut Recorder) {
        let active = &mut self.actives[index as usize];
        let size = u64::from(self.size);
        let end = active.due * size;
        while active.sent < end {
            let Some(socket) = &active.socket else { return };
            let bytes = self.payload.slice(active.id, active.sent, end - active.sent);
            match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
                Ok(written) => {
                    active.sent += written as u64;
                    while active.begun * size < active.sent {
                        let request = &mut self.under_way[active.unsent as usize];
                        request.times.sent_ns = now_ns;
                        books.sent(request.times);
                        active.unsent = request.next;
                        active.begun += 1;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !active.blocked {
                        // The request whose first byte did not go, or else the one cut in the middle.
                        let held = if active.unsent == NONE { active.newest } else { active.unsent };
                        books.delayed(self.under_way[held as usize].times.intended_ns);
                        self.watch_writability(index, true);
                    }
                    return;
                }
                Err(errno) => return self.fail(index, errno.into(), books),
            }
        }
        if active.blocked {
            self.watch_writability(index, false);
        }
    }

    #[cold]
    fn watch_writability(&mut self, index: u32, blocked: bool) {
        let active = &mut self.actives[index as usize];
        active.blocked = blocked;
        let flags = if blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        if let Some(socket) = &active.socket {
            // It cannot fail: the socket was added, and MOD allocates nothing (fs/eventpoll.c, ep_modify).
            let _ = epoll::modify(&self.epoll, socket, EventData::new_u64(u64::from(index)), flags);
        }
    }

    /// Reads once from connection `index` and checks what came; returns how many requests that answered,
    /// and when. Level-triggered: what is left makes another event.
    #[inline]
    fn receive(&mut self, index: u32, books: &mut Recorder) -> (u64, u64) {
        let active = &mut self.actives[index as usize];
        let Some(socket) = &active.socket else { return (0, 0) };
        let received = match rustix::net::recv(socket, &mut *self.buffer, RecvFlags::empty()) {
            Ok((0, _)) => {
                let cut = active.checked.is_inside_a_reply(self.size);
                self.fail(index, if cut { Fault::Short } else { Fault::Lost }, books);
                return (0, 0);
            }
            Ok((received, _)) => received,
            Err(Errno::AGAIN | Errno::INTR) => return (0, 0),
            Err(errno) => {
                self.fail(index, errno.into(), books);
                return (0, 0);
            }
        };
        let now_ns = now_ns();
        let (id, sent) = (active.id, active.sent);
        if let Err(fault) = self.payload.check(id, &mut active.checked, sent, &self.buffer[..received]) {
            self.fail(index, fault, books);
            return (0, now_ns);
        }
        let answered_in_all = active.checked.confirmed / u64::from(self.size);
        let answered = answered_in_all - active.answered;
        active.answered = answered_in_all;
        for _ in 0..answered {
            let times = self.pop(index);
            books.completed(times, now_ns);
        }
        (answered, now_ns)
    }

    /// Gives up connection `index`: its requests under way fail with it.
    #[cold]
    fn fail(&mut self, index: u32, fault: Fault, books: &mut Recorder) {
        let active = &mut self.actives[index as usize];
        // Closing takes the socket out of the epoll instance: nothing else refers to it.
        active.socket = None;
        active.blocked = false;
        self.alive -= 1;
        self.failed.add(fault);
        while self.actives[index as usize].oldest != NONE {
            let times = self.pop(index);
            books.failed(times.intended_ns, fault);
        }
    }
}
