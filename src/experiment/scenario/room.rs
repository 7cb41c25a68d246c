//! The check that this machine, and each server on it, has room for the connections of a scenario.

use std::collections::BTreeMap;

use load_gen::plan::placement::DESCRIPTORS_RESERVED;
use load_gen::plan::preflight::{self, Finding, Plan};
use load_gen::plan::target::Target;
use model::schema::{Exclude, Point, Scenario, Sweep};
use report::format;
use sys::capacity::Capacity;

use super::text::Mistakes;
use crate::mechanisms;
use crate::server::{Mechanism, Serve};

/// Room for so many more connections, as a share, that a table must have where the kernel spreads connections over
/// several: it does so by a hash, not evenly.
const UNEVEN: f64 = 1.1;

/// Notes what `machine` is missing for the points of `scenario`, and returns that without which the campaign may still
/// succeed. `form` is what stands before `sweep` in a key.
pub fn missing(
    scenario: &Scenario,
    points: &[Point],
    form: &str,
    machine: &Capacity,
    wrong: &mut Mistakes,
) -> Vec<String> {
    let key = |point: &Point| {
        let number = scenario.sweeps.iter().position(|sweep| sweep.name == point.sweep).unwrap_or(0);
        format!("{form}sweep[{number}].connections")
    };
    let mut doubtful = Vec::new();
    // What is enough for the largest point is enough for the others.
    if let Some(largest) = points.iter().max_by_key(|point| (point.connections, point.active)) {
        for finding in findings(scenario, largest, 1, machine) {
            match finding.is_fatal {
                true => wrong.note(key(largest), finding.to_string()),
                false => doubtful.push(finding.to_string()),
            }
        }
    }
    for ((most, point), names) in too_small(scenario, points, machine) {
        wrong.note(key(point), advice(most, point, &names, machine));
    }
    doubtful
}

/// Returns whether `alive` servers with the connections of `point` each fit on `machine` at once, as far as this is
/// known beforehand.
pub fn fits(scenario: &Scenario, point: &Point, alive: u32, machine: &Capacity) -> bool {
    obstacle(scenario, point, alive, machine).is_none()
}

/// The reason for which `machine` cannot hold `alive` servers at once, each with the connections of `point`.
fn obstacle(scenario: &Scenario, point: &Point, alive: u32, machine: &Capacity) -> Option<Finding> {
    findings(scenario, point, alive, machine).into_iter().find(|finding| finding.is_fatal)
}

/// Exclusions for the points at which one server fits on `machine`, but not all servers that a comparison needs at once: the candidate,
/// the reference and its twin. `against`: each candidate is compared with another build.
pub fn too_many_together(
    scenario: &Scenario,
    points: &[Point],
    against: bool,
    machine: &Capacity,
) -> Vec<Exclude> {
    let is_measured = |name: &str, point| scenario.exclusion(name, point).is_none();
    let is_compared = |name: &str, point| name != scenario.reference && is_measured(name, point);
    let alive =
        |point| if against || scenario.candidates().any(|name| is_compared(name, point)) { 3 } else { 2 };
    let fits_alone = |point: &&Point| fits(scenario, point, 1, machine);
    let excludes = |sweep: &Sweep| {
        let alone = points.iter().filter(|point| point.sweep == sweep.name).filter(fits_alone);
        let too_large = alone.filter_map(|at| Some((at, obstacle(scenario, at, alive(at), machine)?)));
        let (point, obstacle) = too_large.min_by_key(|(point, _)| point.connections)?;
        let connections = format::thousands(point.connections.into());
        let servers = format!("{} servers with {connections} connections each", alive(point));
        let exclude = Exclude {
            reason: format!("{servers} do not fit at the same time: {obstacle}"),
            sweep: Some(sweep.name.clone()),
            above_connections: Some(point.connections - 1),
            ..Exclude::default()
        };
        Some(scenario.candidates().map(move |name| Exclude { mechanism: name.to_owned(), ..exclude.clone() }))
    };
    scenario.sweeps.iter().filter_map(excludes).flatten().collect()
}

/// The findings of `preflight` for `alive` servers at once, each with the connections of `point`.
fn findings(scenario: &Scenario, point: &Point, alive: u32, machine: &Capacity) -> Vec<Finding> {
    let any_local_target: Target = "127.0.0.1:1".parse().expect("an address");
    let plan = Plan {
        target: &any_local_target,
        is_local: true,
        conns: point.connections.saturating_mul(alive),
        active: point.active.saturating_mul(alive),
        servers: alive,
        threads: alive,
        size_bytes: point.size_bytes.unwrap_or(scenario.load.size_bytes),
    };
    preflight::findings(&plan, machine)
}

/// The mechanisms whose servers have no room for some point: by what they have room for, and the largest such point.
fn too_small<'a>(
    scenario: &'a Scenario,
    points: &'a [Point],
    machine: &Capacity,
) -> BTreeMap<(u64, &'a Point), Vec<&'a str>> {
    let mut found: BTreeMap<(u64, &Point), Vec<&str>> = BTreeMap::new();
    for name in &scenario.mechanisms {
        let Some(mechanism) = mechanisms::find(name) else { continue };
        let beyond = |point: &&Point| {
            scenario.exclusion(name, point).is_none()
                && u64::from(point.connections) > room(mechanism, point.threads, machine)
        };
        if let Some(point) = points.iter().filter(beyond).max_by_key(|point| point.connections) {
            found.entry((room(mechanism, point.threads, machine), point)).or_default().push(name);
        }
    }
    found
}

/// Connections that a server of `mechanism` with so many threads has room for.
fn room(mechanism: &Mechanism, threads: u32, machine: &Capacity) -> u64 {
    let table = machine.descriptors_per_table.saturating_sub(DESCRIPTORS_RESERVED);
    let descriptors = match mechanism.serve {
        Some(Serve::Loop(_)) if threads > 1 && !machine.table.is_own() => {
            preflight::room_in_one_table(machine, threads)
        }
        Some(Serve::Loop(_)) if threads > 1 => (table as f64 * f64::from(threads) / UNEVEN) as u64,
        _ => table,
    };
    descriptors.min(mechanism.most_connections.map_or(u64::MAX, |most| most()))
}

fn advice(most: u64, point: &Point, names: &[&str], machine: &Capacity) -> String {
    let connections = format::thousands(point.connections.into());
    let all_in_one = u64::from(point.connections) + DESCRIPTORS_RESERVED;
    let raise = match machine.descriptors_per_table < all_in_one {
        true => format!("ulimit -n {all_in_one}, more threads, "),
        false => String::new(),
    };
    format!(
        "{connections} connections are more than a server of {} has room for here ({}): {raise}fewer with --conns, or an \
         [[exclude]] with above_connections = {most}",
        format::and(names),
        format::thousands(most)
    )
}

#[cfg(all(test, feature = "epoll-lt", feature = "epoll-oneshot", feature = "threads"))]
mod tests {
    use super::*;
    use crate::experiment::scenario::{DEFAULT, load};
    use rustix::io::Errno;
    use sys::descriptor_table::Table;

    fn scenario() -> Scenario {
        let mut scenario = load(DEFAULT).expect("embedded");
        scenario.mechanisms = ["epoll-lt", "epoll-oneshot"].map(str::to_owned).into();
        scenario
    }

    fn machine() -> Capacity {
        Capacity { descriptors_per_table: 1016, memory_bytes: Some(1 << 30), ..Capacity::default() }
    }

    fn fatal(scenario: &Scenario, point: Point) -> Vec<String> {
        let mut wrong = Mistakes::default();
        missing(scenario, &[Point::new("idle-scaling", 10, 1), point], "", &machine(), &mut wrong);
        wrong.0.into_iter().map(|mistake| mistake.what).collect()
    }

    #[test]
    fn a_loop_has_a_table_for_each_thread_and_a_pool_has_one() {
        assert_eq!(fatal(&scenario(), Point::new("idle-scaling", 1000, 1)), [""; 0]);
        let [both] = &fatal(&scenario(), Point::new("idle-scaling", 1001, 1))[..] else { panic!("one line") };
        assert!(
            both.contains("epoll-lt and epoll-oneshot") && both.contains("above_connections = 1000"),
            "{both}"
        );
        let two = |connections| Point { threads: 2, ..Point::new("idle-scaling", connections, 1) };
        let [pool] = &fatal(&scenario(), two(1800))[..] else { panic!("one line") };
        assert!(pool.contains("a server of epoll-oneshot has"), "{pool}");
        assert_eq!(fatal(&scenario(), two(1900)).len(), 2, "spread unevenly");
    }

    #[test]
    fn what_is_left_out_there_needs_no_room() {
        let mut scenario = scenario();
        scenario.excludes = scenario
            .mechanisms
            .iter()
            .map(|name| Exclude {
                mechanism: name.clone(),
                above_connections: Some(1000),
                ..Exclude::default()
            })
            .collect();
        assert_eq!(fatal(&scenario, Point::new("idle-scaling", 1001, 1)), [""; 0]);
    }

    #[test]
    fn memory_for_both_ends_is_asked_of_the_machine() {
        let scenario = Scenario { mechanisms: Vec::new(), ..scenario() };
        let lines = fatal(&scenario, Point::new("idle-scaling", 1_000_000, 1));
        assert!(lines[0].contains("of memory for both ends"), "{lines:?}");
    }

    /// The exclusions for a sweep of two points: 10 connections, and `connections`.
    fn left_out(connections: u32, against: bool, machine: &Capacity) -> Vec<Exclude> {
        let points = [Point::new("idle-scaling", 10, 1), Point::new("idle-scaling", connections, 1)];
        too_many_together(&scenario(), &points, against, machine)
    }

    #[test]
    fn what_holds_one_server_and_not_three_is_left_out_with_the_reason_and_the_remedy() {
        let shared = Capacity { table: Table::Shared(Errno::PERM), memory_bytes: None, ..machine() };
        let own = Capacity { table: Table::Own, ..shared.clone() };
        let excludes = left_out(900, false, &shared);
        assert_eq!(excludes.len(), 2, "each candidate");
        for exclude in &excludes {
            let Exclude { reason, above_connections, .. } = exclude;
            assert!(reason.starts_with("3 servers with 900 connections each do not fit"), "{reason}");
            assert!(reason.contains("ulimit -n"), "{reason}");
            assert_eq!(*above_connections, Some(899), "10 connections stay");
        }
        assert!(left_out(300, false, &shared).is_empty() && left_out(900, false, &own).is_empty());
    }

    #[test]
    fn the_connections_that_memory_holds_are_told_for_each_server() {
        let machine =
            Capacity { descriptors_per_table: 1 << 30, memory_bytes: Some(250_000_000), ..machine() };
        let reason = &left_out(10_000, false, &machine)[0].reason;
        let (_, advised) = reason.rsplit_once("--conns to ").expect(reason);
        let advised: u32 = advised.parse().expect(reason);
        assert!((5_000..10_000).contains(&advised), "{reason}");
        assert!(left_out(advised, false, &machine).is_empty(), "{reason}");
    }

    #[test]
    fn a_mechanism_may_have_a_limit_of_its_own() {
        let machine = Capacity { descriptors_per_table: 1 << 30, ..machine() };
        let threads = mechanisms::find("threads").expect("registered");
        assert_eq!(room(threads, 1, &machine), crate::mechanisms::threads::most_threads());
    }
}
