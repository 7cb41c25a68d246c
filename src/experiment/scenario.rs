//! Scenarios: experiments written in TOML.

use std::path::Path;

use load_gen::units::{self, Active};
use report::schema::{Point, Scenario, Sweep};

use crate::mechanisms;

/// The scenarios that are part of the program, by name: the files of `scenarios/`.
const EMBEDDED: [(&str, &str); 1] =
    [("many-idle-few-active", include_str!("../../scenarios/many-idle-few-active.toml"))];

/// What `muxbench run` measures unless told otherwise.
pub const DEFAULT: &str = "many-idle-few-active";

/// A scenario that cannot be run, with every reason.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\nmuxbench: "))]
pub struct ScenarioError(pub Vec<String>);

impl From<String> for ScenarioError {
    fn from(reason: String) -> Self {
        Self(vec![reason])
    }
}

/// The names and texts of the embedded scenarios.
pub fn embedded() -> impl Iterator<Item = (&'static str, &'static str)> {
    EMBEDDED.into_iter()
}

/// Reads the scenario `name`: an embedded one, or else a path to a TOML file.
///
/// # Errors
///
/// When there is none, or it is not a scenario: file, line and key are named.
pub fn load(name: &str) -> Result<Scenario, ScenarioError> {
    let (origin, text) = match EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
        Some((_, text)) => (format!("scenarios/{name}.toml"), (*text).to_owned()),
        None => {
            let text = std::fs::read_to_string(name).map_err(|error| {
                let names: Vec<_> = EMBEDDED.iter().map(|(name, _)| *name).collect();
                format!(
                    "there is no scenario '{name}', and no such file ({error}); the scenarios are {}",
                    names.join(", ")
                )
            })?;
            (Path::new(name).display().to_string(), text)
        }
    };
    parse(&text).map_err(|reason| format!("{origin}: {reason}").into())
}

/// Reads a scenario from TOML.
fn parse(text: &str) -> Result<Scenario, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("line {line}: {}", error.message().lines().next().unwrap_or("not a scenario"))
    })
}

/// What the command line changes of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Take the scenario's quick form.
    pub quick: bool,
    /// Measure these mechanisms only.
    pub mechanisms: Option<Vec<String>>,
    /// Connections of every sweep.
    pub connections: Option<Vec<String>>,
    /// Active connections: a sweep for each.
    pub active: Option<Vec<String>>,
    /// Number of repeats.
    pub repeats: Option<u32>,
}

impl Overrides {
    /// Applies the changes, checks the result and lists its points.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, at once.
    pub fn apply(&self, mut scenario: Scenario) -> Result<(Scenario, Vec<Point>), ScenarioError> {
        let quick = scenario.quick.take();
        if self.quick {
            let quick = quick.ok_or_else(|| format!("{} has no quick form", scenario.name))?;
            scenario.repeats = quick.repeats;
            scenario.timing = quick.timing;
            scenario.sweeps = quick.sweeps;
        }
        if let Some(mechanisms) = &self.mechanisms {
            scenario.mechanisms.clone_from(mechanisms);
        }
        if let Some(repeats) = self.repeats {
            scenario.repeats = repeats;
        }
        if let Some(connections) = &self.connections {
            scenario.sweeps.iter_mut().for_each(|sweep| sweep.connections.clone_from(connections));
        }
        if let Some(active) = &self.active {
            scenario.sweeps = active.iter().map(|active| sweep_with(&scenario.sweeps, active)).collect();
        }
        let mut wrong = check(&scenario);
        let points = points(&scenario, &mut wrong);
        if wrong.is_empty() { Ok((scenario, points)) } else { Err(ScenarioError(wrong)) }
    }
}

/// The sweep that has `active` already, or one made for it over the first one's connections.
fn sweep_with(sweeps: &[Sweep], active: &str) -> Sweep {
    match sweeps.iter().find(|sweep| sweep.active == active) {
        Some(sweep) => sweep.clone(),
        None => Sweep {
            name: format!("active-{active}"),
            connections: sweeps.first().map(|sweep| sweep.connections.clone()).unwrap_or_default(),
            active: active.to_owned(),
        },
    }
}

/// What is wrong with a scenario, points aside.
fn check(scenario: &Scenario) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, name) in scenario.mechanisms.iter().enumerate() {
        match mechanisms::find(name) {
            None => {
                let known: Vec<_> = mechanisms::all().iter().map(|mechanism| mechanism.name).collect();
                wrong.push(format!("there is no mechanism '{name}'; choose from {}", known.join(", ")));
            }
            Some(mechanism) if !mechanism.is_compiled() => {
                wrong.push(format!("this build does not have {name}; build it with --features {name}"));
            }
            Some(_) if scenario.mechanisms[..at].contains(name) => {
                wrong.push(format!("mechanism '{name}' is named twice"));
            }
            Some(_) => {}
        }
    }
    if scenario.mechanisms.is_empty() {
        wrong.push("no mechanism is named".into());
    }
    if scenario.repeats == 0 {
        wrong.push("repeats must be at least 1".into());
    }
    let timing = &scenario.timing;
    for (key, value, least) in [
        ("load.rate_per_s", scenario.load.rate_per_s, f64::MIN_POSITIVE),
        ("load.size_bytes", f64::from(scenario.load.size_bytes), 1.0),
        ("timing.warmup_s", timing.warmup_s, 0.0),
        ("timing.capacity_s", timing.capacity_s, 0.01),
        ("timing.latency_s", timing.latency_s, 0.01),
    ] {
        if !(least..=1e9).contains(&value) {
            wrong.push(format!("{key} = {value} makes no sense: at least {least:.2}"));
        }
    }
    wrong
}

/// The points of a scenario, in order, each once.
fn points(scenario: &Scenario, wrong: &mut Vec<String>) -> Vec<Point> {
    let mut points = Vec::new();
    for sweep in &scenario.sweeps {
        let active = sweep.active.parse::<Active>();
        if let Err(reason) = &active {
            wrong.push(format!("sweep {}: active: {reason}", sweep.name));
        }
        for connections in &sweep.connections {
            match (units::positive_count(connections), &active) {
                (Err(reason), _) => wrong.push(format!("sweep {}: connections: {reason}", sweep.name)),
                (Ok(connections), Ok(active)) => {
                    let active = active.among(connections);
                    let point = Point { sweep: sweep.name.clone(), connections, active };
                    if !points.contains(&point) {
                        points.push(point);
                    }
                }
                (Ok(_), Err(_)) => {}
            }
        }
    }
    if points.is_empty() && wrong.is_empty() {
        wrong.push("no sweep has any connections".into());
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> Scenario {
        load(DEFAULT).expect("embedded")
    }

    #[test]
    fn every_embedded_scenario_is_named_as_its_file_and_has_a_quick_form() {
        for (name, _) in embedded() {
            let scenario = load(name).expect("a scenario");
            assert_eq!(scenario.name, name);
            assert!(scenario.quick.is_some(), "{name}");
        }
    }

    #[test]
    fn a_typo_is_named_with_its_line() {
        let text =
            include_str!("../../scenarios/many-idle-few-active.toml").replace("repeats = 6", "repeat = 6");
        let reason = parse(&text).expect_err("a typo");
        assert!(reason.starts_with("line ") && reason.contains("repeat"), "{reason}");
    }

    #[test]
    fn an_unknown_scenario_is_answered_with_the_known_ones() {
        let error = load("many-idel").expect_err("unknown").to_string();
        assert!(error.contains(DEFAULT), "{error}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let overrides = Overrides {
            mechanisms: Some(vec!["kqueue".into()]),
            connections: Some(vec!["many".into()]),
            active: Some(vec!["0.05".into()]),
            repeats: Some(0),
            quick: false,
        };
        let ScenarioError(wrong) = overrides.apply(default()).expect_err("all wrong");
        for word in ["kqueue", "many", "ambiguous", "repeats"] {
            assert!(wrong.iter().any(|reason| reason.contains(word)), "{word}: {wrong:?}");
        }
    }

    #[cfg(all(feature = "select", feature = "poll", feature = "epoll-lt", feature = "epoll-et"))]
    #[test]
    fn counts_and_shares_become_points() {
        let overrides = Overrides {
            connections: Some(vec!["100".into(), "1k".into()]),
            active: Some(vec!["1%".into(), "100%".into()]),
            ..Overrides::default()
        };
        let (scenario, points) = overrides.apply(default()).expect("sound");
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
}
