//! The text that `muxbench doctor` prints.

use model::schema::{Diagnosis, Health, Symptom};

/// The answers, each with why it matters, and what changes it where something should.
pub fn render(diagnosis: &Diagnosis) -> String {
    let width = diagnosis.symptoms.iter().map(|symptom| symptom.name.len()).max().unwrap_or(0);
    let mut text: String = diagnosis.symptoms.iter().map(|symptom| answer(symptom, width)).collect();
    let count = |state| diagnosis.symptoms.iter().filter(|symptom| symptom.state == state).count();
    let [failed, warned] = [Health::Fail, Health::Warn].map(count);
    text += &format!(
        "\n{} for {} connections: {} of {} questions pass, {warned} warn, {failed} fail\n",
        if failed > 0 { "Not fit" } else { "Fit" },
        crate::format::thousands(diagnosis.connections.into()),
        diagnosis.symptoms.len() - failed - warned,
        diagnosis.symptoms.len(),
    );
    text
}

fn answer(symptom: &Symptom, width: usize) -> String {
    let state = match symptom.state {
        Health::Pass => "pass",
        Health::Warn => "WARN",
        Health::Fail => "FAIL",
    };
    let indent = " ".repeat(width + 8);
    let mut text =
        format!("{state}  {:width$}  {}\n{indent}why: {}\n", symptom.name, symptom.found, symptom.why);
    if let Some(remedy) = &symptom.remedy {
        text += &format!("{indent}change: {remedy}\n");
    }
    text
}

/// One line for a campaign: what its figures suffer from, or nothing.
pub fn complaints(diagnosis: &Diagnosis) -> Vec<String> {
    let ill = diagnosis.symptoms.iter().filter(|symptom| symptom.state != Health::Pass);
    ill.map(|symptom| {
        let remedy = symptom.remedy.as_deref().map(|remedy| format!(" ({remedy})")).unwrap_or_default();
        format!("{}: {}{remedy}", symptom.name, symptom.found)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::schema::SCHEMA_VERSION;

    fn symptom(name: &str) -> Symptom {
        Symptom {
            name: name.into(),
            state: Health::Pass,
            found: "performance".into(),
            why: "the clock".into(),
            remedy: None,
        }
    }

    fn diagnosis(symptoms: Vec<Symptom>) -> Diagnosis {
        Diagnosis {
            schema_version: SCHEMA_VERSION,
            started: "2026-01-01T00:00:00Z".into(),
            connections: 10_000,
            symptoms,
            noise: None,
        }
    }

    #[test]
    fn every_answer_says_why_it_matters_and_a_bad_one_what_changes_it() {
        let bad = symptom("load").but(Health::Fail, "wait");
        let diagnosis = diagnosis(vec![symptom("governor"), bad]);
        assert_eq!(
            render(&diagnosis),
            "pass  governor  performance\n                why: the clock\n\
             FAIL  load      performance\n                why: the clock\n                change: wait\n\
             \nNot fit for 10,000 connections: 1 of 2 questions pass, 0 warn, 1 fail\n"
        );
        assert!(diagnosis.failed());
        assert_eq!(complaints(&diagnosis), ["load: performance (wait)"]);
    }

    #[test]
    fn a_warning_is_no_failure() {
        let diagnosis = diagnosis(vec![symptom("turbo").but(Health::Warn, "off")]);
        assert!(!diagnosis.failed() && render(&diagnosis).contains("Fit for"));
    }
}
