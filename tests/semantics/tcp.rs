//! TCP over loopback. What is reported at any one moment is `tcp_poll` (net/ipv4/tcp.c); what is an event is
//! who calls the socket's wait queue, and with which mask (net/core/sock.c, net/core/stream.c).

use model::schema::WaitPhase::{ArmedAgain, Drained, FirstWait, MoreArrived, PartialRead, SecondWait};

use crate::expectation::{NONE, event, expect, expect_full, ready, told};
use trials::test;

/// poll(2), epoll(7): data make POLLIN, and room POLLOUT, for as long as they are there; an edge is the
/// arrival of data, whether or not older data were read, and a read is none.
///
/// `tcp_poll`: EPOLLIN from `tcp_stream_is_readable`, EPOLLOUT from `sk_stream_is_writeable`. Arrival is
/// `sock_def_readable`, which wakes with EPOLLIN | EPOLLPRI: epoll then asks the socket and finds no urgent
/// data (`ep_item_poll`), io_uring passes on the mask of the wake-up as far as it was asked for
/// (`io_poll_check_events`), so that multishot reports a POLLPRI that is not there.
#[test]
fn readable() {
    expect(
        "readable",
        &[
            (FirstWait, ready("READ WRITE", "IN OUT")),
            (SecondWait, told("READ WRITE", "IN OUT")),
            (ArmedAgain, ready("READ WRITE", "IN OUT")),
            (PartialRead, told("READ WRITE", "IN OUT")),
            (MoreArrived, event("READ WRITE", "IN OUT", "IN PRI")),
            (Drained, told("WRITE", "OUT")),
        ],
    );
}

/// poll(2): without data there is room alone. The wake-ups are those of `readable`.
#[test]
fn drained() {
    expect(
        "drained",
        &[
            (FirstWait, ready("WRITE", "OUT")),
            (SecondWait, told("WRITE", "OUT")),
            (ArmedAgain, ready("WRITE", "OUT")),
            (MoreArrived, event("READ WRITE", "IN OUT", "IN PRI")),
            (Drained, told("WRITE", "OUT")),
        ],
    );
}

/// tcp(7), epoll(7): what the peer reads is no event while there was room: `tcp_check_space`
/// (net/ipv4/tcp_input.c) calls the wait queue only where SOCK_NOSPACE says that somebody found none.
#[test]
fn sent_bytes_that_the_peer_reads_are_no_event() {
    expect(
        "sent",
        &[
            (FirstWait, ready("WRITE", "OUT")),
            (SecondWait, told("WRITE", "OUT")),
            (ArmedAgain, ready("WRITE", "OUT")),
            (PartialRead, told("WRITE", "OUT")),
            (Drained, told("WRITE", "OUT")),
        ],
    );
}

/// tcp(7), epoll(7): a full socket reports nothing; one byte read by the peer opens no window; when all is
/// read, `sk_stream_write_space` (net/core/stream.c) wakes with EPOLLOUT, once a third of the buffer is free
/// (`sk_stream_min_wspace`). A oneshot has nothing to report at first, so that it is still armed.
#[test]
fn full() {
    expect_full("full");
}

/// tcp(7), select(2): urgent data make POLLPRI, and an exceptional condition, until they are read
/// (`tcp_poll`: TCP_URG_VALID). Ordinary data behind them are an event like any other.
#[test]
fn urgent_data() {
    let all = ready("READ WRITE EXCEPT", "IN PRI OUT");
    let level = told("READ WRITE EXCEPT", "IN PRI OUT");
    expect(
        "urgent",
        &[
            (FirstWait, all),
            (SecondWait, level),
            (ArmedAgain, all),
            (PartialRead, level),
            (MoreArrived, event("READ WRITE EXCEPT", "IN PRI OUT", "IN PRI")),
            (Drained, told("WRITE", "OUT")),
        ],
    );
}

/// accept(2): a connection in the queue makes a listener readable, never writable
/// (`inet_csk_listen_poll`, include/net/inet_connection_sock.h), and each new one is an event.
#[test]
fn a_listener_with_connections_waiting() {
    expect(
        "listening",
        &[
            (FirstWait, ready("READ", "IN")),
            (SecondWait, told("READ", "IN")),
            (ArmedAgain, ready("READ", "IN")),
            (PartialRead, told("READ", "IN")),
            (MoreArrived, event("READ", "IN", "IN PRI")),
            (Drained, NONE),
        ],
    );
}

/// connect(2), `tcp_poll`: a socket in state CLOSE, which a new one is, reports EPOLLHUP; and since the state
/// is not SYN_SENT it is asked for room, of which it has plenty. To select(2) a hang-up is readable
/// (fs/select.c, POLLIN_SET).
#[test]
fn a_fresh_socket_reports_a_hang_up() {
    expect(
        "fresh",
        &[
            (FirstWait, ready("READ WRITE", "OUT HUP")),
            (SecondWait, told("READ WRITE", "OUT HUP")),
            (ArmedAgain, ready("READ WRITE", "OUT HUP")),
        ],
    );
}

/// Every event but POLLPRI: what `tcp_reset` leaves (net/ipv4/tcp_input.c).
const ALL_ENDS: &str = "IN OUT RDHUP HUP ERR";
/// The same once the error was taken.
const NO_ERROR: &str = "IN OUT RDHUP HUP";

/// connect(2): an asynchronous connect that fails makes the socket writable, and SO_ERROR says why.
/// `tcp_reset` sets sk_err (EPOLLERR) and `tcp_done` shuts down both directions (EPOLLIN, EPOLLRDHUP,
/// EPOLLHUP, EPOLLOUT). Reading SO_ERROR takes the error away and nothing else; select(2) shows no
/// difference.
#[test]
fn a_refused_connect() {
    expect(
        "refused",
        &[
            (FirstWait, ready("READ WRITE", ALL_ENDS)),
            (SecondWait, told("READ WRITE", ALL_ENDS)),
            (ArmedAgain, ready("READ WRITE", ALL_ENDS)),
            (Drained, told("READ WRITE", NO_ERROR)),
        ],
    );
}

/// poll(2), POLLERR and POLLHUP: the same as a refused connect, with ECONNRESET. The error is reported to
/// select(2) as readable and writable, never as exceptional (fs/select.c, POLLEX_SET is EPOLLPRI alone).
#[test]
fn a_reset() {
    expect(
        "reset",
        &[
            (FirstWait, ready("READ WRITE", ALL_ENDS)),
            (SecondWait, told("READ WRITE", ALL_ENDS)),
            (ArmedAgain, ready("READ WRITE", ALL_ENDS)),
            (Drained, told("READ WRITE", NO_ERROR)),
        ],
    );
}

/// poll(2), POLLRDHUP: the peer's end of the stream is RCV_SHUTDOWN, readable for ever, and no hang-up
/// (`tcp_poll`, the comment on EPOLLHUP). Reading to the end changes nothing, so that no edge tells of it.
fn assert_half_closed(situation: &str) {
    let half = "IN OUT RDHUP";
    let level = told("READ WRITE", half);
    expect(
        situation,
        &[
            (FirstWait, ready("READ WRITE", half)),
            (SecondWait, level),
            (ArmedAgain, ready("READ WRITE", half)),
            (PartialRead, level),
            (Drained, level),
        ],
    );
}

/// poll(2), `tcp_fin` (net/ipv4/tcp_input.c): close(2) by the peer sends the same FIN as shutdown(2).
#[test]
fn a_peer_that_closed() {
    assert_half_closed("peer-closed");
}

/// shutdown(2), `tcp_fin`: nothing on this side tells it from a peer that closed, until something is written.
#[test]
fn a_peer_that_shut_down_writing() {
    assert_half_closed("peer-shut-down");
}

/// poll(2), POLLHUP: `tcp_poll` reports EPOLLHUP where both directions are shut down, though bytes are still
/// to be read; EPOLLOUT too, since a write would fail at once.
#[test]
fn both_directions_shut_down() {
    let level = told("READ WRITE", NO_ERROR);
    let armed = ready("READ WRITE", NO_ERROR);
    expect(
        "both-shut-down",
        &[
            (FirstWait, armed),
            (SecondWait, level),
            (ArmedAgain, armed),
            (PartialRead, level),
            (Drained, level),
        ],
    );
}
