//! The loops as the benches use them: in the caller's own process.

mod support;

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use muxbench::mechanisms;
use muxbench::server::{Admitted, Listener, Options, Running, ServeError, Server, listen, start};
use muxbench::server::{Mechanism, Serve};
use rustix::io::Errno;
use support::{AtTheEnd, PATIENCE, container};

/// These tests look at the whole process: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn serve(mechanism: &'static Mechanism) -> Running {
    let options = Options { listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))], ..Options::default() };
    start(mechanism, &options).expect("a server")
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("accepted");
    client.set_read_timeout(Some(*PATIENCE)).expect("a timeout");
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

/// The threads of this process.
fn threads() -> HashSet<libc::pid_t> {
    let tasks = fs::read_dir("/proc/self/task").expect("this process").flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

/// Returns whether thread `id` of this process waits in the kernel.
fn waits(id: libc::pid_t) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| state.starts_with('S'))
}

/// Signals that have been handled, each on the thread that it was sent to.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// Counts SIGUSR1 and lets it interrupt whatever call the thread is in. A handler that was installed with SA_RESTART,
/// as is usual, would have the kernel take up recv(2) again unseen (signal(7)).
fn handle_signals() {
    extern "C" fn count(_: libc::c_int) {
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }
    let handler: extern "C" fn(libc::c_int) = count;
    #[allow(unsafe_code)]
    // SAFETY: all zeros is a valid sigaction: no flags, nothing blocked. The handler does nothing but add to an
    // atomic, which is async-signal-safe (signal-safety(7)).
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
}

/// Interrupts the thread `id` of this process.
fn interrupt(id: libc::pid_t) {
    #[allow(unsafe_code)]
    // SAFETY: tgkill(2) touches no memory of ours, and the signal has a handler.
    unsafe {
        libc::syscall(libc::SYS_tgkill, std::process::id(), id, libc::SIGUSR1);
    }
}

/// Serves `listener` on the calling thread, with a thread for each connection or each loop where the mechanism is so.
fn serve_here(serve: Serve, socket: OwnedFd, server: &Arc<Server>) -> Result<(), ServeError> {
    let listener = Listener::new(socket, server)?;
    match serve {
        Serve::Loop(serve) => serve(listener, server),
        Serve::Pool(serve) => serve(listener, std::slice::from_ref(server)),
    }
}

/// Asserts that a server of `mechanism` whose threads are interrupted again and again answers every request.
///
/// The loops that `start` runs block every signal, so this one runs on a thread of the test's own, and the threads that
/// it starts are interrupted with it.
fn survives_interruptions(mechanism: &Mechanism) {
    const ROUNDS: u64 = 100;
    let serve = mechanism.serve.expect("compiled");
    let (address, mut sockets) = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a listener");
    let socket = sockets.remove(0);
    let stop = TcpListener::from(socket.try_clone().expect("a clone"));
    let server = Arc::new(Server::new(&Options::default()));
    let others = threads();
    let handled = HANDLED.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let end = AtTheEnd(|| {
            rustix::net::shutdown(&stop, rustix::net::Shutdown::Both).expect("it listens");
        });
        let serving = scope.spawn(|| serve_here(serve, socket, &server));
        let mut clients = [connect(address), connect(address)];
        clients.iter_mut().for_each(round_trip);
        for _ in 0..ROUNDS {
            for &thread in threads().difference(&others) {
                await_that(|| waits(thread) || serving.is_finished(), mechanism);
                let before = HANDLED.load(Ordering::Relaxed);
                interrupt(thread);
                // Its wait is over when the handler runs. A request that came first would end it in its stead.
                await_that(|| HANDLED.load(Ordering::Relaxed) > before || serving.is_finished(), mechanism);
            }
            if serving.is_finished() {
                break;
            }
            clients.iter_mut().for_each(round_trip);
        }
        round_trip(&mut connect(address));
        drop((end, clients));
        let ended = serving.join().expect("no panic");
        assert!(ended.is_ok(), "{}: {ended:?}", mechanism.name);
    });
    let handled = HANDLED.load(Ordering::Relaxed) - handled;
    assert!(handled >= ROUNDS, "{}: {handled} signals reached the server", mechanism.name);
    let counts = server.read_counters();
    assert_eq!((counts.accepted, counts.refused), (3, 0), "{}", mechanism.name);
    if mechanism.counts_calls && mechanism.family == "readiness" {
        // An interrupted wait counts as empty.
        let empty = counts.calls.expect("counted").empty_wakeups;
        assert!(empty >= ROUNDS / 2, "{}: {empty} waits were interrupted", mechanism.name);
    }
}

/// Waits until `condition` holds.
fn await_that(condition: impl Fn() -> bool, mechanism: &Mechanism) {
    let deadline = Instant::now() + *PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{}", mechanism.name);
        std::thread::yield_now();
    }
}

#[test]
fn a_storm_of_signals_interrupts_waits_and_loses_nothing() {
    let _alone = ONE_AT_A_TIME.lock();
    handle_signals();
    mechanisms::compiled().for_each(survives_interruptions);
}

#[test]
fn a_connection_that_is_gone_before_it_is_accepted_ends_no_listener() {
    // Another test counts this process's descriptors.
    let _alone = ONE_AT_A_TIME.lock();
    // Linux accepts a connection that was reset meanwhile, so none of a peer's doing brings ECONNABORTED here; other
    // protocols, and what accept(2) names under "Error handling", do.
    let server = Server::new(&Options::default());
    let mut sockets = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a listener").1;
    let mut listener = Listener::new(sockets.remove(0), &server).expect("a reserve");
    let gone = [
        Errno::CONNABORTED,
        Errno::PROTO,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::NETUNREACH,
        Errno::PERM,
    ];
    for errno in gone {
        let admitted = listener.admit(Err(errno), &server);
        assert!(matches!(admitted, Ok(Admitted::Dismissed)), "{errno}: {admitted:?}");
    }
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::WOULDBLOCK] {
        let admitted = listener.admit(Err(errno), &server);
        assert!(matches!(admitted, Ok(Admitted::NoMore)), "nobody waits; {errno}: {admitted:?}");
    }
    assert!(matches!(listener.admit(Err(Errno::INVAL), &server), Ok(Admitted::Stopped)));
    for errno in [Errno::BADF, Errno::NOSYS] {
        assert!(listener.admit(Err(errno), &server).is_err(), "{errno}");
    }
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
    every_one_leaves_nothing(mechanisms::compiled());
}

#[test]
fn so_it_is_where_loops_share_the_descriptor_table() {
    let _alone = ONE_AT_A_TIME.lock();
    let refused = [container::refuse("unshare", libc::EPERM)];
    container::inside(&refused, || every_one_leaves_nothing(mechanisms::compiled()));
}

fn every_one_leaves_nothing(mechanisms: impl Iterator<Item = &'static Mechanism>) {
    let descriptors = || fs::read_dir("/proc/self/fd").expect("this process").count();
    for mechanism in mechanisms {
        let before = descriptors();
        for _ in 0..5 {
            let server = serve(mechanism);
            let address = server.control().address();
            let mut client = connect(address);
            round_trip(&mut client);
            server.stop().expect("an orderly end");
            let ended = client.read(&mut [0]);
            // A connection that is closed with a request unread is reset.
            let is_ended = matches!(&ended, Ok(0))
                || ended.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
            assert!(is_ended, "{}: {ended:?}", mechanism.name);
            assert!(TcpStream::connect(address).is_err(), "nobody listens");
        }
        assert_eq!(descriptors(), before, "{}", mechanism.name);
        // A thread that has been joined is listed for a moment more.
        let deadline = Instant::now() + *PATIENCE;
        while !loop_threads().is_empty() {
            assert!(Instant::now() < deadline, "{}", mechanism.name);
            std::thread::yield_now();
        }
    }
}
