//! What reads what people write and what the kernel says takes anything: no panic, no endless loop, no memory beyond a multiple of what it
//! reads.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

use hostile::{Bound, Counting, check, check_text};
use model::schema::{Dialogue, Size};

use crate::machine::{self, capacity, group, listen_queue, slab, usage};
use crate::target::Target;
use crate::{curve, dialogue, export, shard, sizes, start_at, think, units};

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

#[test]
fn what_proc_says_is_read_whatever_it_is() {
    let meminfo = "MemTotal:       16384 kB\nSlab:      12 kB\n";
    check_text(&[meminfo], Bound::SMALL, &|text| capacity::bytes_of(text, "Slab:").is_some());
    let list = Bound { bytes: 1 << 17, per_byte: 64 };
    check_text(&["0-3,8\n", "0", "1,3,5"], list, &|text| !machine::cpu_list(text).is_empty());
    check_text(&["sockets: used 5\nTCP: inuse 4 orphan 0 tw 2 alloc 9 mem 3\n"], Bound::SMALL, &|text| {
        capacity::after(text, "mem").is_some()
    });
    let slabs = "slabinfo - version: 2.1\nTCP 20 13 2432 13 8 : tunables 0 0 0\ndentry 5 99 192 21 1 :\n";
    check_text(&[slabs], Bound { bytes: 4096, per_byte: 256 }, &|text| slab::parse(text).contains_key("TCP"));
    let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1 0 100 2000 30 18446744073709551615";
    check_text(&[stat], Bound::SMALL, &|text| group::parse_stat(text).is_some());
    let status = "Name:\tx\nThreads:\t1\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
    check_text(&[status], Bound::SMALL, &|text| usage::field(text, "voluntary_ctxt_switches:") > 0);
    let system = "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 5 6\n";
    check_text(&[system], Bound::SMALL, &|text| usage::parse_system(text).is_some());
}

/// A message as the kernel answers with (struct nlmsghdr).
fn message(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(16 + content.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&[0; 10]);
    bytes.extend_from_slice(content);
    bytes
}

#[test]
fn netlink_answers_are_read_whatever_they_are() {
    let addresses: Vec<SocketAddr> = vec!["127.0.0.1:7777".parse().expect("an address")];
    let mut listener = [0; 72];
    (listener[0], listener[60]) = (2, 128);
    listener[4..6].copy_from_slice(&7777_u16.to_be_bytes());
    let answer = [message(20, &listener), message(20, &[1; 72]), message(3, &[0; 4])].concat();
    let room = Cell::new(None);
    check(&[&answer, &message(2, &(-2_i32).to_ne_bytes())], Bound::SMALL, &|bytes| {
        let mut found = None;
        let end = listen_queue::read_answer(bytes, &addresses, &mut found);
        room.set(room.get().or(found));
        end != Ok(false)
    });
    assert_eq!(room.get(), Some(129), "the example has a listener");
}
