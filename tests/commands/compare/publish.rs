//! The baselines that `.ci/publish` keeps.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use model::campaign::Campaign;
use model::read;
use model::schema::ResultFile;
use trials::test;

use super::place::{Place, leave_out, slowed};
use crate::support::stderr;

/// A run of `.ci/publish`, with what a workflow gives it.
struct Publish<'a> {
    place: &'a Place,
    accept: bool,
}

impl Publish<'_> {
    /// Its exit status and its summary, with `campaign` as what was just measured.
    fn run(&self, campaign: &Campaign, run_status: &str) -> (Option<i32>, String) {
        let out = self.place.path().join("out");
        fs::create_dir_all(out.join("campaign")).expect("made");
        let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone())).expect("serialises");
        fs::write(out.join("campaign/campaign.json"), text).expect("written");
        fs::write(out.join("campaign/report.md"), "a report\n").expect("written");
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/publish"));
        script.arg(&out).arg(run_status).current_dir(self.place.path()).stdin(Stdio::null());
        for variable in ["FAIL_ABOVE", "ACROSS_MACHINES"] {
            script.env_remove(variable);
        }
        for (variable, value) in [
            ("MUXBENCH", env!("CARGO_BIN_EXE_muxbench")),
            ("BASELINES", "baselines"),
            ("UPDATE_BASELINE", "true"),
            ("ACCEPT", if self.accept { "true" } else { "false" }),
            ("GITHUB_STEP_SUMMARY", "step-summary"),
            ("GITHUB_OUTPUT", "outputs"),
        ] {
            script.env(variable, value);
        }
        let output = script.output().expect("bash is there");
        let summary = fs::read_to_string(out.join("summary.md"));
        (output.status.code(), summary.unwrap_or_else(|_| stderr(&output)))
    }

    /// The factor by which "poll" is slower in a baseline.
    fn factor_of(&self, baseline: &str) -> f64 {
        let kinds = fs::read_dir(self.place.path().join("baselines")).expect("kept");
        let kinds: Vec<PathBuf> = kinds.flatten().map(|entry| entry.path()).collect();
        assert_eq!(kinds.len(), 1, "one kind of machine");
        let (kept, _) = read::campaign(&kinds[0].join(baseline)).expect("kept");
        kept.command.parse().expect("a factor")
    }
}

#[test]
fn a_service_that_becomes_nine_percent_slower_with_each_run_fails_by_the_third() {
    let place = Place::new();
    let publish = Publish { place: &place, accept: false };
    let (status, summary) = publish.run(&slowed(1.0), "0");
    assert_eq!(status, Some(0), "{summary}");
    assert!(summary.contains("No baseline yet"), "{summary}");
    let mut failed_at = None;
    for number in 1..=3 {
        let (status, summary) = publish.run(&slowed(1.09f64.powi(number)), "0");
        assert!(matches!(status, Some(0 | 3)), "{number}: {summary}");
        let fixed = publish.factor_of("fixed.json");
        assert!((fixed - 1.0).abs() < 1e-9, "{number}: the fixed baseline stays: {fixed}");
        if status == Some(3) {
            // The last run that passed sees nothing of it.
            let [last, fixed] = ["## Against the last run", "## Against the fixed"]
                .map(|heading| summary.split(heading).nth(1).and_then(|part| part.split("##").next()));
            assert!(last.is_some_and(|part| part.contains("**none of ")), "{summary}");
            assert!(
                fixed.is_some_and(|part| part.contains("are surely worse by more than 10%")),
                "{summary}"
            );
            failed_at = Some(number);
            break;
        }
        assert!((publish.factor_of("last.json") - 1.09f64.powi(number)).abs() < 1e-6, "the last one moves");
    }
    let failed_at = failed_at.expect("it fails");
    println!("failed at run {failed_at}");
    let before = publish.factor_of("last.json");
    assert!(before < 1.09f64.powi(failed_at) - 0.01, "what fails is not kept");

    // Whoever says that this is how it shall be has it kept, as both.
    let accepting = Publish { place: &place, accept: true };
    let (status, summary) = accepting.run(&slowed(1.5), "4");
    assert_eq!(status, Some(4), "an invalid campaign is not accepted: {summary}");
    assert!((publish.factor_of("last.json") - before).abs() < 1e-9);
    let (status, summary) = accepting.run(&slowed(1.5), "0");
    assert_eq!(status, Some(0), "{summary}");
    for baseline in ["last.json", "fixed.json"] {
        assert!((publish.factor_of(baseline) - 1.5).abs() < 1e-6, "{baseline}");
    }
}

#[test]
fn neither_baseline_is_replaced_by_a_run_that_is_invalid_or_measured_less() {
    let place = Place::new();
    let publish = Publish { place: &place, accept: false };
    assert_eq!(publish.run(&slowed(1.0), "4").0, Some(4));
    assert!(!place.path().join("baselines").exists(), "an invalid campaign begins no baseline");
    assert_eq!(publish.run(&slowed(1.0), "0").0, Some(0));
    let mut less = slowed(0.5);
    leave_out(&mut less, "io-uring", "io_uring is refused here (EPERM)");
    let (status, summary) = publish.run(&less, "0");
    assert_eq!(status, Some(4), "{summary}");
    assert!(summary.contains("missing: io-uring"), "{summary}");
    assert_eq!(publish.run(&slowed(0.5), "4").0, Some(4));
    for baseline in ["last.json", "fixed.json"] {
        assert!((publish.factor_of(baseline) - 1.0).abs() < 1e-9, "{baseline}");
    }
    let (status, _) = publish.run(&slowed(0.5), "0");
    assert_eq!(status, Some(0));
    assert!((publish.factor_of("last.json") - 0.5).abs() < 1e-6);
    assert!((publish.factor_of("fixed.json") - 1.0).abs() < 1e-9);
}
