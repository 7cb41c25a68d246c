//! Scenarios: experiments written in TOML.

mod check;
mod external;
mod overrides;
mod points;
pub mod room;
mod text;

use std::path::Path;

use model::schema::{ExternalServer, Scenario};

pub use self::overrides::{Overrides, Prepared};
pub use self::text::ScenarioError;
use self::text::Text;

/// The files of `scenarios/` that are part of the program, by name.
macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),+]
    };
}

/// In the order in which they are listed: the default, then what it leaves open.
const EMBEDDED: &[(&str, &str)] = embedded![
    "many-idle-few-active",
    "few-and-busy",
    "active-share",
    "crossover",
    "load-curve",
    "message-size",
    "libraries",
    "thundering-herd",
    "thread-scaling",
    "churn",
    "setup-teardown",
    "memory",
    "hundred-thousand",
    "against-itself",
    "method-check",
];

/// The scenario that `muxbench run` measures unless told otherwise.
pub const DEFAULT: &str = "many-idle-few-active";

/// A scenario as it was read, with what is needed to say where in its file something is wrong.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The scenario that was read.
    pub scenario: Scenario,
    text: Text,
    /// Keys that do not exist, a line each.
    wrong: Vec<String>,
}

/// The names of the embedded scenarios.
pub fn embedded() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}

/// Reads the scenario `name`: an embedded one, or else a path to a TOML file.
///
/// # Errors
///
/// When there is none, or it cannot be read as one: file, line and key are named.
pub fn draft(name: &str) -> Result<Draft, ScenarioError> {
    if let Some((_, text)) = EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
        return read(&format!("scenarios/{name}.toml"), text);
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        let names: Vec<_> = embedded().collect();
        format!(
            "there is no scenario '{name}', and no such file ({error}); the scenarios are {}",
            names.join(", ")
        )
    })?;
    // A byte order mark, which some editors write, is no part of the text.
    let mut draft = read(name, text.strip_prefix('\u{feff}').unwrap_or(&text))?;
    external::resolve_here(&mut draft.scenario, Path::new(name))?;
    Ok(draft)
}

/// Reads the scenario `name`, which must have nothing wrong with it so far.
///
/// # Errors
///
/// As [`draft`], and when it has keys that do not exist.
pub fn load(name: &str) -> Result<Scenario, ScenarioError> {
    let draft = draft(name)?;
    if draft.wrong.is_empty() { Ok(draft.scenario) } else { Err(ScenarioError(draft.wrong)) }
}

fn read(file: &str, text: &str) -> Result<Draft, ScenarioError> {
    let text = Text::new(file, text);
    let (scenario, wrong) = text.parse()?;
    Ok(Draft { scenario, text, wrong })
}

/// Returns a line for each external server of `scenario` whose program cannot be started, with the reason.
pub fn missing_programs(scenario: &Scenario) -> Vec<String> {
    let mistake = |server: &ExternalServer| {
        let mistake = external::program_mistake(server.command.first()?)?;
        Some(format!("server '{}': {mistake}", server.name))
    };
    scenario.servers.iter().filter_map(mistake).collect()
}

#[cfg(test)]
mod tests;
