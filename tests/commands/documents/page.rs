//! The page of the reference results, opened in a real browser: Chromium, driven by npm's puppeteer-core, with axe-core looking at
//! its accessibility. `.ci/page` installs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};
use trials::{Need, test};

/// The names that Chromium goes by.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser's program.
fn browser() -> Option<PathBuf> {
    NAMES.into_iter().find_map(trials::need::program)
}

/// Chromium by any of its names.
const CHROMIUM: Need = Need::Met("chromium", || match browser() {
    Some(_) => Ok(()),
    None => Err("Chromium is not installed".into()),
});

/// The browser's findings on the committed page, made once for all tests.
static SEEN: LazyLock<Value> = LazyLock::new(|| {
    let mut check = Command::new("node");
    check
        .arg("tests/commands/documents/page.mjs")
        .arg(browser().expect("needed"))
        .arg("results/reference/report.html");
    // Who wants to look at it too.
    check.args(std::env::var_os("PAGE_PICTURES"));
    let output = check.env("NODE_PATH", trials::need::node("")).output().expect("node starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
});

fn numbers(values: &Value) -> Vec<Option<f64>> {
    values.as_array().expect("a list").iter().map(Value::as_f64).collect()
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn the_page_opens_without_an_error_and_asks_nobody_for_anything() {
    let seen = &*SEEN;
    assert_eq!(seen["console"], json!([]));
    assert_eq!(seen["requests"], json!([]));
    eprintln!("loaded in {} ms", seen["load_ms"]);
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn axe_finds_no_serious_violation_in_light_in_dark_or_with_everything_opened() {
    let seen = &*SEEN;
    for state in ["light", "opened", "dark"] {
        assert_eq!(seen["axe"][state], json!([]), "{state}");
    }
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn headings_follow_in_order_from_a_single_first() {
    let seen = &*SEEN;
    let levels: Vec<i64> =
        numbers(&seen["headings"]).into_iter().flatten().map(|level| level as i64).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn a_candidate_is_hidden_in_every_figure_and_shown_again_by_the_keyboard() {
    let seen = &*SEEN;
    let toggles = &seen["toggles"];
    let name = toggles["name"].as_str().expect("a candidate");
    assert!(toggles["before"][name].as_u64().is_some_and(|series| series > 1), "{toggles}");
    assert_eq!(toggles["without"][name], 0);
    assert_eq!(toggles["again"], toggles["before"]);
    assert_eq!(toggles["all"], toggles["before"]);
    let candidates = toggles["names"].as_array().expect("candidates");
    for (series, shown) in toggles["none"].as_object().expect("series") {
        // What is no candidate, such as an operation that was timed, has no box and stays.
        let is_candidate = candidates.iter().any(|candidate| candidate == series);
        assert_eq!(
            *shown,
            if is_candidate { json!(0) } else { toggles["before"][series].clone() },
            "{series}"
        );
    }
    let others = |state: &str| {
        let mut all = toggles[state].as_object().expect("candidates").clone();
        all.remove(name);
        all
    };
    assert_eq!(others("without"), others("before"), "no other is touched");
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn a_table_is_sorted_by_the_keyboard_with_what_is_absent_last() {
    let seen = &*SEEN;
    let sorting = &seen["sorting"];
    let [before, ascending, descending] =
        ["before", "ascending", "descending"].map(|state| numbers(&sorting[state]));
    let rank = |value: &Option<f64>| value.unwrap_or(f64::INFINITY);
    assert!(ascending.len() > 2 && ascending.is_sorted_by_key(rank), "{ascending:?}");
    let (present, absent): (Vec<Option<f64>>, Vec<Option<f64>>) =
        descending.iter().copied().partition(Option::is_some);
    assert_eq!([present.clone(), absent].concat(), descending, "what is absent stays last");
    assert!(present.is_sorted_by(|a, b| a >= b), "{descending:?}");
    assert_ne!(before, ascending);
    assert_eq!(sorting["said"], "ascending");
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn the_value_of_a_point_is_shown_beside_the_pointer() {
    let seen = &*SEEN;
    let tip = seen["tip"].as_str().unwrap_or_default();
    assert!(tip.contains("connections"), "{tip:?}");
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn on_a_phone_nothing_but_tables_and_figures_is_wider_than_the_screen() {
    let seen = &*SEEN;
    assert!(seen["phone_overflow_px"].as_i64().is_some_and(|px| px <= 0), "{}", seen["phone_overflow_px"])
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn on_a_common_screen_the_main_table_is_whole() {
    let seen = &*SEEN;
    assert_eq!(seen["answer_overflow_px"], 0, "px are cut off");
}

#[test(needs(CHROMIUM, Node("puppeteer-core"), Node("axe-core")))]
fn without_javascript_everything_is_there_and_nothing_that_would_not_work() {
    let seen = &*SEEN;
    let page = &seen["without_script"];
    assert_eq!(page["toggles"], "none");
    assert_eq!(page["hidden"], 0);
    assert!(page["series"].as_u64().is_some_and(|series| series > 1), "{page}");
    assert!(page["points"].as_u64() > Some(0) && page["titles"] == page["points"], "{page}");
    assert!(page["rows"].as_u64().is_some_and(|rows| rows > 2), "{page}");
}
