//! Tests in a network namespace of their own.

use std::process::Command;

use super::{output_of, spawn, stderr};

/// Set where a test runs again inside a network namespace that was made for it.
const INSIDE: &str = "LOAD_GEN_TEST_NAMESPACE";

/// Runs `inside` in a network namespace that the shell commands `set_up` have furnished: the test `name` starts itself
/// once more in there. Without the right to make one it cannot run.
pub fn in_a_network_of_its_own(name: &str, set_up: &str, inside: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    // Root needs no user namespace; others do, and some distributions deny them that.
    let ways: [&[&str]; 3] = [&["unshare", "-n"], &["unshare", "-rn"], &["sudo", "-nE", "unshare", "-n"]];
    let works = |way: &&[&str]| {
        let tried = Command::new(way[0]).args(&way[1..]).args(["ip", "link", "set", "lo", "up"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(way) = ways.into_iter().find(works) else {
        trials::cannot_run("namespaces", "no network namespace can be made here: unshare(1), ip(8)");
    };
    let script = format!("set -e; ip link set lo up; {set_up}; exec \"$@\"");
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).args(["env", &format!("{INSIDE}=1"), "sh", "-c", &script, "sh"]);
    command.arg(std::env::current_exe().expect("this program")).args(["--exact", name, "--nocapture"]);
    let output = output_of(spawn(command));
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the test '{name}' was found");
}
