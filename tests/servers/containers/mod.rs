//! In a container: under Docker's default seccomp profile, as nobody, and with one system call after the other refused.

mod calls;
mod refused;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use model::read;
use model::schema::{Diagnosis, Health, ResultFile};
use muxbench::mechanisms;
use rustix::process::Signal;
use trials::test;

use crate::support::{Server, container, load_gen, round_trip};
use calls::CALLS;

const NOBODY: u32 = 65_534;
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONTAINERS.md");

/// A campaign of one short start; what it measures is of no interest here.
const SCENARIO: &str = r#"
name = "contained"
analysis = "Does it run?"
mechanisms = ["epoll-lt"]
reference = "epoll-lt"
load = { size_bytes = 64, protocol = "echo" }
rounds = { starts = 1, point_s = 0.1, slice_s = 0.01, light_per_s = 500, busy_share = 0.5 }
[[sweep]]
name = "idle-scaling"
connections = ["20"]
active = "5"
"#;

/// A folder that everybody may use, with programs that everybody may run.
struct Place {
    folder: tempfile::TempDir,
    /// True if programs are run as the user nobody.
    as_nobody: bool,
}

impl Place {
    fn new(as_nobody: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("our own");
        let place = Self { folder, as_nobody: as_nobody && rustix::process::getuid().is_root() };
        for program in [PathBuf::from(env!("CARGO_BIN_EXE_muxbench")), load_gen()] {
            let name = program.file_name().expect("a file");
            fs::copy(&program, place.path().join(name)).expect("copied");
        }
        fs::write(place.path().join("contained.toml"), SCENARIO).expect("written");
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.path().join(name));
        command.current_dir(self.path()).stdin(Stdio::null());
        if self.as_nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn muxbench(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("muxbench");
        command.args(arguments);
        command
    }

    fn serve(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("muxbench");
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        command
    }

    /// A moment of load on `server`.
    fn load(&self, server: &Server, arguments: &[&str]) -> Command {
        let target = server.address.to_string();
        let always = ["--target", &target, "--json", "--conns", "8", "--active", "4", "--warmup", "0s"];
        let mut command = self.program("load-gen");
        command.args(always).args(["-d", "30s", "--requests", "100", "--timeout", "20s"]).args(arguments);
        command
    }

    fn run(&self, out: &str) -> Command {
        let scenario = self.path().join("contained.toml");
        let out = self.path().join(out);
        let scenario = scenario.to_str().expect("text");
        self.muxbench(&["run", scenario, "--no-doctor", "--out", out.to_str().expect("text")])
    }
}

/// Returns whether the folder has a campaign in which no candidate failed.
fn is_measured(folder: &Path) -> bool {
    read::campaign(&folder.join("campaign.json")).is_ok_and(|(campaign, _)| {
        let mut started = campaign.starts.iter().flat_map(|start| &start.candidates);
        !campaign.rounds.is_empty() && started.all(|candidate| candidate.failed.is_none())
    })
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Returns whether `output` is the report of a run of which every request was answered; a busy machine may have made it invalid.
fn answered(output: &Output) -> bool {
    let Ok(ResultFile::Load(report)) = serde_json::from_slice(&output.stdout) else { return false };
    let connections = &report.connections;
    let is_whole = report.errors.is_empty() && connections.opened == 8 && connections.errors.is_empty();
    matches!(output.status.code(), Some(0 | 4)) && report.completed > 0 && is_whole
}

#[test]
fn under_the_profile_every_mechanism_that_is_listed_serves_nobody_s_clients() {
    let place = Place::new(true);
    container::inside(&container::docker(), || {
        let listed = place.muxbench(&["list"]).output().expect("it starts");
        assert!(listed.status.success(), "{}", said(&listed));
        let text = said(&listed);
        assert!(
            text.contains("one table: all threads share") && text.contains("seccomp=unconfined"),
            "{text}"
        );
        for mechanism in mechanisms::compiled() {
            let row = text.lines().find(|line| line.split_whitespace().next() == Some(mechanism.name));
            let row = row.expect("a row each");
            if row.contains(" no ") {
                assert!(mechanism.echo_calls.contains(&"io_uring_enter"), "{row}");
                continue;
            }
            assert!(row.contains("yes, shares one table"), "{row}");
            let server = Server::start(place.serve(&["--mechanism", mechanism.name, "--threads", "3"]));
            round_trip(&mut server.connect(), b"in a box");
            let loaded = place.load(&server, &["--quiet"]).output().expect("it starts");
            assert!(answered(&loaded), "{}: {}", mechanism.name, said(&loaded));
            server.signal(Signal::TERM);
            assert_eq!(server.await_end().code(), Some(0), "{}", mechanism.name);
        }
    });
}

#[test]
fn under_the_profile_a_campaign_runs_and_the_doctor_tells_what_is_shared() {
    let place = Place::new(true);
    container::inside(&container::docker(), || {
        let output = place.run("campaign").output().expect("it starts");
        // A busy machine may have dropped all rounds, which the exit code says.
        assert!(is_measured(&place.path().join("campaign")), "{}", said(&output));
        let mut doctor = place.muxbench(&["doctor", "--conns", "100", "--listen", "0s", "--json"]);
        let found = diagnosis(&doctor.output().expect("it starts"));
        let of = |name: &str| found.symptoms.iter().find(|symptom| symptom.name == name).expect("asked");
        assert_eq!((of("mechanisms").state, of("descriptors").state), (Health::Pass, Health::Warn));
        assert!(of("descriptors").found.contains("share one descriptor table"), "{found:?}");
    });
}

#[test]
fn more_connections_than_the_one_table_holds_are_refused_with_what_holds_them() {
    let place = Place::new(false);
    container::inside(&[container::refuse("unshare", libc::EPERM)], || {
        let script = "ulimit -n 100 && exec ./load-gen --conns 99 --target 127.0.0.1:1";
        let output = Command::new("sh").args(["-c", script]).current_dir(place.path()).output();
        let output = output.expect("a shell");
        assert_eq!(output.status.code(), Some(1));
        let text = said(&output);
        assert!(text.contains("it holds 78 connections, and 99 are asked for"), "{text}");
        assert!(text.contains("--ulimit nofile=121"), "{text}");
    });
}

#[test]
fn a_point_at_which_three_servers_do_not_fit_is_left_out_with_the_reason_and_the_rest_is_measured() {
    let place = Place::new(false);
    let two =
        SCENARIO.replace("[\"epoll-lt\"]", "[\"epoll-lt\", \"poll\"]").replace("\"20\"", "\"10\", \"60\"");
    fs::write(place.path().join("contained.toml"), two).expect("written");
    container::inside(&[container::refuse("unshare", libc::EPERM)], || {
        let run = |arguments: &str| {
            let script =
                format!("ulimit -n 100 && exec ./muxbench run contained.toml --no-doctor {arguments}");
            Command::new("sh").args(["-c", &script]).current_dir(place.path()).output().expect("a shell")
        };
        let output = run("--out campaign");
        let text = said(&output);
        assert!(is_measured(&place.path().join("campaign")), "{text}");
        let (campaign, _) = read::campaign(&place.path().join("campaign/campaign.json")).expect("a campaign");
        let connections: Vec<u32> = campaign.plan.points.iter().map(|at| at.point.connections).collect();
        assert_eq!(connections, [10], "{text}");
        let reasons = campaign.plan.scenario.excludes.iter().map(|exclude| exclude.reason.as_str());
        let reasons: Vec<&str> = reasons.collect();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        for words in ["3 servers with 60 connections each do not fit", "--ulimit nofile="] {
            assert!(reasons.iter().all(|reason| reason.contains(words)), "{reasons:?}");
            assert!(text.contains(words), "{text}");
        }
        let alone = run("--out alone --conns 60");
        assert_eq!(alone.status.code(), Some(2), "{}", said(&alone));
        assert!(said(&alone).contains("everything is left out"), "{}", said(&alone));
    });
}

#[test]
fn a_mechanism_that_a_sandbox_refuses_is_listed_as_such_and_not_planned() {
    let place = Place::new(false);
    let both = SCENARIO.replace("[\"epoll-lt\"]", "[\"select\", \"epoll-lt\"]");
    fs::write(place.path().join("contained.toml"), both).expect("written");
    container::inside(&[container::refuse("pselect6", libc::EPERM)], || {
        let listed = said(&place.muxbench(&["list"]).output().expect("it starts"));
        let row = listed.lines().find(|line| line.trim_start().starts_with("select ")).expect("a row each");
        assert!(row.contains(" no "), "{row}");
        let output = place.run("campaign").output().expect("it starts");
        assert!(is_measured(&place.path().join("campaign")), "{}", said(&output));
        assert!(said(&output).contains("left out: select"), "{}", said(&output));
        let named = place.run("named").args(["--mechanisms", "select,epoll-lt"]).output().expect("it starts");
        assert_eq!(named.status.code(), Some(2), "{}", said(&named));
        assert!(said(&named).contains("--mechanisms: select cannot run here: "), "{}", said(&named));
    });
}

fn first_processor() -> String {
    sys::processors::allowed().expect("some")[0].to_string()
}

fn diagnosis(output: &Output) -> Diagnosis {
    match serde_json::from_slice(&output.stdout) {
        Ok(ResultFile::Diagnosis(diagnosis)) => diagnosis,
        _ => panic!("no diagnosis: {}", said(output)),
    }
}

#[test]
fn the_page_has_the_list() {
    const BEGIN: &str = "<!-- calls -->\n";
    const END: &str = "<!-- end -->";
    let page = fs::read_to_string(PAGE).expect("committed");
    let (before, rest) = page.split_once(BEGIN).expect("where the list begins");
    let (_, after) = rest.split_once(END).expect("where it ends");
    let again = format!("{before}{BEGIN}{}{END}{after}", calls::table());
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(PAGE, &again).expect("written");
    }
    assert!(fs::read_to_string(PAGE).expect("committed") == again, "{PAGE} is stale: UPDATE_PAGES=1");
}

#[test(needs(MOUNT_NAMESPACE))]
fn without_proc_and_sys_everything_that_is_needed_still_works() {
    let place = Place::new(false);
    let script = "mount -t tmpfs none /sys && mount -t tmpfs none /proc && exec ./muxbench doctor --conns 10 --listen 0s --json";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).current_dir(place.path());
    let output = command.output().expect("unshare(1) of util-linux");
    let found = diagnosis(&output);
    let of = |name: &str| found.symptoms.iter().find(|symptom| symptom.name == name).expect("asked");
    assert_eq!(of("mechanisms").state, Health::Pass, "{found:?}");
    assert_eq!((of("memory").found.as_str(), of("governor").found.as_str()), ("unknown", "not visible"));
}

/// Calls of the C library and of Rust's, made whatever a program does: files, processes and memory.
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
const OF_EVERY_PROGRAM: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "dup",
    "execve",
    "exit",
    "exit_group",
    "faccessat2",
    "fcntl",
    "fstat",
    "futex",
    "getcwd",
    "getdents64",
    "getpid",
    "getrandom",
    "gettid",
    "getuid",
    "kill",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "newfstatat",
    "open",
    "openat",
    "pipe2",
    "pread64",
    "read",
    "readlink",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "statx",
    "tgkill",
    "wait4",
    "waitid",
    "write",
    "writev",
    "unlink",
    "rename",
    "renameat",
    "renameat2",
    "unlinkat",
    "sysinfo",
    "mkdir",
    "fsync",
    "ftruncate",
    "chmod",
    "clone",
    "vfork",
    "dup2",
    "setpgid",
    "getsockopt",
    "getpeername",
];

#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
#[test(needs(STRACE))]
fn the_list_has_every_call_that_is_made_outside_the_measured_loops() {
    let place = Place::new(false);
    let traced = |name: &str, command: &Command| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-c", "-o"]).arg(place.path().join(name)).arg(command.get_program());
        strace.args(command.get_args()).current_dir(place.path());
        strace
    };
    let server =
        Server::start(traced("serve", &place.serve(&["--threads", "2", "--cpu", &first_processor()])));
    let load = place.load(&server, &["--wait", "sleep", "--rate", "2k", "--interval", "10ms"]);
    let loaded = traced("load", &load).output().expect("strace starts");
    assert!(answered(&loaded), "{}", said(&loaded));
    server.end_input();
    server.await_end();
    for (name, arguments) in
        [("list", &["list"][..]), ("doctor", &["doctor", "--conns", "10", "--listen", "100ms"])]
    {
        traced(name, &place.muxbench(arguments)).output().expect("strace starts");
    }
    traced("run", &place.run("traced")).output().expect("strace starts");
    let measured = mechanisms::compiled()
        .flat_map(|mechanism| mechanism.echo_calls.iter().chain(mechanism.connection_calls));
    // The generator looks after its idle connections with the last one.
    let measured: Vec<&str> = measured.copied().chain(["poll", "ppoll"]).collect();
    let mut missing = std::collections::BTreeSet::new();
    for name in ["serve", "load", "list", "doctor", "run"] {
        let table = fs::read_to_string(place.path().join(name)).expect("strace's table");
        let rows =
            table.lines().filter(|line| line.trim_start().starts_with(|first: char| first.is_ascii_digit()));
        let calls: Vec<&str> =
            rows.filter_map(|line| line.split_whitespace().last()).filter(|&call| call != "total").collect();
        assert!(calls.len() > 20, "{name}: {table}");
        let is_listed = |call: &&&str| {
            CALLS.iter().any(|listed| listed.name == **call)
                || OF_EVERY_PROGRAM.contains(*call)
                || measured.contains(*call)
        };
        missing.extend(calls.iter().filter(|call| !is_listed(call)).map(|call| format!("{name}: {call}")));
    }
    assert!(missing.is_empty(), "on no list: {missing:?}");
}
