//! A run that is kept as a baseline or compared with one.

use std::fs;
use std::process::Stdio;

use model::read;
use model::schema::ResultFile;
use trials::test;

use super::place::{Place, SCENARIO, stdout};
use crate::support::{PATIENCE, muxbench, stderr};

#[test]
fn a_campaign_with_a_gap_leaves_the_earlier_baseline_as_it_is_and_says_so() {
    let place = Place::new();
    let dead = "[[server]]\nname = \"dead\"\ncommand = [\"false\", \"{port}\"]\n[[sweep]]";
    fs::write(place.path().join("short.toml"), SCENARIO.replace("[[sweep]]", dead)).expect("written");
    let kept = place.path().join("results/baselines/main/short.json");
    for earlier in [None, Some("what was kept before")] {
        if let Some(earlier) = earlier {
            fs::create_dir_all(kept.parent().expect("a folder")).expect("made");
            fs::write(&kept, earlier).expect("written");
        }
        let out = if earlier.is_some() { "second" } else { "first" };
        let output =
            place.muxbench(&["run", "--no-doctor", "short.toml", "--out", out, "--save-baseline", "main"]);
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("not kept as baseline 'main', since it has gaps"),
            "{}",
            stderr(&output)
        );
        assert_eq!(fs::read_to_string(&kept).ok().as_deref(), earlier);
    }
}

#[test]
fn a_campaign_that_is_interrupted_leaves_the_earlier_baseline_as_it_is_and_says_so() {
    let place = Place::new();
    fs::write(place.path().join("short.toml"), SCENARIO.replace("point_s = 0.6", "point_s = 600"))
        .expect("written");
    let kept = place.path().join("results/baselines/main/short.json");
    fs::create_dir_all(kept.parent().expect("a folder")).expect("made");
    fs::write(&kept, "what was kept before").expect("written");
    let mut command = muxbench();
    command.args(["run", "--no-doctor", "short.toml", "--out", "out", "--save-baseline", "main"]);
    command.current_dir(place.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("muxbench starts");
    // Signals are its own once there is a journal.
    let deadline = std::time::Instant::now() + *PATIENCE;
    while !place.path().join("out/journal.jsonl").exists() {
        assert!(std::time::Instant::now() < deadline, "it begins");
        std::thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let told = "not kept as baseline 'main', since it was interrupted";
    assert!(stderr(&output).contains(told), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&kept).expect("kept"), "what was kept before");
}

#[test]
fn a_run_is_kept_as_a_baseline_and_another_is_compared_with_it_at_its_end() {
    let place = Place::new();
    fs::write(place.path().join("short.toml"), SCENARIO).expect("written");
    let run =
        |arguments: &[&str]| place.muxbench(&[&["run", "--no-doctor", "short.toml"], arguments].concat());
    let first = run(&["--out", "first", "--save-baseline", "main"]);
    let measured = place.path().join("first/campaign.json");
    let kept = place.path().join("results/baselines/main/short.json");
    match first.status.code() {
        Some(0) => {}
        // On a busy machine no round may count, and then nothing is kept by itself.
        Some(4) => {
            assert!(!kept.exists() && stderr(&first).contains("not kept"), "{}", stderr(&first));
            fs::create_dir_all(kept.parent().expect("a folder")).expect("made");
            fs::copy(&measured, &kept).expect("copied");
        }
        other => panic!("{other:?}: {}", stderr(&first)),
    }
    assert_eq!(fs::read(&kept).expect("kept"), fs::read(&measured).expect("measured"));
    let unknown = place.muxbench(&["compare", "--baseline", "maim", "first"]);
    let advice = "no baseline 'maim' of scenario short in results/baselines; there are main";
    assert!(stderr(&unknown).contains(advice), "{}", stderr(&unknown));

    // However noisy it was, no figure is ten times worse; a candidate may be saturated now and then, or no round of it count.
    let second = run(&["--out", "second", "--baseline", "main", "--fail-above", "900%"]);
    assert!(matches!(second.status.code(), Some(0 | 3 | 4)), "{}", stderr(&second));
    let said = stdout(&second);
    assert!(
        said.contains("BASE short of ") && said.contains("(results/baselines/main/short.json)"),
        "{said}"
    );

    // Less than what the baseline has is told before anything is measured, and does not pass.
    let server = "[[server]]\nname = \"mine\"\ncommand = [\"python3\", \"{port}\"]\n[[sweep]]";
    fs::write(
        place.path().join("short.toml"),
        SCENARIO.replace("[[sweep]]", server).replace("\"poll\", ", ""),
    )
    .expect("written");
    let less = run(&["--out", "less", "--baseline", "main", "--fail-above", "900%"]);
    let told = "muxbench: baseline 'main': missing: poll, at 10 × 10 (idle-scaling): NEW was not asked to measure it: this run will end with 4";
    assert!(stderr(&less).contains(told) || first.status.code() == Some(4), "{}", stderr(&less));
    assert!(matches!(less.status.code(), Some(3 | 4)), "{}", stderr(&less));

    // A baseline that nothing can be as good as.
    fs::write(place.path().join("short.toml"), SCENARIO).expect("written");
    let (mut best, _) = read::campaign(&kept).expect("kept");
    for slice in
        best.rounds.iter_mut().flat_map(|round| &mut round.slices).filter(|one| one.candidate == "poll")
    {
        slice.server.cpu_s *= 1e-3;
    }
    let text = serde_json::to_string(&ResultFile::Campaign(best)).expect("serialises");
    fs::write(&kept, &text).expect("written");
    let third = run(&["--out", "third", "--baseline", "main", "--save-baseline", "main"]);
    assert!(matches!(third.status.code(), Some(3 | 4)), "{}", stderr(&third));
    assert!(stderr(&third).contains("not kept as baseline 'main'"), "{}", stderr(&third));
    assert_eq!(
        fs::read_to_string(&kept).expect("kept"),
        text,
        "what fails is not what later runs are held to"
    );
}
