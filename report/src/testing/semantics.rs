//! Semantics made up for tests.

use std::collections::BTreeMap;

use crate::claims::decided;
use model::schema::{
    Answer, Event, Evidence, Finding, Observer, PhaseReport, SCHEMA_VERSION, Semantics, SituationReport,
    WaitPhase,
};

/// Two situations, one of them not offered, through four mechanisms, one of them not to be had; one claim,
/// refuted.
pub fn semantics() -> Semantics {
    let observer = |name: &str, unavailable: Option<&str>| Observer {
        name: name.to_owned(),
        about: format!("{name}, as ever"),
        unavailable: unavailable.map(str::to_owned),
    };
    let evidence = vec![Evidence {
        what: "setsockopt".to_owned(),
        claimed: Some("success".to_owned()),
        observed: Some("ENOPROTOOPT".to_owned()),
        note: Some("with a | in it".to_owned()),
        finding: Finding::Contradicts,
    }];
    Semantics {
        schema_version: SCHEMA_VERSION,
        muxbench_version: "0.1.0".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        system: "Linux".to_owned(),
        kernel: "6.8.0-45-generic".to_owned(),
        architecture: "x86_64".to_owned(),
        mechanisms: vec![
            observer("poll", None),
            observer("epoll-lt", None),
            observer("epoll-et", None),
            observer("io-uring-poll", Some("kernel.io_uring_disabled forbids it")),
        ],
        situations: vec![
            SituationReport {
                name: "readable".to_owned(),
                about: "TCP socket, 4 bytes arrived".to_owned(),
                unavailable: None,
                phases: WaitPhase::ALL.map(phase).to_vec(),
            },
            SituationReport {
                name: "userfaultfd".to_owned(),
                about: "a userfaultfd".to_owned(),
                unavailable: Some("Function not implemented (os error 38)".to_owned()),
                phases: Vec::new(),
            },
        ],
        claims: vec![decided("sndlowat", "2.1", "the mark is set", evidence)],
    }
}

/// A wait of the readable socket: edge-triggered waits report when armed and not in between; the last three
/// phases mean nothing.
fn phase(phase: WaitPhase) -> PhaseReport {
    let means_something = phase <= WaitPhase::ArmedAgain;
    let ready = Answer::Events { events: vec![Event::In, Event::Out] };
    let edge = if phase == WaitPhase::SecondWait { Answer::nothing() } else { ready.clone() };
    let answers = [
        ("poll", ready.clone()),
        ("epoll-lt", ready),
        ("epoll-et", edge),
        ("io-uring-poll", Answer::Unavailable),
    ];
    let answers = answers.map(|(name, answer)| (name.to_owned(), answer));
    PhaseReport {
        phase,
        action: means_something.then(|| "nothing".to_owned()),
        answers: if means_something { BTreeMap::from(answers) } else { BTreeMap::new() },
    }
}
