//! Every command is interrupted in each phase in which it can be held, and ends: none of these would end for an hour.
//!
//! A command that has nothing to save leaves SIGINT to the kernel; one that measures ends with 130.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, kill_process};
use trials::test;

use crate::support::{self, children, wait_until};

/// The command under test, which hears SIGINT even if this process was told to ignore it, as what a script starts in the
/// background is: an ignored signal is inherited, one with a handler is not (execve(2)).
fn muxbench() -> Command {
    static IS_HEARD: Once = Once::new();
    IS_HEARD.call_once(|| {
        let always = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, always)
            .expect("a handler");
    });
    support::muxbench()
}

/// The end of a pipe that takes nothing more, and the other.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let flags = PipeFlags::NONBLOCK | PipeFlags::CLOEXEC;
    let (reader, writer) = rustix::pipe::pipe_with(flags).expect("a pipe");
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    while rustix::io::write(&writer, b"x").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, OFlags::empty()).expect("flags");
    (reader, writer)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a child of ours");
}

/// Interrupts `child`, which must not have ended, and returns how it ends.
fn interrupted(what: &str, mut child: Child) -> ExitStatus {
    assert!(child.try_wait().expect("a child of ours").is_none(), "{what} has ended by itself");
    signal(&child, Signal::INT);
    let mut ended = None;
    wait_until(
        || {
            ended = child.try_wait().expect("a child of ours");
            ended.is_some()
        },
        || format!("{what} ends when it is interrupted"),
    );
    ended.expect("it has")
}

fn command_line(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline", pid = pid.as_raw_nonzero()))
        .unwrap_or_default()
        .replace('\0', " ")
}

#[test]
fn a_command_that_has_nothing_to_save_is_left_to_the_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("campaign.json");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
    let (folder, fifo) = (folder.path().display().to_string(), fifo.display().to_string());
    let (_reader, full) = full_pipe();
    // They wait for what they read, for the machine, or for whoever reads them.
    for (arguments, is_read) in [
        (vec!["report", &folder], true),
        (vec!["report", &folder, "--table"], true),
        (vec!["claims", &folder], true),
        (vec!["compare", &fifo, &fifo], true),
        (vec!["export", &fifo, "--format", "csv"], true),
        (vec!["merge", &fifo, "-o", "-"], true),
        (vec!["doctor", "--listen", "1h"], true),
        (vec!["doctor", "--listen", "0s"], false),
        (vec!["semantics"], false),
        (vec!["list"], false),
        (vec!["run", "--list"], false),
        (vec!["completions", "bash"], false),
        (vec!["--help"], false),
    ] {
        let mut command = muxbench();
        command.args(&arguments).stderr(Stdio::null());
        command.stdout(if is_read { Stdio::null() } else { full.try_clone().expect("a descriptor").into() });
        let status = interrupted(&arguments.join(" "), command.spawn().expect("muxbench starts"));
        assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{arguments:?}: {status}");
    }
}

/// Returns whether a thread of process `id` is in a write to standard error; true as well if that cannot be seen
/// (proc_pid_syscall(5)).
fn waits_to_write(id: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{id}/task")).expect("it runs").flatten();
    let calls = threads.map(|thread| fs::read_to_string(thread.path().join("syscall")));
    let write = format!("{} 0x2 ", libc::SYS_write);
    calls.into_iter().any(|call| call.map_or(true, |call| call.starts_with(&write)))
}

#[test]
fn a_server_ends_although_nobody_reads_what_it_writes() {
    let (_reader, full) = full_pipe();
    let stuck = || Stdio::from(full.try_clone().expect("a descriptor"));
    let mut silent = muxbench();
    silent
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(stuck())
        .stderr(Stdio::piped());
    let mut silent = silent.spawn().expect("muxbench starts");
    // It says so before it tries to print where it listens.
    let mut told = std::io::BufReader::new(silent.stderr.take().expect("piped"));
    std::io::BufRead::read_line(&mut told, &mut String::new()).expect("a line");
    assert_eq!(interrupted("a server without a reader", silent).code(), Some(130));

    // Its loop waits in a write of the log.
    let mut logging = muxbench();
    logging
        .args(["serve", "--listen", "127.0.0.1:0", "--log"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stuck());
    let mut logging = logging.spawn().expect("muxbench starts");
    let mut line = String::new();
    let mut announced = std::io::BufReader::new(logging.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut announced, &mut line).expect("a line");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let address = line["address"].as_str().expect("an address").parse().expect("an address");
    let _client = support::connect(address);
    wait_until(|| waits_to_write(logging.id()), || "the loop to write its log".into());
    assert_eq!(interrupted("a server that logs", logging).code(), Some(0));
}

/// A folder with a scenario of one start, whose rounds are as `rounds` says.
struct Place(tempfile::TempDir);

impl Place {
    fn new(rounds: &str, servers: &str) -> Self {
        let (mechanisms, reference) =
            match servers.split("name = \"").nth(1).and_then(|rest| rest.split('"').next()) {
                Some(server) => ("", server),
                None => ("\"poll\"", "poll"),
            };
        let scenario = format!(
            "name = \"long\"\nanalysis = \"Does it end?\"\nmechanisms = [{mechanisms}]\nreference = \"{reference}\"\n\
             load = {{ size_bytes = 64, protocol = \"echo\" }}\nrounds = {rounds}\n\
             [[sweep]]\nname = \"idle-scaling\"\nconnections = [\"10\"]\nactive = \"5\"\n{servers}"
        );
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::write(place.0.path().join("long.toml"), scenario).expect("written");
        place
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn command(&self) -> Command {
        let mut command = muxbench();
        command.arg("run").arg(self.0.path().join("long.toml")).arg("--out").arg(self.out());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn start(&self) -> Child {
        self.command().arg("--no-doctor").spawn().expect("muxbench starts")
    }

    /// Returns whether the first start is under way, with all connections open.
    fn is_under_way(&self) -> bool {
        let journal = fs::read_to_string(self.out().join("journal.jsonl")).unwrap_or_default();
        journal.lines().any(|line| line.starts_with("{\"start\""))
    }

    /// Waits until a server of `campaign` runs whose command line holds `words`.
    fn await_server(&self, campaign: &Child, words: &str) -> Pid {
        let mut found = None;
        wait_until(
            || {
                found = children(campaign).into_iter().find(|pid| command_line(*pid).contains(words));
                found.is_some()
            },
            || format!("a server: {words}"),
        );
        found.expect("it has")
    }
}

const SHORT: &str = "{ starts = 1, point_s = 0.1, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }";
const LONG: &str = "{ starts = 1, point_s = 7200, slice_s = 60, light_per_s = 1000, busy_share = 0.5 }";

/// Waits until a server has ended, as it does in the background once the campaign has.
fn await_end(server: Pid) {
    wait_until(|| command_line(server).is_empty(), || "the server is gone".into());
}

fn has_written(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

#[test]
fn a_campaign_that_listens_to_the_machine_is_left_to_the_signal() {
    let place = Place::new(LONG, "");
    let campaign = place.command().spawn().expect("muxbench starts");
    let status = interrupted("the doctor", campaign);
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
    assert!(!place.out().exists(), "nothing was begun");
}

#[test]
fn a_campaign_that_waits_for_a_server_to_listen_is_interrupted() {
    let server = "[[server]]\nname = \"dumb\"\npatience_s = 3600\ncommand = [\"sh\", \"-c\", \"exec sleep 3601 # {port}\"]\n";
    let place = Place::new(SHORT, server);
    let campaign = place.start();
    let server = place.await_server(&campaign, "3601");
    assert_eq!(interrupted("a server that never listens", campaign).code(), Some(130));
    await_end(server);
}

#[test]
fn a_campaign_whose_server_ignores_that_it_is_to_end_is_interrupted() {
    let serve = format!(
        "trap '' TERM; {} serve --mechanism poll --listen 127.0.0.1:{{port}} </dev/null & while :; do sleep 1; done",
        env!("CARGO_BIN_EXE_muxbench")
    );
    let server = format!(
        "[[server]]\nname = \"stubborn\"\npatience_s = 3600\ncommand = [\"sh\", \"-c\", \"{serve}\"]\n"
    );
    let place = Place::new(LONG, &server);
    let campaign = place.start();
    let server = place.await_server(&campaign, "trap");
    assert_eq!(interrupted("a server that ignores SIGTERM", campaign).code(), Some(130));
    await_end(server);
}

/// It ends once its parent is another, which is when the campaign has ended.
#[test]
fn an_interrupted_campaign_does_not_wait_for_a_server_that_takes_its_time_to_end() {
    let servers = tempfile::tempdir().expect("a folder");
    let [script, outlived] = ["server.sh", "outlived"].map(|name| servers.path().join(name));
    // A shell tells of a child that was ended, and by then nobody reads it (SIGPIPE).
    let text = format!(
        "exec 2>/dev/null; parent() {{ read -r _ _ _ parent _ < /proc/$$/stat; echo $parent; }}; campaign=$(parent)\n\
         trap 'while [ $(parent) = $campaign ]; do sleep 0.01; done; touch {}; exit' TERM\n\
         {} serve --mechanism poll --listen 127.0.0.1:$1 </dev/null & while :; do sleep 0.01; done\n",
        outlived.display(),
        env!("CARGO_BIN_EXE_muxbench")
    );
    fs::write(&script, text).expect("written");
    let server = format!(
        "[[server]]\nname = \"slow\"\npatience_s = 3600\ncommand = [\"sh\", \"{}\", \"{{port}}\"]\n",
        script.display()
    );
    let place = Place::new(LONG, &server);
    let campaign = place.start();
    let server = place.await_server(&campaign, "server.sh");
    wait_until(|| place.is_under_way(), || "a server with connections".into());
    assert_eq!(interrupted("a campaign with a slow server", campaign).code(), Some(130));
    await_end(server);
    assert!(outlived.exists(), "it was given time, and not waited for");
}

/// Its answers are waited for ten seconds.
#[test]
fn a_campaign_whose_server_stands_still_is_interrupted_before_its_patience_ends() {
    let place = Place::new(LONG, "");
    let campaign = place.start();
    let server = place.await_server(&campaign, "serve");
    kill_process(server, Signal::STOP).expect("a server of ours");
    let began = Instant::now();
    assert_eq!(interrupted("a server that stands still", campaign).code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert!(has_written(&place.out().join("campaign.json")), "what was measured is kept");
}

#[test]
fn a_campaign_is_interrupted_in_its_window_although_nobody_reads_its_progress() {
    let (_reader, full) = full_pipe();
    let place = Place::new(LONG, "");
    let mut command = place.command();
    let campaign = command.arg("--no-doctor").stderr(full).spawn().expect("muxbench starts");
    place.await_server(&campaign, "serve");
    assert_eq!(interrupted("a campaign without a reader", campaign).code(), Some(130));
    assert!(has_written(&place.out().join("campaign.json")), "what was measured is kept");
}

#[test]
fn a_campaign_that_is_measured_is_interrupted_while_it_is_told() {
    let (_reader, full) = full_pipe();
    let place = Place::new(SHORT, "");
    let mut command = place.command();
    let campaign = command.args(["--no-doctor", "--json"]).stdout(full).spawn().expect("muxbench starts");
    wait_until(|| place.out().join("campaign.json").exists(), || "the campaign is measured".into());
    assert_eq!(interrupted("a campaign that prints", campaign).code(), Some(130));
}

/// Its page is drawn, or its answer waits for whoever reads it, while another scenario is still to be measured.
#[test]
fn a_campaign_that_is_interrupted_while_it_is_told_says_how_to_finish_it_and_the_others() {
    let (_reader, full) = full_pipe();
    let place = Place::new(SHORT, "");
    let scenario = fs::read_to_string(place.0.path().join("long.toml")).expect("written");
    let second = place.0.path().join("second.toml");
    fs::write(&second, scenario.replace("\"long\"", "\"second\"")).expect("written");
    let mut command = place.command();
    command.arg(&second).args(["--no-doctor", "--save-baseline", "last"]).current_dir(place.0.path());
    let mut campaign = command.stdout(full).stderr(Stdio::piped()).spawn().expect("muxbench starts");
    let stderr = campaign.stderr.take().expect("piped");
    let first = place.out().join("long");
    wait_until(|| first.join("campaign.json").exists(), || "the first campaign is measured".into());
    assert_eq!(interrupted("a campaign that prints", campaign).code(), Some(130));

    let said = std::io::read_to_string(stderr).expect("text");
    let options = "--save-baseline last";
    for (folder, before) in [(&first, "to tell it"), (&place.out().join("second"), "to measure it")] {
        let command = format!("{before}: muxbench run --resume {} {options}\n", folder.display());
        assert!(said.contains(&command), "{command}{said}");
    }
    let mut finishing = muxbench();
    finishing.args(["run", "--resume"]).arg(&first).args(options.split(' ')).current_dir(place.0.path());
    let finished = finishing.output().expect("muxbench starts");
    // A busy machine may have dropped all rounds.
    assert!(matches!(finished.status.code(), Some(0 | 4)), "{finished:?}");
    assert!(first.join("report.md").exists() && !finished.stdout.is_empty());
}
