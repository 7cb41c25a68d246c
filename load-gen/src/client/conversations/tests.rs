//! Tests of what is recorded of requests that could not go when they were due.

use std::sync::Arc;

use model::schema::Protocol;

use super::*;
use crate::plan::window::Window;

const SIZE: u32 = 64;
/// The window ends at 100; what is sent at 150 has left too late.
const WINDOW: Window = Window { begin_ns: 0, end_ns: 100 };

/// None yet, each of which may have `most` requests under way, and all together `most_pending`.
fn conversations(most: u32, most_pending: u64) -> Conversations {
    let recorder = Recorder::new(WINDOW, true, Arc::default());
    Conversations::new(Payload::new(Protocol::Echo), most, most_pending, recorder)
}

/// One conversation that may have `most` requests under way.
fn conversation(most: u32) -> Conversations {
    let mut conversations = conversations(most, 3);
    conversations.add(0);
    conversations
}

/// The counts that this side answers for: requests that missed the window, and the lateness of those that nothing held
/// back.
fn own(recorder: &Recorder) -> (u64, Vec<u64>) {
    let own = recorder.own_lateness().unwrap_or_else(|| recorder.lateness.clone());
    (recorder.missed, own.iter_recorded().map(|step| step.value_iterated_to()).collect())
}

#[test]
fn a_request_that_waits_for_room_in_its_socket_is_late_by_the_servers_doing() {
    let mut conversations = conversation(u32::MAX);
    for due_ns in [10, 20] {
        conversations.fall_due(0, SIZE, due_ns);
    }
    // The first finds the socket full, the second behind it and the third, due later, are not tried.
    conversations.block(0);
    conversations.fall_due(0, SIZE, 30);
    conversations.sent(0, 3 * SIZE as usize, 150);
    conversations.unblock(0);
    assert_eq!(own(&conversations.recorder), (0, vec![]));
    assert_eq!(
        (conversations.recorder.lateness.len(), conversations.recorder.lateness.min()),
        (3, 120),
        "the histogram has them all the same"
    );

    conversations.fall_due(0, SIZE, 40);
    conversations.sent(0, SIZE as usize, 145);
    assert_eq!(
        own(&conversations.recorder),
        (1, vec![105]),
        "with room again the generator answers for itself"
    );
}

#[test]
fn what_a_full_socket_keeps_to_the_end_is_unsent_and_no_missed_rate() {
    let mut conversations = conversation(u32::MAX);
    conversations.fall_due(0, SIZE, 10);
    conversations.block(0);
    conversations.record_rest();
    let recorder = &conversations.recorder;
    assert_eq!((recorder.unsent, recorder.missed, recorder.outstanding()), (1, 0, 1));
}

#[test]
fn what_waits_for_replies_to_the_end_is_unsent_and_no_missed_rate() {
    let mut conversations = conversation(1);
    for due_ns in [10, 20] {
        conversations.fall_due(0, SIZE, due_ns);
    }
    conversations.sent(0, SIZE as usize, 15);
    conversations.record_rest();
    let recorder = &conversations.recorder;
    assert_eq!((recorder.unsent, recorder.missed, recorder.outstanding()), (1, 0, 2));
}

#[test]
fn every_request_that_is_left_is_booked_once_whoever_kept_it() {
    let mut conversations = conversations(1, 9);
    for (index, [first, second, third]) in (0..).zip([[10, 20, 30], [11, 21, 31], [12, 22, 120]]) {
        conversations.add(index);
        [first, second, third].into_iter().for_each(|due_ns| conversations.fall_due(index, SIZE, due_ns));
    }
    // One is answered, so that the next is let go and not sent; one is under way; one finds its socket full.
    let reply = Payload::new(Protocol::Echo).slice(0, 0, u64::from(SIZE)).to_vec();
    conversations.sent(0, SIZE as usize, 15);
    assert_eq!(conversations.received(0, &reply, 40, None), Ok(1));
    conversations.sent(1, SIZE as usize, 15);
    conversations.block(2);
    conversations.record_rest();
    // Of the first the one that was let go; of the others all in the window that are held, and the one before a full socket.
    let recorder = &conversations.recorder;
    assert_eq!((recorder.missed_unsent, recorder.unsent, recorder.missed_unanswered), (1, 1 + 1 + 2 + 2, 0));
    assert_eq!((recorder.scheduled, recorder.completed, recorder.outstanding()), (8, 1, 7));
}

#[test]
fn what_the_generator_sent_after_the_window_and_in_vain_or_never_is_its_own() {
    let mut conversations = conversation(u32::MAX);
    for due_ns in [10, 20, 30] {
        conversations.fall_due(0, SIZE, due_ns);
    }
    // The first in time, the second too late, the third not at all.
    conversations.sent(0, SIZE as usize, 15);
    conversations.sent(0, SIZE as usize, 150);
    conversations.record_rest();
    let recorder = &conversations.recorder;
    assert_eq!((recorder.missed, recorder.missed_unsent, recorder.missed_unanswered), (2, 1, 1));
    assert_eq!((recorder.unsent, recorder.outstanding()), (1, 3));
}

#[test]
fn at_its_bound_it_takes_no_further_request_until_one_is_answered() {
    let mut conversations = conversation(u32::MAX);
    for due_ns in [10, 20, 30] {
        assert!(!conversations.is_full());
        conversations.fall_due(0, SIZE, due_ns);
    }
    assert!(conversations.is_full());
    conversations.sent(0, 3 * SIZE as usize, 35);
    let reply = Payload::new(Protocol::Echo).slice(0, 0, u64::from(SIZE)).to_vec();
    assert_eq!(conversations.received(0, &reply, 40, None), Ok(1));
    assert!(!conversations.is_full());
}

#[test]
fn requests_that_fail_with_their_connection_are_no_missed_rate() {
    let mut conversations = conversation(u32::MAX);
    conversations.fall_due(0, SIZE, 10);
    conversations.fail(0, Fault::Reset);
    conversations.fall_due(0, SIZE, 20);
    conversations.record_rest();
    let recorder = &conversations.recorder;
    assert_eq!((recorder.faults.total(), recorder.missed, recorder.unsent), (2, 0, 0));
}

#[test]
fn a_window_that_is_cut_short_makes_no_request_late_that_was_in_time() {
    let mut conversations = conversation(u32::MAX);
    conversations.fall_due(0, SIZE, 10);
    conversations.sent(0, SIZE as usize, 50);
    conversations.recorder.window.end_ns = 20;
    conversations.record_rest();
    let recorder = &conversations.recorder;
    assert_eq!((recorder.missed, recorder.missed_unanswered, recorder.outstanding()), (0, 0, 1));
}

#[test]
fn what_is_given_up_leaves_the_conversation_as_if_it_had_never_fallen_due() {
    let mut conversations = conversation(1);
    for due_ns in [10, 20, 30] {
        conversations.fall_due(0, SIZE, due_ns);
    }
    conversations.sent(0, SIZE as usize, 15);
    conversations.abandon_held();
    let recorder = &conversations.recorder;
    assert_eq!((conversations.pending, recorder.unsent, recorder.missed), (1, 2, 0));
    let echo: Vec<u8> = Payload::new(Protocol::Echo).slice(0, 0, 2 * u64::from(SIZE)).to_vec();
    assert_eq!(conversations.received(0, &echo[..SIZE as usize], 40, None), Ok(1));
    assert!(!conversations.has_unsent(0), "nothing is let go that was given up");

    // What falls due next goes on where the stream of bytes stands.
    conversations.fall_due(0, SIZE, 50);
    assert_eq!(conversations.unsent(0), &echo[SIZE as usize..]);
    conversations.sent(0, SIZE as usize, 55);
    assert_eq!(conversations.received(0, &echo[SIZE as usize..], 60, None), Ok(1));
    assert_eq!(conversations.pending, 0);
}
