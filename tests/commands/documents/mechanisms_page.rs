//! Tests that docs/MECHANISMS.md agrees with the registry and results/reference about files, system calls and costs.
//! `UPDATE_PAGES=1` writes those parts again.
//!
//! On other architectures the C library makes other calls: the page has those of x86-64 with glibc.

use std::fs;
use std::path::{Path, PathBuf};

use model::campaign::{Campaign, Histograms};
use model::read;
use model::schema::{BenchGroup, Semantics};
use muxbench::mechanisms;
use muxbench::server::Mechanism;
use report::rounds::Analysis;
use report::semantics::situation_table;
use trials::test;

use super::mechanism_costs;

const PAGE: &str = "docs/MECHANISMS.md";
const RESULTS: &str = "results/reference";
const END: &str = "<!-- end -->";

/// The campaigns in which a mechanism may have been measured, the most telling one first.
const CAMPAIGNS: [&str; 2] = ["campaign.json", "libraries/campaign.json"];

fn campaigns() -> Vec<(Campaign, Histograms)> {
    let paths = CAMPAIGNS.map(|name| Path::new(RESULTS).join(name));
    let is_campaign = |path: &&PathBuf| matches!(read::kind(path), Ok(Some(kind)) if kind == "campaign");
    paths.iter().filter(is_campaign).map(|path| read::campaign(path).expect("a campaign")).collect()
}

fn benches() -> Vec<BenchGroup> {
    let entries = fs::read_dir(Path::new(RESULTS).join("bench")).expect("committed").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| read::bench(path).expect("a group of benches")).collect()
}

/// Returns the section of a mechanism: its source, its calls, its limits and its cost.
fn section(mechanism: &Mechanism, analyses: &[Analysis<'_>], benches: &[BenchGroup]) -> String {
    let Mechanism { name, about, limit, echo_calls, connection_calls, .. } = mechanism;
    let file = format!("src/mechanisms/{}.rs", name.replace('-', "_"));
    let calls = |calls: &[&str]| calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(", ");
    let costs = mechanism_costs::of(name, analyses, benches)
        .unwrap_or_else(|| format!("Not in the reference campaign: `muxbench run --mechanisms {name}`.\n"));
    format!(
        "[{file}](../{file}): {about}.\n\n- **Calls per iteration**: {}\n- **Calls of a connection besides**: {}\n- **Limit**: {limit}\n\n{costs}",
        calls(echo_calls),
        calls(connection_calls),
    )
}

/// The page with what stands between `<!-- KIND: NAME -->` and the next end made anew.
fn remade(page: &str, made: impl Fn(&str, &str) -> String) -> String {
    let mut lines = page.lines();
    let mut out = String::new();
    while let Some(line) = lines.next() {
        out += &format!("{line}\n");
        let marker = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        if let Some((kind, name)) = marker.and_then(|marker| marker.split_once(": ")) {
            out += &format!("\n{}\n{END}\n", made(kind, name));
            assert!(lines.any(|line| line == END), "{PAGE}: {kind} {name} has no {END}");
        }
    }
    out
}

fn situation(semantics: &Semantics, name: &str) -> String {
    let situation = semantics.situations.iter().find(|situation| situation.name == name);
    let situation = situation.unwrap_or_else(|| panic!("{PAGE}: there is no situation {name}"));
    format!("{}\nLinux {}.\n", situation_table(semantics, situation), semantics.kernel)
}

#[test]
fn the_page_on_the_mechanisms_says_what_the_registry_and_the_reference_say() {
    let (campaigns, benches) = (campaigns(), benches());
    let analyses: Vec<Analysis<'_>> =
        campaigns.iter().map(|(campaign, histograms)| Analysis::of(campaign, histograms)).collect();
    let semantics = read::semantics(&Path::new(RESULTS).join("semantics.json")).expect("committed");
    let page = fs::read_to_string(PAGE).expect("committed");
    let again = remade(&page, |kind, name| match kind {
        "mechanism" => section(mechanisms::find(name).expect("registered"), &analyses, &benches),
        "situation" => situation(&semantics, name),
        _ => panic!("{PAGE}: nothing makes {kind}: {name}"),
    });
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(PAGE, &again).expect("written");
    }
    assert!(fs::read_to_string(PAGE).expect("committed") == again, "{PAGE} is stale: see .ci/reference");
}

#[test]
fn the_page_has_a_section_for_each_mechanism_in_their_order() {
    let page = fs::read_to_string(PAGE).expect("committed");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let names: Vec<&str> = mechanisms::all().iter().map(|mechanism| mechanism.name).collect();
    assert_eq!(headings, names);
    let made = page.lines().filter_map(|line| line.strip_prefix("<!-- mechanism: ")?.strip_suffix(" -->"));
    assert_eq!(made.collect::<Vec<_>>(), names);
}
