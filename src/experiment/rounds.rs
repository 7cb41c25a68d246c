//! Measuring a campaign in rounds: all candidates of a point are alive at once, and each round gives each of them one short slice.
//!
//! A host drifts from second to second by more than mechanisms differ. So what is compared lies next to each other in time, and
//! ratios are formed within a round. Servers and connections are started anew several times, since starts differ too.

mod candidate;
mod effort;
pub mod groups;
mod machine;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use load_gen::plan::schedule;
use model::campaign::{Campaign, Phase, Plan, PlannedPoint, Round, Start};
use model::schema::{Point, ResultFile};
use rand::seq::SliceRandom;
use sys::quota::Groups;

use self::start::{Keeper, Task};
use super::environment::Pinning;
use super::journal::{Journal, JournalError, Part};
use super::server::{Base, Place};
use super::{CampaignError, FILE_NAME};

/// The shortest time from a sync of the journal to one for a round, which syncs the rounds before it too.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// Told about a campaign while it goes on.
pub trait Audience {
    /// A round has ended.
    fn round(&mut self, campaign: &Campaign);

    /// A start has ended.
    fn start(&mut self, campaign: &Campaign);
}

/// Measures what `campaign` lacks of its plan, in `folder`, and writes its file.
///
/// Returns when all is measured or `stop` is set; `campaign.complete` tells which.
///
/// # Errors
///
/// When results cannot be written.
pub fn run(
    campaign: &mut Campaign,
    journal: &mut Journal,
    folder: &Path,
    stop: &Arc<AtomicBool>,
    audience: &mut dyn Audience,
) -> Result<(), CampaignError> {
    let plan = campaign.plan.clone();
    let place = Place {
        scenario: &plan.scenario,
        program: std::env::current_exe().map_err(CampaignError::Program)?,
        base: plan.against.as_deref().map(Base::parse).transpose().map_err(CampaignError::Base)?,
        pinning: Pinning::of(&campaign.environment),
        stop: Arc::clone(stop),
    };
    let began_s = campaign.rounds.last().map_or(0.0, |round| round.began_s);
    let campaign_began =
        Instant::now().checked_sub(Duration::from_secs_f64(began_s)).unwrap_or_else(Instant::now);
    campaign.complete = false;
    let control_groups = Groups::of_this_process();
    while let Some(at) = next_due(campaign).filter(|_| !is_stopped(&place)) {
        let task = next_task(campaign, &plan, at, campaign_began, &control_groups);
        let mut keeper = Keeping { campaign, journal, audience, synced: Instant::now() };
        task.run(&place, &mut keeper)?;
    }
    campaign.complete = next_due(campaign).is_none();
    write(campaign, folder)
}

/// The next start of a group of a point.
fn next_task<'a>(
    campaign: &Campaign,
    plan: &'a Plan,
    (point, group): (u32, u32),
    campaign_began: Instant,
    control_groups: &'a Groups,
) -> Task<'a> {
    let planned = &plan.points[point as usize];
    let rounds = &plan.scenario.rounds;
    let began_s = campaign_began.elapsed().as_secs_f64();
    let effort = effort::of_next_start(campaign, rounds, point, group, began_s);
    // An interrupted start keeps its number, and its rounds.
    let start = next_number(campaign, point, group);
    let seed = seed_of(plan.seed, point, group, start);
    Task {
        start: Start {
            point,
            group,
            start,
            began_s: campaign_began.elapsed().as_secs_f64(),
            complete: false,
            doublings: effort.doublings,
            candidates: Vec::new(),
        },
        point: &planned.point,
        group: &planned.groups[group as usize],
        rounds,
        until: Instant::now() + Duration::from_secs_f64(effort.seconds),
        weights: effort.weights,
        known_per_s: throughputs(campaign, point),
        busy_per_s: busy_rate(campaign, point),
        random: schedule::random(seed, 0, 1),
        seed,
        campaign_began,
        control_groups,
    }
}

/// Returns a line for each point and load at which no round counts for some candidates: their names, the point's
/// connections and active ones, and the load.
pub fn gaps(campaign: &Campaign) -> Vec<String> {
    let mut gaps = Vec::new();
    for (number, planned) in (0..).zip(&campaign.plan.points) {
        let groups = 0..planned.groups.len() as u32;
        let beside: BTreeSet<(u32, u32)> = groups
            .flat_map(|group| {
                campaign.starts_beside(number, group).into_iter().map(move |start| (group, start))
            })
            .collect();
        for phase in effort::loads(planned) {
            let counts = |round: &&Round| {
                let is_here = round.point == number && round.phase == phase;
                is_here && round.dropped.is_none() && !beside.contains(&(round.group, round.start))
            };
            let measured: BTreeSet<&str> = campaign
                .rounds
                .iter()
                .filter(counts)
                .flat_map(|round| round.slices.iter().map(|slice| slice.candidate.as_str()))
                .collect();
            let all: BTreeSet<&str> = planned.groups.iter().flatten().map(String::as_str).collect();
            let missing: Vec<&str> = all.difference(&measured).copied().collect();
            let who = if missing.len() == all.len() { "all".to_owned() } else { missing.join(", ") };
            if !missing.is_empty() {
                let Point { connections, active, .. } = planned.point;
                let load = match phase {
                    Phase::Saturation => "closed loop",
                    Phase::Light => "the light rate",
                    Phase::Busy => "the busy rate",
                };
                gaps.push(format!("{who} at {connections} connections, {active} active, {load}"));
            }
        }
    }
    gaps
}

/// Returns whether the campaign is to end.
fn is_stopped(place: &Place<'_>) -> bool {
    place.stop.load(Relaxed)
}

/// Keeps starts and rounds in the campaign and its journal.
struct Keeping<'a> {
    campaign: &'a mut Campaign,
    journal: &'a mut Journal,
    audience: &'a mut dyn Audience,
    synced: Instant,
}

impl Keeper for Keeping<'_> {
    fn start(&mut self, start: &Start) -> Result<(), CampaignError> {
        self.journal.add(&Part::Start(start.clone()))?;
        self.synced = Instant::now();
        self.campaign.put_start(start.clone());
        if start.complete {
            self.audience.start(self.campaign);
        }
        Ok(())
    }

    fn round(&mut self, round: Round) -> Result<(), CampaignError> {
        let part = Part::Round(round);
        let kept: Result<(), JournalError> = if self.synced.elapsed() >= SYNC_EVERY {
            self.synced = Instant::now();
            self.journal.add(&part)
        } else {
            self.journal.add_unsynced(&part)
        };
        kept?;
        let Part::Round(round) = part else { unreachable!("it is the round") };
        self.campaign.rounds.push(round);
        self.audience.round(self.campaign);
        Ok(())
    }
}

/// Every group of every point.
fn all_groups(points: &[PlannedPoint]) -> impl Iterator<Item = (u32, u32)> {
    let groups = |planned: &PlannedPoint| 0..planned.groups.len() as u32;
    (0..).zip(points).flat_map(move |(point, planned)| groups(planned).map(move |group| (point, group)))
}

/// The point and the group that have the next start, unless all have theirs. Every point has its first start before any has its second:
/// whoever watches sees all of it early. In each such pass the order is random.
fn next_due(campaign: &Campaign) -> Option<(u32, u32)> {
    let Plan { points, seed, scenario, .. } = &campaign.plan;
    let ended = |(point, group)| campaign.starts_of(point, group).filter(|start| start.complete).count();
    let lacks = |&(point, group): &(u32, u32)| starts_made(campaign, point, group) < scenario.rounds.starts;
    let pass = all_groups(points).filter(lacks).map(ended).min()?;
    let mut order: Vec<(u32, u32)> = all_groups(points).collect();
    order.shuffle(&mut schedule::random(*seed, 0, pass as u32 + 2));
    order.into_iter().find(|at| lacks(at) && ended(*at) == pass)
}

/// Whole starts that have been made of a group, with slices as long as in the latest: others do not count.
fn starts_made(campaign: &Campaign, point: u32, group: u32) -> u32 {
    let doublings = campaign.doublings(point, group);
    let counts = |start: &&Start| start.complete && start.doublings == doublings;
    campaign.starts_of(point, group).filter(counts).count() as u32
}

fn next_number(campaign: &Campaign, point: u32, group: u32) -> u32 {
    campaign.starts_of(point, group).map(|start| start.start + 1).max().unwrap_or(0)
}

/// The throughput of each candidate at a point so far, in requests per second.
fn throughputs(campaign: &Campaign, point: u32) -> BTreeMap<String, f64> {
    let closed =
        campaign.rounds.iter().filter(|round| (round.point, round.phase) == (point, Phase::Saturation));
    let mut all: BTreeMap<String, (u64, f64)> = BTreeMap::new();
    for slice in closed.flat_map(|round| &round.slices) {
        let (answered, seconds) = all.entry(slice.candidate.clone()).or_default();
        *answered += slice.answered;
        *seconds += slice.window_s;
    }
    all.retain(|_, (answered, _)| *answered > 0);
    all.into_iter().map(|(name, (answered, seconds))| (name, answered as f64 / seconds)).collect()
}

/// The busy rate of a point, once a start has found it: it stays the same, so that starts can be compared.
fn busy_rate(campaign: &Campaign, point: u32) -> Option<f64> {
    let mut busy = campaign.rounds.iter().filter(|round| round.point == point && round.phase == Phase::Busy);
    busy.find_map(|round| round.rate_per_s)
}

/// A seed of its own for each start, far from those of neighbouring campaigns.
fn seed_of(seed: u64, point: u32, group: u32, start: u32) -> u64 {
    let number = (u64::from(point) << 40) | (u64::from(group) << 20) | u64::from(start);
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number.wrapping_mul(0xd1b5_4a32_d192_ed03))
}

fn write(campaign: &Campaign, folder: &Path) -> Result<(), CampaignError> {
    let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone()))
        .expect("results have string keys only");
    model::files::write_atomically(&folder.join(FILE_NAME), format!("{text}\n").as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::schema::Point;
    use report::rounds::testing::{Behaviour, Shape};

    use super::*;

    /// A campaign of two points, of which nothing is measured.
    fn planned() -> Campaign {
        let points = [10, 100].map(|connections| Point::new("idle-scaling", connections, 10)).into();
        let mut campaign = Shape { points, ..Shape::of(&["poll"]) }.campaign(|_, _| Behaviour::default());
        campaign.starts.clear();
        campaign.rounds.clear();
        campaign
    }

    /// Makes all starts, with slices at the first point that are doubled after two; returns the point of each.
    fn measured(campaign: &mut Campaign) -> Vec<u32> {
        let due = |campaign: &mut Campaign| {
            let (point, group) = next_due(campaign)?;
            let start = next_number(campaign, point, group);
            let doublings = u32::from(point == 0 && start >= 2);
            let (began_s, complete, candidates) = (0.0, true, Vec::new());
            campaign.put_start(Start { point, group, start, began_s, complete, doublings, candidates });
            Some(point)
        };
        std::iter::from_fn(|| due(campaign)).collect()
    }

    #[test]
    fn a_group_whose_slices_were_doubled_has_as_many_starts_that_count_as_any_other() {
        let mut campaign = planned();
        let made = measured(&mut campaign);
        for point in [0, 1] {
            assert_eq!(campaign.starts_that_count(point, 0).count(), 6);
            assert_eq!(campaign.starts_beside(point, 0).len(), if point == 0 { 2 } else { 0 });
        }
        assert_eq!(made.len(), 14);
        assert!(made[..12].chunks(2).all(|pass| pass.contains(&0) && pass.contains(&1)), "{made:?}");
    }

    #[test]
    fn a_campaign_that_was_interrupted_goes_on_where_it_was() {
        let mut campaign = planned();
        measured(&mut campaign);
        campaign.starts.truncate(5);
        let begun = campaign.starts.iter().filter(|start| start.point == 0).count();
        let made = measured(&mut campaign);
        assert_eq!(made.len(), 14 - 5);
        assert_eq!(made[0], if begun == 2 { 0 } else { 1 }, "the point that has had fewer is first");
    }
}
