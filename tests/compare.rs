//! `muxbench compare` and baselines, on a part of the reference campaign and on copies of it that were changed on purpose.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use model::read;
use model::schema::{Campaign, Cell, CellStatus, Compared, ComparedVerdict, Comparison, Exclude, ResultFile};
use support::muxbench;

/// The first points of the reference campaign: as much as the tests need, and soon read.
static REFERENCE: LazyLock<Campaign> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/results/reference/campaign.json");
    let mut campaign = read::campaign(Path::new(path)).expect("the reference campaign");
    campaign.plan.points.truncate(2);
    let points = campaign.plan.points.clone();
    campaign.cells.retain(|cell| points.contains(&cell.point));
    campaign
});

/// Three of its contenders in some of its repeats, for tests that compare it many times.
static SMALL: LazyLock<Campaign> = LazyLock::new(|| {
    const REPEATS: u32 = 6;
    let kept = ["poll", "epoll-lt", "io-uring"];
    let mut campaign = REFERENCE.clone();
    campaign.plan.scenario.mechanisms.retain(|name| kept.contains(&name.as_str()));
    campaign.plan.scenario.control = None;
    campaign.cells.retain(|cell| kept.contains(&cell.mechanism.as_str()) && cell.repeat < REPEATS);
    campaign
});

/// The campaign that others are compared with, in the folder of its copies.
const BASE: &str = "base";

/// A folder with copies of a campaign.
struct Place {
    folder: tempfile::TempDir,
    campaign: &'static Campaign,
}

impl Place {
    fn new() -> Self {
        Self::of(&REFERENCE)
    }

    /// A place whose copies are of `campaign`.
    fn of(campaign: &'static Campaign) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder"), campaign };
        place.copy(BASE, |_| {});
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A copy of the campaign in a folder of its own.
    fn copy(&self, name: &str, change: impl Fn(&mut Campaign)) -> PathBuf {
        let mut campaign = self.campaign.clone();
        change(&mut campaign);
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).expect("made");
        let text = serde_json::to_string(&ResultFile::Campaign(campaign)).expect("serialises");
        fs::write(folder.join("campaign.json"), text).expect("written");
        folder
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

/// Makes every figure of `cell` worse by `factor`.
fn slow(cell: &mut Cell, factor: f64) {
    if let Some(response) = cell.latency.as_mut().and_then(|phase| phase.load.response.as_mut()) {
        let slower = |ns: Option<u64>| ns.map(|ns| (ns as f64 * factor) as u64);
        (response.p50_ns, response.p99_ns) = (slower(response.p50_ns), slower(response.p99_ns));
    }
    if let Some(phase) = &mut cell.capacity {
        phase.load.throughput_per_s /= factor;
        phase.usage.server.cpu_s *= factor;
    }
}

fn slow_poll(campaign: &mut Campaign) {
    campaign.cells.iter_mut().filter(|cell| cell.mechanism == "poll").for_each(|cell| slow(cell, 20.0));
}

#[test]
fn a_campaign_ties_with_itself_in_every_figure_that_can_be_compared() {
    let place = Place::new();
    let copy = place.copy("copy", |_| {});
    let output = place.muxbench(&["compare", BASE, &copy.to_string_lossy(), "--fail-above", "0%", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let comparison = comparison(&output);
    assert!(comparison.totals.iter().all(|total| total.better + total.worse == 0), "{:?}", comparison.totals);
    assert!(report::compare::told_apart(&comparison).is_some_and(|told_apart| told_apart.cases > 10));
    assert!(comparison.warnings.is_empty(), "{:?}", comparison.warnings);
}

#[test]
fn a_slowed_contender_is_worse_and_fails_the_gate_with_3() {
    let place = Place::new();
    let slowed = place.copy("slowed", slow_poll);
    let slowed = slowed.to_string_lossy();
    let output = place.muxbench(&["compare", BASE, &slowed, "--fail-above", "10%", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let comparison = comparison(&output);
    let failing: Vec<&Compared> = comparison.comparisons.iter().filter(|one| one.fails).collect();
    assert!(!failing.is_empty());
    assert!(failing.iter().all(|one| one.contender == "poll" && one.verdict == ComparedVerdict::Worse));
    let text = place.muxbench(&["compare", BASE, &slowed, "--fail-above", "10%"]);
    assert_eq!(text.status.code(), Some(3));
    assert!(stdout(&text).trim_end().ends_with("are worse by more than 10%"), "{}", stdout(&text));
    let informed = place.muxbench(&["compare", BASE, &slowed, "--markdown"]);
    assert_eq!(informed.status.code(), Some(0), "nothing fails unless asked");
    assert!(stdout(&informed).contains("| poll |") && stdout(&informed).contains("<details>"));
    let turned = place.muxbench(&["compare", &slowed, BASE, "--fail-above", "10%"]);
    assert_eq!(turned.status.code(), Some(0), "{}", stdout(&turned));
}

#[test]
fn what_the_machine_does_to_all_cancels_out_relative_to_one_of_them() {
    let place = Place::new();
    let slowed = place.copy("slowed", |campaign| campaign.cells.iter_mut().for_each(|cell| slow(cell, 3.0)));
    let slowed = slowed.to_string_lossy();
    let plain = place.muxbench(&["compare", BASE, &slowed, "--fail-above", "10%"]);
    assert_eq!(plain.status.code(), Some(3));
    assert!(stdout(&plain).contains("rather the machine changed"), "{}", stdout(&plain));
    let relative =
        place.muxbench(&["compare", BASE, &slowed, "--fail-above", "10%", "--relative-to", "epoll-lt"]);
    assert_eq!(relative.status.code(), Some(0), "{}", stdout(&relative));
}

#[test]
fn what_must_not_be_compared_is_refused_with_a_line_each_and_2() {
    let place = Place::new();
    let elsewhere = place.copy("elsewhere", |campaign| {
        campaign.environment.kernel = "5.11.0".to_owned();
        campaign.environment.processor = "another".to_owned();
    });
    let debug = place.copy("debug", |campaign| campaign.environment.profile = "debug".to_owned());
    let (elsewhere, debug) = (elsewhere.to_string_lossy(), debug.to_string_lossy());
    let refused = place.muxbench(&["compare", BASE, &elsewhere]);
    assert_eq!(refused.status.code(), Some(2));
    let lines: Vec<String> = stderr(&refused).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with("muxbench: other ") && line.contains("--across-machines"))
    );
    let allowed = place.muxbench(&["compare", BASE, &elsewhere, "--across-machines"]);
    assert_eq!(allowed.status.code(), Some(0));
    assert!(stdout(&allowed).contains("warning: other kernel: BASE "), "{}", stdout(&allowed));
    let build = place.muxbench(&["compare", BASE, &debug, "--across-machines"]);
    assert_eq!(build.status.code(), Some(2));
    for (arguments, expected) in [
        (&["compare", BASE][..], "compare takes BASE and NEW, or --baseline NAME and NEW"),
        (&["compare", BASE, BASE, "--baseline", "x"], "with --baseline NAME there is only NEW"),
        (&["compare", BASE, BASE, "--fail-above", "0.1"], "'0.1' is not a percentage: write 10%"),
        (&["compare", BASE, BASE, "--relative-to", "kqueue"], "not a contender of both campaigns"),
        (&["compare", "--baseline", "main", BASE], "no baseline 'main' of scenario"),
        (&["compare", "--baseline", "../x", BASE], "a baseline's name"),
        (&["run", "--baseline", "main"], "there is none yet; `muxbench run --save-baseline main` makes one"),
        (&["run", "--fail-above", "10%"], "--fail-above and --relative-to go with --baseline NAME"),
    ] {
        let output = place.muxbench(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
    let missing = place.muxbench(&["compare", BASE, "nowhere"]);
    assert_eq!((missing.status.code(), stderr(&missing).lines().count()), (Some(1), 1));
    assert!(!place.path().join("results").exists(), "what is refused leaves nothing behind");
}

/// Takes `contender` out of a campaign, as a kernel or a build does that lacks what it needs.
fn leave_out(campaign: &mut Campaign, contender: &str, reason: &str) {
    campaign.plan.scenario.mechanisms.retain(|name| name != contender);
    campaign.cells.retain(|cell| cell.mechanism != contender);
    campaign.plan.scenario.excludes.push(Exclude {
        mechanism: contender.to_owned(),
        reason: reason.to_owned(),
        ..Exclude::default()
    });
}

#[test]
fn a_campaign_that_measured_less_does_not_pass_whatever_the_reason() {
    type Change = fn(&mut Campaign);
    let changes: [(&str, Change, &str); 6] = [
        (
            "refused",
            |campaign| leave_out(campaign, "io-uring", "io_uring is refused here (EPERM)"),
            "missing in NEW: io-uring, at 10 × 10 (idle-scaling), 100 × 10 (idle-scaling): left out: io_uring is refused here (EPERM)",
        ),
        (
            "chosen",
            |campaign| {
                campaign.plan.scenario.mechanisms.retain(|name| name != "poll");
                campaign.cells.retain(|cell| cell.mechanism != "poll");
            },
            "missing in NEW: poll, at 10 × 10 (idle-scaling), 100 × 10 (idle-scaling): NEW was not asked to measure it",
        ),
        (
            "point",
            |campaign| {
                let gone = campaign.plan.points.pop().expect("two points");
                campaign.cells.retain(|cell| cell.point != gone);
            },
            "missing in NEW: poll, at 100 × 10 (idle-scaling): NEW does not measure at such a point",
        ),
        (
            "invalid",
            |campaign| {
                for cell in campaign.cells.iter_mut().filter(|cell| cell.mechanism == "poll") {
                    cell.status = CellStatus::Invalid;
                    cell.reasons = vec!["the generator stood still".to_owned()];
                }
            },
            "is valid: the generator stood still",
        ),
        (
            "figure",
            |campaign| {
                let phases = campaign.cells.iter_mut().filter(|cell| cell.mechanism == "poll");
                phases.filter_map(|cell| cell.latency.as_mut()?.load.response.as_mut()).for_each(
                    |response| {
                        response.p99_ns = None;
                    },
                );
            },
            "missing in NEW: poll, response p99, at 10 × 10 (idle-scaling), 100 × 10 (idle-scaling): no valid repeat has it",
        ),
        (
            "interrupted",
            |campaign| {
                campaign.complete = false;
                campaign.cells.retain(|cell| cell.mechanism != "poll");
            },
            "missing in NEW: poll, at 10 × 10 (idle-scaling), 100 × 10 (idle-scaling): NEW was interrupted before it",
        ),
    ];
    let place = Place::of(&SMALL);
    for (name, change, told) in changes {
        let less = place.copy(name, change);
        let less = less.to_string_lossy();
        let output = place.muxbench(&["compare", BASE, &less, "--fail-above", "900%"]);
        assert_eq!(output.status.code(), Some(4), "{name}: {}", stdout(&output));
        assert!(stdout(&output).lines().any(|line| line.contains(told)), "{name}: {}", stdout(&output));
        let last = stdout(&output).lines().last().expect("lines").to_owned();
        assert!(last.contains("NEW measured less than BASE: it lacks "), "{name}: {last}");
        let json = place.muxbench(&["compare", BASE, &less, "--fail-above", "900%", "--json"]);
        assert_eq!(json.status.code(), Some(4), "{name}");
        assert!(!comparison(&json).missing.is_empty(), "{name}");
        let turned = place.muxbench(&["compare", &less, BASE, "--fail-above", "900%"]);
        assert_eq!(turned.status.code(), Some(0), "{name}: measuring more is fine: {}", stdout(&turned));
    }
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
        for variable in ["FAIL_ABOVE", "RELATIVE_TO", "ACROSS_MACHINES"] {
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

    /// The factor by which a baseline is slower than the small campaign, by the processor time of its cells.
    fn factor_of(&self, baseline: &str) -> f64 {
        let kinds = fs::read_dir(self.place.path().join("baselines")).expect("kept");
        let kinds: Vec<PathBuf> = kinds.flatten().map(|entry| entry.path()).collect();
        assert_eq!(kinds.len(), 1, "one kind of machine");
        let kept = read::campaign(&kinds[0].join(baseline)).expect("kept");
        let cpu_s = |campaign: &Campaign| {
            let phases = campaign.cells.iter().filter_map(|cell| cell.capacity.as_ref());
            phases.map(|phase| phase.usage.server.cpu_s).sum::<f64>()
        };
        cpu_s(&kept) / cpu_s(&SMALL)
    }
}

/// The small campaign, everything in it slower by `factor`.
fn slowed(factor: f64) -> Campaign {
    let mut campaign = SMALL.clone();
    campaign.cells.iter_mut().for_each(|cell| slow(cell, factor));
    campaign
}

#[test]
fn a_service_that_becomes_nine_percent_slower_with_each_run_fails_by_the_third() {
    let place = Place::of(&SMALL);
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
            assert!(fixed.is_some_and(|part| part.contains("are worse by more than 10%")), "{summary}");
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
    let place = Place::of(&SMALL);
    let publish = Publish { place: &place, accept: false };
    assert_eq!(publish.run(&slowed(1.0), "4").0, Some(4));
    assert!(!place.path().join("baselines").exists(), "an invalid campaign begins no baseline");
    assert_eq!(publish.run(&slowed(1.0), "0").0, Some(0));
    let mut less = slowed(0.5);
    leave_out(&mut less, "io-uring", "io_uring is refused here (EPERM)");
    let (status, summary) = publish.run(&less, "0");
    assert_eq!(status, Some(4), "{summary}");
    assert!(summary.contains("missing in NEW: io-uring"), "{summary}");
    assert_eq!(publish.run(&slowed(0.5), "4").0, Some(4));
    for baseline in ["last.json", "fixed.json"] {
        assert!((publish.factor_of(baseline) - 1.0).abs() < 1e-9, "{baseline}");
    }
    let (status, _) = publish.run(&slowed(0.5), "0");
    assert_eq!(status, Some(0));
    assert!((publish.factor_of("last.json") - 0.5).abs() < 1e-6);
    assert!((publish.factor_of("fixed.json") - 1.0).abs() < 1e-9);
}

#[test]
fn a_campaign_that_is_not_valid_leaves_the_earlier_baseline_as_it_is_and_says_so() {
    const SCENARIO: &str = r#"
name = "dead"
analysis = "Is a server that dies kept as a baseline?"
mechanisms = []
repeats = 1
load = { size_bytes = 64, rate_per_s = 1000, protocol = "echo" }
timing = { warmup_s = 0.0, capacity_s = 0.1, latency_s = 0.1 }
[[server]]
name = "dead"
command = ["false", "{port}"]
[[sweep]]
name = "idle-scaling"
connections = ["10"]
active = "10"
"#;
    let place = Place::of(&SMALL);
    fs::write(place.path().join("dead.toml"), SCENARIO).expect("written");
    let run = |out: &str| {
        place.muxbench(&["run", "--no-doctor", "dead.toml", "--out", out, "--save-baseline", "main"])
    };
    let kept = place.path().join("results/baselines/main/dead.json");
    for (out, earlier) in [("first", None), ("second", Some("what was kept before"))] {
        if let Some(earlier) = earlier {
            fs::create_dir_all(kept.parent().expect("a folder")).expect("made");
            fs::write(&kept, earlier).expect("written");
        }
        let output = run(out);
        assert_eq!(output.status.code(), Some(4), "the campaign's own: {}", stderr(&output));
        assert!(
            stderr(&output).contains("not kept as baseline 'main', since the campaign is not valid"),
            "{}",
            stderr(&output)
        );
        assert_eq!(fs::read_to_string(&kept).ok().as_deref(), earlier);
    }
}

/// A campaign that is interrupted as soon as it has begun.
#[cfg(feature = "poll")]
#[test]
fn a_campaign_that_is_interrupted_leaves_the_earlier_baseline_as_it_is_and_says_so() {
    use std::io::{BufRead, BufReader};
    let place = Place::of(&SMALL);
    let kept = place.path().join("results/baselines/main/many-idle-few-active.json");
    fs::create_dir_all(kept.parent().expect("a folder")).expect("made");
    fs::write(&kept, "what was kept before").expect("written");
    let mut command = muxbench();
    command.args(["run", "--no-doctor", "--quick", "--mechanisms", "poll", "--save-baseline", "main"]);
    command.current_dir(place.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("muxbench starts");
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    // Said when everything is planned, and before the first cell.
    let begun = said.by_ref().find(|line| line.starts_with("muxbench: many-idle-few-active: "));
    assert!(begun.is_some(), "it begins");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    let rest: Vec<String> = said.collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{rest:?}");
    assert!(
        rest.iter().any(|line| line.contains("not kept as baseline 'main', since it was interrupted")),
        "{rest:?}"
    );
    assert_eq!(fs::read_to_string(&kept).expect("kept"), "what was kept before");
}

/// A campaign of two contenders that takes seconds; what it measures is of no interest here.
#[cfg(all(feature = "poll", feature = "epoll-lt"))]
#[test]
fn a_run_is_kept_as_a_baseline_and_another_is_compared_with_it_at_its_end() {
    const SCENARIO: &str = r#"
name = "short"
analysis = "Is it kept, and compared?"
mechanisms = ["poll", "epoll-lt"]
repeats = 3
load = { size_bytes = 64, rate_per_s = 1000, protocol = "ack" }
timing = { warmup_s = 0.0, capacity_s = 0.1, latency_s = 0.1 }
[[sweep]]
name = "idle-scaling"
connections = ["10"]
active = "10"
"#;
    let place = Place::of(&SMALL);
    fs::write(place.path().join("short.toml"), SCENARIO).expect("written");
    let run =
        |arguments: &[&str]| place.muxbench(&[&["run", "--no-doctor", "short.toml"], arguments].concat());
    let first = run(&["--out", "first", "--save-baseline", "main"]);
    let measured = place.path().join("first/campaign.json");
    let kept = place.path().join("results/baselines/main/short.json");
    match first.status.code() {
        Some(0) => {}
        // On a busy machine cells are invalid, and then nothing is kept by itself.
        Some(4) => {
            assert!(!kept.exists() && stderr(&first).contains("not kept"), "{}", stderr(&first));
            fs::create_dir_all(kept.parent().expect("a folder")).expect("made");
            fs::copy(&measured, &kept).expect("copied");
        }
        other => panic!("{other:?}: {}", stderr(&first)),
    }
    assert_eq!(fs::read(&kept).expect("kept"), fs::read(&measured).expect("measured"));

    let unknown = place.muxbench(&["compare", "--baseline", "maim", "first"]);
    assert!(
        stderr(&unknown)
            .contains("no baseline 'maim' of scenario short in results/baselines; there are main")
    );

    // However noisy it was, no figure is ten times worse; whether there are valid cells enough the machine decides.
    let second = run(&["--out", "second", "--baseline", "main", "--fail-above", "900%"]);
    assert!(matches!(second.status.code(), Some(0 | 4)), "{}", stderr(&second));
    let said = stdout(&second);
    assert!(
        said.contains("BASE short of ") && said.contains("(results/baselines/main/short.json)"),
        "{said}"
    );

    // Less than what the baseline has is told before anything is measured, and does not pass.
    let mut sound = read::campaign(&kept).expect("kept");
    sound.cells.iter_mut().for_each(|cell| cell.status = CellStatus::Valid);
    let text = serde_json::to_string(&ResultFile::Campaign(sound)).expect("serialises");
    fs::write(&kept, &text).expect("written");
    let less = run(&["--out", "less", "--baseline", "main", "--fail-above", "900%", "--mechanisms", "poll"]);
    assert_eq!(less.status.code(), Some(4), "{}", stderr(&less));
    let told = "muxbench: baseline 'main': missing in NEW: epoll-lt, at 10 × 10 (idle-scaling): NEW was not asked to measure it: this run will end with 4";
    assert!(stderr(&less).contains(told), "{}", stderr(&less));

    // A baseline that nothing can be as good as.
    let mut best = read::campaign(&kept).expect("kept");
    best.cells.iter_mut().for_each(|cell| slow(cell, 1e-3));
    let text = serde_json::to_string(&ResultFile::Campaign(best)).expect("serialises");
    fs::write(&kept, &text).expect("written");
    let compared = place.muxbench(&["compare", "--baseline", "main", "second", "--fail-above", "10%"]);
    assert!(matches!(compared.status.code(), Some(3 | 4)), "{}", stdout(&compared));
    let third = run(&["--out", "third", "--baseline", "main", "--save-baseline", "main"]);
    assert!(matches!(third.status.code(), Some(3 | 4)), "{}", stderr(&third));
    assert!(stderr(&third).contains("not kept as baseline 'main'"), "{}", stderr(&third));
    assert_eq!(
        fs::read_to_string(&kept).expect("kept"),
        text,
        "what fails is not what later runs are held to"
    );
}
