//! Is the machine quiet enough, and does it run programs as a measurement wants it?

use model::schema::{Health, Noise, Symptom};
use report::format::{duration_ns, plural};

use super::facts::Facts;
use super::pass;

/// Work lost to others beyond which percentiles suffer, and beyond which most rounds will be dropped.
const LOST_MUCH: f64 = 0.02;
const LOST_TOO_MUCH: f64 = 0.20;
/// Steal time likewise.
const STEAL_MUCH: f64 = 0.01;
const STEAL_TOO_MUCH: f64 = 0.05;
/// A tie wider than this hides what people ask about.
const VISIBLE_ENOUGH: f64 = 0.05;
/// A timer that comes later than this is seen in the lateness of a sleeping generator.
const TIMER_LATE_NS: u64 = 500_000;
/// What another process may use of a processor unmentioned.
const BUSY: f64 = 0.05;
/// Programs ready to run for each processor, on average over a minute.
const LOAD: f64 = 0.5;

/// The answers that the system's settings give, and its load, of which `noise` knows more where there was listening.
pub fn symptoms(facts: &Facts, noise: Option<&Noise>) -> Vec<Symptom> {
    vec![
        processors(facts),
        governor(facts),
        turbo(facts),
        load(facts, noise),
        clock_source(facts),
        timer_slack(facts),
        virtualisation(facts),
        mitigations(facts),
        io_uring(facts),
    ]
}

/// What listening found.
pub fn symptoms_of_noise(noise: &Noise, facts: &Facts) -> [Symptom; 5] {
    [steal(noise), lost(noise, facts), timers(noise, facts), others(noise), visible(noise)]
}

fn processors(facts: &Facts) -> Symptom {
    let found = plural(facts.processors, "processor");
    let answer = pass("processors", found, "server and generator need one each");
    if let Some(quota) = &facts.quota {
        let found = format!(
            "{}, and a CPU quota of {} ({})",
            answer.found,
            quota.processors,
            quota.setting.display()
        );
        let state = if quota.processors < 2.0 { Health::Fail } else { Health::Pass };
        let answer = Symptom { found, ..answer };
        return if state == Health::Pass { answer } else { answer.but(state, quota.remedy(2)) };
    }
    match (facts.processors, facts.shares_a_core) {
        (0 | 1, _) => answer.but(Health::Fail, "give it two processors, or look at more in taskset -pc $$"),
        (_, true) => Symptom { found: format!("{}, threads of one core", answer.found), ..answer }
            .but(Health::Warn, "echo off > /sys/devices/system/cpu/smt/control, where there is another core"),
        _ => answer,
    }
}

fn governor(facts: &Facts) -> Symptom {
    let why = "a governor that follows the load makes the same work take different times";
    let found = facts.governor.clone().unwrap_or_else(|| "not visible".to_owned());
    let answer = pass("governor", found, why);
    match facts.governor.as_deref() {
        None | Some("performance") => answer,
        Some(_) => answer.but(Health::Warn, "cpupower frequency-set -g performance"),
    }
}

fn turbo(facts: &Facts) -> Symptom {
    let why =
        "a clock above the nominal one lasts as long as the heat allows, which neighbouring slices share";
    match facts.turbo {
        None => pass("turbo", "not visible", why),
        Some((false, _)) => pass("turbo", "off", why),
        Some((true, file)) => {
            let off = if file.ends_with("no_turbo") { 1 } else { 0 };
            pass("turbo", "on", why).but(Health::Warn, format!("echo {off} > {file}"))
        }
    }
}

fn load(facts: &Facts, noise: Option<&Noise>) -> Symptom {
    let found = format!("{:.2} over the last minute", facts.load_average);
    let answer = pass("load", found, "whoever else is ready to run takes the processors that are measured");
    // It may be that of a campaign which has just ended.
    let is_over = noise.is_some_and(|noise| noise.busy.iter().all(|process| process.share < BUSY));
    match !is_over && facts.load_average > LOAD * facts.processors.max(1) as f64 {
        true => answer.but(Health::Warn, "wait until it has fallen; top -o %CPU tells who it is"),
        false => answer,
    }
}

fn clock_source(facts: &Facts) -> Symptom {
    let why = "a clock without the vDSO costs a system call, on each request twice";
    let answer = pass("clock source", facts.clock_source.clone(), why);
    match facts.clock_source.as_str() {
        // What the vDSO can read (arch/x86/entry/vdso, include/clocksource/arm_arch_timer.h).
        "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter" | "timebase" => answer,
        _ => answer
            .but(Health::Warn, "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"),
    }
}

fn timer_slack(facts: &Facts) -> Symptom {
    const DEFAULT_NS: u64 = 50_000;
    let why = "the kernel may delay a sleeper by this much; the generator's workers set theirs to 1 ns";
    let found = facts.timer_slack_ns.map_or("unknown".to_owned(), |ns| duration_ns(ns as f64));
    let answer = pass("timer slack", found, why);
    match facts.timer_slack_ns {
        Some(ns) if ns > DEFAULT_NS => answer.but(Health::Warn, "echo 50000 > /proc/$$/timerslack_ns"),
        _ => answer,
    }
}

fn virtualisation(facts: &Facts) -> Symptom {
    let found = facts.hypervisor.clone().unwrap_or_else(|| "none".to_owned());
    let why = "under a hypervisor an interrupt and a wake-up cost more, and neighbours are felt: ratios hold, microseconds do not";
    pass("virtualisation", found, why)
}

fn mitigations(facts: &Facts) -> Symptom {
    let why = "they make a system call dearer, so that mechanisms with fewer calls gain by them";
    match facts.mitigations_off {
        true => pass("mitigations", "off", why)
            .but(Health::Warn, "boot without mitigations=off, unless that is what you run in production"),
        false => pass("mitigations", format!("in force against {}", facts.mitigated.len()), why),
    }
}

fn io_uring(facts: &Facts) -> Symptom {
    let why = "without it two mechanisms are left out, and the generator runs on epoll";
    match &facts.io_uring_obstacle {
        None => pass("io_uring", "available", why),
        Some(obstacle) => {
            let remedy = match facts.io_uring_disabled.as_deref() {
                Some("1" | "2") => "sysctl -w kernel.io_uring_disabled=0",
                _ => "allow io_uring_setup(2) in the container's seccomp profile, or take Linux 6.0 or newer",
            };
            pass("io_uring", obstacle.clone(), why).but(Health::Warn, remedy)
        }
    }
}

fn steal(noise: &Noise) -> Symptom {
    let found = format!("{:.1} % of the processors' time", noise.steal_share * 100.0);
    let answer = pass("steal", found, "what the hypervisor gives to others is missing from every figure");
    let remedy = "measure at another hour, or on a machine with processors of its own";
    worse(answer, noise.steal_share, STEAL_MUCH, STEAL_TOO_MUCH, remedy)
}

/// What mends it: `usual`, unless a CPU quota is used up by listening already, and would be by that.
fn unless_quota(facts: &Facts, usual: &str) -> String {
    match facts.quota.as_ref().filter(|quota| quota.processors < 2.0) {
        Some(quota) => quota.remedy(2),
        None => usual.to_owned(),
    }
}

fn lost(noise: &Noise, facts: &Facts) -> Symptom {
    let found = format!(
        "{:.1} % of equal work's time, {} at worst",
        noise.lost_share * 100.0,
        duration_ns(noise.longest_gap_ns as f64)
    );
    let answer = pass("interruptions", found, "each is a request that waits, in the tail of every histogram");
    let remedy = "end what else runs, move interrupts away (/proc/irq/*/smp_affinity), or boot with isolcpus= and nohz_full=";
    worse(answer, noise.lost_share, LOST_MUCH, LOST_TOO_MUCH, &unless_quota(facts, remedy))
}

fn timers(noise: &Noise, facts: &Facts) -> Symptom {
    let found = format!(
        "{} late at the median, {} at the 99th percentile",
        duration_ns(noise.timer_late_p50_ns as f64),
        duration_ns(noise.timer_late_p99_ns as f64)
    );
    let answer = pass("timers", found, "a generator that sleeps is as late as its timer");
    match noise.timer_late_p99_ns > TIMER_LATE_NS {
        true => answer.but(
            Health::Warn,
            unless_quota(facts, "let the generator spin: --cpu N with a processor of its own"),
        ),
        false => answer,
    }
}

fn others(noise: &Noise) -> Symptom {
    let names: Vec<String> = noise
        .busy
        .iter()
        .filter(|process| process.share >= BUSY)
        .map(|process| format!("{} ({}) {:.0} %", process.name, process.pid, process.share * 100.0))
        .collect();
    let why = "other processes that work take processor time and cache";
    match names.is_empty() {
        true => pass("other processes", "none that works", why),
        false => pass("other processes", names.join(", "), why)
            .but(Health::Warn, "end them, or wait until they have"),
    }
}

fn visible(noise: &Noise) -> Symptom {
    let found = format!("±{:.1} % is noise of equal work here, today", noise.visible_difference * 100.0);
    let answer = pass(
        "resolution",
        found,
        "less cannot be told from chance; a campaign tells its own, by the twin of its reference",
    );
    match noise.visible_difference > VISIBLE_ENOUGH {
        true => answer.but(Health::Warn, "a longer campaign (--thorough), or a quieter machine"),
        false => answer,
    }
}

/// `answer`, thought worse of where `value` exceeds a bound.
fn worse(answer: Symptom, value: f64, much: f64, too_much: f64, remedy: &str) -> Symptom {
    match value {
        value if value > too_much => answer.but(Health::Fail, remedy),
        value if value > much => answer.but(Health::Warn, remedy),
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::schema::BusyProcess;
    use sys::quota::Quota;

    fn good() -> Facts {
        Facts {
            processors: 4,
            governor: Some("performance".into()),
            turbo: Some((false, "/sys/devices/system/cpu/intel_pstate/no_turbo")),
            clock_source: "tsc".into(),
            timer_slack_ns: Some(50_000),
            ..Facts::default()
        }
    }

    fn silence() -> Noise {
        Noise {
            length_s: 5.0,
            lost_share: 0.001,
            longest_gap_ns: 20_000,
            timer_late_p50_ns: 3_000,
            timer_late_p99_ns: 9_000,
            steal_share: 0.0,
            visible_difference: 0.004,
            busy: vec![BusyProcess { pid: 7, name: "sshd".into(), share: 0.01 }],
        }
    }

    /// The names of what is not as it should be, with what is thought of it.
    fn ill(symptoms: &[Symptom]) -> Vec<(&str, Health)> {
        let ill = symptoms.iter().filter(|symptom| symptom.state != Health::Pass);
        ill.map(|symptom| {
            assert!(symptom.remedy.is_some(), "{symptom:?}");
            (symptom.name.as_str(), symptom.state)
        })
        .collect()
    }

    #[test]
    fn a_quiet_machine_that_is_set_up_for_measuring_passes() {
        assert_eq!(ill(&symptoms(&good(), None)), []);
        assert_eq!(ill(&symptoms_of_noise(&silence(), &good())), []);
    }

    #[test]
    fn every_setting_that_costs_is_named() {
        let bad = Facts {
            processors: 1,
            governor: Some("powersave".into()),
            turbo: Some((true, "/sys/devices/system/cpu/cpufreq/boost")),
            load_average: 3.0,
            clock_source: "hpet".into(),
            timer_slack_ns: Some(1_000_000),
            mitigations_off: true,
            io_uring_obstacle: Some("not permitted".into()),
            io_uring_disabled: Some("2".into()),
            ..Facts::default()
        };
        let load = |noise: &Noise| load(&bad, Some(noise)).state;
        let busy = vec![BusyProcess { pid: 7, name: "cc1plus".into(), share: 0.98 }];
        assert_eq!(load(&silence()), Health::Pass, "whoever made it has ended");
        assert_eq!(load(&Noise { busy, ..silence() }), Health::Warn);
        let symptoms = symptoms(&bad, None);
        let names: Vec<_> = ill(&symptoms).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "processors",
                "governor",
                "turbo",
                "load",
                "clock source",
                "timer slack",
                "mitigations",
                "io_uring"
            ]
        );
        assert_eq!(symptoms[0].state, Health::Fail, "one processor is too few");
        assert_eq!(symptoms[2].remedy.as_deref(), Some("echo 0 > /sys/devices/system/cpu/cpufreq/boost"));
        assert_eq!(symptoms[8].remedy.as_deref(), Some("sysctl -w kernel.io_uring_disabled=0"));
    }

    #[test]
    fn a_noisy_machine_is_told_what_makes_the_noise() {
        let noisy = Noise {
            lost_share: 0.3,
            timer_late_p99_ns: 4_000_000,
            steal_share: 0.02,
            visible_difference: 0.2,
            busy: vec![BusyProcess { pid: 7, name: "cc1plus".into(), share: 0.98 }],
            ..silence()
        };
        let symptoms = symptoms_of_noise(&noisy, &good());
        assert_eq!(
            ill(&symptoms),
            [
                ("steal", Health::Warn),
                ("interruptions", Health::Fail),
                ("timers", Health::Warn),
                ("other processes", Health::Warn),
                ("resolution", Health::Warn),
            ]
        );
        let resolution = symptoms.last().expect("five at least");
        assert!(resolution.found.starts_with("±20.0 %") && resolution.why.contains("twin"), "{resolution:?}");
        assert_eq!(symptoms[3].found, "cc1plus (7) 98 %");
        let quota = Some(Quota { processors: 0.5, setting: "/sys/fs/cgroup/cpu.max".into() });
        let symptoms = symptoms_of_noise(&noisy, &Facts { quota, ..good() });
        for symptom in &symptoms[1..3] {
            let remedy = symptom.remedy.as_deref().expect("something to do");
            assert!(remedy.contains("cpu.max") && !remedy.contains("spin"), "{remedy}");
        }
    }
}
