//! Every link of every page leads somewhere: to a file that is there, and to a heading that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use trials::test;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Folders with pages that are no part of the project: what is built, and results of this machine.
fn is_ours(folder: &Path) -> bool {
    let relative = folder.strip_prefix(ROOT).expect("below the root");
    let hidden = relative.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let is_local = |of: &str| relative.starts_with(of) && !relative.starts_with(format!("{of}/reference"));
    let above = ["", "results", "plots"].iter().any(|of| relative == Path::new(of));
    above || !(hidden || relative.starts_with("target") || is_local("results") || is_local("plots"))
}

/// The pages in `folder` and below, with their text.
fn pages(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && is_ours(&path) {
            pages(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            let text = fs::read_to_string(&path).expect("text");
            found.insert(path, text);
        }
    }
}

/// The lines of a page that are not code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// A paragraph without what stands between backticks.
fn without_code(paragraph: &str) -> String {
    paragraph.split('`').step_by(2).collect()
}

/// Returns the targets of the links and pictures of a page.
fn links(page: &str) -> Vec<String> {
    let text = prose(page).collect::<Vec<_>>().join("\n");
    let text = text.split("\n\n").map(without_code).collect::<Vec<_>>().join("\n\n");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

/// The names by which the headings of a page are linked to, as GitHub makes them: lower case, a hyphen for each space, no
/// punctuation, and a number from the second of the same name on.
fn headings(page: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let heads =
        prose(page).filter_map(|line| line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' '));
    let name = |head: &str| -> String {
        let kept = head.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
    };
    heads
        .map(|head| {
            let name = name(head);
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 { name } else { format!("{name}-{}", *count - 1) }
        })
        .collect()
}

/// `path` without `.` and `..`, as it is written.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
        plain
    })
}

/// Returns the fault of a link on the page `from`; `None` if it leads somewhere, or out of the project.
fn fault(from: &Path, link: &str, pages: &BTreeMap<PathBuf, String>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target =
        if file.is_empty() { from.to_owned() } else { plain(&from.parent().expect("a file").join(file)) };
    let complain = |what: &str| Some(format!("{}: ({link}): {what}", from.display()));
    match (pages.get(&target), heading) {
        (None, _) if !target.exists() => complain("there is no such file"),
        (Some(page), Some(heading)) if !headings(page).contains(heading) => {
            complain("the page has no such heading")
        }
        (None, Some(_)) => complain("it is no page, and has no headings"),
        _ => None,
    }
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let mut found = BTreeMap::new();
    pages(Path::new(ROOT), &mut found);
    let mut followed = 0;
    let mut faults = Vec::new();
    for (path, page) in &found {
        for link in links(page) {
            followed += 1;
            faults.extend(fault(path, &link, &found));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(found.len() >= 10 && followed >= 100, "{followed} links of {} pages", found.len());
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = "# The `first`\n\nSee [a](b.md#two-words), `[no](link)`, ![x](missing.svg)\n\n```\n[in](code)\n```\n# The first";
    let (from, other) = (PathBuf::from("/docs/a.md"), PathBuf::from("/docs/b.md"));
    let pages = BTreeMap::from([
        (from.clone(), page.to_owned()),
        (other, "## Two words, and\n## Two words".to_owned()),
    ]);
    assert_eq!(links(page), ["b.md#two-words", "missing.svg"]);
    assert_eq!(headings(page).into_iter().collect::<Vec<_>>(), ["the-first", "the-first-1"]);
    for sound in
        ["b.md", "b.md#two-words", "#the-first", "../docs/b.md#two-words-and", "https://example.org/x#y"]
    {
        assert_eq!(fault(&from, sound, &pages), None);
    }
    for broken in ["missing.svg", "b.md#two", "#second", "../b.md"] {
        assert!(fault(&from, broken, &pages).is_some(), "{broken}");
    }
}
