//! The requests that are due, under way and answered on the active connections of one worker: the counts of the hot
//! path, without a single system call.

mod rest;

use crate::client::payload::{Checked, Payload};
use crate::fault::{Fault, Faults};
use crate::record::recorder::Recorder;
use crate::record::times::Times;

/// No entry, in the lists of requests under way.
const NONE: u32 = u32::MAX;

/// One connection that carries requests.
///
/// The connection may be replaced by another while nothing is under way on it: the conversation goes on there.
struct Conversation {
    /// The number of the connection in the whole run, which chooses its stream of bytes.
    id: u32,
    is_alive: bool,
    /// True if the socket took less than was due.
    is_blocked: bool,
    /// Its requests under way, oldest first; `unsent` is the first of them that has not been begun, `held` the first
    /// that may not be sent yet.
    oldest: u32,
    newest: u32,
    unsent: u32,
    held: u32,
    /// The number of its requests that may be sent and are not answered, and the most that may be.
    released: u32,
    most: u32,
    /// The positions in the stream of bytes where the requests end that fell due, that may be sent, and that were
    /// begun.
    end: u64,
    due: u64,
    begun: u64,
    /// Bytes of the stream handed to the kernel.
    sent: u64,
    /// Whose turn it is in a [script](Payload::lengths).
    turn: u32,
    /// Bytes of the replies to the requests that were answered.
    answered: u64,
    checked: Checked,
}

/// A request under way, in a list of its connection's.
#[derive(Clone, Copy)]
struct UnderWay {
    /// Until it is begun, `sent_ns` is [`LET_GO`] if it has been held back and let go, and else 0. Where nothing is under way,
    /// `intended_ns` is [`NEVER`].
    times: Times,
    /// The position in the stream of its connection where it ends.
    end: u64,
    /// Bytes of its reply; the highest bit is set when it has been counted as delayed.
    reply: u32,
    next: u32,
}

/// Requests under way for which address space is taken beforehand, 32 bytes each.
const RESERVED: u64 = 1 << 20;

/// An instant that was long ago, when nothing was sent.
const LET_GO: u64 = 1;
/// An instant that is in no window.
const NEVER: u64 = u64::MAX;

/// The highest bit of a length that never has it: [`LARGEST_SIZE`](crate::plan::units::LARGEST_SIZE).
const DELAYED: u32 = 1 << 31;

impl UnderWay {
    #[cold]
    fn delay(&mut self, recorder: &mut Recorder) {
        if self.reply & DELAYED == 0 {
            self.reply |= DELAYED;
            recorder.delayed(self.times.intended_ns);
        }
    }
}

/// The conversations of one worker and their requests under way.
///
/// The requests of all conversations live in one vector with a free list. Its address space is taken beforehand, and its
/// pages as more requests are under way than ever before; it has a bound, and what falls due beyond that stays in the schedule.
pub struct Conversations {
    all: Vec<Conversation>,
    under_way: Vec<UnderWay>,
    free: u32,
    payload: Payload,
    /// The most requests that may be under way on one conversation, and on all.
    most: u32,
    most_pending: u64,
    /// Requests under way, over all conversations.
    pub pending: u64,
    /// Conversations that have not failed.
    pub alive: usize,
    /// Conversations that failed, by fault.
    pub failed: Faults,
    /// The counts and times of their requests: the recorder of a run, or an idle one.
    pub recorder: Recorder,
}

impl Conversations {
    /// No conversation yet; each may have `most` requests under way, and all together `most_pending`.
    pub fn new(payload: Payload, most: u32, most_pending: u64, recorder: Recorder) -> Self {
        Self {
            all: Vec::new(),
            under_way: Vec::new(),
            free: NONE,
            payload,
            most,
            most_pending,
            pending: 0,
            alive: 0,
            failed: Faults::default(),
            recorder,
        }
    }

    /// Adds one, with the stream of connection `id`.
    pub fn add(&mut self, id: u32) {
        // A worker that only holds idle connections needs none.
        if self.all.is_empty() {
            self.under_way.reserve_exact(self.most_pending.min(RESERVED) as usize);
        }
        self.alive += 1;
        self.all.push(Conversation {
            id,
            is_alive: true,
            is_blocked: false,
            oldest: NONE,
            newest: NONE,
            unsent: NONE,
            held: NONE,
            released: 0,
            most: self.most,
            end: 0,
            due: 0,
            begun: 0,
            sent: 0,
            turn: self.payload.first_turn(id),
            answered: 0,
            checked: Checked::default(),
        });
    }

    /// Number of conversations, failed ones included.
    #[allow(clippy::len_without_is_empty)] // nobody drives a worker without any
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Lets a request of `size` bytes, intended for `intended_ns`, fall due on conversation `index`.
    #[inline]
    pub fn fall_due(&mut self, index: u32, size: u32, intended_ns: u64) {
        self.recorder.due(intended_ns);
        let conversation = &mut self.all[index as usize];
        if !conversation.is_alive {
            return self.recorder.failed(intended_ns, Fault::Lost);
        }
        let (length, reply) = self.payload.lengths(&mut conversation.turn, size);
        conversation.end += u64::from(length);
        let times = Times { intended_ns, sent_ns: 0 };
        let entry = UnderWay { times, end: conversation.end, reply, next: NONE };
        let slot = if self.free == NONE {
            self.under_way.push(entry);
            (self.under_way.len() - 1) as u32
        } else {
            let slot = self.free;
            self.free = self.under_way[slot as usize].next;
            self.under_way[slot as usize] = entry;
            slot
        };
        match conversation.newest {
            NONE => conversation.oldest = slot,
            newest => self.under_way[newest as usize].next = slot,
        }
        conversation.newest = slot;
        if conversation.unsent == NONE {
            conversation.unsent = slot;
        }
        self.pending += 1;
        if conversation.released < conversation.most {
            conversation.released += 1;
            conversation.due = conversation.end;
            if conversation.is_blocked {
                self.under_way[slot as usize].delay(&mut self.recorder);
            }
        } else {
            if conversation.held == NONE {
                conversation.held = slot;
            }
            self.under_way[slot as usize].delay(&mut self.recorder);
        }
    }

    /// Returns whether conversation `index` waits for room in its socket.
    #[inline]
    pub fn is_blocked(&self, index: u32) -> bool {
        self.all[index as usize].is_blocked
    }

    /// The bytes that conversation `index` has to send next; empty when all that may be sent is sent.
    #[inline]
    pub fn unsent(&self, index: u32) -> &[u8] {
        let conversation = &self.all[index as usize];
        self.payload.slice(conversation.id, conversation.sent, conversation.due - conversation.sent)
    }

    /// Books that the kernel has taken `count` bytes of [`unsent`](Self::unsent) at `now_ns`.
    #[inline]
    pub fn sent(&mut self, index: u32, count: usize, now_ns: u64) {
        let conversation = &mut self.all[index as usize];
        conversation.sent += count as u64;
        while conversation.begun < conversation.sent {
            let request = &mut self.under_way[conversation.unsent as usize];
            let before = std::mem::replace(&mut request.times.sent_ns, now_ns);
            // Of a socket that has been full all that goes has waited for room: the rest is not even tried meanwhile.
            if conversation.is_blocked || before == LET_GO {
                self.recorder.sent_after_wait(request.times);
            } else {
                self.recorder.sent(request.times);
            }
            conversation.begun = request.end;
            conversation.unsent = request.next;
        }
    }

    /// Books that the socket of conversation `index` takes no more for now.
    #[cold]
    pub fn block(&mut self, index: u32) {
        let conversation = &mut self.all[index as usize];
        conversation.is_blocked = true;
        // The request whose first byte did not go, or else the one cut in the middle: the last before it.
        let mut waiting = conversation.unsent;
        if conversation.begun > conversation.sent {
            waiting = conversation.oldest;
            while self.under_way[waiting as usize].end < conversation.begun {
                waiting = self.under_way[waiting as usize].next;
            }
        }
        self.under_way[waiting as usize].delay(&mut self.recorder);
    }

    /// Books that everything due on conversation `index` is sent.
    #[cold]
    pub fn unblock(&mut self, index: u32) {
        self.all[index as usize].is_blocked = false;
    }

    /// Checks what conversation `index` has received at `now_ns`, and the kernel at `stamp_ns` of CLOCK_REALTIME if it says
    /// so; returns how many requests that answered.
    ///
    /// # Errors
    ///
    /// When it is not what the server had to answer: the conversation is then useless.
    #[inline]
    pub fn received(
        &mut self,
        index: u32,
        bytes: &[u8],
        now_ns: u64,
        stamp_ns: Option<u64>,
    ) -> Result<u64, Fault> {
        let conversation = &mut self.all[index as usize];
        self.payload.check(conversation.id, &mut conversation.checked, conversation.sent, bytes)?;
        let confirmed = conversation.checked.confirmed;
        let mut answered = 0;
        loop {
            let conversation = &mut self.all[index as usize];
            // What has not been begun has no reply.
            if conversation.oldest == conversation.unsent {
                if confirmed > conversation.answered {
                    return Err(Fault::Surplus);
                }
                break;
            }
            let reply = u64::from(self.under_way[conversation.oldest as usize].reply & !DELAYED);
            if conversation.answered + reply > confirmed {
                break;
            }
            conversation.answered += reply;
            let times = self.pop(index);
            self.recorder.completed(times, now_ns);
            if let Some(stamp_ns) = stamp_ns {
                self.recorder.stamped(times, stamp_ns, now_ns);
            }
            answered += 1;
        }
        if self.all[index as usize].held != NONE {
            self.let_go(index);
        }
        Ok(answered)
    }

    /// Lets no further request of conversation `index` be sent, until it [goes on](Self::go_on).
    #[cold]
    pub fn hold(&mut self, index: u32) {
        self.all[index as usize].most = 0;
    }

    /// Lets requests of conversation `index` be sent again, those first that were held back.
    #[cold]
    pub fn go_on(&mut self, index: u32) {
        self.all[index as usize].most = self.most;
        self.let_go(index);
    }

    /// Lets go what was held back on conversation `index`, as far as it may.
    #[cold]
    fn let_go(&mut self, index: u32) {
        let conversation = &mut self.all[index as usize];
        while conversation.held != NONE && conversation.released < conversation.most {
            let request = &mut self.under_way[conversation.held as usize];
            request.times.sent_ns = LET_GO;
            conversation.due = request.end;
            conversation.held = request.next;
            conversation.released += 1;
        }
    }

    /// Returns whether conversation `index` has something to send.
    #[inline]
    pub fn has_unsent(&self, index: u32) -> bool {
        let conversation = &self.all[index as usize];
        conversation.due > conversation.sent
    }

    /// Returns whether nothing is under way on conversation `index` except requests that are held back, so that its
    /// connection can be replaced.
    pub fn is_quiet(&self, index: u32) -> bool {
        self.all[index as usize].released == 0
    }

    /// Returns whether conversation `index` has not failed.
    pub fn is_alive(&self, index: u32) -> bool {
        self.all[index as usize].is_alive
    }

    /// Returns whether so many requests are under way that no further one may fall due yet.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.pending >= self.most_pending
    }

    /// The fault of a peer that ends conversation `index` where it stands.
    pub fn fault_of_end(&self, index: u32) -> Fault {
        let conversation = &self.all[index as usize];
        match conversation.checked.is_inside_a_reply(conversation.answered) {
            true => Fault::Short,
            false => Fault::Lost,
        }
    }

    /// Gives up conversation `index`: its requests under way fail with it.
    #[cold]
    pub fn fail(&mut self, index: u32, fault: Fault) {
        let conversation = &mut self.all[index as usize];
        conversation.is_alive = false;
        conversation.is_blocked = false;
        conversation.held = NONE;
        self.alive -= 1;
        self.failed.add(fault);
        while self.all[index as usize].oldest != NONE {
            let times = self.pop(index);
            self.recorder.failed(times.intended_ns, fault);
        }
    }

    /// Takes the oldest request off the list of conversation `index`.
    #[inline]
    fn pop(&mut self, index: u32) -> Times {
        let conversation = &mut self.all[index as usize];
        conversation.released = conversation.released.saturating_sub(1);
        let slot = conversation.oldest;
        let UnderWay { times, next, .. } = self.under_way[slot as usize];
        conversation.oldest = next;
        if next == NONE {
            conversation.newest = NONE;
        }
        if conversation.unsent == slot {
            conversation.unsent = next;
        }
        self.give_back(slot);
        times
    }

    /// Gives back the place of a request that is under way no more.
    #[inline]
    fn give_back(&mut self, slot: u32) {
        let entry = &mut self.under_way[slot as usize];
        entry.times.intended_ns = NEVER;
        entry.next = self.free;
        self.free = slot;
        self.pending -= 1;
    }
}

#[cfg(test)]
mod tests;
