//! The names that `muxbench run` knows and that are no scenarios.

use evidence::reproductions;

/// Something that is measured in a way of its own.
pub struct Apart {
    /// Its name.
    pub name: &'static str,
    /// Its question, in a sentence.
    pub question: &'static str,
    /// The time that it takes, and what else it needs.
    pub takes: &'static str,
    /// The end of a sentence that begins with its name: the reason that it is no scenario, and what to do.
    advice: &'static str,
}

/// All there is.
pub const ALL: [Apart; 2] = [
    Apart {
        name: reproductions::NAME,
        question: "What do tables that others have published say when they are measured again?",
        takes: "3 min",
        advice: "is measured alone: muxbench run reproductions",
    },
    Apart {
        name: "million",
        question: "Does this machine hold a million connections, and serve those of them that are active?",
        takes: "2 min and 8 GB, by scenarios/million",
        advice: "is no scenario but a script, scenarios/million of the source: about 2 minutes and 8 GB of memory; \
                 `scenarios/million 100k` holds fewer, and the scenario hundred-thousand compares mechanisms",
    },
];

/// Returns what to do about `name` where only scenarios can be run; `None` for a name that is not in [`ALL`].
pub fn advice(name: &str) -> Option<String> {
    let found = ALL.iter().find(|apart| apart.name == name)?;
    Some(format!("'{name}' {}", found.advice))
}
