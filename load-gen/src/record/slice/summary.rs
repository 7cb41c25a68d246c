//! The summary of a slice, from the recorders of its workers.

use model::campaign::Slice;
use model::histogram;

use super::{LONG_GAP_NS, MISSED_AT_MOST, Reading, STARVED_AT_MOST};
use crate::record::recorder::Recorder;

/// The slice that the recorders of its workers tell of, at least one.
pub fn of(candidate: &str, all: Vec<Recorder>) -> Slice {
    let (mut first_half, mut disturbed) = (histogram::empty(), histogram::empty());
    let mut slice = Slice { candidate: candidate.to_owned(), ..Slice::default() };
    let (mut starved, mut longest_gap_ns): (f64, u64) = (0.0, 0);
    for recorder in &all {
        let Some(own) = &recorder.slice else { unreachable!("asked for a slice") };
        let [begin, middle, end] = &own.edges.readings[..] else { unreachable!("three edges are read") };
        let seconds = |from: &Reading, to: &Reading| (to.at_ns - from.at_ns) as f64 / 1e9;
        let window_s = seconds(begin, end);
        slice.window_s = slice.window_s.max(window_s);
        slice.first_s = slice.first_s.max(seconds(begin, middle));
        slice.answered += end.answered - begin.answered;
        slice.answered_first += middle.answered - begin.answered;
        slice.generator_cpu_s += end.worker.cpu_s - begin.worker.cpu_s;
        let idle_s = (end.idle_ns - begin.idle_ns) as f64 / 1e9;
        let busy_s = if own.spins { window_s - idle_s } else { end.worker.cpu_s - begin.worker.cpu_s };
        slice.generator_busy = slice.generator_busy.max((busy_s / window_s).clamp(0.0, 1.0));
        starved = starved.max((end.worker.starved_s - begin.worker.starved_s) / window_s);
        longest_gap_ns = longest_gap_ns.max(own.edges.longest_gap_ns);
        // One server: any worker's reading will do.
        slice.server = end.server.since(&begin.server, window_s);
        slice.longest_silence_ns = slice.longest_silence_ns.max(own.longest_silence_ns);
        slice.warmup_silence_ns = slice.warmup_silence_ns.max(own.warmup_silence_ns);
        first_half.add(&own.first).expect("all histograms have the project's bounds");
        if let Some(part) = &own.disturbed {
            disturbed.add(part).expect("all histograms have the project's bounds");
        }
    }
    let first_requests = all.iter().filter_map(|recorder| recorder.slice.as_ref()?.first_request);
    slice.first_request_ns = first_requests.min().map(|(_, duration_ns)| duration_ns);
    let Some(whole) = all.into_iter().reduce(Recorder::merge) else {
        unreachable!("a slice is made by workers")
    };
    slice.scheduled = whole.scheduled;
    slice.completed = whole.completed;
    slice.missed = whole.missed;
    slice.errors = whole.faults.by_name();
    let open_loop = whole.is_open_loop();
    let main = if open_loop { &whole.response } else { &whole.service };
    let mut second_half = main.clone();
    second_half.subtract(&first_half).expect("the first half is a part of all");
    slice.response = histogram::encode(main);
    slice.disturbed = (!disturbed.is_empty()).then(|| histogram::encode(&disturbed));
    slice.p50_ns = median_ns(main);
    slice.p50_first_ns = median_ns(&first_half);
    slice.p50_second_ns = median_ns(&second_half);
    slice.service_p50_ns = if open_loop { median_ns(&whole.service) } else { None };
    let missed = slice.missed as f64 / slice.scheduled.max(1) as f64;
    slice.faults = faults_of_generator(longest_gap_ns, starved, missed);
    slice
}

/// The generator's faults in a slice.
fn faults_of_generator(longest_gap_ns: u64, starved: f64, missed: f64) -> Vec<String> {
    let gap_ms = longest_gap_ns / 1_000_000;
    let (starved_percent, missed_percent) = (starved * 100.0, missed * 100.0);
    let all = [
        (longest_gap_ns > LONG_GAP_NS, format!("the generator stood still for {gap_ms} ms")),
        (
            starved > STARVED_AT_MOST,
            format!("the generator had no processor for {starved_percent:.0} % of a slice"),
        ),
        (
            missed > MISSED_AT_MOST,
            format!("the generator sent {missed_percent:.0} % of its requests too late"),
        ),
    ];
    all.into_iter().filter_map(|(is_fault, text)| is_fault.then_some(text)).collect()
}

fn median_ns(histogram: &histogram::Histogram) -> Option<u64> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(0.5))
}
