//! The requests that are left when the load is over: held back, under way, or never sent.

use super::{Conversation, Conversations, DELAYED, LET_GO, NEVER, NONE, UnderWay};
use crate::plan::window::Window;
use crate::record::times::Delay;

impl Conversations {
    /// Gives up all requests that are held back, since their load is over: they are never sent.
    pub fn abandon_held(&mut self) {
        if self.pending == 0 {
            return;
        }
        for index in 0..self.all.len() {
            let Conversation { mut oldest, held, .. } = self.all[index];
            if held == NONE {
                continue;
            }
            // The one before the first that is held is the newest that stays.
            let mut newest = NONE;
            while oldest != held {
                newest = oldest;
                oldest = self.under_way[oldest as usize].next;
            }
            let mut slot = held;
            while slot != NONE {
                let UnderWay { times, next, .. } = self.under_way[slot as usize];
                self.recorder.unsent(times.intended_ns, Delay::Server);
                self.give_back(slot);
                slot = next;
            }
            let conversation = &mut self.all[index];
            if newest == NONE {
                conversation.oldest = NONE;
            } else {
                self.under_way[newest as usize].next = NONE;
            }
            if conversation.unsent == held {
                conversation.unsent = NONE;
            }
            conversation.newest = newest;
            conversation.held = NONE;
            conversation.end = conversation.due;
        }
    }

    /// Books the requests that were never sent, or late and in vain, once the run has ended. Millions may be held back, and their lists
    /// lead all over memory; so they are looked at in the order in which they lie there.
    pub fn record_rest(&mut self) {
        if self.pending == 0 {
            return;
        }
        let window = self.recorder.window;
        let mut unsent = 0;
        for UnderWay { times, reply, .. } in &self.under_way {
            if times.sent_ns <= LET_GO {
                unsent += u64::from(window.contains(times.intended_ns));
            } else if times.intended_ns != NEVER && reply & DELAYED == 0 {
                self.recorder.unanswered(*times);
            }
        }
        let own: u64 = self.all.iter().map(|conversation| self.not_come_to(conversation, window)).sum();
        self.recorder.never_sent(own, Delay::Generator);
        self.recorder.never_sent(unsent - own, Delay::Server);
    }

    /// The requests of `window` that `conversation` might have sent, and has not.
    fn not_come_to(&self, conversation: &Conversation, window: Window) -> u64 {
        let (mut slot, mut count) = (conversation.unsent, 0);
        while !conversation.is_blocked && slot != conversation.held && slot != NONE {
            let UnderWay { times, next, .. } = self.under_way[slot as usize];
            count += u64::from(window.contains(times.intended_ns));
            slot = next;
        }
        count
    }
}
