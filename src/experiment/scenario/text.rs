//! The text of a scenario: reading it, and finding the line of a key.

use model::schema::Scenario;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::mechanisms;

/// A scenario that cannot be run, with every reason.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\nmuxbench: "))]
pub struct ScenarioError(pub Vec<String>);

impl From<String> for ScenarioError {
    fn from(reason: String) -> Self {
        Self(vec![reason])
    }
}

/// Letters by which a misspelt key may differ from the one that was meant.
const CLOSE: usize = 2;

/// A scenario's file as it was read.
#[derive(Debug, Clone)]
pub struct Text {
    /// Its path.
    file: String,
    text: String,
}

/// Something wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key that it is about: `sweep[1].connections`.
    pub key: String,
    /// The mistake in words, and what to write instead.
    pub what: String,
}

/// All that is wrong with a scenario, in the order in which it was found.
#[derive(Debug, Default)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// Adds a mistake at `key`.
    pub fn note(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.0.push(Mistake { key: key.into(), what: what.into() });
    }
}

impl Text {
    /// A file and what is in it.
    pub fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned() }
    }

    /// Reads the scenario. One that does not say which mechanisms it is for is for all of this build.
    ///
    /// Keys that do not exist are returned beside it, a line each: they are read as the ones that they resemble, or
    /// passed over, so that what else is wrong is found as well.
    ///
    /// # Errors
    ///
    /// When it cannot be read as a scenario, with all the lines until there.
    pub fn parse(&self) -> Result<(Scenario, Vec<String>), ScenarioError> {
        #[derive(Deserialize)]
        struct Named {
            mechanisms: Option<Vec<String>>,
        }
        let mut text = self.text.clone();
        let mut wrong = Vec::new();
        loop {
            match toml::from_str::<Scenario>(&text) {
                Ok(mut scenario) => {
                    let named = toml::from_str::<Named>(&text).ok().and_then(|named| named.mechanisms);
                    let all = || mechanisms::compiled().map(|mechanism| mechanism.name.to_owned()).collect();
                    scenario.mechanisms = named.unwrap_or_else(all);
                    return Ok((scenario, wrong));
                }
                Err(error) => {
                    let at = error.span().map_or(0, |span| span.start);
                    let line = text[..at].matches('\n').count() + 1;
                    let message = error.message().lines().next().unwrap_or("not a scenario").to_owned();
                    let misspelt = Misspelt::of(&text, at, &message);
                    let what = misspelt.as_ref().map_or(message, |misspelt| misspelt.advice.clone());
                    wrong.push(format!("{}: line {line}: {what}", self.file));
                    match misspelt.and_then(|misspelt| misspelt.corrected) {
                        Some(corrected) => text = corrected,
                        None => return Err(ScenarioError(wrong)),
                    }
                }
            }
        }
    }

    /// A mistake in words: file, line, key, and what is wrong.
    pub fn explain(&self, mistake: &Mistake) -> String {
        let Mistake { key, what } = mistake;
        match self.line_of(key) {
            Some(line) => format!("{}: line {line}: {key}: {what}", self.file),
            None => format!("{}: {key}: {what}", self.file),
        }
    }

    /// The line of `key`, or of what it is in where it is not written itself.
    fn line_of(&self, key: &str) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut at = None;
        let mut value: Option<&DeValue<'_>> = None;
        for step in key.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
            let inside = match value {
                None => Some(table.get_ref()),
                Some(value) => value.as_table(),
            };
            let next = match (inside, value.and_then(DeValue::as_array)) {
                (Some(inside), _) => inside
                    .iter()
                    .find(|(name, _)| name.get_ref() == step)
                    .map(|(name, next)| (name.span(), next)),
                (None, Some(list)) => {
                    step.parse().ok().and_then(|index: usize| list.get(index)).map(|next| (next.span(), next))
                }
                (None, None) => None,
            };
            let Some((span, next)) = next else { break };
            at = Some(span.start);
            value = Some(next.get_ref());
        }
        Some(self.text[..at?].matches('\n').count() + 1)
    }
}

/// A key that does not exist.
struct Misspelt {
    /// The message: there is no such key, and what to write instead.
    advice: String,
    /// The text with that in its place, or without the key; absent where neither is a text to read on.
    corrected: Option<String>,
}

impl Misspelt {
    /// The key at byte `at` of `text`, if it is what serde's `message` complains of.
    fn of(text: &str, at: usize, message: &str) -> Option<Self> {
        let rest = message.strip_prefix("unknown field ")?;
        let mut names = rest.split('`').skip(1).step_by(2);
        let name = names.next()?;
        let known: Vec<&str> = names.collect();
        let is_close = |known: &&&str| strsim::damerau_levenshtein(name, known) <= CLOSE;
        let replaced = |by: &str| {
            let rest = text[at..].strip_prefix(name)?;
            let corrected = format!("{}{by}{rest}", &text[..at]);
            DeTable::parse(&corrected).is_ok().then_some(corrected)
        };
        let meant = known
            .iter()
            .filter(is_close)
            .min_by_key(|known| strsim::damerau_levenshtein(name, known))
            .and_then(|meant| Some((meant, replaced(meant)?)));
        Some(match meant {
            Some((meant, corrected)) => Self {
                advice: format!("there is no '{name}'; did you mean '{meant}'?"),
                corrected: Some(corrected),
            },
            // A comment until the end of its line: of a value on several lines the rest is no TOML any more.
            None => Self {
                advice: format!("there is no '{name}' here; there are {}", known.join(", ")),
                corrected: replaced(&format!("# {name}")),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = include_str!("../../../scenarios/many-idle-few-active.toml");

    fn lines(text: &str) -> Vec<String> {
        match Text::new("a.toml", text).parse() {
            Ok((_, wrong)) => wrong,
            Err(ScenarioError(wrong)) => wrong,
        }
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line_and_what_was_meant() {
        let number = DEFAULT.lines().position(|line| line.starts_with("starts")).expect("a key") + 1;
        let wrong = lines(&DEFAULT.replacen("\nstarts = ", "\nstart = ", 1));
        assert_eq!(wrong, [format!("a.toml: line {number}: there is no 'start'; did you mean 'starts'?")]);
    }

    #[test]
    fn every_misspelt_key_is_found_at_once() {
        let text = DEFAULT.replacen("size_bytes", "size_byte", 1).replacen("point_s", "points_s", 1);
        let wrong = lines(&format!("colour = \"red\"\n{text}"));
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        for word in ["'colour' here; there are name", "did you mean 'size_bytes'", "did you mean 'point_s'"] {
            assert!(wrong.iter().any(|line| line.contains(word)), "{word}: {wrong:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_on_from_is_the_last_line() {
        let wrong = lines(&DEFAULT.replacen("light_per_s", "light_per", 1).replacen("echo\"", "echo", 1));
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(lines("name = \"a\"").iter().any(|line| line.contains("missing field")));
    }

    #[test]
    fn the_line_of_a_key_is_found_however_deep_it_is() {
        let text = Text::new(
            "a.toml",
            "name = \"a\"\n\n[[sweep]]\nname = \"b\"\n[[sweep]]\nconnections = [\"1\",\n\"x\"]\n",
        );
        let line = |key: &str| text.explain(&Mistake { key: key.into(), what: "wrong".into() });
        assert_eq!(line("name"), "a.toml: line 1: name: wrong");
        assert_eq!(line("sweep[0].name"), "a.toml: line 4: sweep[0].name: wrong");
        assert_eq!(line("sweep[1].connections"), "a.toml: line 6: sweep[1].connections: wrong");
        assert_eq!(line("sweep[1].connections[1]"), "a.toml: line 7: sweep[1].connections[1]: wrong");
        assert_eq!(line("sweep[1].active"), "a.toml: line 5: sweep[1].active: wrong");
        assert_eq!(line("load.size_bytes"), "a.toml: load.size_bytes: wrong");
    }
}
