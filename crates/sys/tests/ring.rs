//! Tests of the promises of a ring, against the kernel.
#![cfg(feature = "io-uring")]

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use sys::ring_size::RingSize;
use sys::uring::{Notice, Operation, Ring, Want};

/// So many sockets get a byte at once that what the kernel has to say of them, 20 at a time, finds no place in the queue.
#[test]
fn a_ring_has_told_all_only_when_nothing_waits_in_the_kernel_for_a_place_in_its_queue() {
    const SOCKETS: usize = 40;
    const QUEUE: u32 = 8;
    let Ok(mut ring) = Ring::new(&RingSize::new((QUEUE, QUEUE), 8), Notice::ByCall) else {
        // Some developers' kernels forbid it.
        return assert!(std::env::var_os("CI").is_none(), "there is no io_uring here");
    };
    let pairs: Vec<_> = (0..SOCKETS).map(|_| UnixStream::pair().expect("a pair")).collect();
    for (watched, _) in &pairs {
        ring.watch(watched.as_raw_fd(), libc::POLLIN, Operation::AwaitReadable);
    }
    let none = |completion| panic!("nothing is readable yet: {completion:?}");
    ring.wait(Want::WhatIsThere, none).expect("submitted");
    for (_, peer) in &pairs {
        rustix::io::write(peer, b"!").expect("room for it");
    }
    let mut count = 0;
    ring.wait(Want::Something, |_| count += 1).expect("some are readable");
    assert!(count > QUEUE, "{count} had a place in the queue");
    assert!(ring.has_told_all());
}
