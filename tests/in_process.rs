//! The loops as the benches use them: in the caller's own process.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muxbench::mechanisms::{self, Mechanism};
use muxbench::server::{Options, Running, start};

/// These tests look at the whole process: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn serve(mechanism: &Mechanism) -> Running {
    let options = Options { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Options::default() };
    start(mechanism.serve.expect("compiled"), &options).expect("a server")
}

fn connect(server: &Running) -> TcpStream {
    let client = TcpStream::connect(server.control().address()).expect("accepted");
    client.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    client
}

fn round_trip(client: &mut TcpStream) {
    client.write_all(b"echo").expect("sent");
    let mut echo = [0; 4];
    client.read_exact(&mut echo).expect("echoed");
    assert_eq!(&echo, b"echo");
}

/// The kernel's identifiers of the threads that run loops.
fn loop_threads() -> Vec<libc::pid_t> {
    let tasks = fs::read_dir("/proc/self/task").expect("this process").flatten();
    let is_loop = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("loop-"))
    };
    tasks.filter(is_loop).filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

/// Interrupts the thread `id` of this process.
fn interrupt(id: libc::pid_t) {
    #[allow(unsafe_code)]
    // SAFETY: tgkill(2) touches no memory of ours, and the signal has a handler.
    unsafe {
        libc::syscall(libc::SYS_tgkill, std::process::id(), id, libc::SIGUSR1);
    }
}

#[test]
fn a_storm_of_signals_interrupts_waits_and_loses_nothing() {
    let _alone = ONE_AT_A_TIME.lock();
    let arrived = std::sync::Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(libc::SIGUSR1, std::sync::Arc::clone(&arrived)).expect("a handler");
    for mechanism in mechanisms::compiled() {
        let server = serve(mechanism);
        let thread = loop_threads()[0];
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    interrupt(thread);
                    std::thread::yield_now();
                }
            });
            let mut client = connect(&server);
            // As long as it takes until waits were interrupted, each of which counts as empty.
            let interrupted = || server.control().counters().empty_wakeups > 20;
            let deadline = std::time::Instant::now() + Duration::from_secs(30);
            while !interrupted() && std::time::Instant::now() < deadline {
                (0..100).for_each(|_| round_trip(&mut client));
            }
            over.store(true, Ordering::Relaxed);
            assert!(interrupted(), "{}: {:?}", mechanism.name, server.control().counters());
        });
        server.stop().unwrap_or_else(|error| panic!("{}: {error}", mechanism.name));
    }
    assert!(arrived.load(Ordering::Relaxed));
}

#[test]
fn a_server_that_has_stopped_leaves_no_descriptor_and_no_thread() {
    let _alone = ONE_AT_A_TIME.lock();
    let descriptors = || fs::read_dir("/proc/self/fd").expect("this process").count();
    for mechanism in mechanisms::compiled() {
        let before = descriptors();
        for _ in 0..5 {
            let server = serve(mechanism);
            let address = server.control().address();
            let mut client = connect(&server);
            round_trip(&mut client);
            server.stop().expect("an orderly end");
            assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "the connection has ended");
            assert!(TcpStream::connect(address).is_err(), "nobody listens");
        }
        assert_eq!(descriptors(), before, "{}", mechanism.name);
        // A thread that has been joined is listed for a moment more.
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !loop_threads().is_empty() {
            assert!(std::time::Instant::now() < deadline, "{}", mechanism.name);
            std::thread::yield_now();
        }
    }
}
