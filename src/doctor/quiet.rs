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
/// The share of a processor from which on another process is mentioned.
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

/// The answers that listening gives.
pub fn symptoms_of_noise(noise: &Noise, facts: &Facts) -> [Symptom; 5] {
    [steal(noise), lost(noise, facts), timers(noise, facts), others(noise), visible(noise)]
}

fn processors(facts: &Facts) -> Symptom {
    let found = plural(facts.processors, "processor");
    let answer = |found| pass("processors", found, "server and generator need one each");
    match (&facts.quota, facts.processors, facts.shares_a_core) {
        (Some(quota), ..) => {
            let setting = quota.setting.display();
            let answer = answer(format!("{found}, and a CPU quota of {} ({setting})", quota.processors));
            if quota.processors < 2.0 { answer.but(Health::Fail, quota.remedy(2)) } else { answer }
        }
        (None, 0 | 1, _) => {
            answer(found).but(Health::Fail, "give it two processors, or look at more in taskset -pc $$")
        }
        (None, _, shares_a_core) => {
            let one_core = if shares_a_core { ", threads of one core" } else { "" };
            let remedy = "echo off > /sys/devices/system/cpu/smt/control, where there is another core";
            answer(found + one_core).warn_if(shares_a_core, remedy)
        }
    }
}

fn governor(facts: &Facts) -> Symptom {
    let governor = facts.governor.as_deref();
    let why = "a governor that follows the load makes the same work take different times";
    let follows_load = governor.is_some_and(|governor| governor != "performance");
    pass("governor", governor.unwrap_or("not visible"), why)
        .warn_if(follows_load, "cpupower frequency-set -g performance")
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
    // It may be that of a campaign which has just ended.
    let is_over = noise.is_some_and(|noise| noise.busy.iter().all(|process| process.share < BUSY));
    let is_high = facts.load_average > LOAD * facts.processors.max(1) as f64;
    pass("load", found, "whoever else is ready to run takes the processors that are measured")
        .warn_if(is_high && !is_over, "wait until it has fallen; top -o %CPU tells who it is")
}

fn clock_source(facts: &Facts) -> Symptom {
    // What the vDSO can read (arch/x86/entry/vdso, include/clocksource/arm_arch_timer.h).
    const READ_BY_VDSO: [&str; 5] =
        ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "timebase"];
    let source = facts.clock_source.as_str();
    let why = "a clock without the vDSO costs a system call, on each request twice";
    let remedy = "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource";
    pass("clock source", source, why).warn_if(!READ_BY_VDSO.contains(&source), remedy)
}

fn timer_slack(facts: &Facts) -> Symptom {
    const DEFAULT_NS: u64 = 50_000;
    let why = "the kernel may delay a sleeper by this much; the generator's workers set theirs to 1 ns";
    let found = facts.timer_slack_ns.map_or("unknown".to_owned(), |ns| duration_ns(ns as f64));
    let is_long = facts.timer_slack_ns.is_some_and(|ns| ns > DEFAULT_NS);
    pass("timer slack", found, why).warn_if(is_long, "echo 50000 > /proc/$$/timerslack_ns")
}

fn virtualisation(facts: &Facts) -> Symptom {
    let why = "under a hypervisor an interrupt and a wake-up cost more, and neighbours are felt: ratios hold, microseconds do not";
    pass("virtualisation", facts.hypervisor.as_deref().unwrap_or("none"), why)
}

fn mitigations(facts: &Facts) -> Symptom {
    let why = "they make a system call dearer, so that mechanisms with fewer calls gain by them";
    let in_force = format!("in force against {}", facts.mitigated.len());
    pass("mitigations", if facts.mitigations_off { "off" } else { &in_force }, why).warn_if(
        facts.mitigations_off,
        "boot without mitigations=off, unless that is what you run in production",
    )
}

fn io_uring(facts: &Facts) -> Symptom {
    let why = "without it two mechanisms are left out, and the generator runs on epoll";
    let obstacle = facts.io_uring_obstacle.as_deref();
    let remedy = match facts.io_uring_disabled.as_deref() {
        Some("1" | "2") => "sysctl -w kernel.io_uring_disabled=0",
        _ => "allow io_uring_setup(2) in the container's seccomp profile, or take Linux 6.0 or newer",
    };
    pass("io_uring", obstacle.unwrap_or("available"), why).warn_if(obstacle.is_some(), remedy)
}

fn steal(noise: &Noise) -> Symptom {
    let found = format!("{:.1} % of the processors' time", noise.steal_share * 100.0);
    let answer = pass("steal", found, "what the hypervisor gives to others is missing from every figure");
    let remedy = "measure at another hour, or on a machine with processors of its own";
    worse(answer, noise.steal_share, STEAL_MUCH, STEAL_TOO_MUCH, remedy)
}

/// Returns the remedy: `usual`, or a higher quota if the CPU quota is below two processors, which listening uses up
/// already, as `usual` would.
fn unless_quota(facts: &Facts, usual: &str) -> String {
    match facts.quota.as_ref().filter(|quota| quota.processors < 2.0) {
        Some(quota) => quota.remedy(2),
        None => usual.to_owned(),
    }
}

fn lost(noise: &Noise, facts: &Facts) -> Symptom {
    let at_worst = duration_ns(noise.longest_gap_ns as f64);
    let found = format!("{:.1} % of equal work's time, {at_worst} at worst", noise.lost_share * 100.0);
    let answer = pass("interruptions", found, "each is a request that waits, in the tail of every histogram");
    let remedy = "end what else runs, move interrupts away (/proc/irq/*/smp_affinity), or boot with isolcpus= and nohz_full=";
    worse(answer, noise.lost_share, LOST_MUCH, LOST_TOO_MUCH, &unless_quota(facts, remedy))
}

fn timers(noise: &Noise, facts: &Facts) -> Symptom {
    let [p50, p99] = [noise.timer_late_p50_ns, noise.timer_late_p99_ns].map(|ns| duration_ns(ns as f64));
    let found = format!("{p50} late at the median, {p99} at the 99th percentile");
    let remedy = unless_quota(facts, "let the generator spin: --cpu N with a processor of its own");
    pass("timers", found, "a generator that sleeps is as late as its timer")
        .warn_if(noise.timer_late_p99_ns > TIMER_LATE_NS, remedy)
}

fn others(noise: &Noise) -> Symptom {
    let busy = noise.busy.iter().filter(|process| process.share >= BUSY);
    let names: Vec<String> = busy
        .map(|process| format!("{} ({}) {:.0} %", process.name, process.pid, process.share * 100.0))
        .collect();
    let found = if names.is_empty() { "none that works".to_owned() } else { names.join(", ") };
    pass("other processes", found, "other processes that work take processor time and cache")
        .warn_if(!names.is_empty(), "end them, or wait until they have")
}

fn visible(noise: &Noise) -> Symptom {
    let found = format!("±{:.1} % is noise of equal work here, today", noise.visible_difference * 100.0);
    let why = "less cannot be told from chance; a campaign tells its own, by the twin of its reference";
    pass("resolution", found, why).warn_if(
        noise.visible_difference > VISIBLE_ENOUGH,
        "a longer campaign (--thorough), or a quieter machine",
    )
}

/// `answer`, thought worse of where `value` exceeds a bound.
fn worse(answer: Symptom, value: f64, much: f64, too_much: f64, remedy: &str) -> Symptom {
    if value > too_much { answer.but(Health::Fail, remedy) } else { answer.warn_if(value > much, remedy) }
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
