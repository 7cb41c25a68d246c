//! Servers that remember what they saw, and runs against them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Output;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{self, count, json, output_of, spawn, wait_until};

/// The connections and reads that a server saw.
#[derive(Default)]
pub struct Seen {
    pub accepted: AtomicU64,
    /// Connections that ended with a FIN.
    pub ended: AtomicU64,
    /// Connections that ended in any other way.
    pub broken: AtomicU64,
    /// The number of the connection and the number of bytes of each read.
    pub reads: Mutex<Vec<(usize, usize)>>,
}

impl Seen {
    /// Waits until so many connections were accepted: on a busy machine the client may end before the server's threads have run.
    pub fn await_accepted(&self, count: u64) {
        wait_until("accepted connections", || self.accepted.load(SeqCst) >= count);
    }
}

/// Serves every connection with `serve`, which is told its number, each on a thread of its own.
pub fn server(serve: impl Fn(TcpStream, usize, &Seen) + Clone + Send + 'static) -> (SocketAddr, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    let address = support::servers::server(move |stream, number| {
        shared.accepted.fetch_add(1, SeqCst);
        serve(stream, number, &shared);
    });
    (address, seen)
}

/// Answers each read with what `reply` makes of it, until the peer is done.
pub fn replying(reply: impl Fn(&[u8]) -> Vec<u8> + Clone + Send + 'static) -> (SocketAddr, Arc<Seen>) {
    server(move |mut stream, number, seen| {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    seen.ended.fetch_add(1, SeqCst);
                    break;
                }
                Err(_) => {
                    seen.broken.fetch_add(1, SeqCst);
                    break;
                }
                Ok(length) => {
                    seen.reads.lock().expect("no panic").push((number, length));
                    if stream.write_all(&reply(&buffer[..length])).is_err() {
                        break;
                    }
                }
            }
        }
    })
}

/// Sends back what it reads.
pub fn echo() -> (SocketAddr, Arc<Seen>) {
    replying(<[u8]>::to_vec)
}

/// Runs `load-gen` with `arguments` to its end; nothing but them bounds the window.
pub fn load_gen(target: SocketAddr, arguments: &[&str]) -> Output {
    let target = target.to_string();
    let always = ["--target", &target, "--warmup", "0s", "--timeout", "5s"];
    output_of(spawn(support::load_gen(&[&always[..], arguments].concat())))
}

/// Runs `load-gen` with `arguments`, separated by blanks; the books balance, whatever they say.
pub fn run(target: SocketAddr, arguments: &str) -> Value {
    let mut arguments: Vec<&str> = arguments.split_whitespace().collect();
    arguments.push("--json");
    let report = json(&load_gen(target, &arguments));
    assert!(count(&report["unsent"]) <= count(&report["outstanding"]), "{report}");
    report
}
