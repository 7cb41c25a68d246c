//! Terminals, and descriptors that stand for an object of the kernel.

use model::schema::WaitPhase::{ArmedAgain, Drained, FirstWait, MoreArrived, PartialRead, SecondWait};

use crate::expectation::{NONE, event, expect, expect_readable, kernel, ready, told};
use trials::test;

/// A new event for what is readable.
const MORE: [&str; 7] = event("READ", "IN", "IN");

/// termios(3), canonical mode; `n_tty_poll` (drivers/tty/n_tty.c): a whole line is readable, and stays so
/// until its last character is read; each further line wakes with EPOLLIN (`n_tty_receive_char_special`).
#[test]
fn a_terminal() {
    expect(
        "tty",
        &[
            (FirstWait, ready("READ WRITE", "IN OUT")),
            (SecondWait, told("READ WRITE", "IN OUT")),
            (ArmedAgain, ready("READ WRITE", "IN OUT")),
            (PartialRead, told("READ WRITE", "IN OUT")),
            (MoreArrived, event("READ WRITE", "IN OUT", "IN")),
            (Drained, told("WRITE", "OUT")),
        ],
    );
}

/// pty(7); drivers/tty/pty.c `pty_close` hangs up the other side, whose file then has `hung_up_tty_fops`: its
/// poll reports everything at once and never waits (drivers/tty/tty_io.c, `hung_up_tty_poll`).
#[test]
fn a_terminal_that_was_hung_up() {
    let ends = "IN OUT HUP ERR";
    let armed = ready("READ WRITE", ends);
    let level = told("READ WRITE", ends);
    expect("tty-hung-up", &[(FirstWait, armed), (SecondWait, level), (ArmedAgain, armed), (Drained, level)]);
}

/// eventfd(2); fs/eventfd.c: a write wakes with EPOLLIN, a read with EPOLLOUT, whatever the counter was: so
/// an edge-triggered watch for both hears of its own reads.
#[test]
fn an_eventfd() {
    let armed = ready("READ WRITE", "IN OUT");
    expect(
        "eventfd",
        &[
            (FirstWait, armed),
            (SecondWait, told("READ WRITE", "IN OUT")),
            (ArmedAgain, armed),
            (PartialRead, event("READ WRITE", "IN OUT", "OUT")),
            (MoreArrived, event("READ WRITE", "IN OUT", "IN")),
            (Drained, event("WRITE", "OUT", "OUT")),
        ],
    );
}

/// eventfd(2): not writable where not even 1 could be added (`eventfd_poll`: ULLONG_MAX - 1 > count).
#[test]
fn a_full_eventfd() {
    expect(
        "eventfd-full",
        &[
            (FirstWait, ready("READ", "IN")),
            (SecondWait, told("READ", "IN")),
            (ArmedAgain, ready("READ", "IN")),
            (Drained, event("WRITE", "OUT", "OUT")),
        ],
    );
}

/// timerfd_create(2); fs/timerfd.c `timerfd_poll`: readable while expirations are unread; each expiration
/// wakes (`timerfd_tmrproc`).
#[test]
fn a_timerfd() {
    expect(
        "timerfd",
        &[
            (FirstWait, ready("READ", "IN")),
            (SecondWait, told("READ", "IN")),
            (ArmedAgain, ready("READ", "IN")),
            (MoreArrived, MORE),
            (Drained, NONE),
        ],
    );
}

/// signalfd(2); fs/signalfd.c `signalfd_poll`: readable while one of its signals waits; each signal wakes
/// (`signalfd_notify`).
#[test]
fn a_signalfd() {
    expect_readable("signalfd", MORE);
}

/// inotify(7); fs/notify/inotify/inotify_user.c `inotify_poll`: readable while the queue has an event; each
/// one wakes (fs/notify/notification.c, `fsnotify_insert_event`).
#[test]
fn an_inotify_descriptor() {
    expect_readable("inotify", MORE);
}

/// pidfd_open(2); `pidfd_poll` (kernel/fork.c, fs/pidfs.c since 6.9): readable when the process has ended.
/// Since Linux 6.9 (43f0df54c96f) the reaped process is a hang-up, and that is an event.
#[test]
fn a_pidfd() {
    let reaped = if kernel() >= (6, 9) { event("READ", "IN HUP", "IN HUP") } else { told("READ", "IN") };
    expect(
        "pidfd",
        &[
            (FirstWait, NONE),
            (SecondWait, NONE),
            (ArmedAgain, NONE),
            (MoreArrived, ready("READ", "IN")),
            (Drained, reaped),
        ],
    );
}

/// epoll(7), questions and answers: an epoll descriptor can itself be watched, and is readable while one of its
/// own is ready (`ep_eventpoll_poll`); an event inside wakes those outside (`ep_poll_safewake`).
#[test]
fn an_epoll_in_an_epoll() {
    expect_readable("epoll-in-epoll", if kernel() >= (5, 14) { MORE } else { told("READ", "IN") });
}

/// userfaultfd(2); fs/userfaultfd.c `userfaultfd_poll`: after the handshake and with O_NONBLOCK, EPOLLIN for
/// each fault that waits, and nothing without one. It can be watched by all.
#[test]
fn a_userfaultfd_without_a_fault() {
    expect("userfaultfd", &[(FirstWait, NONE), (SecondWait, NONE), (ArmedAgain, NONE)]);
}
