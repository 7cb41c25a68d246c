//! Several scenarios, and the list of them.

use trials::test;

use super::place::{Place, SCENARIO, campaign_in, is_measured};
use crate::support::{muxbench, stderr};

#[test]
fn several_scenarios_are_measured_one_after_the_other_into_folders_of_their_own() {
    let place = Place::new(SCENARIO);
    let second = place.also("second", SCENARIO);
    let output = place.run().arg(&second).output().expect("muxbench starts");
    is_measured(&output);
    assert!(stderr(&output).contains("2 scenarios, about"), "{}", stderr(&output));
    for name in ["short", "second"] {
        let campaign = campaign_in(&place.out().join(name));
        assert!(campaign.complete && campaign.plan.scenario.name == name);
    }
}

#[test]
fn the_list_of_scenarios_says_what_each_asks_and_how_long_it_takes() {
    let output = muxbench().args(["run", "--list"]).output().expect("muxbench starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in muxbench::experiment::scenario::embedded() {
        assert!(list.contains(name), "{name}: {list}");
    }
    assert!(list.contains(" points") && list.contains(" min") && list.contains("--quick"), "{list}");
}
