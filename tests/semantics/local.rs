//! Unix sockets, pipes and FIFOs: `unix_poll` (net/unix/af_unix.c), `pipe_poll` (fs/pipe.c).

use model::schema::WaitPhase::{ArmedAgain, Drained, FirstWait, MoreArrived, PartialRead, SecondWait};

use crate::expectation::{NONE, event, expect, expect_full, expect_readable, kernel, ready, told};
use trials::test;

/// unix(7), epoll(7): a Unix socket's room is an event each time the peer takes a packet, though it was never
/// full: `unix_write_space` wakes whenever the socket is writable, without TCP's SOCK_NOSPACE. One byte of a
/// packet frees nothing.
#[test]
fn a_unix_socket_whose_peer_reads_is_an_event_though_it_was_never_full() {
    expect(
        "unix-sent",
        &[
            (FirstWait, ready("WRITE", "OUT")),
            (SecondWait, told("WRITE", "OUT")),
            (ArmedAgain, ready("WRITE", "OUT")),
            (PartialRead, told("WRITE", "OUT")),
            (Drained, event("WRITE", "OUT", "OUT")),
        ],
    );
}

/// unix(7): `unix_writable` wants three quarters of the send buffer free.
#[test]
fn a_full_unix_socket() {
    expect_full("unix-full");
}

/// unix(7): unlike a TCP peer, one that closes shuts down both directions at once (`unix_release_sock`), so
/// that EPOLLHUP comes with EPOLLRDHUP.
#[test]
fn a_unix_peer_that_closed_is_a_hang_up() {
    let ends = "IN OUT RDHUP HUP";
    let armed = ready("READ WRITE", ends);
    let level = told("READ WRITE", ends);
    expect(
        "unix-peer-closed",
        &[
            (FirstWait, armed),
            (SecondWait, level),
            (ArmedAgain, armed),
            (PartialRead, level),
            (Drained, level),
        ],
    );
}

/// pipe(7), `pipe_poll`: the read end asks for readers' events only. Each write is an event, also into a pipe
/// that has data: `poll_usage` restores that since Linux 5.14 (3a34b13a88ca); before, from 5.5, only the
/// first write into an empty pipe woke anybody (1b6b26ae7053).
fn expect_readable_pipe(situation: &str) {
    let write = if kernel() >= (5, 14) { event("READ", "IN", "IN") } else { told("READ", "IN") };
    expect_readable(situation, write);
}

/// pipe(7), fs/pipe.c `pipe_write`.
#[test]
fn a_readable_pipe() {
    expect_readable_pipe("pipe-readable");
}

/// fifo(7): a FIFO is a pipe with a name; fs/pipe.c has one `pipefifo_fops` for both.
#[test]
fn a_readable_fifo() {
    expect_readable_pipe("fifo");
}

/// pipe(7), `pipe_poll`: a pipe has room when one of its pages is free, so that one byte read makes none;
/// `pipe_read` wakes writers when it frees a page of a full pipe.
#[test]
fn a_full_pipe() {
    expect_full("pipe-full");
}

/// poll(2), POLLHUP: the writer's end of a pipe gone is a hang-up, not POLLRDHUP; when all is read POLLHUP
/// stays alone, which select(2) calls readable (POLLIN_SET has EPOLLHUP in it).
#[test]
fn a_pipe_without_a_writer() {
    let ends = "IN HUP";
    let armed = ready("READ", ends);
    let level = told("READ", ends);
    expect(
        "pipe-writer-gone",
        &[
            (FirstWait, armed),
            (SecondWait, level),
            (ArmedAgain, armed),
            (PartialRead, level),
            (Drained, told("READ", "HUP")),
        ],
    );
}

/// poll(2), POLLERR: "also set for a file descriptor referring to the write end of a pipe when the read end
/// has been closed"; with POLLOUT, since a write would fail at once. To select(2) an error is readable too.
#[test]
fn a_pipe_without_a_reader() {
    let broken = "OUT ERR";
    let armed = ready("READ WRITE", broken);
    let level = told("READ WRITE", broken);
    expect("pipe-reader-gone", &[(FirstWait, armed), (SecondWait, level), (ArmedAgain, armed)]);
}

/// fifo(7), `pipe_poll`: a FIFO that never had a writer is not hung up (`f_version` against `w_counter`);
/// once it had one, and that is gone, it is. A oneshot had nothing to report, so that the writer's data spend
/// it.
#[test]
fn a_fifo_that_gets_its_first_writer() {
    expect(
        "fifo-no-writer",
        &[
            (FirstWait, NONE),
            (SecondWait, NONE),
            (ArmedAgain, NONE),
            (MoreArrived, ready("READ", "IN")),
            (Drained, event("READ", "HUP", "HUP")),
        ],
    );
}
