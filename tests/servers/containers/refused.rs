//! One system call after the other refused, each with what is documented to come of it.

use std::panic::catch_unwind;
use std::process::Command;
use std::sync::Mutex;

use model::schema::Health;
use rustix::process::Signal;
use seccompiler::BpfProgram;
use trials::test;

use super::calls::{self, CALLS, Call, End, Uses};
use super::{Place, answered, diagnosis, first_processor, is_measured, said};
use crate::support::{Server, container};

fn filter(call: &Call, errno: i32) -> BpfProgram {
    match call.uses {
        Uses::All => container::refuse(call.name, errno),
        Uses::Netlink => container::refuse_sockets(libc::AF_NETLINK, errno),
        Uses::SharedMappings => container::refuse_shared_mappings(errno),
    }
}

/// Runs `command` where `call` is refused, and returns what is not as it should be.
fn try_without(
    place: &Place,
    call: &Call,
    errno: i32,
    shown: &(calls::Command, End, &str),
) -> Result<(), String> {
    let &(command, end, says) = shown;
    let filtered = |command: Command| container::filtered(command, filter(call, errno));
    let output = |command: Command| filtered(command).output().expect("it starts");
    let serve = |arguments: &[&str]| match end {
        End::Fails => output(place.serve(arguments)),
        End::Well => {
            let server = Server::start(filtered(place.serve(arguments)));
            let loaded = place.load(&server, &["--quiet"]).output().expect("it starts");
            server.signal(Signal::TERM);
            assert_eq!(server.await_end().code(), Some(0));
            loaded
        }
    };
    let out = format!("{}-{:?}-{errno}", call.name, call.uses);
    let output = match command {
        calls::Command::Serve => serve(&["--threads", "2"]),
        calls::Command::ServeThreads => serve(&["--mechanism", "threads", "--threads", "2"]),
        calls::Command::ServeBound => serve(&["--cpu", &first_processor()]),
        calls::Command::Load => {
            let server = Server::start(place.serve(&[]));
            output(place.load(&server, &["--wait", "sleep", "--rate", "2k", "--interval", "10ms"]))
        }
        calls::Command::LoadOnEpoll => {
            let server = Server::start(place.serve(&[]));
            output(place.load(&server, &["--engine", "epoll"]))
        }
        calls::Command::List => output(place.muxbench(&["list"])),
        calls::Command::Doctor => {
            output(place.muxbench(&["doctor", "--conns", "10", "--listen", "0s", "--json"]))
        }
        calls::Command::Run => output(place.run(&out)),
    };
    let text = said(&output);
    if !text.contains(says) || text.contains("panicked") {
        return Err(format!("'{says}' and no panic in: {text}"));
    }
    let code = output.status.code();
    let is_as_stated = match (command, end) {
        (calls::Command::Doctor, _) => {
            let expected = if end == End::Well { Health::Pass } else { Health::Fail };
            diagnosis(&output)
                .symptoms
                .iter()
                .any(|symptom| symptom.name == "mechanisms" && symptom.state == expected)
        }
        (_, End::Fails) => code == Some(1),
        (calls::Command::List, End::Well) => code == Some(0),
        // A busy machine may drop all rounds.
        (calls::Command::Run, End::Well) => {
            matches!(code, Some(0 | 4)) && is_measured(&place.path().join(out))
        }
        (_, End::Well) => answered(&output),
    };
    if is_as_stated { Ok(()) } else { Err(format!("{end:?} is not how it ended, with {code:?}: {text}")) }
}

#[test]
fn whatever_call_is_refused_has_a_substitute_or_a_clear_error() {
    let place = Place::new(false);
    let all = CALLS.iter().flat_map(|call| {
        call.errors.iter().flat_map(move |&errno| call.shown.iter().map(move |shown| (call, errno, shown)))
    });
    let (all, wrong) = (Mutex::new(all), Mutex::new(Vec::new()));
    // What each waits for is mostly another process.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = all.lock().expect("no other panics with it").next();
                    let Some((call, errno, shown)) = next else { break };
                    let tried = catch_unwind(|| try_without(&place, call, errno, shown));
                    let tried = tried.unwrap_or_else(|_| Err("a panic, see above".to_owned()));
                    if let Err(what) = tried {
                        let what = format!("{:?} without {} ({errno}): {what}", shown.0, call.name);
                        wrong.lock().expect("no other panics with it").push(what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("nobody holds it");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
