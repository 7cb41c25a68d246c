//! `load-gen` is interrupted in each of its phases, every one of which would last an hour: it ends, with 130.
//!
//! One table, one process a phase, all at the same time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::servers::serve_on;
use crate::support::{load_gen, on_each_engine, signal, wait_until};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

on_each_engine! {
    an_interruption_is_heard_in_every_phase,
    an_interrupted_run_leaves_its_connections_to_the_kernel_which_resets_them,
}

/// The connections and bytes that a server has seen.
#[derive(Default)]
struct Seen {
    opened: AtomicU64,
    bytes: AtomicU64,
    closed: AtomicU64,
}

/// The sign that a phase has begun.
#[derive(Clone, Copy)]
enum Begun {
    /// Progress says so.
    Told(&'static str),
    /// The server has been asked for something.
    Requests,
    /// The server has so many connections.
    Opened(u64),
    /// All of so many connections have been closed again: what is left is to print and export.
    Closed(u64),
}

/// The stream that cannot be written to, if any.
#[derive(Clone, Copy, PartialEq)]
enum Stuck {
    Nothing,
    StandardOutput,
    StandardError,
}

struct Phase {
    name: &'static str,
    target: Arc<(SocketAddr, Seen)>,
    arguments: Vec<String>,
    begun: Begun,
    stuck: Stuck,
}

fn phase(name: &'static str, target: &Arc<(SocketAddr, Seen)>, begun: Begun, arguments: &str) -> Phase {
    let arguments = arguments.split(' ').map(str::to_owned).collect();
    Phase { name, target: Arc::clone(target), arguments, begun, stuck: Stuck::Nothing }
}

/// A server that echoes, or is silent, and counts.
fn watched(answers: bool) -> Arc<(SocketAddr, Seen)> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let all = Arc::new((listener.local_addr().expect("bound"), Seen::default()));
    let seen = Arc::clone(&all);
    serve_on(listener, move |mut stream: TcpStream, _| {
        let seen = &seen.1;
        seen.opened.fetch_add(1, Relaxed);
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            seen.bytes.fetch_add(length as u64, Relaxed);
            if answers && stream.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        seen.closed.fetch_add(1, Relaxed);
    });
    all
}

/// A listener that accepts nothing and whose queue is full; the connections that fill it belong to it.
fn deaf() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    rustix::net::listen(&listener, 0).expect("a shorter queue");
    let address = listener.local_addr().expect("bound");
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let waiting = (0..8).map_while(connect).collect();
    (listener, waiting)
}

/// The end of a pipe that takes nothing more, and the other.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).expect("a pipe");
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    while rustix::io::write(&writer, b"x").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).expect("flags");
    (reader, writer)
}

fn fifo(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
    path.display().to_string()
}

fn an_interruption_is_heard_in_every_phase() {
    let folder = tempfile::tempdir().expect("a folder");
    let (deaf, _waiting) = deaf();
    let deaf = Arc::new((deaf.local_addr().expect("bound"), Seen::default()));
    let [one, two, three, four, five, six, seven, eight] = [(); 8].map(|()| watched(true));
    let [mute, stuck_search] = [(); 2].map(|()| watched(false));
    let an_hour_on = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    let unread = fifo(folder.path(), "unread");
    let phases = [
        phase("opening", &deaf, Begun::Told("opening: 0 of"), "--conns 64 --timeout 1h"),
        phase("start-at", &one, Begun::Opened(2), &format!("--conns 2 --start-at {an_hour_on}")),
        phase("ramp", &two, Begun::Told("warm-up"), "--conns 2 --ramp 1h --rate 10"),
        phase("pauses", &three, Begun::Requests, "--conns 1 --think 1h -d 1h"),
        phase(
            "beyond all means",
            &four,
            Begun::Told("measuring"),
            "--conns 2 --rate 1000M -d 1h --timeout 1h",
        ),
        // Long enough that a request is sent in the window on a busy machine too.
        phase("drain", &mute, Begun::Told("draining"), "--conns 2 -d 2s --timeout 1h"),
        phase("curve", &five, Begun::Told("step 1 of 3"), "--conns 2 --rate 1k..3k:3 -d 1h"),
        phase("search", &stuck_search, Begun::Told("draining"), "--conns 2 --slo p99=1ms -d 2s --timeout 1h"),
        Phase {
            stuck: Stuck::StandardOutput,
            ..phase("printing", &six, Begun::Closed(2), "--conns 2 -d 50ms --json")
        },
        Phase {
            stuck: Stuck::StandardError,
            ..phase("progress", &seven, Begun::Requests, "--conns 2 -d 1h")
        },
        phase("export", &eight, Begun::Closed(2), &format!("--conns 2 -d 50ms --export csv={unread}")),
    ];
    // Threads have their engine from the test that started them.
    let commands = phases.map(|phase| {
        let target = phase.target.0.to_string();
        let mut command =
            load_gen(&["--target", &target, "--warmup", "0s", "--wait", "sleep", "--no-preflight"]);
        command.args(&phase.arguments);
        (phase, command)
    });
    thread::scope(|scope| {
        for (phase, mut command) in commands {
            scope.spawn(move || {
                let (_reader, full) = full_pipe();
                let piped_or = |stuck| match phase.stuck == stuck {
                    true => Stdio::from(full.try_clone().expect("a descriptor")),
                    false => Stdio::piped(),
                };
                command.stdout(piped_or(Stuck::StandardOutput)).stderr(piped_or(Stuck::StandardError));
                interrupt(&phase, command.spawn().expect("it starts"));
            });
        }
    });
}

/// Interrupts `child` once the phase has begun; it must end.
fn interrupt(phase: &Phase, mut child: Child) {
    let said = Arc::new(Mutex::new(String::new()));
    if let Some(stderr) = child.stderr.take() {
        let said = Arc::clone(&said);
        thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines.for_each(|line| *said.lock().expect("no panic") += &(line + "\n"));
        });
    }
    // What nobody reads would keep it waiting as well.
    if let Some(mut stdout) = child.stdout.take() {
        thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    }
    let seen = &phase.target.1;
    wait_until(phase.name, || {
        let has_begun = match phase.begun {
            Begun::Told(words) => said.lock().expect("no panic").contains(words),
            Begun::Requests => seen.bytes.load(Relaxed) > 0,
            Begun::Opened(connections) => seen.opened.load(Relaxed) == connections,
            Begun::Closed(connections) => seen.closed.load(Relaxed) == connections,
        };
        let ended = child.try_wait().expect("a child of ours");
        assert_eq!(ended, None, "{} has ended by itself: {}", phase.name, said.lock().expect("no panic"));
        has_begun
    });
    signal(&child, Signal::INT);
    let mut ended = None;
    wait_until(&format!("{} ends when it is interrupted", phase.name), || {
        ended = child.try_wait().expect("a child of ours");
        ended.is_some()
    });
    let code = ended.and_then(|status| status.code());
    assert_eq!(code, Some(130), "{}: {}", phase.name, said.lock().expect("no panic"));
}

/// Nobody waits for as many close(2) as there are connections; and none is left in TIME_WAIT.
fn an_interrupted_run_leaves_its_connections_to_the_kernel_which_resets_them() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let target = listener.local_addr().expect("bound").to_string();
    let mut command = load_gen(&["--target", &target, "--conns", "3", "--active", "2", "--warmup", "0s"]);
    let arguments = ["-d", "1h", "--rate", "100", "--wait", "sleep", "--json", "--quiet"];
    let child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
    let peers: Vec<TcpStream> = listener.incoming().take(3).map(|peer| peer.expect("connected")).collect();
    // Load has begun where there is a request.
    let asked = || peers.iter().any(|peer| peer.set_nonblocking(true).is_ok() && peer.peek(&mut [0]).is_ok());
    wait_until("a request", asked);
    signal(&child, Signal::INT);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["connections"]["opened"], report["connections"].get("closed_s")), (&3.into(), None));
    for mut peer in peers {
        let reset = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        wait_until("a reset", || {
            loop {
                match peer.read(&mut [0; 4096]) {
                    Ok(0) => panic!("its end was no reset"),
                    Ok(_) => {}
                    Err(error) => break reset(error),
                }
            }
        });
    }
}
