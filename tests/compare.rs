//! `muxbench compare` and baselines, on made-up campaigns that were changed on purpose, and gates at the end of a run.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use model::campaign::Campaign;
use model::read;
use model::schema::{Compared, ComparedVerdict, Comparison, Exclude, Point, ResultFile};
use report::rounds::testing::{Behaviour, Shape};
use support::muxbench;
use trials::test;

fn main() -> std::process::ExitCode {
    trials::main()
}

/// The campaign that others are compared with.
static CAMPAIGN: LazyLock<Campaign> = LazyLock::new(|| slowed(1.0));

/// Three candidates beside each other on a calm host, "poll" slower than the others by `factor`, which the command names.
fn slowed(factor: f64) -> Campaign {
    let points = [10, 100].map(|connections| Point::new("idle-scaling", connections, 10));
    let shape = Shape { points: points.into(), ..Shape::of(&["epoll-lt", "poll", "io-uring"]) };
    let mut campaign = shape.campaign(|name, _| {
        let factor = if name == "poll" { factor } else { 1.0 };
        Behaviour { noise: 0.01, ..Behaviour::times(factor, 1.0 / factor, factor) }
    });
    campaign.command = factor.to_string();
    campaign
}

/// The campaign that others are compared with, in the folder of its copies.
const BASE: &str = "base";

/// A folder with copies of the campaign.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place.keep(BASE, &CAMPAIGN);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a campaign into a folder of its own.
    fn keep(&self, name: &str, campaign: &Campaign) {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).expect("made");
        let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone())).expect("serialises");
        fs::write(folder.join("campaign.json"), text).expect("written");
    }

    /// Puts a changed copy of the campaign into a folder of its own.
    fn copy(&self, name: &str, change: impl Fn(&mut Campaign)) {
        let mut campaign = CAMPAIGN.clone();
        change(&mut campaign);
        self.keep(name, &campaign);
    }

    /// Runs muxbench here.
    fn muxbench(&self, arguments: &[&str]) -> Output {
        let mut command = muxbench();
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.output().expect("muxbench starts")
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

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

/// Takes `name` out of a campaign, as a kernel or a build does that lacks what it needs.
fn leave_out(campaign: &mut Campaign, name: &str, reason: &str) {
    let groups = campaign.plan.points.iter_mut().flat_map(|point| &mut point.groups);
    groups.for_each(|group| group.retain(|one| one != name));
    campaign.starts.iter_mut().for_each(|start| start.candidates.retain(|one| one.candidate != name));
    campaign.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != name));
    campaign.plan.scenario.excludes.push(Exclude {
        mechanism: name.to_owned(),
        reason: reason.to_owned(),
        ..Exclude::default()
    });
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

/// Two candidates for a few seconds; what is measured is of no interest here.
const SCENARIO: &str = r#"
name = "short"
analysis = "Is it kept, and compared?"
mechanisms = ["poll", "epoll-lt"]
reference = "epoll-lt"
rounds = { starts = 2, point_s = 0.6, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
load = { size_bytes = 64, protocol = "echo" }
[[sweep]]
name = "idle-scaling"
connections = ["10"]
active = "10"
"#;

#[cfg(all(feature = "poll", feature = "epoll-lt"))]
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

#[cfg(all(feature = "poll", feature = "epoll-lt"))]
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
    let deadline = std::time::Instant::now() + *support::PATIENCE;
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

#[cfg(all(feature = "poll", feature = "epoll-lt"))]
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

/// A server of known flaws beside the same without them.
#[test(needs(Program("gcc")))]
fn a_server_that_became_slower_than_its_base_fails_the_gate_of_the_run_with_a_line_for_each_figure() {
    let place = Place::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/servers/flawed_echo.c");
    let built =
        Command::new("gcc").args(["-O2", "-o", "flawed_echo", source]).current_dir(place.path()).status();
    assert!(built.expect("gcc runs").success());
    let program = place.path().join("flawed_echo").display().to_string();
    let server = format!(
        "[[server]]\nname = \"mine\"\ncommand = [\"{program}\", \"{{port}}\", \"100000\"]\n[[sweep]]"
    );
    fs::write(place.path().join("short.toml"), SCENARIO.replace("[[sweep]]", &server).replace("0.6", "2"))
        .expect("written");
    let base = format!("{program} {{port}} 0");
    let run = |out: &str, bound: &str| {
        let gate = ["--mechanisms", "mine", "--against", &base, "--fail-above", bound];
        place.muxbench(&[&["run", "--no-doctor", "short.toml", "--out", out], &gate[..]].concat())
    };
    // 100 µs of processor time a request are more than it takes otherwise.
    let strict = run("strict", "20%");
    match strict.status.code() {
        Some(3) => {
            let lines: Vec<String> = stderr(&strict).lines().map(str::to_owned).collect();
            let figure = "muxbench: gate: mine at 10 × 10 (idle-scaling): ";
            assert!(lines.iter().any(|line| line.starts_with(figure)), "{lines:?}");
        }
        // On a busy machine no round may count.
        Some(4) => assert!(stderr(&strict).contains("cannot be told"), "{}", stderr(&strict)),
        other => panic!("{other:?}: {}", stderr(&strict)),
    }
}
