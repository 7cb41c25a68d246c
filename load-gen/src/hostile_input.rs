//! Tests that the code which reads what people write takes any input: no panic, no endless loop, no memory beyond a
//! multiple of what it reads.

use std::net::IpAddr;

use hostile::{Bound, Counting, check_text};
use model::schema::{Dialogue, Size};

use crate::client::dialogue;
use crate::command::{curve, export, start_at};
use crate::plan::target::Target;
use crate::plan::{shard, sizes, think, units};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn counts_rates_and_shares_are_read_whatever_they_are() {
    check_text(&["10k", "1.5M", "7"], Bound::SMALL, &|text| units::count(text).is_ok());
    check_text(&["10k", "7"], Bound::SMALL, &|text| units::positive_count(text).is_ok());
    check_text(&["500", "20k", "1.5k/s"], Bound::SMALL, &|text| {
        units::rate(text).is_ok_and(|rate| rate > 0.0 && rate <= 1e9)
    });
    check_text(&["5%", "100%", "500", "10k"], Bound::SMALL, &|text| {
        let active = text.parse::<units::Active>();
        active.is_ok_and(|active| (1..=1000).contains(&active.among(1000)))
    });
}

#[test]
fn durations_pauses_and_instants_are_read_whatever_they_are() {
    check_text(&["10s", "250ms", "1.5s", "2m"], Bound::SMALL, &|text| {
        units::duration(text).is_ok_and(|duration| duration <= units::LONGEST)
    });
    check_text(&["10ms", "exp:10ms"], Bound::SMALL, &|text| think::parse(text).is_ok());
    let instants = ["1767322800", "1767322800.5", "2026-01-02T03:00:00Z", "2026-01-02T03:00:00.123456789Z"];
    check_text(&instants, Bound::SMALL, &|text| {
        start_at::parse(text).is_ok_and(|instant| !instant.to_string().is_empty())
    });
}

#[test]
fn sizes_of_requests_are_read_whatever_they_are() {
    check_text(&["64", "4k", "1M"], Bound::SMALL, &|text| units::size_bytes(text).is_ok());
    check_text(&["64", "64..1k", "exp:256"], Bound::SMALL, &|text| {
        sizes::parse(text).is_ok_and(|size| sizes::mean_bytes(size) > 0)
    });
}

#[test]
fn rates_that_rise_and_objectives_are_read_whatever_they_are() {
    check_text(&["500", "10k..200k:10", "10k..200k"], Bound::SMALL, &|text| {
        text.parse::<curve::OfferedRate>().is_ok()
    });
    check_text(&["p99=1ms", "p99.9=500us"], Bound::SMALL, &|text| curve::objective(text).is_ok());
}

#[test]
fn shards_are_read_whatever_they_are() {
    check_text(&["1/1", "2/3"], Bound::SMALL, &|text| shard::parse(text).is_ok());
    let job = ["JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"];
    let array = [
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_MIN",
        "SLURM_ARRAY_TASK_MAX",
        "SLURM_ARRAY_TASK_COUNT",
        "SLURM_ARRAY_TASK_STEP",
    ];
    // The values of the variables, one a line.
    check_text(&["2\n3", "5\n3\n9\n4\n2"], Bound::SMALL, &|text| {
        let values: Vec<&str> = text.split('\n').collect();
        let names: &[&str] = if values.len() == job.len() { &job } else { &array };
        let variable = |name: &str| {
            let at = names.iter().position(|known| *known == name)?;
            values.get(at).map(|value| (*value).to_owned())
        };
        shard::from_environment(variable).is_ok_and(|shard| shard.is_some())
    });
}

#[test]
fn targets_are_read_whatever_they_are() {
    // A range of ports is up to 65,535 endpoints, in eight bytes.
    let bound = Bound { bytes: 32 << 20, per_byte: 2 << 20 };
    let examples =
        ["127.0.0.1:7777", "[::1]:7777-7780", "unix:/run/echo", "unix:@echo", "127.0.0.1:1,127.0.0.2:1"];
    check_text(&examples, bound, &|text| {
        // Names are not looked up here.
        let is_address = |part: &str| {
            let host = part.rsplit_once(':').map_or("", |(host, _)| host);
            host.is_empty() || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        };
        let is_known = text.split(',').all(|part| part.starts_with("unix:") || is_address(part));
        is_known && text.parse::<Target>().is_ok_and(|target| !target.endpoints().is_empty())
    });
}

#[test]
fn templates_are_read_whatever_they_are() {
    let examples = [r"set {size} {payload}\n", r"PING\r\n", r"\x00\x01\{\\", "{payload}"];
    check_text(&examples, Bound { bytes: 4096, per_byte: 256 }, &|text| {
        let dialogue = Dialogue { send: text.to_owned(), expect: text.to_owned() };
        let _ = dialogue::depends_on_size(&dialogue);
        dialogue::check(&dialogue, Size::Fixed { bytes: 64 }).is_ok()
    });
}

#[test]
fn exports_are_read_whatever_they_are() {
    check_text(&["hgrm=a.txt", "hgrm:service=-", "csv=/tmp/a=b", "json=x"], Bound::SMALL, &|text| {
        text.parse::<export::Export>().is_ok()
    });
}
