//! Tests that the readers of scenarios, journals and the kernel's files take any input: no panic, no endless loop, no
//! memory beyond a multiple of what they read.

use std::fs;

use hostile::{Bound, Counting, check, check_text};
use sys::capacity::Capacity;

use crate::doctor::noise;
use crate::experiment::journal::{FILE_NAME, Journal, Part, tests};
use crate::experiment::{environment, scenario};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Everything that a scenario may have, as short as may be.
const SCENARIO: &str = r#"name = "a"
analysis = "?"
mechanisms = ["poll", "epoll-lt"]
reference = "poll"
load = { size_bytes = 64, protocol = "ack" }
rounds = { starts = 2, point_s = 1, slice_s = 0.04, light_per_s = 1000, busy_share = 0.5 }
[[sweep]]
name = "s"
connections = ["10", "1k"]
active = ["10", "5%"]
threads = [1, 2]
accept = ["shared"]
sizes = ["64"]
rates = ["1k"]
churn = ["10/s"]
slices_ms = [40]
alive = [2]
"#;

#[test]
fn a_scenario_is_read_whatever_it_is() {
    let folder = hostile::folder();
    let path = folder.path().join("a.toml");
    let name = path.display().to_string();
    // A mistake of each of many points has its line.
    let bound = Bound { bytes: 8 << 20, per_byte: 4096 };
    check(&[SCENARIO.as_bytes()], bound, &|bytes| {
        fs::write(&path, bytes).expect("written");
        let machine = Capacity { descriptors_per_table: 1 << 30, ..Capacity::default() };
        scenario::draft(&name)
            .is_ok_and(|draft| scenario::Overrides::default().apply(draft, &machine).is_ok())
    });
}

/// A journal of one round, without what makes it long.
fn small_journal() -> Vec<u8> {
    let folder = hostile::folder();
    let mut journal = Journal::begin(folder.path(), &tests::campaign()).expect("begun");
    journal.add(&Part::Round(tests::round(0))).expect("added");
    fs::read(folder.path().join(FILE_NAME)).expect("written")
}

#[test]
fn a_journal_is_read_whatever_it_is() {
    let folder = hostile::folder();
    let path = folder.path().join(FILE_NAME);
    check(&[&small_journal()], Bound { bytes: 1 << 16, per_byte: 64 }, &|bytes| {
        fs::write(&path, bytes).expect("written");
        Journal::resume(folder.path()).is_ok()
    });
}

#[test]
fn what_proc_and_sys_say_is_read_whatever_it_is() {
    let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor\n";
    check_text(&[cpuinfo], Bound::SMALL, &|text| environment::labelled(text, "model name").is_some());
    let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1 0 100 2000 30";
    check_text(&[stat], Bound::SMALL, &|text| noise::ticks(text).is_some());
}
