//! Another build, or a server's other command, in the same rounds.

use std::fs;

use trials::test;

use super::place::{Place, SCENARIO, flawed, is_measured};

#[test]
fn another_build_is_measured_in_the_same_rounds_as_the_reference_of_each_candidate() {
    let place = Place::new(SCENARIO);
    let output =
        place.run().arg("--against").arg(env!("CARGO_BIN_EXE_muxbench")).output().expect("muxbench starts");
    is_measured(&output);
    let campaign = place.campaign();
    assert_eq!(campaign.plan.against.as_deref(), Some(env!("CARGO_BIN_EXE_muxbench")));
    for planned in &campaign.plan.points {
        let groups: Vec<Vec<&str>> =
            planned.groups.iter().map(|group| group.iter().map(String::as_str).collect()).collect();
        let group = |name, base, twin| vec![base, name, twin];
        assert_eq!(
            groups,
            [
                group("poll", "poll base", "poll base again"),
                group("epoll-lt", "epoll-lt base", "epoll-lt base again")
            ]
        );
    }
    for start in &campaign.starts {
        assert!(start.candidates.iter().all(|candidate| candidate.failed.is_none()), "{start:?}");
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains("ratios to base"), "{answer}");
}

#[test(needs(Program("gcc")))]
fn a_server_s_other_command_is_measured_against_it() {
    let place = Place::new("");
    let server = flawed(&place, "mine", &["0"]);
    let scenario =
        SCENARIO.replace("[[sweep]]", &format!("{server}[[sweep]]")).replace("\"10\", \"100\"", "\"10\"");
    fs::write(place.0.path().join("short.toml"), scenario).expect("written");
    let slower = format!("{} {{port}} 50000", place.0.path().join("flawed_echo").display());
    let output =
        place.run().args(["--mechanisms", "mine", "--against", &slower]).output().expect("muxbench starts");
    is_measured(&output);
    let campaign = place.campaign();
    let cpu_s = |name: &str| {
        let slices = campaign.rounds.iter().flat_map(|round| &round.slices);
        let of_it = slices.filter(|slice| slice.candidate == name);
        let (cpu_s, answered) = of_it.fold((0.0, 0), |(cpu_s, answered), slice| {
            (cpu_s + slice.server.cpu_s, answered + slice.answered)
        });
        cpu_s / answered as f64
    };
    // 50 µs of each request are burnt by the base alone.
    assert!(cpu_s("mine base") > cpu_s("mine") + 25e-6, "{} {}", cpu_s("mine base"), cpu_s("mine"));
}
