use proptest::prelude::*;

use super::*;
use crate::testing;
use model::schema::{Arrivals, CpuQuota, LoadMode};

const BOUND: Duration = Duration::from_millis(100);

/// One request: how long it took and was late, whether it failed, and in which half of the window it ended.
#[derive(Debug, Clone, Copy)]
struct Request {
    response_ns: u64,
    late_ns: u64,
    fate: u8,
    half: usize,
}

impl Request {
    fn error(&self) -> Option<&'static str> {
        match self.fate {
            0 => Some("reset"),
            1 => Some("timed_out"),
            _ => None,
        }
    }

    fn is_outstanding(&self) -> bool {
        self.fate == 2
    }

    fn is_completed(&self) -> bool {
        self.fate > 2
    }
}

fn latency(samples: impl Iterator<Item = u64>) -> Latency {
    let mut histogram = histogram::empty();
    samples.for_each(|sample| histogram.record(sample).expect("in range"));
    Latency::of(&histogram)
}

fn interval(requests: &[Request], half: usize) -> Interval {
    let ended = || requests.iter().filter(move |request| request.half == half);
    let completed = || ended().filter(|request| request.is_completed());
    Interval {
        start_s: half as f64,
        length_s: 1.0,
        completed: completed().count() as u64,
        errors: ended().filter(|request| request.error().is_some()).count() as u64,
        response: Some(latency(completed().map(|request| request.response_ns))),
        service: latency(completed().map(|request| request.response_ns - request.late_ns)),
    }
}

/// The report of a generator that had exactly these requests, over a window of 2 s.
fn report(requests: &[Request]) -> LoadReport {
    let completed = || requests.iter().filter(|request| request.is_completed());
    let mut errors = BTreeMap::new();
    for name in requests.iter().filter_map(Request::error) {
        *errors.entry(name.to_owned()).or_default() += 1;
    }
    let mut report = testing::load();
    report.settings.mode = LoadMode::Open { rate_per_s: 1_000.0, arrivals: Arrivals::Poisson };
    report.connections.opened = 5;
    LoadReport {
        window_s: 2.0,
        throughput_per_s: completed().count() as f64 / 2.0,
        scheduled: requests.len() as u64,
        completed: completed().count() as u64,
        outstanding: requests.iter().filter(|request| request.is_outstanding()).count() as u64,
        errors,
        delayed: requests.iter().filter(|request| request.late_ns > 500).count() as u64,
        response: Some(latency(completed().map(|request| request.response_ns))),
        service: latency(completed().map(|request| request.response_ns - request.late_ns)),
        lateness: Some(latency(requests.iter().map(|request| request.late_ns))),
        connect: Some(latency(requests.iter().map(|request| request.response_ns / 2))),
        intervals: vec![interval(requests, 0), interval(requests, 1)],
        started_at: "2026-01-02T03:04:05.000000007Z".to_owned(),
        ..report
    }
}

fn request() -> impl Strategy<Value = Request> {
    (1_000u64..10_000_000_000, 0u64..1_000, 0u8..20, 0usize..2)
        .prop_map(|(response_ns, late_ns, fate, half)| Request { response_ns, late_ns, fate, half })
}

/// `requests` dealt out to `count` shards as `deal` says, and what each of them reports.
fn shards(requests: &[Request], deal: &[u8], count: u32) -> Vec<Source> {
    let deal = |index: u32| {
        let mine = requests.iter().zip(deal.iter().cycle());
        mine.filter(|(_, to)| u32::from(**to) % count == index)
            .map(|(request, _)| *request)
            .collect::<Vec<_>>()
    };
    (0..count)
        .map(|index| {
            let shard = Some(Shard { index: index + 1, count });
            let report = LoadReport { shard, ..report(&deal(index)) };
            Source { name: format!("{}.json", index + 1), report }
        })
        .collect()
}

/// Three sound shards.
fn three() -> Vec<Source> {
    let requests: Vec<_> =
        (1..=300).map(|at| Request { response_ns: at * 1_000, late_ns: at, fate: 9, half: 0 }).collect();
    shards(&requests, &[0, 1, 2], 3)
}

/// The error of `merge` for three sound shards that `spoil` has changed, as one line.
fn refusal(spoil: impl FnOnce(&mut Vec<Source>)) -> String {
    let mut sources = three();
    spoil(&mut sources);
    let message = merge(sources, BOUND).expect_err("refused").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

fn assert_says(message: &str, words: &[&str]) {
    assert!(words.iter().all(|word| message.contains(word)), "{words:?}: {message}");
}

proptest! {
    // Each case encodes a few hundred histograms.
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_merge_of_any_partition_is_the_whole_in_whatever_order_it_comes(
        requests in prop::collection::vec(request(), 0..300),
        deal in prop::collection::vec(any::<u8>(), 1..300),
        order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle(),
        count in 1u32..6,
    ) {
        let whole = report(&requests);
        let sources = shards(&requests, &deal, count);
        let shuffled: Vec<_> = order.into_iter().filter_map(|at| sources.get(at).cloned()).collect();
        let merged = merge(sources, BOUND).expect("the shards of one run");
        prop_assert_eq!(&merge(shuffled, BOUND).expect("the shards of one run"), &merged);
        prop_assert_eq!(merged.shards.len(), count as usize);
        prop_assert_eq!(merged.shards.iter().map(|shard| shard.scheduled).sum::<u64>(), merged.scheduled);
        prop_assert_eq!(merged.start_skew_s, Some(0.0));
        // Each shard has opened as many connections, and used as many threads, as the whole that is compared with.
        let mut expected = LoadReport { shards: merged.shards.clone(), start_skew_s: Some(0.0), ..whole };
        expected.connections.opened *= u64::from(count);
        expected.settings.threads *= count;
        prop_assert_eq!(merged, expected);
    }
}

#[test]
fn one_shard_that_is_not_valid_makes_the_whole_not_valid_and_is_named() {
    let mut sources = three();
    sources[1].report.valid = false;
    sources[1].report.invalid_reasons = vec!["the run was interrupted".to_owned()];
    sources[1].report.generator_busy = 0.9;
    let merged = merge(sources, BOUND).expect("the shards of one run");
    assert!(!merged.valid);
    assert_eq!(merged.invalid_reasons, ["shard 2/3: the run was interrupted"]);
    assert_eq!(merged.generator_busy, 0.9, "the worst");
    assert_eq!(merged.shards.iter().map(|shard| shard.valid).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_shard_that_was_interrupted_has_fewer_intervals_and_a_shorter_window() {
    let mut sources = three();
    sources[2].report.window_s = 1.0;
    sources[2].report.throughput_per_s = 100.0;
    sources[2].report.intervals.truncate(1);
    let merged = merge(sources, BOUND).expect("the shards of one run");
    assert_eq!((merged.window_s, merged.throughput_per_s), (2.0, 150.0));
    assert_eq!(merged.intervals.len(), 2);
    assert_eq!(merged.intervals[0].completed, 300);
}

#[test]
fn the_time_stamps_of_those_shards_that_had_replies_are_added() {
    let mut sources = three();
    for source in &mut sources[..2] {
        source.report.response_kernel = source.report.response.clone();
        source.report.generator_added = Some(latency([10, 20].into_iter()));
        source.report.timestamp_error_ns = Some(80);
    }
    let merged = merge(sources, BOUND).expect("the shards of one run");
    assert_eq!(merged.response_kernel.map(|latency| latency.count), Some(200));
    assert_eq!(merged.generator_added.map(|latency| (latency.count, latency.max_ns)), Some((4, Some(20))));
    assert_eq!(merged.timestamp_error_ns, Some(80));
    let without = merge(three(), BOUND).expect("the shards of one run");
    assert_eq!((without.response_kernel, without.generator_added), (None, None));
}

#[test]
fn a_missing_shard_is_named_and_so_are_the_two_files_of_a_doubled_one() {
    assert_says(&refusal(|sources| drop(sources.remove(1))), &["1 of 3 shards", "2/3"]);
    assert_says(&refusal(|sources| sources.truncate(1)), &["2 of 3 shards", "2/3, 3/3"]);
    let doubled = refusal(|sources| {
        let again = sources[0].report.clone();
        sources[2] = Source { name: "again.json".into(), report: again };
    });
    assert_says(&doubled, &["1/3", "there twice", "1.json", "again.json"]);
    let nothing = "no result to merge: name the files that load-gen --shard i/N --json wrote";
    assert_eq!(merge(Vec::new(), BOUND), Err(Refusal(nothing.to_owned())));
}

#[test]
fn millions_of_missing_shards_are_not_listed() {
    let message = refusal(|sources| {
        sources.truncate(1);
        sources[0].report.shard = Some(Shard { index: 1, count: u32::MAX });
    });
    assert_says(&message, &["4294967294 of 4294967295"]);
    assert!(message.len() < 250, "{message}");
}

#[test]
fn shards_of_runs_that_were_cut_differently_are_refused() {
    let message = refusal(|sources| sources[1].report.shard = Some(Shard { index: 2, count: 4 }));
    assert_says(&message, &["1.json is shard 1/3", "2.json is shard 2/4"]);
}

#[test]
fn another_configuration_is_refused_with_the_first_key_that_differs() {
    let seed = refusal(|sources| sources[2].report.settings.seed = 43);
    assert_says(&seed, &["1.json and 3.json", r#"settings.seed is "42" and "43""#]);
    let rate = refusal(|sources| {
        let mode = LoadMode::Open { rate_per_s: 999.0, arrivals: Arrivals::Poisson };
        sources[1].report.settings.mode = mode;
    });
    assert_says(&rate, &["settings.mode.rate_per_s is 1000.0 and 999.0"]);
    let start = refusal(|sources| sources[1].report.settings.start_at = Some("2026-01-02T03:04:05Z".into()));
    assert_says(&start, &["settings.start_at is null"]);
}

#[test]
fn how_many_threads_a_host_needed_is_its_own_affair_and_adds_up() {
    let mut sources = three();
    sources[1].report.settings.threads = 5;
    assert_eq!(merge(sources, BOUND).expect("the shards of one run").settings.threads, 7);
}

#[test]
fn windows_that_began_too_far_apart_are_refused_and_the_skew_is_told() {
    let at = |millis: u32| format!("2026-01-02T03:04:05.{millis:03}000007Z");
    let mut sources = three();
    sources[0].report.started_at = at(100);
    let merged = merge(sources, BOUND).expect("just within the bound");
    assert_eq!((merged.start_skew_s, merged.started_at), (Some(0.1), at(0)));
    let message = refusal(|sources| sources[0].report.started_at = at(101));
    assert_says(&message, &["1.json began 101.0ms after", "100ms allowed", "--start-at", "--max-skew"]);
    assert_says(&refusal(|sources| sources[0].report.started_at = "noon".into()), &["1.json", "noon"]);
}

#[test]
fn what_is_no_shard_or_is_merged_already_is_refused() {
    assert_says(&refusal(|sources| sources[0].report.shard = None), &["1.json is not a shard", "--shard"]);
    let merged = merge(three(), BOUND).expect("the shards of one run");
    let again = refusal(|sources| sources[0].report = merged);
    assert_says(&again, &["1.json is merged already"]);
}

#[test]
fn damage_is_found_and_named_rather_than_added() {
    let unbalanced = refusal(|sources| sources[1].report.scheduled += 1);
    assert_says(&unbalanced, &["2.json is damaged", "scheduled"]);
    let text = refusal(|sources| sources[1].report.service.histogram = "aGVsbG8=".to_owned());
    assert_says(&text, &["2.json is damaged: service", "V2"]);
    let count = refusal(|sources| sources[1].report.service.count -= 1);
    assert_says(&count, &["2.json is damaged: service: its count is 99, its histogram holds 100"]);
    let absent = refusal(|sources| sources[1].report.response = None);
    assert_says(&absent, &["2.json is damaged: it has no response"]);
    let shard = refusal(|sources| sources[1].report.shard = Some(Shard { index: 0, count: 3 }));
    assert_says(&shard, &["2.json is damaged", "0/3"]);
    let shifted = refusal(|sources| sources[1].report.intervals[1].start_s = 0.5);
    assert_says(&shifted, &["2.json is damaged: its interval 1 begins at 0.5 s, others' at 1 s"]);
}

#[test]
fn a_merged_result_is_a_result_and_reads_back() {
    let merged = merge(three(), BOUND).expect("the shards of one run");
    let text = serde_json::to_string(&model::schema::ResultFile::Load(merged.clone())).expect("serialises");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("whole.json");
    std::fs::write(&path, text.repeat(2)).expect("written");
    assert_eq!(model::read::loads(&path).expect("read"), [merged.clone(), merged]);
}

#[test]
fn what_each_place_got_adds_up_whatever_the_order_in_which_shards_name_them() {
    let place = |address: &str, opened, refused| TargetReport {
        address: address.to_owned(),
        opened,
        errors: BTreeMap::from([("refused".to_owned(), refused)]),
        errnos: BTreeMap::from([("ECONNREFUSED".to_owned(), refused)]),
    };
    let mut shards = shards(&[], &[], 2);
    let (first, second) = ("192.0.2.1:80", "192.0.2.2:80");
    shards[0].report.connections.targets = vec![place(first, 3, 1), place(second, 2, 0)];
    shards[1].report.connections.targets = vec![place(second, 5, 4)];
    let merged = merge(shards, Duration::from_secs(1)).expect("one run");
    assert_eq!(merged.connections.targets, [place(first, 3, 1), place(second, 7, 4)]);
}

#[test]
fn the_quota_that_held_back_longest_is_the_whole_runs() {
    let quota = |held_back| Some(CpuQuota { processors: 0.5, setting: "/cpu.max".to_owned(), held_back });
    let mut shards = shards(&[], &[], 3);
    shards[0].report.cpu_quota = quota(0.1);
    shards[1].report.cpu_quota = quota(0.3);
    assert_eq!(merge(shards, Duration::from_secs(1)).expect("one run").cpu_quota, quota(0.3));
}
