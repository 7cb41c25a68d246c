//! `muxbench compare` and baselines, on a part of the reference campaign and on copies of it that were changed on purpose.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::LazyLock;

use report::campaign;
use report::schema::{Campaign, Cell, Compared, ComparedVerdict, Comparison, ResultFile};
use support::muxbench;

/// The first points of the reference campaign: as much as the tests need, and soon read.
static REFERENCE: LazyLock<Campaign> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/results/reference/campaign.json");
    let mut campaign = campaign::read(Path::new(path)).expect("the reference campaign");
    campaign.plan.points.truncate(2);
    let points = campaign.plan.points.clone();
    campaign.cells.retain(|cell| points.contains(&cell.point));
    campaign
});

/// The campaign that others are compared with, in the folder of its copies.
const BASE: &str = "base";

/// A folder with copies of the reference campaign.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place.copy(BASE, |_| {});
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A copy of the reference campaign in a folder of its own.
    fn copy(&self, name: &str, change: impl Fn(&mut Campaign)) -> PathBuf {
        let mut campaign = REFERENCE.clone();
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
    assert!(comparison.told_apart().is_some_and(|told_apart| told_apart.cases > 10));
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

#[test]
fn a_server_that_no_longer_works_does_not_pass() {
    let place = Place::new();
    let broken = place.copy("broken", |campaign| campaign.cells.retain(|cell| cell.mechanism != "poll"));
    let output = place.muxbench(&["compare", BASE, &broken.to_string_lossy(), "--fail-above", "10%"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stdout(&output).contains("NEW has no valid cell where BASE has some: poll at "),
        "{}",
        stdout(&output)
    );
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
    let place = Place::new();
    fs::write(place.path().join("short.toml"), SCENARIO).expect("written");
    let run =
        |arguments: &[&str]| place.muxbench(&[&["run", "--no-doctor", "short.toml"], arguments].concat());
    let first = run(&["--out", "first", "--save-baseline", "main"]);
    // On a busy machine cells are invalid, which is what status 4 says.
    assert!(matches!(first.status.code(), Some(0 | 4)), "{}", stderr(&first));
    let kept = place.path().join("results/baselines/main/short.json");
    assert_eq!(
        fs::read(&kept).expect("kept"),
        fs::read(place.path().join("first/campaign.json")).expect("measured")
    );

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

    // A baseline that nothing can be as good as.
    let mut best = campaign::read(&kept).expect("kept");
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
