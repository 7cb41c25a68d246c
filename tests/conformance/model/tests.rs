//! The model is itself right: it accepts what a server must do, and nothing else.

use muxbench::server::Reply;
use trials::test;

use super::{Conversation, Wrong, stream_from};

/// A peer that has sent `count` bytes, and those bytes.
fn after_sending(reply: Reply, count: usize) -> (Conversation, Vec<u8>) {
    let mut peer = Conversation::new(reply, 3);
    let bytes = peer.next()[..count].to_vec();
    peer.sent(count as u64);
    (peer, bytes)
}

#[test]
fn an_echo_in_any_pieces_settles() {
    let (mut peer, bytes) = after_sending(Reply::Echo, 1000);
    for piece in bytes.chunks(7) {
        assert!(!peer.is_settled());
        assert_eq!(peer.received(piece), Ok(()));
    }
    assert!(peer.is_settled());
}

#[test]
fn an_echo_that_lost_doubled_or_changed_anything_is_wrong() {
    let (_, bytes) = after_sending(Reply::Echo, 100_000);
    let lost = [&bytes[..10], &bytes[10 + 65_536..]].concat();
    let doubled = [&bytes[..10], &bytes[9..]].concat();
    let mut changed = bytes.clone();
    changed[99_999] ^= 1;
    for echo in [lost, doubled, changed] {
        let (mut peer, _) = after_sending(Reply::Echo, 100_000);
        assert_eq!(peer.received(&echo), Err(Wrong::Bytes { at: 0 }));
    }
}

#[test]
fn more_than_was_sent_is_wrong() {
    let (mut peer, _) = after_sending(Reply::Echo, 10);
    let more = stream_from(3, 0)[..11].to_vec();
    assert_eq!(peer.received(&more), Err(Wrong::Surplus { sent: 10, answered: 11 }));
    let (mut peer, _) = after_sending(Reply::Ack, 10);
    assert_eq!(peer.received(b"get bytes 11\n"), Err(Wrong::Surplus { sent: 10, answered: 11 }));
}

#[test]
fn the_bytes_of_another_peer_are_wrong() {
    let (mut peer, _) = after_sending(Reply::Echo, 8);
    assert_eq!(peer.received(&stream_from(4, 0)[..8]), Err(Wrong::Bytes { at: 0 }));
}

#[test]
fn acknowledgements_add_up_whatever_the_reads_were() {
    let (mut peer, _) = after_sending(Reply::Ack, 70_000);
    for piece in [b"get bytes 6553".as_slice(), b"6\nget by", b"tes 4464\n"] {
        assert!(!peer.is_settled());
        assert_eq!(peer.received(piece), Ok(()));
    }
    assert!(peer.is_settled());
}

#[test]
fn a_begun_acknowledgement_is_not_settled() {
    let (mut peer, _) = after_sending(Reply::Ack, 1);
    assert_eq!(peer.received(b"get bytes 1\nget"), Ok(()));
    assert!(!peer.is_settled());
}

#[test]
fn no_read_is_of_nothing_or_of_more_than_the_buffer() {
    for line in ["get bytes 0", "get bytes 65537", "get bytes", "got bytes 1", ""] {
        let (mut peer, _) = after_sending(Reply::Ack, 100_000);
        assert_eq!(peer.received(format!("{line}\n").as_bytes()), Err(Wrong::Line(line.into())));
    }
}
