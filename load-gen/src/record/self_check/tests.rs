//! The checks against generators that are sound, and against each way in which one can be unsound.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1};

use super::*;
use crate::plan::schedule::{self, Schedule};
use crate::plan::window::Window;
use crate::record::sample::{PARTS, STRETCH};

const SECOND_NS: u64 = 1_000_000_000;

/// A run of one worker that is played, not made: when requests are intended, how late each is, and how soon it is answered.
struct Played {
    arrivals: Arrivals,
    rate_per_s: f64,
    window: Window,
    sample: Sample,
    free_ns: u64,
}

impl Played {
    fn new(arrivals: Arrivals, rate_per_s: f64, requests: f64) -> Self {
        let window = Window { begin_ns: SECOND_NS, end_ns: SECOND_NS + (requests / rate_per_s * 1e9) as u64 };
        Self { arrivals, rate_per_s, window, sample: Sample::new(window, rate_per_s), free_ns: 0 }
    }

    /// The instants of the true schedule, beginning with the window.
    fn schedule(&self, seed: u64) -> impl Iterator<Item = u64> + use<> {
        let begin_ns = self.window.begin_ns;
        Schedule::new(self.arrivals, self.rate_per_s, 50, schedule::random(seed, 0, 0))
            .map(move |due| begin_ns + due.at_ns)
    }

    /// One request that is sent as soon as the worker is free, which each send occupies for `send_ns`.
    fn send(&mut self, intended_ns: u64, send_ns: u64, response_ns: u64) {
        let tried_ns = intended_ns.max(self.free_ns);
        self.free_ns = tried_ns + send_ns;
        self.enter(intended_ns, tried_ns, response_ns);
    }

    fn enter(&mut self, intended_ns: u64, tried_ns: u64, response_ns: u64) {
        self.sample.due(intended_ns, 1);
        self.sample.tried(intended_ns, tried_ns);
        self.sample.answered(intended_ns, response_ns);
    }

    /// A generator that keeps `schedule`, on a machine that takes its processor away for a while now and then.
    fn soundly(mut self, schedule: impl Iterator<Item = u64>, seed: u64) -> Self {
        let mut random = schedule::random(seed, 0, 7);
        let end_ns = self.window.end_ns;
        for intended_ns in schedule.take_while(|&at| at < end_ns) {
            let preempted = random.random_range(0..10_000) == 0;
            let send_ns = random.random_range(1_000..4_000) + if preempted { 500_000 } else { 0 };
            self.send(intended_ns, send_ns, random.random_range(30_000..50_000));
        }
        self
    }

    fn checks(&self) -> Vec<Check> {
        checks(&Run {
            arrivals: self.arrivals,
            rate_per_s: self.rate_per_s,
            end_ns: self.window.end_ns,
            response_p50_ns: 40_000,
            is_held_back: false,
            samples: std::slice::from_ref(&self.sample),
        })
    }

    fn failed(&self) -> Vec<String> {
        self.checks().into_iter().filter(|check| !check.passed).map(|check| check.name).collect()
    }
}

fn sound(arrivals: Arrivals, rate_per_s: f64, requests: f64, seed: u64) -> Played {
    let played = Played::new(arrivals, rate_per_s, requests);
    let schedule = played.schedule(seed);
    played.soundly(schedule, seed)
}

fn poisson(rate_per_s: f64, requests: f64) -> Played {
    Played::new(Arrivals::Poisson, rate_per_s, requests)
}

fn exponential(random: &mut impl Rng) -> f64 {
    Exp1.sample(random)
}

/// A schedule whose gaps, in mean gaps, are those of `gap`, which is given the share of the window that has gone.
fn with_gaps<G: FnMut(f64) -> f64>(played: &Played, mut gap: G) -> impl Iterator<Item = u64> + use<G> {
    let (begin_ns, end_ns) = (played.window.begin_ns as f64, played.window.end_ns as f64);
    let mean_ns = 1e9 / played.rate_per_s;
    let mut at_ns = begin_ns;
    std::iter::from_fn(move || {
        at_ns += gap((at_ns - begin_ns) / (end_ns - begin_ns)) * mean_ns;
        Some(at_ns as u64)
    })
}

#[test]
fn a_sound_run_has_every_check_and_passes_them() {
    let checks = sound(Arrivals::Poisson, 10_000.0, 50_000.0, 1).checks();
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "gaps_intended",
            "gaps_realised",
            "independence_intended",
            "independence_realised",
            "spacing",
            "rate",
            "standstill",
            "stationarity"
        ]
    );
    assert!(checks.iter().all(|check| check.passed && check.advice.is_none()), "{checks:#?}");
}

/// By design a sound run fails less than once in 1,000: six checks at 1 in 10,000 each, of which three also
/// forgive. So in 500 runs 0.3 failures are expected at most, and more than 3 have a probability below 1 in 1,000.
#[test]
fn sound_runs_are_called_invalid_less_than_once_in_a_thousand() {
    let failures: Vec<_> = (0..500_u64)
        .filter_map(|seed| {
            let rate_per_s = [100.0, 2_000.0, 20_000.0, 100_000.0][seed as usize % 4];
            let failed = sound(Arrivals::Poisson, rate_per_s, 1_000.0, seed).failed();
            (!failed.is_empty()).then_some((seed, failed))
        })
        .collect();
    assert!(failures.len() <= 3, "{failures:?}");
}

/// Sends in a row take microseconds each, so at 200,000 a second hardly a gap is as long as it was meant to be.
#[test]
fn lateness_of_microseconds_is_no_fault_at_any_rate() {
    for arrivals in [Arrivals::Poisson, Arrivals::Uniform] {
        for rate_per_s in [50.0, 1_000.0, 10_000.0, 50_000.0, 200_000.0] {
            let played = sound(arrivals, rate_per_s, 40_000.0, 3);
            assert_eq!(played.failed(), [""; 0], "{arrivals:?} at {rate_per_s}: {:#?}", played.checks());
        }
    }
}

#[test]
fn bursts_in_phase_are_caught() {
    // As of many connections that send together: ten requests at a time, every ten mean gaps.
    let played = poisson(10_000.0, 50_000.0);
    let mut turn = 0;
    let schedule = with_gaps(&played, |_| {
        turn += 1;
        if turn % 10 == 0 { 10.0 } else { 0.0 }
    });
    let failed = played.soundly(schedule, 1).failed();
    assert!(
        failed.contains(&"gaps_intended".into()) && failed.contains(&"gaps_realised".into()),
        "{failed:?}"
    );
}

#[test]
fn a_generator_that_wakes_once_a_millisecond_is_caught_although_its_schedule_is_right() {
    for arrivals in [Arrivals::Poisson, Arrivals::Uniform] {
        for rate_per_s in [5_000.0, 20_000.0, 200_000.0] {
            let mut played = Played::new(arrivals, rate_per_s, 40_000.0);
            let end_ns = played.window.end_ns;
            for intended_ns in played.schedule(2).take_while(|&at| at < end_ns) {
                let tick_ns = intended_ns.next_multiple_of(1_000_000);
                played.enter(intended_ns, tick_ns, 40_000);
            }
            let failed = played.failed();
            assert!(failed.contains(&"spacing".into()), "{arrivals:?} at {rate_per_s}: {failed:?}");
            if arrivals == Arrivals::Poisson {
                assert!(failed.contains(&"gaps_realised".into()), "at {rate_per_s}: {failed:?}");
            }
        }
    }
}

#[test]
fn a_sender_gated_by_replies_is_caught() {
    // A closed loop with one request under way that a server answers in 400 us, masquerading as 2,000 a second.
    let mut played = poisson(2_000.0, 20_000.0);
    let end_ns = played.window.end_ns;
    for intended_ns in played.schedule(3).take_while(|&at| at < end_ns) {
        played.send(intended_ns, 400_000, 400_000);
    }
    let failed = played.failed();
    assert!(failed.contains(&"gaps_realised".into()) && failed.contains(&"spacing".into()), "{failed:?}");

    // And one that says that it meant it so.
    let mut played = poisson(2_000.0, 20_000.0);
    let mut free_ns = 0;
    for intended_ns in played.schedule(3).take_while(|&at| at < end_ns) {
        let meant_ns = intended_ns.max(free_ns);
        free_ns = meant_ns + 400_000;
        if meant_ns < end_ns {
            played.enter(meant_ns, meant_ns, 400_000);
        }
    }
    let failed = played.failed();
    assert!(failed.contains(&"gaps_intended".into()), "{failed:?}");
}

#[test]
fn a_rate_that_drifts_over_the_window_is_caught() {
    let played = poisson(5_000.0, 50_000.0);
    let mut random = schedule::random(4, 0, 0);
    // From 10 % too slow to 10 % too fast: right on average.
    let schedule = with_gaps(&played, |gone| exponential(&mut random) / (0.9 + 0.2 * gone));
    assert_eq!(played.soundly(schedule, 4).failed(), ["rate"]);
}

#[test]
fn a_rate_that_is_wrong_throughout_is_caught() {
    for arrivals in [Arrivals::Poisson, Arrivals::Uniform] {
        let played = Played::new(arrivals, 5_000.0, 50_000.0);
        let mut random = schedule::random(5, 0, 0);
        let schedule = with_gaps(&played, |_| match arrivals {
            Arrivals::Poisson => 0.95 * exponential(&mut random),
            Arrivals::Uniform => 0.95,
        });
        let failed = played.soundly(schedule, 5).failed();
        assert!(failed.contains(&"rate".into()), "{arrivals:?}: {failed:?}");
    }
}

#[test]
fn gaps_that_depend_on_those_before_are_caught() {
    let played = poisson(5_000.0, 50_000.0);
    let mut random = schedule::random(6, 0, 0);
    let mut before = 1.0;
    // Every gap is exponential, and every other one is the one before again.
    let mut again = false;
    let schedule = with_gaps(&played, |_| {
        if !again {
            before = exponential(&mut random);
        }
        again = !again;
        before
    });
    let failed = played.soundly(schedule, 6).failed();
    assert!(failed.contains(&"independence_intended".into()), "{failed:?}");
    assert!(failed.contains(&"independence_realised".into()), "{failed:?}");
}

#[test]
fn unequal_gaps_of_a_uniform_schedule_are_caught() {
    let played = Played::new(Arrivals::Uniform, 5_000.0, 5_000.0);
    let mut random = schedule::random(7, 0, 0);
    let schedule = with_gaps(&played, |_| random.random_range(0.9..1.1));
    assert_eq!(played.soundly(schedule, 7).failed(), ["gaps_intended"]);
}

#[test]
fn a_generator_that_was_stopped_for_a_second_says_when() {
    for rate_per_s in [20.0, 5_000.0] {
        let mut played = poisson(rate_per_s, rate_per_s * 100.0);
        let stopped = played.window.begin_ns + 30 * SECOND_NS..played.window.begin_ns + 31 * SECOND_NS;
        let end_ns = played.window.end_ns;
        for intended_ns in played.schedule(8).take_while(|&at| at < end_ns) {
            if stopped.contains(&intended_ns) {
                played.free_ns = stopped.end;
            }
            played.send(intended_ns, 3_000, 40_000);
        }
        let checks = played.checks();
        let failed: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
        assert_eq!(failed.len(), 1, "{failed:#?}");
        assert_eq!(failed[0].name, "standstill");
        let advice = failed[0].advice.as_deref().expect("a failure has advice");
        assert!(advice.contains("SIGSTOP") && advice.contains("until 31.00 s into the window"), "{advice}");
    }
}

/// Responses of `response_ns`, which is given the share of the window that has gone.
fn answered(response_ns: impl Fn(f64) -> f64) -> Vec<String> {
    let mut played = poisson(5_000.0, 25_000.0);
    let mut random = schedule::random(9, 0, 0);
    let Window { begin_ns, end_ns } = played.window;
    for intended_ns in played.schedule(9).take_while(|&at| at < end_ns) {
        let gone = (intended_ns - begin_ns) as f64 / (end_ns - begin_ns) as f64;
        let response = response_ns(gone) * random.random_range(0.5..1.5);
        played.send(intended_ns, 3_000, response as u64);
    }
    played.failed()
}

#[test]
fn a_server_that_degrades_is_caught_and_a_harmless_change_is_not() {
    assert_eq!(answered(|gone| 200e3 * (1.0 + gone)), ["stationarity"], "twice as slow at the end");
    assert_eq!(answered(|gone| if gone < 0.5 { 200e3 } else { 400e3 }), ["stationarity"], "a step");
    assert_eq!(answered(|gone| 400e3 * (1.0 - gone / 2.0)), ["stationarity"], "too little warm-up");
    assert_eq!(answered(|gone| 1e6 + 100e6 * gone), ["stationarity"], "overload: the queue grows");
    assert_eq!(answered(|gone| 200e3 * (1.0 + 0.2 * gone)), [""; 0], "a fifth");
    assert_eq!(answered(|gone| 20e3 * (1.0 + gone)), [""; 0], "some microseconds");
}

#[test]
fn a_stall_of_a_fifth_of_the_window_is_the_servers_and_leaves_the_run_valid() {
    for stall in [0.0, 0.4, 0.8] {
        let failed = answered(|gone| match gone {
            gone if (stall..stall + 0.2).contains(&gone) => (stall + 0.2 - gone) * 5e9,
            _ => 100e3,
        });
        assert_eq!(failed, [""; 0], "at {stall}");
    }
}

#[test]
fn of_a_slow_schedule_every_request_is_in_the_sample_and_of_a_fast_one_a_bounded_part() {
    let slow = sound(Arrivals::Poisson, 100.0, 5_000.0, 1).sample;
    assert_eq!(slow.stretches().count(), 1, "without a hole");
    let kept: usize = slow.stretches().map(<[_]>::len).sum();
    assert_eq!(kept as u64, slow.due_by_part().iter().sum::<u64>());
    let fast = sound(Arrivals::Poisson, 100_000.0, 200_000.0, 1).sample;
    assert!(fast.stretches().all(|stretch| stretch.len() == STRETCH as usize));
    assert_eq!(fast.stretches().count(), PARTS);
}

#[test]
fn a_run_with_too_few_requests_is_not_judged_by_them() {
    let names: Vec<_> =
        sound(Arrivals::Poisson, 10.0, 30.0, 1).checks().into_iter().map(|check| check.name).collect();
    assert_eq!(names, ["rate", "standstill"]);
}
