//! The findings of a window, put together from the recorders of its workers.

use std::sync::atomic::Ordering::Relaxed;

use model::schema::{Connections, Latency, LoadReport, LoadSettings, Size};
use sys::clock;

use super::{Load, Pool};
use crate::fault::Faults;
use crate::plan::schedule::GENERATOR;
use crate::record::recorder::Recorder;
use crate::record::self_check;
use crate::record::validity::{self, Facts};
use crate::record::watch::Watch;

impl Pool {
    /// The result of a window that was as `recorder`, `lost` and `watch` say; the first worker ended at `earliest_end_ns`.
    pub(super) fn report(
        &self,
        load: &Load,
        recorder: Recorder,
        lost: Faults,
        watch: &Watch,
        earliest_end_ns: u64,
    ) -> LoadReport {
        let options = &self.shared.options;
        let facts = Facts {
            recorder,
            judgement: watch.judgement(load.wait),
            asked: u64::from(options.conns),
            opened: self.connections.opened,
            lost,
            any_active: options.active > 0,
            is_capped: options.workload.most_under_way.is_some(),
            interrupted: self.shared.stop.load(Relaxed),
        };
        let mut reasons = validity::broken_rules(&facts);
        let own = options.part(load.mode, options.active);
        let self_check = self_check::of(own, earliest_end_ns, &facts, &mut reasons);
        let Facts { recorder, judgement, .. } = facts;
        // Without a single stamp there is nothing to report: the caller says so.
        let stamps = recorder.stamps.as_ref().filter(|stamps| !stamps.added.is_empty());
        reasons.extend(stamps.and_then(|stamps| stamps.doubt()));
        let open_loop = recorder.is_open_loop();
        let window_s = (recorder.window.end_ns - recorder.window.begin_ns) as f64 / 1e9;
        let churned = recorder.turnover.connect.as_ref().filter(|connect| !connect.is_empty());
        LoadReport {
            valid: reasons.is_empty(),
            invalid_reasons: reasons,
            settings: self.settings(load),
            connections: self.connections_after(&recorder, &lost),
            window_s,
            throughput_per_s: if window_s > 0.0 { recorder.replies_inside as f64 / window_s } else { 0.0 },
            scheduled: recorder.scheduled,
            completed: recorder.completed,
            outstanding: recorder.outstanding(),
            unsent: recorder.unsent,
            errors: recorder.faults.by_name(),
            errnos: recorder.faults.by_errno(),
            delayed: recorder.delayed,
            response: open_loop.then(|| Latency::of(&recorder.response)),
            service: Latency::of(&recorder.service),
            lateness: open_loop.then(|| Latency::of(&recorder.lateness)),
            connect: Some(Latency::of(&self.connect)),
            churn_connect: churned.map(Latency::of),
            generator_busy: judgement.busy,
            generator_starved: judgement.starved,
            steal: judgement.steal,
            cpu_quota: judgement.quota,
            response_kernel: stamps.filter(|_| open_loop).map(|stamps| Latency::of(&stamps.response)),
            generator_added: stamps.map(|stamps| Latency::of(&stamps.added)),
            timestamp_error_ns: stamps.map(|stamps| stamps.error_ns),
            self_check,
            intervals: Vec::new(),
            started_at: clock::rfc3339(clock::to_unix_ns(recorder.window.begin_ns)),
            shard: options.part_of.map(|whole| whole.shard),
            shards: Vec::new(),
            start_skew_s: None,
        }
    }

    fn settings(&self, load: &Load) -> LoadSettings {
        let options = &self.shared.options;
        LoadSettings {
            target: options.target.to_string(),
            conns: options.whole_conns().into(),
            active: options.whole_active().into(),
            mode: load.mode,
            size_bytes: options.mean_size_bytes(),
            size: Some(options.size).filter(|size| !matches!(size, Size::Fixed { .. })),
            protocol: options.protocol,
            workload: options.workload.clone(),
            threads: self.shared.placement.tables,
            wait: load.wait,
            engine: self.shared.engine,
            duration_s: load.duration.as_secs_f64(),
            warmup_s: load.warmup.as_secs_f64(),
            seed: options.seed,
            generator: GENERATOR.to_owned(),
            start_at: None,
            timestamps: options.timestamps,
            interval_s: load.interval.map(|interval| interval.as_secs_f64()),
        }
    }

    /// The outcome of the connections until the end of a window in which `recorder` saw them move; `lost` since they were opened.
    fn connections_after(&self, recorder: &Recorder, lost: &Faults) -> Connections {
        let workload = &self.shared.options.workload;
        let mut connections = self.connections.clone();
        connections.rotated = workload.rotate_s.map(|_| recorder.turnover.rotated);
        connections.churn = workload.churn_per_s.map(|_| recorder.turnover.churn());
        connections.lost = lost.total();
        for (name, count) in lost.by_name() {
            *connections.errors.entry(name).or_default() += count;
        }
        for (name, count) in lost.by_errno() {
            *connections.errnos.entry(name).or_default() += count;
        }
        connections
    }
}
