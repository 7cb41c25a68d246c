//! The output for a person while it runs: a line that is redrawn on a terminal, a line per second anywhere else.

use std::env;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::streams;
use report::format::{ABSENT, duration_ns, nominal_rate, rate, thousands};

use crate::command::curve::CurveObserver;
use crate::record::observer::{Edge, Observer, Progress, Recent};

/// The use of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Also into a file or pipe
    Always,
    /// Not at all
    Never,
}

/// The choice between coloured and plain text: true if it is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(bool);

/// The meaning of a text's colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// All is well.
    Good,
    /// Something failed.
    Bad,
    /// Of less weight than what is around it.
    Faint,
}

impl Paint {
    /// As `colour` says of `stream`. NO_COLOR counts when it is set to anything (no-color.org).
    pub fn of(colour: Colour, stream: &impl IsTerminal) -> Self {
        Self(match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                stream.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        })
    }

    /// Returns whether text is coloured at all.
    pub fn is_on(self) -> bool {
        self.0
    }

    /// `text` in the colour of `style`.
    pub fn text(self, text: &str, style: Style) -> String {
        let code = match style {
            Style::Good => "32",
            Style::Bad => "1;31",
            Style::Faint => "2",
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The interval between two lines where the line is not redrawn.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// The progress of one run, on standard error.
pub struct View {
    shown: Shown,
    paint: Paint,
    conns: u32,
    phase: &'static str,
    /// True if there is a schedule, and so a response.
    has_schedule: bool,
    /// The step of a curve that this is, if it is one.
    step: String,
    began: Instant,
    before: (Instant, Progress),
}

enum Shown {
    Nothing,
    /// One line, redrawn.
    Redrawn(ProgressBar),
    /// One line per second.
    Lines,
}

impl View {
    /// A view of a run of `conns` connections.
    pub fn new(conns: u32, quiet: bool, colour: Colour) -> Self {
        let stderr = std::io::stderr();
        let shown = match (quiet, stderr.is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, false) => Shown::Lines,
            (false, true) => {
                let style = ProgressStyle::with_template("{elapsed} {msg}").expect("the template is valid");
                Shown::Redrawn(
                    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style),
                )
            }
        };
        let now = Instant::now();
        let paint = Paint::of(colour, &stderr);
        Self {
            shown,
            paint,
            conns,
            phase: "opening",
            has_schedule: false,
            step: String::new(),
            began: now,
            before: (now, Progress::default()),
        }
    }

    /// Returns whether it is shown.
    pub fn is_shown(&self) -> bool {
        !matches!(self.shown, Shown::Nothing)
    }

    /// Load begins, in open loop or not.
    pub fn loading(&mut self, open_loop: bool) {
        self.phase = "warm-up";
        self.has_schedule = open_loop;
    }

    /// Connections are being closed.
    pub fn closing(&mut self) {
        self.phase = "closing";
        if let Shown::Redrawn(bar) = &self.shown {
            bar.set_message(self.phase);
        }
    }

    /// Takes the redrawn line away.
    pub fn finish(&self) {
        if let Shown::Redrawn(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    /// The line about what has happened since the progress before.
    fn line(&self, now: Instant, progress: &Progress) -> String {
        let (then, before) = &self.before;
        let since_s = now.duration_since(*then).as_secs_f64().max(1e-3);
        let per_s = |later: u64, earlier: u64| rate((later - earlier) as f64 / since_s);
        let mut line = format!("{}{}: {}", self.step, self.phase, thousands(progress.opened));
        if progress.opened < self.conns.into() {
            line += &format!(" of {}", thousands(self.conns.into()));
        }
        line += " connections";
        if progress.due > 0 {
            line += &format!(
                ", offered {}/s, achieved {}/s, p50/p99/max ",
                per_s(progress.due, before.due),
                per_s(progress.answered, before.answered)
            );
            if self.has_schedule {
                line += &format!("response {}, ", recent(&progress.response));
            }
            line += &format!("service {}, ", recent(&progress.service));
            let errors = format!("{} errors", thousands(progress.failed));
            line += &if progress.failed > 0 { self.paint.text(&errors, Style::Bad) } else { errors };
        }
        line
    }
}

/// Median, 99th percentile and largest, in one word each.
fn recent(recent: &Recent) -> String {
    let of = |ns: Option<u64>| ns.map_or(ABSENT.to_owned(), |ns| duration_ns(ns as f64));
    format!("{}/{}/{}", of(recent.p50_ns), of(recent.p99_ns), of(recent.max_ns))
}

impl Observer for View {
    fn edge(&mut self, edge: Edge, _answered: u64) {
        self.phase = match edge {
            Edge::Begin => "measuring",
            Edge::End => "draining",
        };
    }

    fn waiting(&mut self, left: Duration) {
        if let Shown::Redrawn(bar) = &self.shown {
            bar.set_message(format!("begins in {:.0} s", left.as_secs_f64().ceil()));
        }
    }

    fn period(&self) -> Duration {
        match self.shown {
            Shown::Redrawn(_) => Duration::from_millis(200),
            Shown::Nothing | Shown::Lines => LINE_EVERY,
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let now = Instant::now();
        match &self.shown {
            Shown::Nothing => {}
            Shown::Redrawn(bar) => bar.set_message(self.line(now, progress)),
            Shown::Lines => {
                let time = format!("{:.0} s", now.duration_since(self.began).as_secs_f64());
                streams::write_progress(format_args!(
                    "load-gen: {} {}",
                    self.paint.text(&time, Style::Faint),
                    self.line(now, progress)
                ));
            }
        }
        self.before = (now, *progress);
    }
}

impl CurveObserver for View {
    fn step(&mut self, number: usize, of: Option<usize>, rate_per_s: f64) {
        let of = of.map_or_else(String::new, |of| format!(" of {of}"));
        self.step = format!("step {number}{of} at {}/s, ", nominal_rate(rate_per_s));
        self.phase = "warm-up";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(conns: u32) -> View {
        let now = Instant::now();
        View {
            shown: Shown::Lines,
            paint: Paint(false),
            conns,
            phase: "measuring",
            has_schedule: true,
            step: String::new(),
            began: now,
            before: (now, Progress::default()),
        }
    }

    #[test]
    fn a_line_says_what_was_offered_and_achieved_and_how_long_it_took_since_the_one_before() {
        let mut view = view(50);
        view.before.1 = Progress { due: 10_000, answered: 10_000, ..Progress::default() };
        let progress = Progress {
            opened: 50,
            due: 30_000,
            answered: 29_000,
            failed: 2,
            response: Recent { p50_ns: Some(35_100), p99_ns: Some(120_000), max_ns: None },
            service: Recent { p50_ns: Some(34_200), p99_ns: Some(110_000), max_ns: Some(2_000_000) },
        };
        let then = view.before.0 + Duration::from_secs(1);
        assert_eq!(
            view.line(then, &progress),
            "measuring: 50 connections, offered 20.0k/s, achieved 19.0k/s, p50/p99/max response 35.1 µs/120 µs/–, \
             service 34.2 µs/110 µs/2.00 ms, 2 errors"
        );
        view.loading(false);
        let closed = view.line(then, &progress);
        assert!(closed.ends_with("p50/p99/max service 34.2 µs/110 µs/2.00 ms, 2 errors"), "{closed}");
    }

    #[test]
    fn while_connections_open_a_line_says_how_many_are_missing() {
        let view = view(10_000);
        let progress = Progress { opened: 1_234, ..Progress::default() };
        assert_eq!(view.line(Instant::now(), &progress), "measuring: 1,234 of 10,000 connections");
    }

    #[test]
    fn colours_are_on_only_where_they_were_asked_for() {
        let file = std::fs::File::open("/dev/null").expect("always there");
        assert_eq!(Paint::of(Colour::Auto, &file).text("x", Style::Bad), "x");
        assert_eq!(Paint::of(Colour::Never, &file).text("x", Style::Bad), "x");
        assert_eq!(Paint::of(Colour::Always, &file).text("x", Style::Good), "\x1b[32mx\x1b[0m");
    }
}
