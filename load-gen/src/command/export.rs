//! `--export KIND=PATH`: the result in the formats of other tools.

use std::path::PathBuf;
use std::str::FromStr;

use model::files;
use model::schema::LoadReport;
use model::streams;
use report::export::{self, Format, Measure};

const KINDS: &str = "hgrm, hlog, csv, prometheus, openmetrics or json";

/// One `--export`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    format: Format,
    destination: Destination,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Destination {
    StandardOutput,
    File(PathBuf),
}

impl FromStr for Export {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, path) =
            text.split_once('=').ok_or_else(|| format!("write KIND=PATH, where KIND is {KINDS}"))?;
        let format = format_named(kind)?;
        let destination = match path {
            "" => return Err(format!("it lacks a path: write {kind}=PATH, or {kind}=- for standard output")),
            "-" => Destination::StandardOutput,
            path => Destination::File(path.into()),
        };
        Ok(Self { format, destination })
    }
}

/// Reads the name of a format, `hgrm:service` if it says a measure.
///
/// # Errors
///
/// A sentence that says which there are.
pub fn format_named(name: &str) -> Result<Format, String> {
    let (kind, measure) = match name.split_once(':') {
        Some((kind, measure)) => (kind, Some(measure)),
        None => (name, None),
    };
    match kind {
        "hgrm" => Ok(Format::Hgrm(measure.map(measure_named).transpose()?)),
        _ if measure.is_some() => Err("only hgrm has a measure, as in hgrm:service".into()),
        "hlog" => Ok(Format::Hlog),
        "csv" => Ok(Format::Csv),
        "prometheus" => Ok(Format::Prometheus),
        "openmetrics" => Ok(Format::OpenMetrics),
        "json" => Ok(Format::Json),
        unknown => Err(format!("there is no kind '{unknown}'; it is {KINDS}")),
    }
}

fn measure_named(name: &str) -> Result<Measure, String> {
    let names = || Measure::ALL.map(Measure::name).join(", ");
    Measure::ALL
        .into_iter()
        .find(|measure| measure.name() == name)
        .ok_or_else(|| format!("there is no measure '{name}'; it is one of {}", names()))
}

/// All exports of a run.
#[derive(Debug, Clone, Copy)]
pub struct Exports<'a>(pub &'a [Export]);

impl Exports<'_> {
    /// Returns whether there is one.
    pub fn is_any(self) -> bool {
        !self.0.is_empty()
    }

    /// Returns whether one of them goes to standard output, which then has nothing else.
    pub fn take_standard_output(self) -> bool {
        self.0.iter().any(|export| export.destination == Destination::StandardOutput)
    }

    /// The first contradiction among them, if there is one, in a run that has no times of `absent` measures, each with
    /// what would give it some, and that prints JSON or not.
    pub fn contradiction(self, absent: &[(Measure, &str)], json: bool) -> Option<String> {
        let exports = self.0;
        let asks_for = |measure| exports.iter().any(|export| export.format == Format::Hgrm(Some(measure)));
        if let Some((measure, advice)) = absent.iter().find(|(measure, _)| asks_for(*measure)) {
            return Some(format!("this run has no {} times: {advice}", measure.name()));
        }
        if json && self.take_standard_output() {
            return Some("--json and an export to '-' both go to standard output: give one a file".into());
        }
        exports.iter().enumerate().find_map(|(index, export)| {
            let doubled = exports[..index].iter().any(|earlier| earlier.destination == export.destination);
            doubled.then(|| match &export.destination {
                Destination::StandardOutput => "two exports go to standard output: give one a file".into(),
                Destination::File(path) => format!("two exports go to {}", path.display()),
            })
        })
    }

    /// Finds out, before anything is measured, whether all files can be written.
    ///
    /// # Errors
    ///
    /// When one cannot.
    pub fn check_writable(self) -> Result<(), files::WriteError> {
        self.0.iter().try_for_each(|export| match &export.destination {
            Destination::StandardOutput => Ok(()),
            Destination::File(path) => files::check_writable(path),
        })
    }

    /// Writes each, whatever becomes of the others.
    ///
    /// # Errors
    ///
    /// One that names all failures.
    pub fn write(self, report: &LoadReport) -> anyhow::Result<()> {
        let mut failures: Vec<_> = self.0.iter().filter_map(|export| export.write(report).err()).collect();
        // One stays what it is: a reader that has gone ends the program without a word.
        if failures.len() < 2 {
            return failures.pop().map_or(Ok(()), Err);
        }
        let failures: Vec<String> =
            failures.iter().map(|error| report::format::error(error.as_ref())).collect();
        Err(anyhow::anyhow!(failures.join("; ")))
    }
}

impl Export {
    fn write(&self, report: &LoadReport) -> anyhow::Result<()> {
        let text = export::render(report, self.format, &[])?;
        match &self.destination {
            Destination::StandardOutput => Ok(streams::print(text)?),
            Destination::File(path) => Ok(files::write_atomically(path, text.as_bytes())?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exports(texts: &[&str]) -> Vec<Export> {
        texts.iter().map(|text| text.parse().expect("an export")).collect()
    }

    #[test]
    fn a_kind_may_say_its_measure() {
        let parsed = exports(&["hgrm:service=a=b", "json=-"]);
        let file = Destination::File("a=b".into());
        assert_eq!(parsed[0], Export { format: Format::Hgrm(Some(Measure::Service)), destination: file });
        assert_eq!(parsed[1], Export { format: Format::Json, destination: Destination::StandardOutput });
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        for (text, advice) in [
            ("hgrm", "KIND=PATH"),
            ("xml=a", "hgrm, hlog, csv, prometheus, openmetrics or json"),
            ("csv=", "csv=-"),
            ("csv:service=a", "only hgrm"),
            ("hgrm:speed=a", "response, service, lateness, connect"),
        ] {
            let error = text.parse::<Export>().expect_err(text);
            assert!(error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn exports_that_cannot_all_be_are_named() {
        let absent = [(Measure::Lateness, "give a --rate"), (Measure::ChurnConnect, "give --churn")];
        let contradiction = |texts: &[&str], json| Exports(&exports(texts)).contradiction(&absent, json);
        assert_eq!(contradiction(&["hgrm=a", "hgrm:service=b", "csv=-"], false), None);
        assert_eq!(contradiction(&["hgrm:response=a"], true), None);
        for (texts, json, word) in [
            (["hgrm:lateness=a", "csv=b"], false, "no lateness times: give a --rate"),
            (["csv=a", "hgrm:churn_connect=b"], false, "no churn_connect times: give --churn"),
            (["csv=-", "hlog=b"], true, "--json"),
            (["csv=-", "hlog=-"], false, "standard output"),
            (["csv=a", "hlog=a"], false, "two exports go to a"),
        ] {
            let error = contradiction(&texts, json).expect("a contradiction");
            assert!(error.contains(word), "{error}");
        }
    }
}
