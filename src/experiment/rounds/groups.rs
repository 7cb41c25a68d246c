//! Groups of candidates that are alive at the same time: all of a point, or as many as machine and point allow.

use model::schema::{Point, Scenario, base_of, twin_of};
use sys::capacity::Capacity;

use crate::experiment::scenario::room;

/// The groups of candidates that are measured at `point`, each with the reference and its twin. There is more than one where the
/// connections of all do not fit on `machine` at once, or the point says how many may be alive.
pub fn groups(scenario: &Scenario, reference: &str, point: &Point, machine: &Capacity) -> Vec<Vec<String>> {
    let others: Vec<&str> = scenario
        .candidates()
        .filter(|name| *name != reference && scenario.exclusion(name, point).is_none())
        .collect();
    // The reference's twin is beyond those that may be alive.
    let may_live = |pools: u32| point.alive.is_none_or(|alive| pools <= alive + 1);
    split(&others, reference, |pools| may_live(pools) && room::fits(scenario, point, pools, machine))
}

/// The groups of candidates that are measured at `point` against another build: each of them beside that build's own, which is the
/// reference, and the reference's twin.
pub fn against(scenario: &Scenario, point: &Point) -> Vec<Vec<String>> {
    let measured = scenario.candidates().filter(|name| scenario.exclusion(name, point).is_none());
    let group = |name: &str| vec![base_of(name), name.to_owned(), twin_of(&base_of(name))];
    measured.map(group).collect()
}

/// `others` in the fewest groups of about one size, so that each with the reference and its twin fits. One of them is tried whatever
/// fits: a point is left out before where three servers do not.
fn split(others: &[&str], reference: &str, fits: impl Fn(u32) -> bool) -> Vec<Vec<String>> {
    let most = (1..=others.len()).rev().find(|&count| fits(count as u32 + 2)).unwrap_or(1);
    let number = others.len().div_ceil(most).max(1);
    let group = |members: &[&str]| {
        [reference].iter().chain(members).map(|name| (*name).to_owned()).chain([twin_of(reference)]).collect()
    };
    if others.is_empty() {
        return vec![group(&[])];
    }
    others.chunks(others.len().div_ceil(number)).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: [&str; 5] = ["select", "poll", "epoll-et", "io-uring", "threads"];

    #[test]
    fn all_candidates_are_alive_at_once_where_they_fit() {
        let groups = split(&OTHERS, "epoll-lt", |pools| pools <= 7);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].first().map(String::as_str), Some("epoll-lt"));
        assert_eq!(groups[0].last().map(String::as_str), Some("epoll-lt again"));
        assert_eq!(groups[0].len(), 7);
    }

    #[test]
    fn groups_are_of_about_one_size_and_each_has_the_reference_and_its_twin() {
        for (most, sizes) in
            [(6, vec![5, 4]), (5, vec![5, 4]), (4, vec![4, 4, 3]), (3, vec![3; 5]), (0, vec![3; 5])]
        {
            let groups = split(&OTHERS, "epoll-lt", |pools| pools <= most);
            assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{most} fit");
            let mut measured: Vec<&str> = Vec::new();
            for group in &groups {
                assert_eq!(
                    (group[0].as_str(), group[group.len() - 1].as_str()),
                    ("epoll-lt", "epoll-lt again")
                );
                measured.extend(group[1..group.len() - 1].iter().map(String::as_str));
            }
            assert_eq!(measured, OTHERS);
        }
    }

    #[test]
    fn a_point_may_say_how_many_are_alive() {
        let mut scenario = crate::experiment::scenario::load("many-idle-few-active").expect("embedded");
        scenario.mechanisms = ["epoll-lt", "poll", "select", "epoll-et"].map(str::to_owned).into();
        let machine = Capacity { descriptors_per_table: 1 << 30, ..Capacity::default() };
        for (alive, sizes) in
            [(None, vec![5]), (Some(9), vec![5]), (Some(3), vec![4, 3]), (Some(2), vec![3; 3])]
        {
            let point = Point { alive, ..Point::new("idle-scaling", 10, 10) };
            let groups = groups(&scenario, "epoll-lt", &point, &machine);
            assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{alive:?}");
        }
    }

    #[test]
    fn a_reference_alone_is_measured_against_its_twin() {
        assert_eq!(split(&[], "poll", |_| true), [["poll", "poll again"]]);
    }
}
