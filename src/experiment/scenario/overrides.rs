//! What the command line makes of a scenario, and whether the outcome can be run.

use load_gen::machine::capacity::Capacity;
use model::schema::{Exclude, Point, Rounds, Scenario, Sweep};

use super::text::Mistake;
use super::{Draft, ScenarioError, check, external, points, room};
use crate::mechanisms::{self, Mechanism};

/// What the command line changes of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Take the scenario's quick form.
    pub quick: bool,
    /// Measure rounds for six times as long.
    pub thorough: bool,
    /// The candidate that the others are compared with.
    pub reference: Option<String>,
    /// Measure these only: mechanisms, and external servers of the scenario.
    pub mechanisms: Option<Vec<String>>,
    /// Connections of every sweep.
    pub connections: Option<Vec<String>>,
    /// Active connections: a sweep for each.
    pub active: Option<Vec<String>>,
    /// Number of repeats, exactly.
    pub repeats: Option<u32>,
}

/// A scenario that can be run.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The scenario with every change applied.
    pub scenario: Scenario,
    /// Its points.
    pub points: Vec<Point>,
    /// What to know beforehand, a line each: what is left out, and what the machine may lack.
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
        let mut wrong = Vec::new();
        let form = if self.quick { "quick." } else { "" };
        match (self.quick, scenario.quick.take()) {
            (true, Some(quick)) => {
                scenario.repeats = quick.repeats;
                scenario.timing = quick.timing;
                scenario.sweeps = quick.sweeps;
                scenario.stop = None;
            }
            (true, None) => wrong.push(Mistake::new("quick", "this scenario has no quick form")),
            (false, _) => {}
        }
        let known = names_to_choose_from(&scenario);
        let listed: Vec<String> = scenario.contenders().map(str::to_owned).collect();
        self.change(&mut scenario);
        // What would not have been measured anyway is not left out.
        scenario
            .excludes
            .retain(|exclude| listed.contains(&exclude.mechanism) || !known.contains(&exclude.mechanism));
        wrong.extend(check::mistakes(&scenario, form, &known));
        let mut points = points::of(&scenario.sweeps, form, &mut wrong);
        leave_out_other_modes(&mut scenario, &points);
        let missing = room::missing(&scenario, &points, form, machine);
        wrong.extend(missing.fatal);
        wrong.extend(drop_empty(&scenario, &mut points, form));
        wrong.extend(check::reference_mistake(&scenario, &points));
        wrong.extend(external::check(&scenario));
        let mut lines: Vec<String> = misspelt;
        lines.extend(
            wrong.iter().map(|mistake| self.said_by(mistake).unwrap_or_else(|| text.explain(mistake))),
        );
        let mut said = std::collections::HashSet::new();
        lines.retain(|line| said.insert(line.clone()));
        if !lines.is_empty() {
            return Err(ScenarioError(lines));
        }
        let left_out =
            scenario.excludes.iter().map(|exclude| format!("left out: {}", report::format::exclude(exclude)));
        let notes = left_out.chain(missing.doubtful).collect();
        Ok(Prepared { scenario, points, notes })
    }

    fn change(&self, scenario: &mut Scenario) {
        match &self.mechanisms {
            Some(names) => choose(scenario, names),
            None => leave_out_what_cannot_run(scenario),
        }
        if let Some(repeats) = self.repeats {
            scenario.repeats = repeats;
            scenario.stop = None;
        }
        if let Some(connections) = &self.connections {
            scenario.sweeps.iter_mut().for_each(|sweep| sweep.connections.clone_from(connections));
        }
        if let Some(active) = &self.active {
            let sweeps = active.iter().filter_map(|active| sweep_with(&scenario.sweeps, active)).collect();
            scenario.sweeps = sweeps;
        }
        if let Some(rounds) = &mut scenario.rounds {
            if self.quick {
                *rounds = quickly(rounds);
            } else if self.thorough {
                *rounds = thoroughly(rounds);
            }
        }
        self.choose_reference(scenario);
        // Of what is measured, something has to be its own control.
        if scenario.control.is_some() && (self.mechanisms.is_some() || !controls_a_contender(scenario)) {
            let kept =
                scenario.control.take().filter(|name| scenario.contenders().any(|known| known == name));
            scenario.control = kept.or_else(|| scenario.contenders().next().map(str::to_owned));
        }
    }

    /// The reference is the one asked for, or else the scenario's, or else the first of those that are measured.
    fn choose_reference(&self, scenario: &mut Scenario) {
        let is_measured = |name: &str| scenario.contenders().any(|known| known == name);
        let Some(mut rounds) = scenario.rounds.clone() else { return };
        if let Some(reference) = &self.reference {
            rounds.reference.clone_from(reference);
        } else if self.mechanisms.is_some() && !is_measured(&rounds.reference) {
            rounds.reference = scenario.contenders().next().unwrap_or_default().to_owned();
        }
        scenario.rounds = Some(rounds);
    }

    /// A mistake of the command line, by its option.
    fn said_by(&self, mistake: &Mistake) -> Option<String> {
        let option = match mistake.key.rsplit('.').next()? {
            "connections" if self.connections.is_some() => "--conns",
            "active" if self.active.is_some() => "--active",
            "mechanisms" if self.mechanisms.is_some() => "--mechanisms",
            "repeats" if self.repeats.is_some() => "--repeats",
            "reference" if self.reference.is_some() => "--reference",
            _ => return None,
        };
        Some(format!("{option}: {}", mistake.what))
    }
}

/// Rounds for a first look: two starts, in a third of the time.
fn quickly(rounds: &Rounds) -> Rounds {
    let half_widths = rounds.half_widths.scaled(2.0);
    Rounds { starts: 2, point_s: rounds.point_s / 3.0, half_widths, ..rounds.clone() }
}

/// Rounds for intervals of a third: twice the starts, in six times the time.
fn thoroughly(rounds: &Rounds) -> Rounds {
    let half_widths = rounds.half_widths.scaled(1.0 / 3.0);
    Rounds { starts: rounds.starts * 2, point_s: rounds.point_s * 6.0, half_widths, ..rounds.clone() }
}

/// Whether the control is measured, or is nothing that there is, which is a mistake of its own.
fn controls_a_contender(scenario: &Scenario) -> bool {
    let Some(control) = &scenario.control else { return true };
    mechanisms::find(control).is_none() || scenario.contenders().any(|name| name == control)
}

/// What may be measured with a scenario: every mechanism there is, and its external servers.
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
                reason: format!("its threads can meet the listener only as {}", has.join(" or ")),
                accept: Some((*mode).clone()),
                ..Exclude::default()
            });
        }
    }
}

/// Takes away the points at which everything is left out; that nothing remains is a mistake.
fn drop_empty(scenario: &Scenario, points: &mut Vec<Point>, form: &str) -> Option<Mistake> {
    let is_measured =
        |point: &Point| scenario.contenders().any(|name| scenario.exclusion(name, point).is_none());
    let planned = points.len();
    points.retain(is_measured);
    let nothing_left = points.is_empty() && planned > 0 && scenario.contenders().next().is_some();
    nothing_left.then(|| {
        let lines: Vec<String> = scenario.excludes.iter().map(report::format::exclude).collect();
        Mistake::new(format!("{form}sweep"), format!("everything is left out: {}", lines.join("; ")))
    })
}

/// The sweep that has `active` already, or one made for it after the first one.
fn sweep_with(sweeps: &[Sweep], active: &str) -> Option<Sweep> {
    let has = |sweep: &&Sweep| sweep.active.iter().eq([active]);
    let made =
        |first: &Sweep| Sweep { name: format!("active-{active}"), active: active.into(), ..first.clone() };
    sweeps.iter().find(has).cloned().or_else(|| sweeps.first().map(made))
}
