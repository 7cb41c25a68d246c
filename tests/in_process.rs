//! The loops as the benches use them: in the caller's own process.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use muxbench::mechanisms::{self, Mechanism};
use muxbench::server::{Listener, Options, Running, Server, listen, start};

/// How long to wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// These tests look at the whole process: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn serve(mechanism: &Mechanism) -> Running {
    let options = Options { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Options::default() };
    start(mechanism.serve.expect("compiled"), &options).expect("a server")
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("accepted");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
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

/// Does something when it goes out of scope, by a panic too.
struct AtTheEnd<F: Fn()>(F);

impl<F: Fn()> Drop for AtTheEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Asserts that a loop of `mechanism` whose waits are interrupted again and again answers every request.
///
/// The loops that `start` runs block every signal, so this one runs on a thread of the test's own.
fn survives_interruptions(mechanism: &Mechanism) {
    let serve = mechanism.serve.expect("compiled");
    let (address, mut sockets) = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a listener");
    let socket = sockets.remove(0);
    let stop = TcpListener::from(socket.try_clone().expect("a clone"));
    let server = Server::new(&Options::default());
    let (sender, thread) = mpsc::channel();
    std::thread::scope(|scope| {
        let end = AtTheEnd(|| {
            rustix::net::shutdown(&stop, rustix::net::Shutdown::Both).expect("it listens");
        });
        let serving = scope.spawn(|| {
            sender.send(rustix::thread::gettid().as_raw_nonzero().get()).expect("the test waits");
            serve(Listener::new(socket, &server)?, &server)
        });
        let thread = thread.recv().expect("the loop's thread");
        let mut client = connect(address);
        // An interrupted wait counts as empty.
        let interrupted = || server.counters().read().empty_wakeups > 20;
        let deadline = Instant::now() + PATIENCE;
        while !interrupted() && Instant::now() < deadline && !serving.is_finished() {
            round_trip(&mut client);
            // The loop is asleep by now, or soon: the next attempt finds it so.
            std::thread::yield_now();
            interrupt(thread);
        }
        drop(end);
        let ended = serving.join().expect("no panic");
        assert!(ended.is_ok(), "{}: {ended:?}", mechanism.name);
        assert!(server.counters().read().empty_wakeups > 20, "{}: {server:?}", mechanism.name);
    });
}

#[test]
fn a_storm_of_signals_interrupts_waits_and_loses_nothing() {
    let _alone = ONE_AT_A_TIME.lock();
    let arrived = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(libc::SIGUSR1, Arc::clone(&arrived)).expect("a handler");
    mechanisms::compiled().for_each(survives_interruptions);
    assert!(arrived.load(Ordering::Relaxed));
}

#[test]
fn no_signal_handler_runs_on_a_loop() {
    let _alone = ONE_AT_A_TIME.lock();
    let Some(mechanism) = mechanisms::compiled().next() else { return };
    let server = serve(mechanism);
    let status =
        fs::read_to_string(format!("/proc/self/task/{}/status", loop_threads()[0])).expect("it runs");
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("a mask");
    let blocked = u64::from_str_radix(blocked.trim(), 16).expect("a mask");
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1] {
        assert!(blocked & 1 << (signal - 1) != 0, "signal {signal} is not blocked: {blocked:x}");
    }
    server.stop().expect("an orderly end");
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
            let mut client = connect(address);
            round_trip(&mut client);
            server.stop().expect("an orderly end");
            assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "the connection has ended");
            assert!(TcpStream::connect(address).is_err(), "nobody listens");
        }
        assert_eq!(descriptors(), before, "{}", mechanism.name);
        // A thread that has been joined is listed for a moment more.
        let deadline = Instant::now() + PATIENCE;
        while !loop_threads().is_empty() {
            assert!(Instant::now() < deadline, "{}", mechanism.name);
            std::thread::yield_now();
        }
    }
}
