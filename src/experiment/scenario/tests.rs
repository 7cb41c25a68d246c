use sys::capacity::Capacity;

use super::*;
use crate::experiment::plan;
use crate::mechanisms;

const TEXT: &str = include_str!("../../../scenarios/many-idle-few-active.toml");

/// A machine that has room for anything.
fn roomy() -> Capacity {
    Capacity { descriptors_per_table: 1 << 30, ..Capacity::default() }
}

fn of(text: &str) -> Draft {
    read("a.toml", text).expect("a scenario")
}

fn prepare(overrides: &Overrides, draft: Draft) -> Result<Prepared, ScenarioError> {
    overrides.apply(draft, &roomy())
}

#[test]
fn a_byte_order_mark_before_a_scenario_is_read_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("marked.toml");
    std::fs::write(&path, format!("\u{feff}{TEXT}")).expect("written");
    let marked = load(&path.to_string_lossy()).expect("a scenario");
    assert_eq!(marked, load("many-idle-few-active").expect("embedded"));
}

#[test]
fn every_embedded_scenario_is_named_as_its_file_and_both_its_forms_can_be_run() {
    for name in embedded() {
        let scenario = load(name).expect("a scenario");
        assert_eq!(scenario.name, name);
        assert!(scenario.quick.is_some(), "{name}");
        assert!(scenario.analysis.contains('?'), "{name}: what does it ask?");
        for (quick, most_s) in [(false, 360.0), (true, 60.0)] {
            let overrides = Overrides { quick, ..Overrides::default() };
            let prepared = prepare(&overrides, draft(name).expect("a scenario"));
            if cfg!(feature = "epoll-lt") {
                let prepared = prepared.unwrap_or_else(|error| panic!("{name}: {error}"));
                let expected_s = plan::expected_s(&plan::of(prepared, None, 1, &roomy()));
                // A build with the libraries has half as many candidates again.
                let is_larger = cfg!(feature = "tokio");
                assert!(expected_s <= most_s || is_larger, "{name}, quick {quick}: {expected_s} s");
            }
        }
    }
}

#[test]
fn every_file_of_the_folder_is_embedded_unless_it_needs_programs() {
    let files = std::fs::read_dir("scenarios").expect("the folder").flatten();
    for path in
        files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
    {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let scenario = load(path.to_str().expect("a path")).expect("a scenario");
        assert!(embedded().any(|known| known == name) || !scenario.servers.is_empty(), "{name}");
    }
}

#[test]
fn an_unknown_scenario_is_answered_with_the_known_ones() {
    let error = load("many-idel").expect_err("unknown").to_string();
    assert!(error.contains(DEFAULT), "{error}");
}

#[test]
fn all_that_is_wrong_with_the_command_line_is_said_at_once_by_its_options() {
    let overrides = Overrides {
        mechanisms: Some(vec!["kqueue".into()]),
        connections: Some(vec!["many".into()]),
        active: Some(vec!["0.05".into()]),
        reference: Some("nobody".into()),
        ..Overrides::default()
    };
    let ScenarioError(wrong) = prepare(&overrides, of(TEXT)).expect_err("all wrong");
    for (option, word) in [
        ("--mechanisms", "kqueue"),
        ("--conns", "many"),
        ("--active", "ambiguous"),
        ("--reference", "nobody"),
    ] {
        let lines = wrong.iter().filter(|line| line.starts_with(option) && line.contains(word)).count();
        assert_eq!(lines, 1, "{option} {word}: {wrong:?}");
    }
}

#[test]
fn a_typo_an_impossible_size_an_unknown_mechanism_and_too_many_connections_are_refused_at_once() {
    let text = TEXT
        .replacen("\nstarts = ", "\nstart = ", 1)
        .replacen("size_bytes = 64", "size_bytes = 0", 1)
        .replacen("\"10k\"", "\"10M\"", 1);
    let text = format!("mechanisms = [\"epoll-lt\", \"kqueue\"]\n{text}");
    let machine = Capacity { memory_bytes: Some(1 << 30), ..roomy() };
    let error = Overrides::default().apply(of(&text), &machine).expect_err("refused");
    let ScenarioError(wrong) = error;
    for words in [
        ["a.toml: line ", "did you mean 'starts'"],
        ["a.toml: line ", "load.size_bytes: a request has from 1 byte"],
        ["a.toml: line 1: mechanisms: ", "'kqueue'"],
        ["a.toml: line ", "connections: 10000000 connections take about"],
    ] {
        let has = |line: &&String| words.iter().all(|word| line.contains(word));
        assert_eq!(wrong.iter().filter(has).count(), 1, "{words:?}: {wrong:#?}");
    }
    assert!(wrong.iter().all(|line| !line.contains('\n')), "{wrong:?}");
}

#[test]
fn a_scenario_that_names_no_mechanisms_is_for_all_of_this_build() {
    let built: Vec<_> = mechanisms::compiled().map(|mechanism| mechanism.name).collect();
    assert_eq!(of(TEXT).scenario.mechanisms, built);
    let none = of(&format!("mechanisms = []\n{TEXT}"));
    assert!(none.scenario.mechanisms.is_empty());
    assert!(prepare(&Overrides::default(), none).is_err(), "and no server either");
}

const SERVERS: &str = r#"
    [[server]]
    name = "one"
    command = ["sh", "{port}"]
    [[server]]
    name = "two"
    command = ["sh", "{port}"]
"#;

/// The candidates that remain of `one`, `two` and all mechanisms when `names` are asked for.
fn chosen(names: &[&str]) -> Result<Vec<String>, ScenarioError> {
    let names = names.iter().map(ToString::to_string).collect();
    let overrides = Overrides { mechanisms: Some(names), ..Overrides::default() };
    let Prepared { scenario, .. } = prepare(&overrides, of(&format!("{TEXT}{SERVERS}")))?;
    Ok(scenario.candidates().map(str::to_owned).collect())
}

#[test]
fn mechanisms_and_servers_are_chosen_by_name() {
    let mechanism = mechanisms::compiled().next().map(|mechanism| mechanism.name);
    assert_eq!(chosen(&["two"]).expect("sound"), ["two"]);
    assert_eq!(chosen(&["two", "one"]).expect("sound"), ["one", "two"]);
    if let Some(mechanism) = mechanism {
        assert_eq!(chosen(&["one", mechanism]).expect("sound"), [mechanism, "one"]);
    }
    let error = chosen(&["one", "three"]).expect_err("unknown").to_string();
    assert!(error.contains("'three'") && error.contains(", one, two"), "{error}");
}

#[cfg(all(
    feature = "select",
    feature = "poll",
    feature = "epoll-lt",
    feature = "epoll-et",
    feature = "epoll-oneshot"
))]
mod of_a_default_build {
    use rustix::io::Errno;
    use sys::descriptor_table::Table;

    use super::*;
    use model::schema::Point;

    fn only(names: &[&str]) -> Overrides {
        Overrides {
            mechanisms: Some(names.iter().map(ToString::to_string).collect()),
            ..Overrides::default()
        }
    }

    #[test]
    fn counts_and_shares_become_points() {
        let overrides = Overrides {
            connections: Some(vec!["100".into(), "1k".into()]),
            active: Some(vec!["1%".into(), "100%".into()]),
            ..Overrides::default()
        };
        let Prepared { scenario, points, .. } = prepare(&overrides, of(TEXT)).expect("sound");
        let found: Vec<_> =
            points.iter().map(|point| (point.sweep.as_str(), point.connections, point.active)).collect();
        assert_eq!(
            found,
            [
                ("active-1%", 100, 1),
                ("active-1%", 1000, 10),
                ("all-active", 100, 100),
                ("all-active", 1000, 1000)
            ]
        );
        assert_eq!(scenario.quick, None);
    }

    #[test]
    fn what_is_excluded_everywhere_is_left_out_with_its_reason_unless_it_is_asked_for() {
        let text = format!("{TEXT}\n[[exclude]]\nmechanism = \"select\"\nreason = \"it is slow\"\n");
        let prepared = prepare(&Overrides::default(), of(&text)).expect("sound");
        assert!(!prepared.scenario.mechanisms.contains(&"select".to_owned()));
        assert_eq!(prepared.notes, ["left out: select: it is slow"]);
        assert_eq!(prepared.scenario.excludes.len(), 1, "the file keeps it");
        let asked = prepare(&only(&["select", "poll"]), of(&text)).expect("sound");
        assert_eq!(asked.scenario.mechanisms, ["select", "poll"]);
        assert!(asked.notes.is_empty(), "{:?}", asked.notes);
    }

    #[test]
    fn a_reference_alone_needs_room_for_its_twin_and_whoever_is_compared_for_one_more() {
        let machine = Capacity {
            descriptors_per_table: 1016,
            table: Table::Shared(Errno::PERM),
            memory_bytes: None,
            ..Capacity::default()
        };
        let connections = Some(vec!["10".into(), "450".into()]);
        let measured = |overrides: Overrides, text: &str| {
            let overrides =
                Overrides { connections: connections.clone(), active: Some(vec!["1".into()]), ..overrides };
            let prepared = overrides.apply(of(text), &machine).expect("some of it can be run");
            prepared.points.iter().map(|point| point.connections).collect::<Vec<_>>()
        };
        let alone = only(&["epoll-lt"]);
        assert_eq!(measured(alone.clone(), TEXT), [10, 450]);
        assert_eq!(measured(Overrides { against: true, ..alone }, TEXT), [10]);
        assert_eq!(measured(only(&["epoll-lt", "poll"]), TEXT), [10]);
        let excluded =
            "\n[[exclude]]\nmechanism = \"poll\"\nabove_connections = 10\nreason = \"it is slow\"\n";
        assert_eq!(measured(only(&["epoll-lt", "poll"]), &format!("{TEXT}{excluded}")), [10, 450]);
    }

    #[test]
    fn a_way_to_accept_that_a_mechanism_lacks_leaves_it_out_there() {
        let text = TEXT.replacen(
            "active = \"10\"",
            "active = \"10\"\nthreads = [2]\naccept = [\"shared\", \"exclusive\"]",
            1,
        );
        let Prepared { scenario, points, notes } =
            prepare(&only(&["poll", "epoll-lt"]), of(&text)).expect("sound");
        let exclusive = |point: &&Point| point.accept.as_deref() == Some("exclusive");
        let point = points.iter().find(exclusive).expect("a point");
        assert!(
            scenario.exclusion("poll", point).is_some() && scenario.exclusion("epoll-lt", point).is_none()
        );
        assert_eq!(notes.len(), 1, "{notes:?}");
        let alone = prepare(&only(&["poll"]), of(&text)).expect("sound");
        assert!(!alone.points.iter().any(|point| exclusive(&point)), "nothing is measured there");
        let text = text.replace("\"shared\", ", "");
        let text = text.split("[[sweep]]").take(2).collect::<Vec<_>>().join("[[sweep]]");
        let error = prepare(&only(&["poll"]), of(&text)).expect_err("nothing left").to_string();
        assert!(error.contains("everything is left out: poll with --accept exclusive"), "{error}");
    }

    #[test]
    fn everything_else_that_makes_no_sense_is_named_with_its_key() {
        let tail =
            "\n[[exclude]]\nmechanism = \"kqueue\"\nreason = \" \"\nsweep = \"none\"\naccept = \"private\"\n";
        let text = TEXT
            .replacen("reference = \"epoll-lt\"", "reference = \"kqueue\"", 1)
            .replacen("starts = 6", "starts = 0", 1)
            .replacen("slice_s = 0.012", "slice_s = 0", 1)
            .replacen("busy_share = 0.5", "busy_share = 1", 1);
        let error = prepare(&Overrides::default(), of(&format!("{text}{tail}"))).expect_err("all wrong");
        let ScenarioError(wrong) = error;
        for key in [
            "reference",
            "rounds.starts",
            "rounds.slice_s",
            "rounds.busy_share",
            "exclude[0].mechanism",
            "exclude[0].reason",
            "exclude[0].sweep",
            "exclude[0].accept",
        ] {
            let lines = wrong.iter().filter(|line| line.contains(&format!(": {key}: "))).count();
            assert_eq!(lines, 1, "{key}: {wrong:#?}");
        }
    }
}

#[cfg(all(feature = "epoll-lt", feature = "poll", feature = "select"))]
mod reference {
    use super::*;
    use model::schema::Rounds;

    fn only(names: &[&str]) -> Overrides {
        let names = names.iter().map(ToString::to_string).collect();
        Overrides { mechanisms: Some(names), connections: Some(vec!["10".into()]), ..Overrides::default() }
    }

    fn reference(overrides: &Overrides) -> String {
        prepare(overrides, of(TEXT)).expect("it can be run").scenario.reference
    }

    #[test]
    fn the_reference_is_the_one_asked_for_or_the_scenario_s_or_the_first() {
        assert_eq!(reference(&only(&["poll", "epoll-lt"])), "epoll-lt");
        assert_eq!(reference(&only(&["poll", "select"])), "poll");
        let asked = Overrides { reference: Some("select".into()), ..only(&["poll", "select"]) };
        assert_eq!(reference(&asked), "select");
    }

    #[test]
    fn a_reference_that_is_left_out_everywhere_has_the_first_in_its_place() {
        let text = format!("{TEXT}\n[[exclude]]\nmechanism = \"epoll-lt\"\nreason = \"a test\"\n");
        let scenario = prepare(&Overrides::default(), of(&text)).expect("it can be run").scenario;
        assert_eq!(Some(scenario.reference.as_str()), scenario.candidates().next());
    }

    #[test]
    fn a_reference_that_is_not_measured_is_told_by_the_option_that_named_it() {
        let asked = Overrides { reference: Some("epoll-lt".into()), ..only(&["poll", "select"]) };
        let error = prepare(&asked, of(TEXT)).expect_err("it is not measured").to_string();
        assert!(error.starts_with("--reference: 'epoll-lt' is not among what is measured"), "{error}");
    }

    #[test]
    fn a_quick_run_is_what_the_scenario_says_and_a_thorough_one_has_twice_the_starts_in_six_times_the_time() {
        let rounds =
            |overrides: &Overrides| prepare(overrides, of(TEXT)).expect("it can be run").scenario.rounds;
        let default = rounds(&Overrides::default());
        let quick = rounds(&Overrides { quick: true, ..Overrides::default() });
        let thorough = rounds(&Overrides { thorough: true, ..Overrides::default() });
        let Rounds { starts, point_s, half_widths, .. } = default;
        let wider = |times| half_widths.scaled(times);
        assert_eq!(quick, Rounds { starts: 2, point_s: 12.0, half_widths: wider(2.0), ..default });
        let (starts, point_s) = (starts * 2, point_s * 6.0);
        assert_eq!(thorough, Rounds { starts, point_s, half_widths: wider(1.0 / 3.0), ..default });
    }
}
