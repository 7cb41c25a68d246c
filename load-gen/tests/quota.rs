//! The CPU quota of a control group: the generator lives within it, and says so where it cannot.

use crate::support::quota::ControlGroup;
use crate::support::servers::echo;
use crate::support::{json, load_gen, output_of, reasons, stderr};
use serde_json::Value;
use trials::test;

/// The result of a run inside `group`, against a server outside, and what was said meanwhile.
fn run_in(group: &ControlGroup, arguments: &[&str]) -> (Value, String) {
    let target = echo().to_string();
    let mut all = vec!["--target", &target, "--warmup", "0s", "--timeout", "5s", "--json"];
    all.extend(arguments);
    let output = output_of(group.spawn(&load_gen(&all)));
    (json(&output), stderr(&output))
}

#[test]
fn under_half_a_processor_the_generator_sleeps_and_a_modest_rate_is_valid_or_the_quota_is_named() {
    let group = ControlGroup::or_ignore(0.5, "half");
    let (report, said) = run_in(&group, &["--rate", "1k", "-d", "2s"]);
    assert_eq!(report["settings"]["wait"], "sleep", "{report}");
    assert_eq!(report["cpu_quota"]["processors"], 0.5, "{report}");
    let setting = group.setting.to_str().expect("plain");
    assert_eq!(report["cpu_quota"]["setting"], setting, "{report}");
    assert!(said.contains(setting) && said.contains("0.5 of"), "preflight names it: {said}");
    assert!(report["valid"] == true || reasons(&report).contains("CPU quota"), "{report}");
}

#[test]
fn a_run_that_its_quota_held_back_is_not_valid_and_nobody_else_is_blamed() {
    let group = ControlGroup::or_ignore(0.05, "little");
    // More than a twentieth of any processor can do, and so told to spin.
    let (report, _) = run_in(&group, &["--rate", "20k", "-d", "1s", "--wait", "spin"]);
    assert_eq!(report["valid"], false, "{report}");
    let reasons = reasons(&report);
    assert!(reasons.contains("CPU quota of 0.05 processors"), "{reasons}");
    // How much of the window is up to the kernel: a throttling that lasts beyond it is not in the account yet.
    assert!(reasons.contains("held the generator, and whatever shares it, back for"), "{reasons}");
    for spends in ["--cpu", "--threads", "spin", "server stalled", "does not keep up"] {
        assert!(!reasons.contains(spends), "{spends}: {reasons}");
    }
}
