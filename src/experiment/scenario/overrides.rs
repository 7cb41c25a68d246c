//! The changes that the command line makes to a scenario, and the check that the outcome can be run.

use model::schema::{Exclude, Point, Scenario, Sweep};
use sys::capacity::Capacity;

use super::text::{Mistake, Mistakes, ScenarioError};
use super::{Draft, check, external, points, room};
use crate::mechanisms;
use crate::server::Mechanism;

/// The intervals of a first look are so many times as wide as those that the scenario asks for.
const QUICK_IS_WIDER: f64 = 2.0;
/// And those of a thorough run.
const THOROUGH_IS_WIDER: f64 = 1.0 / 3.0;

/// The changes that the command line makes to a scenario.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Take the scenario's quick form.
    pub quick: bool,
    /// Twice as many starts, for six times as long.
    pub thorough: bool,
    /// The candidate that the others are compared with.
    pub reference: Option<String>,
    /// Measure these only: mechanisms, and external servers of the scenario.
    pub mechanisms: Option<Vec<String>>,
    /// Connections of every sweep.
    pub connections: Option<Vec<String>>,
    /// Active connections: a sweep for each.
    pub active: Option<Vec<String>>,
    /// Each candidate is compared with another build's own.
    pub against: bool,
}

/// A scenario that can be run.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The scenario with every change applied.
    pub scenario: Scenario,
    /// Its points.
    pub points: Vec<Point>,
    /// Notes to read before the run, one line each: what is left out, and what the machine may lack.
    pub notes: Vec<String>,
}

impl Overrides {
    /// Applies the changes, checks the outcome for `machine`, and lists its points.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, at once: by file, line and key, or by the option that said so.
    pub fn apply(&self, draft: Draft, machine: &Capacity) -> Result<Prepared, ScenarioError> {
        let Draft { mut scenario, text, wrong: misspelt } = draft;
        let mut wrong = Mistakes::default();
        let form = if self.quick { "quick." } else { "" };
        match (self.quick, scenario.quick.take()) {
            (true, Some(quick)) => {
                scenario.rounds.starts = quick.rounds.starts;
                scenario.rounds.point_s = quick.rounds.point_s;
                scenario.rounds.half_widths = scenario.rounds.half_widths.scaled(QUICK_IS_WIDER);
                scenario.sweeps = quick.sweeps;
            }
            (true, None) => wrong.note("quick", "this scenario has no quick form"),
            (false, _) => {}
        }
        let known = names_to_choose_from(&scenario);
        let listed: Vec<String> = scenario.candidates().map(str::to_owned).collect();
        self.change(&mut scenario, &known);
        // What would not have been measured anyway is not left out.
        scenario
            .excludes
            .retain(|exclude| listed.contains(&exclude.mechanism) || !known.contains(&exclude.mechanism));
        check::check(&scenario, form, &known, &mut wrong);
        let mut points = points::of(&scenario.sweeps, form, &mut wrong);
        leave_out_other_modes(&mut scenario, &points);
        scenario.excludes.extend(room::too_many_together(&scenario, &points, self.against, machine));
        drop_empty(&scenario, &mut points, form, &mut wrong);
        let doubtful = room::missing(&scenario, &points, form, machine, &mut wrong);
        check::check_reference(&scenario, &points, &mut wrong);
        external::check(&scenario, &mut wrong);
        let mut lines: Vec<String> = misspelt;
        let explain = |mistake: &Mistake| self.said_by(mistake).unwrap_or_else(|| text.explain(mistake));
        lines.extend(wrong.0.iter().map(explain));
        let mut said = std::collections::HashSet::new();
        lines.retain(|line| said.insert(line.clone()));
        if !lines.is_empty() {
            return Err(ScenarioError(lines));
        }
        let left_out =
            report::format::exclusions(&scenario).into_iter().map(|line| format!("left out: {line}"));
        let notes = left_out.chain(doubtful).collect();
        Ok(Prepared { scenario, points, notes })
    }

    fn change(&self, scenario: &mut Scenario, known: &[String]) {
        match &self.mechanisms {
            Some(names) => choose(scenario, names),
            None => leave_out_what_cannot_run(scenario),
        }
        if let Some(connections) = &self.connections {
            scenario.sweeps.iter_mut().for_each(|sweep| sweep.connections.clone_from(connections));
        }
        if let Some(active) = &self.active {
            let sweeps = active.iter().filter_map(|active| sweep_with(&scenario.sweeps, active)).collect();
            scenario.sweeps = sweeps;
        }
        if self.thorough {
            scenario.rounds.starts *= 2;
            scenario.rounds.point_s *= 6.0;
            scenario.rounds.half_widths = scenario.rounds.half_widths.scaled(THOROUGH_IS_WIDER);
        }
        self.choose_reference(scenario, known);
    }

    /// The reference is the one asked for, or else the scenario's, or else the first of those that are measured, where the scenario's
    /// is left out.
    fn choose_reference(&self, scenario: &mut Scenario, known: &[String]) {
        let candidates: Vec<String> = scenario.candidates().map(str::to_owned).collect();
        let is_left_out = known.contains(&scenario.reference) && !candidates.contains(&scenario.reference);
        let first = candidates.into_iter().next().filter(|_| is_left_out);
        if let Some(reference) = self.reference.clone().or(first) {
            scenario.reference = reference;
        }
    }

    /// A mistake of the command line, by its option.
    fn said_by(&self, mistake: &Mistake) -> Option<String> {
        let option = match mistake.key.rsplit('.').next()? {
            "connections" if self.connections.is_some() => "--conns",
            "active" if self.active.is_some() => "--active",
            "mechanisms" if self.mechanisms.is_some() => "--mechanisms",
            "reference" if self.reference.is_some() => "--reference",
            _ => return None,
        };
        Some(format!("{option}: {}", mistake.what))
    }
}

/// Returns the names that a scenario can be measured with: every mechanism there is, and its external servers.
fn names_to_choose_from(scenario: &Scenario) -> Vec<String> {
    let mechanisms = mechanisms::all().iter().map(|mechanism| mechanism.name.to_owned());
    mechanisms.chain(scenario.servers.iter().map(|server| server.name.clone())).collect()
}

/// Leaves only what is in `names`: servers of the scenario, and for the rest mechanisms. Who names one wants it,
/// whatever the scenario leaves out everywhere.
fn choose(scenario: &mut Scenario, names: &[String]) {
    scenario.servers.retain(|server| names.contains(&server.name));
    let is_server = |name: &&String| scenario.servers.iter().any(|server| server.name == **name);
    scenario.mechanisms = names.iter().filter(|name| !is_server(name)).cloned().collect();
    scenario.excludes.retain(|exclude| !exclude.is_everywhere() && names.contains(&exclude.mechanism));
}

/// Leaves out, with the reason, what the scenario excludes everywhere and what this build or this kernel does not have.
fn leave_out_what_cannot_run(scenario: &mut Scenario) {
    let Scenario { mechanisms, servers, excludes, .. } = scenario;
    let excluded: Vec<String> =
        excludes.iter().filter(|e| e.is_everywhere()).map(|e| e.mechanism.clone()).collect();
    servers.retain(|server| !excluded.contains(&server.name));
    mechanisms.retain(|name| {
        let obstacle = mechanisms::find(name).and_then(Mechanism::obstacle);
        if let Some(obstacle) = obstacle.as_ref().filter(|_| !excluded.contains(name)) {
            // The name stands before the reason already.
            let reason = obstacle.strip_prefix(&format!("{name} ")).unwrap_or(obstacle).to_owned();
            excludes.push(Exclude { mechanism: name.clone(), reason, ..Exclude::default() });
        }
        obstacle.is_none() && !excluded.contains(name)
    });
}

/// Leaves out, with the reason, the mechanisms that cannot meet the listener in the way that some points ask for.
fn leave_out_other_modes(scenario: &mut Scenario, points: &[Point]) {
    let mut modes: Vec<&String> = points.iter().filter_map(|point| point.accept.as_ref()).collect();
    modes.sort_unstable();
    modes.dedup();
    for mechanism in scenario.mechanisms.iter().filter_map(|name| mechanisms::find(name)) {
        let has: Vec<String> = mechanism.accept.iter().map(ToString::to_string).collect();
        for mode in modes.iter().filter(|mode| !has.contains(mode)) {
            scenario.excludes.push(Exclude {
                mechanism: mechanism.name.to_owned(),
                reason: format!("threads meet the listener only as {} there", has.join(" or ")),
                accept: Some((*mode).clone()),
                ..Exclude::default()
            });
        }
    }
}

/// Takes away the points at which everything is left out; that nothing remains is a mistake.
fn drop_empty(scenario: &Scenario, points: &mut Vec<Point>, form: &str, wrong: &mut Mistakes) {
    let is_measured =
        |point: &Point| scenario.candidates().any(|name| scenario.exclusion(name, point).is_none());
    let planned = points.len();
    points.retain(is_measured);
    if points.is_empty() && planned > 0 && scenario.candidates().next().is_some() {
        let lines = report::format::exclusions(scenario).join("; ");
        wrong.note(format!("{form}sweep"), format!("everything is left out: {lines}"));
    }
}

/// The sweep that has `active` already, or one made for it after the first one.
fn sweep_with(sweeps: &[Sweep], active: &str) -> Option<Sweep> {
    let has = |sweep: &&Sweep| sweep.active.iter().eq([active]);
    let made =
        |first: &Sweep| Sweep { name: format!("active-{active}"), active: active.into(), ..first.clone() };
    sweeps.iter().find(has).cloned().or_else(|| sweeps.first().map(made))
}
