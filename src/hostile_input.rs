//! What reads scenarios, journals and what the kernel says takes anything: no panic, no endless loop, no memory beyond a multiple of what
//! it reads.

use std::fs;

use hostile::{Bound, Counting, check, check_text};

use crate::doctor::noise;
use crate::experiment::journal::{FILE_NAME, Journal};
use crate::experiment::{environment, scenario};
use load_gen::machine::capacity::Capacity;
use model::schema::{Campaign, Cell, CellStatus, Plan, Point, SCHEMA_VERSION};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Everything that a scenario may have, as short as may be.
const SCENARIO: &str = r#"name = "a"
analysis = "?"
mechanisms = ["poll", "epoll-lt"]
control = "poll"
repeats = 3
stop = { ratio_half_width = 0.1, repeats_at_most = 9 }
load = { size_bytes = 64, rate_per_s = 1000, protocol = "ack" }
timing = { warmup_s = 0.0, capacity_s = 0.1, latency_s = 0.1 }
[[sweep]]
name = "s"
connections = ["10", "1k"]
active = ["10", "5%"]
threads = [1, 2]
accept = ["shared"]
sizes = ["64"]
rates = ["1k"]
churn = ["10/s"]
"#;

#[test]
fn a_scenario_is_read_whatever_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.toml");
    let name = path.display().to_string();
    // A mistake of each of many points has its line.
    let bound = Bound { bytes: 8 << 20, per_byte: 4096 };
    check(&[SCENARIO.as_bytes()], bound, &|bytes| {
        fs::write(&path, bytes).expect("written");
        let machine = Capacity { descriptors_a_table: 1 << 30, ..Capacity::default() };
        scenario::draft(&name)
            .is_ok_and(|draft| scenario::Overrides::default().apply(draft, &machine).is_ok())
    });
}

/// A journal of one cell, without what makes it long.
fn small_journal() -> Vec<u8> {
    let point = Point::new("s", 10, 10);
    let mut scenario = scenario::load(scenario::DEFAULT).expect("embedded");
    (scenario.analysis, scenario.quick) = ("?".into(), None);
    let campaign = Campaign {
        schema_version: SCHEMA_VERSION,
        muxbench_version: "0".into(),
        started: "now".into(),
        command: "muxbench run".into(),
        quick: true,
        complete: false,
        environment: environment::capture(&environment::Pinning::default()),
        plan: Plan { scenario, points: vec![point.clone()], seed: 1 },
        cells: Vec::new(),
        stopped: None,
        diagnosis: None,
    };
    let cell = Cell {
        mechanism: "poll".into(),
        point,
        repeat: 0,
        attempt: 0,
        status: CellStatus::Failed,
        reasons: vec!["é".into()],
        began_s: 1.5,
        connections: None,
        server_rss_growth_bytes: None,
        slab: None,
        setup: None,
        teardown: None,
        capacity: None,
        latency: None,
    };
    let folder = tempfile::tempdir().expect("a folder");
    Journal::begin(folder.path(), &campaign).expect("begun").add(&cell).expect("added");
    fs::read(folder.path().join(FILE_NAME)).expect("written")
}

#[test]
fn a_journal_is_read_whatever_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FILE_NAME);
    check(&[&small_journal()], Bound { bytes: 1 << 16, per_byte: 64 }, &|bytes| {
        fs::write(&path, bytes).expect("written");
        Journal::resume::<model::schema::Campaign>(folder.path()).is_ok()
    });
}

#[test]
fn what_proc_and_sys_say_is_read_whatever_it_is() {
    let list = Bound { bytes: 1 << 17, per_byte: 64 };
    check_text(&["0-3,8\n", "0", "1,3,5"], list, &|text| !environment::cpu_list(text).is_empty());
    check_text(&["MemTotal:       16384 kB\nSlab: 12 kB\n"], Bound::SMALL, &|text| {
        environment::kibibytes(text, "MemTotal").is_some()
    });
    let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor\n";
    check_text(&[cpuinfo], Bound::SMALL, &|text| environment::labelled(text, "model name").is_some());
    let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1 0 100 2000 30";
    check_text(&[stat], Bound::SMALL, &|text| noise::ticks(text).is_some());
}
