//! The committed reference results, their figures, their pages and the README belong together.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use model::read;
use trials::test;

use crate::support::{self, muxbench};

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below `folder` that end in one of `extensions`, relative to it.
fn files(folder: &Path, extensions: &[&str]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten()
    {
        let name = PathBuf::from(entry.file_name());
        if entry.path().is_dir() {
            found.extend(files(&entry.path(), extensions).into_iter().map(|below| name.join(below)));
        } else if name.extension().is_some_and(|kind| extensions.iter().any(|wanted| kind == *wanted)) {
            found.insert(name);
        }
    }
    found
}

/// The results of the reference alone, in a folder that stands to its figures as the committed one does.
fn results_alone(folder: &Path) -> PathBuf {
    let results = folder.join("results/reference");
    let committed = Path::new("results/reference");
    for file in files(committed, &["json", "gz"]) {
        let copy = results.join(&file);
        fs::create_dir_all(copy.parent().expect("a folder")).expect("made");
        fs::copy(committed.join(&file), copy).expect("copied");
    }
    results
}

/// Fails unless `committed` has just the files of `extensions` that `again` has, with the same bytes.
fn assert_same(committed: &Path, again: &Path, extensions: &[&str]) -> usize {
    let names = files(committed, extensions);
    assert_eq!(names, files(again, extensions), "{} is stale: run .ci/reference", committed.display());
    for name in &names {
        let path = committed.join(name);
        assert!(read(&path) == read(again.join(name)), "{} is stale: run .ci/reference", path.display());
    }
    names.len()
}

#[test]
fn the_reference_figures_and_pages_are_made_again_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let results = results_alone(folder.path());
    let output = muxbench().args(["report", "--no-png"]).arg(&results).output().expect("muxbench starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let committed = Path::new("plots/reference");
    let figures = assert_same(committed, &folder.path().join("plots/reference"), &["svg"]);
    assert!(figures >= 4, "{figures} figures");
    for figure in files(committed, &["svg"]) {
        let picture = committed.join(figure).with_extension("png");
        assert!(picture.is_file(), "{} is missing: run .ci/reference", picture.display());
    }
    let pages = assert_same(Path::new("results/reference"), &results, &["md", "html"]);
    assert!(pages >= 2, "{pages} pages");
    assert!(fs::metadata(results.join("report.html")).expect("made").len() < 3 << 20);
}

/// The answer in a page of a campaign: what stands in its first block of code, with the marks of the block.
fn answer_of(page: &str) -> &str {
    let begin = page.find("```\n").expect("a block");
    let length = page[begin + 4..].find("```\n").expect("its end") + 8;
    &page[begin..begin + length]
}

/// The README with `answer` in its place.
fn with_answer(readme: &str, answer: &str) -> String {
    let (head, rest) = readme.split_once("<!-- answer -->\n").expect("a place for the answer");
    let (_, rest) = rest.split_once("<!-- /answer -->").expect("its end");
    format!("{head}<!-- answer -->\n{answer}<!-- /answer -->{rest}")
}

/// The page of the reference campaign; `None` as long as no campaign of rounds has been committed.
fn reference_page() -> Option<String> {
    let kind = read::kind(Path::new("results/reference/campaign.json")).ok().flatten();
    (kind.as_deref() == Some("campaign")).then(|| read("results/reference/report.md"))
}

/// `UPDATE_PAGES=1` writes it again.
#[test]
fn the_readme_has_the_answer_of_the_reference_campaign_and_no_other() {
    let page = reference_page();
    let readme = read("README.md");
    let again = with_answer(&readme, page.as_deref().map_or("", answer_of));
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write("README.md", &again).expect("written");
    }
    assert!(read("README.md") == again, "the README's answer is stale: see .ci/reference");
}

#[test]
fn an_answer_takes_the_place_of_the_one_before() {
    let page = "# a scenario\n\n```\nResponse: epoll-lt is unbeaten.\n\npoint\n```\n\n| point |\n```\nno answer\n```\n";
    let readme = "first\n<!-- answer -->\nold\n<!-- /answer -->\nlast\n";
    let again = with_answer(readme, answer_of(page));
    let expected = "first\n<!-- answer -->\n```\nResponse: epoll-lt is unbeaten.\n\npoint\n```\n<!-- /answer -->\nlast\n";
    assert_eq!(again, expected);
    assert_eq!(with_answer(&again, answer_of(page)), expected);
}

/// The claims' ratios are those of the page: what docs/CLAIMS.md says of response times stands in its table.
#[test]
fn claims_and_page_of_the_reference_give_the_same_ratios() {
    let Some(page) = reference_page() else { return };
    let output =
        muxbench().args(["claims", "--json", "results/reference"]).output().expect("muxbench starts");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let claims = found["claims"].as_array().expect("a list");
    let figure =
        &claims.iter().find(|claim| claim["id"] == "many-idle-few-active").expect("decided")["figure"];
    let [value, low, high] = ["value", "low", "high"].map(|key| figure[key].as_f64().expect("a number"));
    let [ratio, low, high] = report::format::ratio_and_ends(value, low, high);
    assert!(page.contains(&format!("{ratio} ({low}–{high})")), "{figure} is not in the page");
}

/// The commands of `program` in the README and in `docs`, as words; the README's first.
fn commands(program: &str) -> Vec<Vec<String>> {
    let mut pages: Vec<_> =
        fs::read_dir("docs").expect("committed").flatten().map(|entry| entry.path()).collect();
    pages.sort();
    let text = std::iter::once(Path::new("README.md").to_owned()).chain(pages).map(read).collect::<String>();
    let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
    lines
        .map(|line| line.split('#').next().unwrap_or(line).trim().trim_end_matches('&').trim())
        .filter_map(|line| line.strip_prefix(program)?.strip_prefix(' '))
        .map(|arguments| arguments.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn the_documented_muxbench_commands_are_understood() {
    let own = commands("muxbench").into_iter().chain(commands("cargo run --release --"));
    let mut tried = 0;
    for mut arguments in own {
        // Asking for help ends a command once its line has been understood up to there.
        arguments.push("--help".to_owned());
        let output = muxbench().args(&arguments).output().expect("muxbench starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        tried += 1;
    }
    assert!(tried >= 20, "{tried} commands");
}

#[test]
fn the_documented_load_works_on_the_readmes_server() {
    let serve =
        commands("muxbench").into_iter().find(|arguments| arguments[0] == "serve").expect("in the README");
    let mut command = muxbench();
    command.args(serve).args(["--listen", "127.0.0.1:0"]);
    let server = support::Server::start(command);
    let program = support::load_gen();
    // Those with a target of their own are for somebody else's server.
    let mut load = commands("load-gen");
    load.retain(|arguments| !arguments.iter().any(|argument| argument == "--target"));
    load.sort();
    load.dedup();
    assert!(load.len() >= 8);
    for arguments in load {
        let target = server.address.to_string();
        let output = trials::command(&program)
            .args(&arguments)
            .args(["--target", &target, "-d", "200ms", "--warmup", "0s"])
            .output()
            .expect("load-gen starts");
        // 4 says that this machine is busy, which is no fault of the command.
        assert!(
            matches!(output.status.code(), Some(0 | 4)),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stdout.is_empty());
    }
}
