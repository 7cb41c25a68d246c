//! A folder in which a short scenario is measured, and what becomes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use model::campaign::Campaign;
use model::read;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, muxbench, stderr};

/// Two mechanisms at two points, two starts of each of a quarter of a second.
pub const SCENARIO: &str = r#"
name = "short"
analysis = "Does the campaign survive?"
mechanisms = ["poll", "epoll-lt"]
reference = "epoll-lt"
rounds = { starts = 2, point_s = 0.5, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
load = { size_bytes = 64, protocol = "echo" }
[[sweep]]
name = "idle-scaling"
connections = ["10", "100"]
active = "10"
"#;

/// A folder with the scenario in it; results go to `out`.
pub struct Place(pub tempfile::TempDir);

impl Place {
    pub fn new(scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("short.toml"), scenario).expect("written");
        Self(folder)
    }

    /// Another scenario beside it, of that name.
    pub fn also(&self, name: &str, scenario: &str) -> PathBuf {
        let path = self.0.path().join(format!("{name}.toml"));
        fs::write(&path, scenario.replace("\"short\"", &format!("{name:?}"))).expect("written");
        path
    }

    pub fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    pub fn run(&self) -> Command {
        let mut command = muxbench();
        command.arg("run").arg("--no-doctor").arg(self.0.path().join("short.toml"));
        command.arg("--out").arg(self.out());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn resume(&self) -> Output {
        muxbench().args(["run", "--resume"]).arg(self.out()).output().expect("muxbench starts")
    }

    pub fn campaign(&self) -> Campaign {
        campaign_in(&self.out())
    }

    /// Rounds in the journal, as far as their lines are whole.
    pub fn journalled(&self) -> Vec<String> {
        let bytes = fs::read(self.out().join("journal.jsonl")).unwrap_or_default();
        let whole = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
        whole
            .filter(|line| line.starts_with(b"{\"round\":"))
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    pub fn await_rounds(&self, rounds: usize) {
        let deadline = Instant::now() + *PATIENCE;
        while self.journalled().len() < rounds {
            assert!(Instant::now() < deadline, "no further round is finished");
            std::thread::yield_now();
        }
    }
}

pub fn campaign_in(folder: &Path) -> Campaign {
    read::campaign(&folder.join("campaign.json")).expect("a campaign").0
}

/// On a busy machine so short a campaign may have gaps, which is what status 4 says; it was measured all the same.
pub fn is_measured(output: &Output) {
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(output));
}

pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a child of ours");
}

/// The server of known flaws, built into the folder of `place`, with further arguments.
pub fn flawed(place: &Place, name: &str, flaws: &[&str]) -> String {
    let program = place.0.path().join("flawed_echo");
    if !program.exists() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/servers/flawed_echo.c");
        let built =
            Command::new("gcc").args(["-O2", "-o"]).arg(&program).arg(source).status().expect("gcc runs");
        assert!(built.success());
    }
    let mut words = vec![program.to_string_lossy().into_owned(), "{port}".to_owned()];
    words.extend(flaws.iter().map(ToString::to_string));
    format!("[[server]]\nname = \"{name}\"\ncommand = {words:?}\n")
}
