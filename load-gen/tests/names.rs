//! Targets by name: each test has a hosts file of its own, in namespaces of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use crate::support::servers::{echo_some, serve_on};
use crate::support::{count, load_gen, output_of, spawn, stderr};
use serde_json::{Value, json};
use trials::test;

/// Set, to the path of the hosts file, where a test runs again inside namespaces that were made for it.
const INSIDE: &str = "LOAD_GEN_TEST_HOSTS";

/// Runs `inside` where /etc/hosts says `hosts` and nothing else knows a name: the test `name` starts itself once more in
/// there. Without the right to that, it cannot run.
fn with_hosts(name: &str, hosts: &str, inside: impl FnOnce(&str)) {
    if let Ok(path) = std::env::var(INSIDE) {
        return inside(&path);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("plain").to_owned()
    };
    let hosts = file("hosts", hosts);
    let only_files = file("nsswitch.conf", "hosts: files\n");
    let ways: [&[&str]; 3] = [&["unshare", "-mn"], &["unshare", "-mrn"], &["sudo", "-nE", "unshare", "-mn"]];
    let script = format!(
        "set -e; ip link set lo up; mount --bind {hosts} /etc/hosts; \
         touch /etc/nsswitch.conf 2>/dev/null || true; mount --bind {only_files} /etc/nsswitch.conf; exec \"$@\""
    );
    let works = |way: &&[&str]| {
        let tried = Command::new(way[0]).args(&way[1..]).args(["sh", "-c", &script, "sh", "true"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(way) = ways.into_iter().find(works) else {
        trials::cannot_run("namespaces", "no mount namespace can be made here: unshare(1), mount(8)");
    };
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).args(["env", &format!("{INSIDE}={hosts}"), "sh", "-c", &script, "sh"]);
    command.arg(std::env::current_exe().expect("this program")).args([
        "--exact",
        &format!("names::{name}"),
        "--nocapture",
    ]);
    let output = output_of(spawn(command));
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the test '{name}' was found");
}

/// Listens at `address`, for an echo server.
fn echo_at(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).expect("free in here");
    serve_on(listener, |stream, _| echo_some(&stream, usize::MAX, 64))
}

fn command(target: &str, arguments: &[&str]) -> Command {
    let always = ["--target", target, "-d", "100ms", "--warmup", "0s", "--wait", "sleep", "--json"];
    load_gen(&[&always, arguments].concat())
}

/// Runs 12 connections to `target` and returns what each of its places got.
fn targets(target: &str) -> Value {
    let output = output_of(spawn(command(target, &["--conns", "12"])));
    // On a busy machine the generator may have been late; the connections are what this is about.
    let report = crate::support::json(&output);
    assert_eq!(report["settings"]["target"], target.trim_start_matches("tcp://"), "{report}");
    let opened = report["connections"]["targets"].as_array().expect("places");
    let opened: u64 = opened.iter().map(|target| count(&target["opened"])).sum();
    assert_eq!(opened, 12, "{report}");
    report["connections"]["targets"].clone()
}

fn refused(address: &str) -> Value {
    json!({ "address": address, "opened": 0, "errors": { "refused": 1 }, "errnos": { "ECONNREFUSED": 1 } })
}

#[test]
fn localhost_is_found_in_the_family_that_the_server_listens_in() {
    with_hosts(
        "localhost_is_found_in_the_family_that_the_server_listens_in",
        "::1 localhost\n127.0.0.1 localhost\n",
        |_| {
            let opened = |address: &str| json!({ "address": address, "opened": 12, "errors": {} });
            echo_at("127.0.0.1:7902");
            for target in ["localhost:7902", "tcp://localhost:7902"] {
                assert_eq!(targets(target), json!([opened("127.0.0.1:7902"), refused("[::1]:7902")]));
            }
            echo_at("[::1]:7903");
            assert_eq!(targets("localhost:7903"), json!([opened("[::1]:7903"), refused("127.0.0.1:7903")]));
        },
    );
}

#[test]
fn every_address_of_a_name_that_accepts_gets_its_part_of_the_connections() {
    with_hosts(
        "every_address_of_a_name_that_accepts_gets_its_part_of_the_connections",
        "127.0.0.2 trio\n127.0.0.3 trio\n127.0.0.4 trio\n",
        |_| {
            let got = |opened: &[(&str, u64)]| {
                let one = |(address, opened): &(&str, u64)| json!({ "address": address, "opened": opened, "errors": {} });
                opened.iter().map(one).collect::<Vec<_>>()
            };
            for address in ["127.0.0.2:7902", "127.0.0.3:7902", "127.0.0.4:7902"] {
                echo_at(address);
            }
            let all = got(&[("127.0.0.2:7902", 4), ("127.0.0.3:7902", 4), ("127.0.0.4:7902", 4)]);
            assert_eq!(targets("trio:7902"), json!(all));
            echo_at("127.0.0.2:7903");
            echo_at("127.0.0.4:7903");
            let mut two = got(&[("127.0.0.2:7903", 6), ("127.0.0.4:7903", 6)]);
            two.push(refused("127.0.0.3:7903"));
            assert_eq!(targets("trio:7903"), json!(two));
            let output =
                output_of(spawn(load_gen(&["--target", "trio:7903", "-d", "100ms", "--warmup", "0s"])));
            let table = String::from_utf8_lossy(&output.stdout);
            assert!(table.contains("127.0.0.3:7903: 0 opened, failed: 1 refused (ECONNREFUSED)"), "{table}");
            assert!(
                stderr(&output).contains("of the 3 addresses of trio:7903 some accept nothing"),
                "{output:?}"
            );
        },
    );
}

#[test]
fn a_name_that_nobody_knows_fails_with_the_resolvers_words_and_one_that_comes_late_is_found() {
    with_hosts(
        "a_name_that_nobody_knows_fails_with_the_resolvers_words_and_one_that_comes_late_is_found",
        "",
        |hosts| {
            let output = output_of(spawn(command("late:7902", &["--timeout", "300ms", "--quiet"])));
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
            assert_eq!(stderr(&output), "load-gen: cannot look up 'late': Name or service not known\n");
            echo_at("127.0.0.5:7902");
            let mut child = spawn(command("late:7902", &["--timeout", "60s", "--conns", "3"]));
            let mut said = BufReader::new(child.stderr.take().expect("piped"));
            let mut line = String::new();
            said.read_line(&mut line).expect("a line");
            assert!(line.contains("trying again"), "{line}");
            fs::write(hosts, "127.0.0.5 late\n").expect("mounted over the machine's");
            let mut printed = String::new();
            child.stdout.take().expect("piped").read_to_string(&mut printed).expect("text");
            let report: Value = serde_json::from_str(&printed).expect("a result");
            child.wait().expect("a child of ours");
            assert_eq!(report["connections"]["targets"][0]["opened"], 3, "{report}");
        },
    );
}
