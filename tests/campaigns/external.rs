//! `muxbench run` on servers that nobody here wrote: what is measured, and that none of them survives.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use model::campaign::{Campaign, Phase, Started};
use model::read;
use rustix::process::{Pid, Signal, kill_process};
use trials::test;

use crate::support::{PATIENCE, muxbench, stderr};

/// A scenario without its servers: one start of a quarter of a second.
const SCENARIO: &str = r#"
name = "short"
analysis = "Does it take part?"
mechanisms = []
reference = "REFERENCE"
rounds = { starts = 1, point_s = 0.25, slice_s = 0.01, light_per_s = 500, busy_share = 0.5 }
load = { size_bytes = 64, protocol = "echo" }
[[sweep]]
name = "idle-scaling"
connections = ["10"]
active = "5"
"#;

/// A Python server that echoes, and whatever `SET_UP` makes it do besides.
const ECHO: &str = r#"
import os, signal, socketserver, sys
HERE = os.path.dirname(sys.argv[0])

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
            mischief()

class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = True

def mischief():
    pass

SET_UP
Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"#;

/// A folder with a scenario and the servers that it names.
struct Place(tempfile::TempDir);

impl Place {
    /// The scenario with `servers`, which are TOML; the first one is the reference.
    fn new(servers: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        let reference = servers.split("name = \"").nth(1).and_then(|rest| rest.split('"').next());
        let scenario = SCENARIO.replace("REFERENCE", reference.unwrap_or("nobody"));
        place.write("short.toml", &format!("{scenario}\n{servers}"));
        place
    }

    /// The scenario with one Python server: `set_up` is run before it listens.
    fn with_python(set_up: &str) -> Self {
        let place = Self::new(
            r#"[[server]]
               name = "mischief"
               patience_s = 20
               command = ["python3", "{here}/server.py", "{port}"]"#,
        );
        place.write("server.py", &ECHO.replace("SET_UP", set_up));
        place
    }

    /// Has its start last for an hour.
    fn measure_for_long(&self) {
        let scenario = fs::read_to_string(self.0.path().join("short.toml")).expect("read");
        self.write("short.toml", &scenario.replace("point_s = 0.25", "point_s = 3600"));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("written");
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn command(&self) -> Command {
        let mut command = muxbench();
        command
            .arg("run")
            .arg("--no-doctor")
            .arg(self.0.path().join("short.toml"))
            .arg("--out")
            .arg(self.out());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the campaign, which must end as one with gaps may.
    fn run(&self) -> Campaign {
        let output = self.command().output().expect("muxbench starts");
        assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
        read::campaign(&self.out().join("campaign.json")).expect("a campaign").0
    }

    /// Runs the campaign, in whose only start the server and its twin must fail, and returns why.
    fn reason_for_failure(&self) -> String {
        let campaign = self.run();
        let both: Vec<&Started> = started(&campaign).collect();
        let reasons: Vec<&str> = both.iter().filter_map(|started| started.failed.as_deref()).collect();
        assert!(!reasons.is_empty(), "{both:?}");
        reasons.join("; ")
    }

    /// The processes that have this folder in their command line or their environment, muxbench itself aside.
    fn processes(&self) -> Vec<u32> {
        let marker = self.0.path().to_str().expect("text").to_owned();
        let processes = fs::read_dir("/proc").expect("mounted").flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let has_marker = |pid: &u32| {
            let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let words = String::from_utf8_lossy(&read("cmdline")).into_owned();
            let surroundings = String::from_utf8_lossy(&read("environ")).into_owned();
            !words.contains("muxbench\0run") && (words.contains(&marker) || surroundings.contains(&marker))
        };
        numbers.filter(has_marker).collect()
    }

    /// Waits until all of them have ended, as they do in the background once the campaign has.
    fn await_no_process(&self) {
        let deadline = Instant::now() + *PATIENCE;
        while !self.processes().is_empty() {
            assert!(Instant::now() < deadline, "survivors: {:?}", self.processes());
            std::thread::yield_now();
        }
    }

    /// Waits until a server of this place runs, and has taken its connections.
    fn await_busy(&self, campaign: &mut Child) -> u32 {
        let deadline = Instant::now() + *PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no server is started");
            assert!(campaign.try_wait().expect("a child of ours").is_none(), "the campaign has ended");
            // Whatever else it may have inherited.
            let sockets = |pid: &u32| {
                let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
                let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
                targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
            };
            if let Some(server) = self.processes().into_iter().find(|pid| sockets(pid) > 7) {
                return server;
            }
            std::thread::yield_now();
        }
    }
}

/// All candidates of all starts.
fn started(campaign: &Campaign) -> impl Iterator<Item = &Started> {
    campaign.starts.iter().flat_map(|start| &start.candidates)
}

#[test(needs(Program("socat"), Program("python3")))]
fn the_example_scenario_measures_socat_and_python_like_our_own() {
    let place = Place::new("");
    let output = muxbench()
        .args(["run", "scenarios/external.toml", "--quick", "--no-doctor"])
        .args(["--mechanisms", "socat,python-asyncio", "--conns", "50", "--active", "10", "--out"])
        .arg(place.out())
        // Inherited by every process of every server: what they are found by.
        .env("MUXBENCH_TEST", place.0.path())
        .output()
        .expect("muxbench starts");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    assert_eq!(place.processes(), [0; 0], "survivors");

    let path = place.out().join("campaign.json");
    let file: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("read")).expect("JSON");
    let schema = serde_json::to_value(model::schema::json_schema()).expect("JSON");
    assert!(jsonschema::is_valid(&schema, &file));

    let campaign = read::campaign(&path).expect("a campaign").0;
    let [socat, python] = &campaign.plan.scenario.servers[..] else { panic!("two servers") };
    assert!(campaign.plan.scenario.mechanisms.is_empty(), "none was asked for");
    assert_eq!((socat.name.as_str(), python.name.as_str()), ("socat", "python-asyncio"));
    assert!(fs::exists(&python.command[1]).expect("a path"), "{{here}} is resolved: {:?}", python.command);
    for name in ["socat", "python-asyncio"] {
        for started in started(&campaign).filter(|started| started.candidate == name) {
            assert_eq!(started.failed, None, "{name}");
            assert!(started.server_rss_growth_bytes.is_some_and(|bytes| bytes > 0), "{name}");
        }
        let closed = campaign.rounds.iter().filter(|round| round.phase == Phase::Saturation);
        let slices = closed.flat_map(|round| &round.slices).filter(|slice| slice.candidate == name);
        for slice in slices.clone() {
            assert!(slice.errors.is_empty() && slice.server.counters.is_none(), "{name}: {slice:?}");
        }
        assert!(slices.clone().map(|slice| slice.completed).sum::<u64>() > 0, "{name}");
        assert!(slices.map(|slice| slice.server.cpu_s).sum::<f64>() > 0.0, "{name}");
    }
}

#[test]
fn a_server_that_ends_at_once_is_a_failed_candidate_with_its_last_words() {
    let place = Place::new(
        r#"[[server]]
           name = "short-lived"
           command = ["sh", "-c", "echo no such luck >&2; exit 7", "{port}"]"#,
    );
    let reason = place.reason_for_failure();
    assert!(reason.contains("exit status 7") && reason.contains("(no such luck)"), "{reason}");
}

#[test]
fn a_server_that_never_listens_is_a_failed_candidate_and_is_ended() {
    let place = Place::new(
        r#"[[server]]
           name = "deaf"
           patience_s = 2
           command = ["sh", "-c", "echo warming up; sleep 600; : {here}", "{port}"]"#,
    );
    let reason = place.reason_for_failure();
    assert!(reason.contains("did not listen on 127.0.0.1:") && reason.contains("(warming up)"), "{reason}");
    assert_eq!(place.processes(), [0; 0], "survivors");
}

#[test(needs(Program("python3")))]
fn a_server_that_cannot_hold_the_connections_is_a_failed_candidate() {
    let set_up = r"
accepted = iter(range(1000))
# The first connection is the one that finds out whether it listens.
Server.verify_request = lambda *_: next(accepted) < 4
";
    let place = Place::with_python(set_up);
    let reason = place.reason_for_failure();
    assert!(reason.contains("accepted only") && reason.contains("of 10 connections"), "{reason}");
}

#[test(needs(Program("python3")))]
fn a_server_is_asked_to_end_before_it_is_killed() {
    let set_up = r"
def asked(*_):
    open(HERE + '/asked', 'w').close()
    os._exit(0)
signal.signal(signal.SIGTERM, asked)
";
    let place = Place::with_python(set_up);
    let campaign = place.run();
    assert!(started(&campaign).all(|started| started.failed.is_none()), "{:?}", campaign.starts);
    assert!(place.0.path().join("asked").exists());
    assert_eq!(place.processes(), [0; 0], "survivors");
}

#[test(needs(Program("python3")))]
fn a_server_that_ignores_sigterm_is_killed_with_its_whole_group() {
    let set_up = r"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    signal.pause()
";
    let place = Place::with_python(set_up);
    let scenario = fs::read_to_string(place.0.path().join("short.toml")).expect("read");
    // The test waits this long for the end of the server.
    place.write("short.toml", &scenario.replace("patience_s = 20", "patience_s = 5"));
    let mut campaign = place.command().spawn().expect("muxbench starts");
    place.await_busy(&mut campaign);
    assert!(place.processes().len() >= 2, "the server and its child");
    let output = campaign.wait_with_output().expect("it ends");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    assert_eq!(place.processes(), [0; 0], "survivors");
}

#[test(needs(Program("python3")))]
fn a_server_that_ends_in_the_middle_of_a_slice_is_a_failed_candidate() {
    let set_up = r"
echoes = iter(range(1000))
def mischief():
    if next(echoes) == 50:
        print('out of cheese', file=sys.stderr, flush=True)
        os._exit(3)
";
    let place = Place::with_python(set_up);
    let reason = place.reason_for_failure();
    assert!(reason.contains("exit status 3") && reason.contains("(out of cheese)"), "{reason}");
}

#[test(needs(Program("python3")))]
fn an_interrupted_campaign_leaves_no_server_behind() {
    let place = Place::with_python("");
    place.measure_for_long();
    let mut campaign = place.command().spawn().expect("muxbench starts");
    place.await_busy(&mut campaign);
    kill_process(Pid::from_child(&campaign), Signal::INT).expect("a child of ours");
    let output = campaign.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    place.await_no_process();
}

#[test(needs(Program("python3")))]
fn a_killed_campaign_leaves_no_server_behind() {
    let place = Place::with_python("");
    place.measure_for_long();
    let mut campaign = place.command().spawn().expect("muxbench starts");
    place.await_busy(&mut campaign);
    campaign.kill().expect("a child of ours");
    campaign.wait().expect("killed");
    place.await_no_process();
}

#[test]
fn mistakes_in_a_server_are_refused_with_a_line_each_before_anything_starts() {
    for (server, advice) in [
        (r#"name = "a""#, "missing field `command`"),
        (
            r#"name = "a"
            command = ["sh", "{port}"]
            prot = 1"#,
            "short.toml: line 16: there is no 'prot' here",
        ),
        (
            r#"name = "poll"
            command = ["sh", "{port}"]"#,
            "a mechanism has that name",
        ),
        (
            r#"name = "a"
            command = ["sh"]"#,
            "{port}",
        ),
        (
            r#"name = "a"
            command = ["muxbench-nowhere", "{port}"]"#,
            "short.toml: line 13: server[0]: server 'a': there is no program 'muxbench-nowhere' on the PATH",
        ),
    ] {
        let place = Place::new(&format!("[[server]]\n{server}"));
        let output = place.command().output().expect("muxbench starts");
        assert_eq!(output.status.code(), Some(2), "{server}: {}", stderr(&output));
        assert!(stderr(&output).contains(advice), "{server}: {}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert!(!place.out().exists(), "nothing was begun");
    }
    let output = Place::new("").command().output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("[[server]]"), "{}", stderr(&output));
}
