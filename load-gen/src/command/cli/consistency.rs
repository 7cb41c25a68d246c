//! The meaning of options together: which of them contradict each other, and which windows they ask for.

use clap::CommandFactory;
use clap::error::ErrorKind;
use model::schema::Objective;
use report::export::Measure;

use super::values::{EngineArg, TimestampsArg};
use super::{Cli, Plan};
use crate::client::dialogue;
use crate::command::curve::{self, OfferedRate};
use crate::command::search;
use crate::record::series;

impl Cli {
    /// Checks that options that are each right by themselves go together.
    ///
    /// # Errors
    ///
    /// A usage error to print.
    pub fn check(&self) -> Result<(), clap::Error> {
        let error = |kind, text| Err(Self::command().error(kind, text));
        if let Some(text) = self.exports().contradiction(&self.absent_measures(), self.json) {
            return error(ErrorKind::ArgumentConflict, text);
        }
        if let (Some(EngineArg::IoUring), TimestampsArg::Kernel) = (self.engine, self.timestamps) {
            let text = "--timestamps kernel needs recvmsg(2): leave --engine out, or choose epoll";
            return error(ErrorKind::ArgumentConflict, text.to_owned());
        }
        let intervals = self.interval.map_or(0, |interval| self.duration().as_nanos() / interval.as_nanos());
        if intervals > series::MOST {
            let bound = if self.duration.is_none() { ", or bound the window with --duration" } else { "" };
            let text = format!(
                "{intervals} intervals are too many, at most {}: lengthen --interval{bound}",
                series::MOST
            );
            return error(ErrorKind::ValueValidation, text);
        }
        self.check_workload().or_else(|(kind, text)| error(kind, text))
    }

    /// The measures that the run will have no times of, each with what would give it some.
    fn absent_measures(&self) -> Vec<(Measure, &'static str)> {
        let scheduled = [Measure::Response, Measure::Lateness];
        let scheduled = scheduled.into_iter().filter(|_| self.first_rate().is_none());
        let churned = self.churn.is_none().then_some((Measure::ChurnConnect, "give --churn"));
        scheduled.map(|measure| (measure, "give a --rate, or export hgrm:service")).chain(churned).collect()
    }

    fn check_workload(&self) -> Result<(), (ErrorKind, String)> {
        let conflict = |text: &str| Err((ErrorKind::ArgumentConflict, text.to_owned()));
        if self.arrivals.is_some() && self.first_rate().is_none() {
            return conflict(
                "--arrivals is about a schedule, which closed loop does not have: give a --rate, or leave it out",
            );
        }
        if self.rotate.is_some() && self.active.among(self.conns) == self.conns {
            let text = "--rotate needs idle connections, and all are active: write fewer, as in --active 5%";
            return Err((ErrorKind::ValueValidation, text.to_owned()));
        }
        if matches!(self.engine, Some(EngineArg::IoUring)) && (self.rotate.is_some() || self.churn.is_some())
        {
            return conflict(
                "--rotate and --churn exchange connections under load, which only the engine on epoll can do: leave \
                 --engine out, or choose epoll",
            );
        }
        let is_one_window = matches!(self.rate, None | Some(OfferedRate::Constant(_))) && self.slo.is_none();
        if self.requests.is_some() && !is_one_window {
            return conflict(
                "--requests ends one window, and a curve or a search has many: bound each with --duration",
            );
        }
        let Some(dialogue) = self.workload().dialogue else { return Ok(()) };
        dialogue::check(&dialogue, self.size()).map_err(|text| (ErrorKind::ValueValidation, text))?;
        if self.size.is_some() && !dialogue::depends_on_size(&dialogue) {
            return conflict(
                "--size has nothing to say, since the template has neither {payload} nor {size}: write one of them, or \
                 leave --size out",
            );
        }
        Ok(())
    }

    /// The plan of what is to be measured on the connections.
    ///
    /// # Errors
    ///
    /// A sentence about rates that do not go together.
    pub fn plan(&self) -> Result<Plan, String> {
        let plan = match (self.rate, self.slo) {
            (None | Some(OfferedRate::Constant(_)), None) => Plan::Once,
            (Some(OfferedRate::Steps { from, to, steps }), None) => {
                Plan::Steps(curve::spaced(from, to, steps))
            }
            (None, Some(objective)) => {
                Plan::Search((self.search_from(objective), search::HIGHEST), objective)
            }
            (Some(OfferedRate::Range { from, to }), Some(objective)) => Plan::Search((from, to), objective),
            (Some(OfferedRate::Range { .. }), None) => {
                return Err(
                    "--rate A..B needs a number of steps (10k..200k:10), or --slo to search in it".into()
                );
            }
            (Some(_), Some(_)) => {
                return Err(
                    "--slo searches for a rate: give it a range to search in (--rate 10k..200k)".into()
                );
            }
        };
        if let Plan::Search((lowest, _), objective) = plan {
            search::enough_samples(lowest * self.duration().as_secs_f64(), objective.quantile)
                .map_err(|error| error.to_string())?;
        }
        Ok(plan)
    }

    /// The first rate to be offered, in open loop.
    pub(super) fn first_rate(&self) -> Option<f64> {
        match (self.rate, self.slo) {
            (Some(OfferedRate::Constant(rate)), _) => Some(rate),
            (Some(OfferedRate::Steps { from, .. } | OfferedRate::Range { from, .. }), _) => Some(from),
            (None, slo) => slo.map(|objective| self.search_from(objective)),
        }
    }

    /// The rate at which a search without a range begins: the lowest at which a window tells the percentile, but not
    /// below 1,000 requests per second.
    fn search_from(&self, objective: Objective) -> f64 {
        search::lowest_rate(self.duration().as_secs_f64(), objective.quantile)
    }
}
