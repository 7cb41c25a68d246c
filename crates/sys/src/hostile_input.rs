//! Tests that the code which reads the kernel's answers takes any input: no panic, no endless loop, no memory beyond a
//! multiple of what it reads.

use std::cell::Cell;
use std::net::SocketAddr;

use hostile::{Bound, Counting, check, check_text};

use crate::{capacity, listen_queue, process_group, processors, slab, usage};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn what_proc_says_is_read_whatever_it_is() {
    let meminfo = "MemTotal:       16384 kB\nSlab:      12 kB\n";
    check_text(&[meminfo], Bound::SMALL, &|text| capacity::bytes_of(text, "Slab:").is_some());
    let list = Bound { bytes: 1 << 17, per_byte: 64 };
    check_text(&["0-3,8\n", "0", "1,3,5"], list, &|text| !processors::parse_list(text).is_empty());
    check_text(&["sockets: used 5\nTCP: inuse 4 orphan 0 tw 2 alloc 9 mem 3\n"], Bound::SMALL, &|text| {
        capacity::after(text, "mem").is_some()
    });
    let slabs = "slabinfo - version: 2.1\nTCP 20 13 2432 13 8 : tunables 0 0 0\ndentry 5 99 192 21 1 :\n";
    check_text(&[slabs], Bound { bytes: 4096, per_byte: 256 }, &|text| slab::parse(text).contains_key("TCP"));
    let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1 0 100 2000 30 18446744073709551615";
    check_text(&[stat], Bound::SMALL, &|text| process_group::parse_stat(text).is_some());
    let system = "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 5 6\n";
    check_text(&[system], Bound::SMALL, &|text| usage::parse_system(text).is_some());
}

/// A message as the kernel answers with (struct nlmsghdr).
fn message(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(16 + content.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&[0; 10]);
    bytes.extend_from_slice(content);
    bytes
}

#[test]
fn netlink_answers_are_read_whatever_they_are() {
    let addresses: Vec<SocketAddr> = vec!["127.0.0.1:7777".parse().expect("an address")];
    let mut listener = [0; 72];
    (listener[0], listener[60]) = (2, 128);
    listener[4..6].copy_from_slice(&7777_u16.to_be_bytes());
    let answer = [message(20, &listener), message(20, &[1; 72]), message(3, &[0; 4])].concat();
    let room = Cell::new(None);
    check(&[&answer, &message(2, &(-2_i32).to_ne_bytes())], Bound::SMALL, &|bytes| {
        let mut found = None;
        let end = listen_queue::read_answer(bytes, &addresses, &mut found);
        room.set(room.get().or(found));
        end != Ok(false)
    });
    assert_eq!(room.get(), Some(129), "the example has a listener");
}
