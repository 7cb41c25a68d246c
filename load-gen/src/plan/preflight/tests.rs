use sys::capacity::ThreadLimit;
use sys::descriptor_table::Table;

use super::*;

/// A machine with room for a million connections, both ends, after `spoil` had its way with it.
fn machine(spoil: impl FnOnce(&mut Capacity)) -> Capacity {
    let threads = ThreadLimit { setting: "kernel.threads-max".to_owned(), most: 190_000, left: 189_000 };
    let mut machine = Capacity {
        processors: 2,
        quota: None,
        memory_bytes: Some(22_000_000_000),
        files_most: Some(2_400_000),
        files_open: 3_000,
        descriptors_per_table: 20_000,
        descriptors_per_table_most: Some(1_048_576),
        table: Table::Own,
        threads_left: vec![threads],
        local_ports: 28_232,
        time_wait: 0,
        tcp_memory_pages: Some(380_000),
        backlog_most: Some(4_096),
        tracked: None,
    };
    spoil(&mut machine);
    machine
}

fn asked(target: &str, conns: u32, machine: &Capacity) -> Vec<Finding> {
    let target: Target = target.parse().expect("a target");
    let is_local =
        matches!(target.endpoint(0), Endpoint::Unix(_)) || target.to_string().contains("127.0.0.1");
    let plan = Plan {
        target: &target,
        is_local,
        conns,
        active: conns / 100,
        servers: 1,
        threads: 1,
        size_bytes: 64,
    };
    findings(&plan, machine)
}

/// The one finding about a million connections to loopback.
fn only(machine: &Capacity) -> Finding {
    let findings = asked("127.0.0.1:7777", 1_000_000, machine);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().expect("one")
}

#[test]
fn a_machine_with_room_is_asked_for_nothing() {
    for conns in [1_000, 1_000_000] {
        assert_eq!(asked("127.0.0.1:7777", conns, &machine(|_| {})), []);
    }
    assert_eq!(asked("192.0.2.1:7777", 10_000, &machine(|_| {})), []);
    assert_eq!(asked("unix:/run/echo.sock", 1_000_000, &machine(|_| {})), []);
    assert_eq!(
        asked(
            "127.0.0.1:7777",
            1_000_000,
            &Capacity { local_ports: 1, descriptors_per_table: 20_000, ..Capacity::default() }
        ),
        [],
        "what is not known limits nothing"
    );
}

#[test]
fn too_little_memory_is_fatal_and_the_remedy_is_a_number_that_fits() {
    let found = only(&machine(|machine| machine.memory_bytes = Some(4_000_000_000)));
    assert!(found.is_fatal);
    assert_eq!(
        found.to_string(),
        "1000000 connections take about 8.55 GB of memory for both ends, and 4.00 GB is available: free some, or lower --conns to 423500"
    );
    let fits =
        asked("127.0.0.1:7777", 420_000, &machine(|machine| machine.memory_bytes = Some(4_000_000_000)));
    assert_eq!(fits, []);
    let doubtful = only(&machine(|machine| machine.memory_bytes = Some(9_000_000_000)));
    assert!(!doubtful.is_fatal, "{doubtful}");
}

#[test]
fn a_server_elsewhere_holds_its_ends_itself() {
    let little = machine(|machine| {
        (machine.memory_bytes, machine.files_most) = (Some(5_500_000_000), Some(1_100_000))
    });
    assert!(asked("127.0.0.1:7777", 1_000_000, &little).iter().any(|finding| finding.is_fatal));
    let elsewhere = asked("192.0.2.1:7000-7099", 1_000_000, &little);
    assert_eq!(elsewhere, []);
}

#[test]
fn file_max_is_raised_by_what_is_missing() {
    let found = only(&machine(|machine| machine.files_most = Some(800_000)));
    assert!(found.is_fatal);
    assert_eq!(
        found.to_string(),
        "2001000 more files are to be open, and fs.file-max leaves 797000: sysctl -w fs.file-max=2004000"
    );
}

#[test]
fn too_few_threads_for_the_tables_is_fatal_and_a_larger_table_mends_it_too() {
    let found = only(&machine(|machine| {
        machine.descriptors_per_table = 1_024;
        machine.threads_left.push(ThreadLimit { setting: "kernel.pid_max".into(), most: 1_000, left: 600 });
    }));
    assert!(found.is_fatal);
    assert_eq!(
        found.to_string(),
        "a descriptor table holds 1024 descriptors, so 993 threads are needed, and kernel.pid_max leaves 600: \
         ulimit -n 1000016, or sysctl -w kernel.pid_max=1401"
    );
    let group = only(&machine(|machine| {
        let setting = "/sys/fs/cgroup/user/pids.max".to_owned();
        machine.threads_left.push(ThreadLimit { setting, most: 40, left: 30 });
        machine.descriptors_per_table_most = Some(500_000);
    }));
    assert!(group.remedy.contains("sysctl -w fs.nr_open=1000016 && ulimit -n 1000016"), "{group}");
    assert!(group.remedy.ends_with("echo 69 > /sys/fs/cgroup/user/pids.max"), "{group}");
    assert!(only(&machine(|machine| machine.descriptors_per_table = 10)).is_fatal);
}

#[test]
fn one_table_for_all_threads_is_told_with_what_it_holds_and_what_gives_more() {
    let shared = machine(|machine| machine.table = Table::Shared(rustix::io::Errno::PERM));
    let [fits] = &asked("127.0.0.1:7777", 19_978, &shared)[..] else { panic!("one finding") };
    assert!(!fits.is_fatal, "{fits}");
    assert!(
        fits.missing.contains("unshare(CLONE_FILES) is refused")
            && fits.missing.contains("holds 19978 connections")
    );
    assert!(fits.remedy.contains("seccomp=unconfined") && fits.remedy.contains("nofile=N"), "{fits}");
    let [full] = &asked("127.0.0.1:7777", 20_000, &shared)[..] else { panic!("one finding") };
    assert!(full.is_fatal && full.remedy.contains("--ulimit nofile=20022, ulimit -n 20022"), "{full}");
}

#[test]
fn where_one_address_is_all_there_is_local_ports_are_the_limit() {
    for target in ["[::1]:7777", "192.0.2.1:7777"] {
        let found = asked(target, 100_000, &machine(|_| {}));
        assert!(found[0].is_fatal, "{found:?}");
        assert!(found[0].missing.starts_with("one address has 28232 local ports towards "), "{found:?}");
        assert!(
            found[0].remedy.contains("on 6 ports") && found[0].remedy.contains("--target HOST:PORT-PORT")
        );
    }
    assert_eq!(asked("[::1]:7001-7006", 100_000, &machine(|_| {})), []);
    let slow = asked("[::1]:7777", 25_000, &machine(|_| {}));
    assert!(slow.len() == 1 && !slow[0].is_fatal, "{slow:?}");
    let waiting = asked("[::1]:7777", 15_000, &machine(|machine| machine.time_wait = 20_000));
    assert!(waiting[0].missing.contains("up to 20000 are kept by connections in TIME_WAIT"), "{waiting:?}");
    assert!(!waiting[0].is_fatal);
}

#[test]
fn what_may_go_well_is_a_warning() {
    let tracked = only(&machine(|machine| machine.tracked = Some((100, 262_144))));
    assert_eq!(tracked.remedy, "sysctl -w net.netfilter.nf_conntrack_max=1100110");
    let backlog = only(&machine(|machine| machine.backlog_most = Some(128)));
    assert!(backlog.remedy.starts_with("sysctl -w net.core.somaxconn=4096"), "{backlog}");
    let buffers = only(&machine(|machine| machine.tcp_memory_pages = Some(30_000)));
    assert!(buffers.remedy.starts_with("sysctl -w net.ipv4.tcp_mem='40000 40000 60000'"), "{buffers}");
    assert!([tracked, backlog, buffers].iter().all(|finding| !finding.is_fatal));
}

#[test]
fn what_is_fatal_comes_first() {
    let findings = asked(
        "127.0.0.1:7777",
        1_000_000,
        &machine(|machine| (machine.backlog_most, machine.files_most) = (Some(128), Some(10_000))),
    );
    assert_eq!(findings.iter().map(|finding| finding.is_fatal).collect::<Vec<_>>(), [true, false]);
}
