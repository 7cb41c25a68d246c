//! Two campaigns, compared.

use std::fs;
use std::process::Output;

use model::schema::{Compared, ComparedVerdict, Comparison, ResultFile};
use trials::test;

use super::place::{BASE, Place, SCENARIO, leave_out, slowed, stdout};
use crate::support::stderr;

fn comparison(output: &Output) -> Comparison {
    match serde_json::from_slice(&output.stdout) {
        Ok(ResultFile::Comparison(comparison)) => comparison,
        other => panic!("{other:?}: {}", stderr(output)),
    }
}

#[test]
fn a_campaign_equals_itself_in_every_figure() {
    let place = Place::new();
    place.copy("copy", |_| {});
    let output = place.muxbench(&["compare", BASE, "copy", "--fail-above", "0%", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let comparison = comparison(&output);
    assert!(comparison.comparisons.len() > 20 && comparison.warnings.is_empty(), "{:?}", comparison.warnings);
    for one in &comparison.comparisons {
        let different = matches!(one.verdict, ComparedVerdict::Better | ComparedVerdict::Worse);
        assert!(!different && one.ratio.is_some_and(|ratio| (ratio.value - 1.0).abs() < 1e-9), "{one:?}");
    }
}

#[test]
fn a_slowed_candidate_is_worse_and_fails_the_gate_with_3() {
    let place = Place::new();
    place.keep("slowed", &slowed(1.3));
    let output = place.muxbench(&["compare", BASE, "slowed", "--fail-above", "10%", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let comparison = comparison(&output);
    let failing: Vec<&Compared> = comparison.comparisons.iter().filter(|one| one.fails).collect();
    assert_eq!(failing.len(), 6, "three figures at two points");
    assert!(failing.iter().all(|one| one.candidate == "poll" && one.verdict == ComparedVerdict::Worse));
    let text = place.muxbench(&["compare", BASE, "slowed", "--fail-above", "10%"]);
    assert_eq!(text.status.code(), Some(3));
    assert!(stdout(&text).trim_end().ends_with("are surely worse by more than 10%"), "{}", stdout(&text));
    assert!(stdout(&text).contains("epoll-lt (reference, drift not cancelled)"), "{}", stdout(&text));
    let informed = place.muxbench(&["compare", BASE, "slowed", "--markdown"]);
    assert_eq!(informed.status.code(), Some(0), "nothing fails unless asked");
    assert!(stdout(&informed).contains("| poll |") && stdout(&informed).contains("<details>"));
    let turned = place.muxbench(&["compare", "slowed", BASE, "--fail-above", "10%"]);
    assert_eq!(turned.status.code(), Some(0), "{}", stdout(&turned));
    let allowed = place.muxbench(&["compare", BASE, "slowed", "--fail-above", "50%"]);
    assert_eq!(allowed.status.code(), Some(0), "{}", stdout(&allowed));
}

#[test]
fn what_must_not_be_compared_is_refused_with_a_line_each_and_2() {
    let place = Place::new();
    place.copy("elsewhere", |campaign| {
        campaign.environment.kernel = "5.11.0".to_owned();
        campaign.environment.processor = "another".to_owned();
    });
    place.copy("debug", |campaign| campaign.environment.profile = "debug".to_owned());
    let refused = place.muxbench(&["compare", BASE, "elsewhere"]);
    assert_eq!(refused.status.code(), Some(2));
    let lines: Vec<String> = stderr(&refused).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with("muxbench: other ") && line.contains("--across-machines"))
    );
    let allowed = place.muxbench(&["compare", BASE, "elsewhere", "--across-machines"]);
    assert_eq!(allowed.status.code(), Some(0));
    assert!(stdout(&allowed).contains("warning: other kernel: BASE "), "{}", stdout(&allowed));
    let build = place.muxbench(&["compare", BASE, "debug", "--across-machines"]);
    assert_eq!(build.status.code(), Some(2));
    for (arguments, expected) in [
        (&["compare", BASE][..], "compare takes BASE and NEW, or --baseline NAME and NEW"),
        (&["compare", BASE, BASE, "--baseline", "x"], "with --baseline NAME there is only NEW"),
        (&["compare", BASE, BASE, "--fail-above", "0.1"], "'0.1' is not a percentage: write 10%"),
        (&["compare", "--baseline", "main", BASE], "no baseline 'main' of scenario"),
        (&["compare", "--baseline", "../x", BASE], "a baseline's name"),
        (
            &["run", "--no-doctor", "short.toml", "--baseline", "main"],
            "there is none yet; `muxbench run --save-baseline main` makes one",
        ),
        (
            &["run", "--no-doctor", "short.toml", "--fail-above", "10%"],
            "--fail-above goes with --against or --baseline NAME",
        ),
    ] {
        fs::write(place.path().join("short.toml"), SCENARIO).expect("written");
        let output = place.muxbench(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
    let missing = place.muxbench(&["compare", BASE, "nowhere"]);
    assert_eq!((missing.status.code(), stderr(&missing).lines().count()), (Some(1), 1));
    assert!(!place.path().join("results").exists(), "what is refused leaves nothing behind");
}

#[test]
fn a_campaign_that_measured_less_does_not_pass_and_says_what_and_why() {
    let place = Place::new();
    place.copy("less", |campaign| leave_out(campaign, "io-uring", "io_uring is refused here (EPERM)"));
    let output = place.muxbench(&["compare", BASE, "less", "--fail-above", "900%"]);
    assert_eq!(output.status.code(), Some(4), "{}", stdout(&output));
    let told = "missing: io-uring, at 10 × 10 (idle-scaling), 100 × 10 (idle-scaling): left out: io_uring is refused here (EPERM)";
    assert!(stdout(&output).lines().any(|line| line == told), "{}", stdout(&output));
    let last = stdout(&output).lines().last().expect("lines").to_owned();
    assert!(last.ends_with("NEW measured less than BASE: it lacks io-uring at 2 points"), "{last}");
    let json = place.muxbench(&["compare", BASE, "less", "--fail-above", "900%", "--json"]);
    assert_eq!((json.status.code(), comparison(&json).missing.len()), (Some(4), 2));
    let turned = place.muxbench(&["compare", "less", BASE, "--fail-above", "900%"]);
    assert_eq!(turned.status.code(), Some(0), "measuring more is fine: {}", stdout(&turned));
    assert!(
        stdout(&turned).contains("io-uring at 10 × 10 (idle-scaling): only in NEW"),
        "{}",
        stdout(&turned)
    );
}
