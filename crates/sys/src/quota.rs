//! The processor time that control groups grant (cgroups(7)): cpu.max of the second version, cpu.cfs_quota_us of the
//! first, of this process's own group and of all those around it.

use std::path::PathBuf;

use crate::control_groups::{self, Group, Version};

/// A bound on the processor time of a control group: the tightest that this process is under.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// Processors' worth of time that it grants: 0.5 is half the time of one.
    pub processors: f64,
    /// The file that sets it.
    pub setting: PathBuf,
}

impl Quota {
    /// The quota of this process, where one grants less than its `allowed` processors.
    pub fn below(allowed: usize) -> Option<Self> {
        Groups::of_this_process().quota().filter(|quota| quota.processors < allowed as f64)
    }

    /// The commands and settings that grant `processors` instead, or set no bound: for the usual managers of
    /// containers, and for a user who may write the file.
    pub fn remedy(&self, processors: usize) -> String {
        let unlimited = if self.setting.ends_with(SECOND_QUOTA) { "max" } else { "-1" };
        format!(
            "docker run --cpus {processors}, resources.limits.cpu: {processors}, CPUQuota={processors}00%, or echo {unlimited} > {}",
            self.setting.display()
        )
    }
}

/// The control groups that may bound this process's processor time.
#[derive(Debug, Clone)]
pub struct Groups(Vec<Group>);

const SECOND_QUOTA: &str = "cpu.max";
const FIRST_QUOTA: &str = "cpu.cfs_quota_us";
const FIRST_PERIOD: &str = "cpu.cfs_period_us";

impl Groups {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        Self(control_groups::of_this_process("cpu"))
    }

    /// The tightest quota of all.
    pub fn quota(&self) -> Option<Quota> {
        let quotas = self.0.iter().filter_map(quota_of);
        quotas.min_by(|one, other| one.processors.total_cmp(&other.processors))
    }

    /// The time for which each group with a quota was throttled so far, in seconds summed over the processors. The kernel adds a throttling
    /// when it ends (kernel/sched/fair.c, `unthrottle_cfs_rq`), so one that still lasts is missing.
    pub fn held_back_s(&self) -> Vec<f64> {
        self.0
            .iter()
            .filter(|group| quota_of(group).is_some())
            .map(|group| throttled_s(&group.read("cpu.stat").unwrap_or_default()))
            .collect()
    }
}

/// The share of `window_s` seconds for which the group that was held back longest was, between two readings of all.
pub fn held_back(earlier_s: &[f64], later_s: &[f64], window_s: f64) -> f64 {
    let withheld = earlier_s.iter().zip(later_s).map(|(earlier, later)| later - earlier);
    (withheld.fold(0.0, f64::max) / window_s).clamp(0.0, 1.0)
}

/// The quota that a group sets, if it sets one.
fn quota_of(group: &Group) -> Option<Quota> {
    let (name, processors) = match group.version {
        Version::Second => (SECOND_QUOTA, granted(&group.read(SECOND_QUOTA)?)),
        Version::First => {
            (FIRST_QUOTA, granted(&format!("{} {}", group.read(FIRST_QUOTA)?, group.read(FIRST_PERIOD)?)))
        }
    };
    processors.map(|processors| Quota { processors, setting: group.folder.join(name) })
}

/// The processors that a quota and its period make, `max 100000` or `50000 100000`: none where there is no bound.
fn granted(text: &str) -> Option<f64> {
    let mut numbers = text.split_ascii_whitespace();
    // "max" is no number, and -1 no quota.
    let quota: u64 = numbers.next()?.parse().ok()?;
    let period: u64 = numbers.next()?.parse().ok()?;
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// The time that `cpu.stat` says was withheld, in seconds: microseconds in the second version, nanoseconds in the first.
fn throttled_s(stat: &str) -> f64 {
    let of = |line: &str, name: &str| line.strip_prefix(name)?.trim().parse::<u64>().ok();
    let second = |line| of(line, "throttled_usec ").map(|us| us as f64 / 1e6);
    let first = |line| of(line, "throttled_time ").map(|ns| ns as f64 / 1e9);
    stat.lines().find_map(|line| second(line).or_else(|| first(line))).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_groups::tests::{FIRST, SECOND, root};
    use proptest::prelude::*;

    fn quota(files: &[(&str, &str)]) -> Option<(f64, String)> {
        let root = root(files);
        let quota = Groups(control_groups::seen_from(root.path(), "cpu")).quota()?;
        let setting = quota.setting.strip_prefix(root.path()).expect("inside").display().to_string();
        Some((quota.processors, setting))
    }

    #[test]
    fn the_tightest_of_a_group_and_those_around_it_counts() {
        let files = [
            ("proc/self/cgroup", "0::/user.slice/a b/run\n"),
            ("proc/self/mountinfo", SECOND),
            ("sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n"),
            ("sys/fs/cgroup/user.slice/a b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/user.slice/a b/run/cpu.max", "250000 100000\n"),
        ];
        assert_eq!(quota(&files), Some((0.5, "sys/fs/cgroup/user.slice/cpu.max".to_owned())));
        assert_eq!(quota(&files[..2]), None);
        assert_eq!(quota(&[&files[..2], &files[4..]].concat()).map(|(processors, _)| processors), Some(2.5));
    }

    #[test]
    fn in_a_namespace_of_its_own_the_group_is_what_is_mounted() {
        let files = [
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", SECOND),
            ("sys/fs/cgroup/cpu.max", "5000 20000\n"),
        ];
        assert_eq!(quota(&files), Some((0.25, "sys/fs/cgroup/cpu.max".to_owned())));
    }

    #[test]
    fn a_container_of_the_first_version_sees_its_group_as_the_root_of_the_mount() {
        let own = "9:name=systemd:/\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/elsewhere\n0::/\n";
        let files = [
            ("proc/self/cgroup", own),
            ("proc/self/mountinfo", FIRST),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota(&files), Some((1.5, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us".to_owned())));
        let unbounded =
            [files[0], files[1], ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"), files[3]];
        assert_eq!(quota(&unbounded), None);
    }

    #[test]
    fn both_versions_tell_for_how_long_they_held_back() {
        let second = "usage_usec 9\nnr_periods 8\nnr_throttled 3\nthrottled_usec 1500000\nnr_bursts 0\n";
        let first = "nr_periods 8\nnr_throttled 3\nthrottled_time 1500000000\n";
        assert_eq!(throttled_s(second), 1.5);
        assert_eq!(throttled_s(first), 1.5);
        assert_eq!(throttled_s("nr_periods 8\n"), 0.0);
    }

    #[test]
    fn the_remedy_is_what_the_version_of_the_file_understands() {
        let quota = |setting: &str| Quota { processors: 0.5, setting: setting.into() }.remedy(2);
        assert!(quota("/sys/fs/cgroup/cpu.max").ends_with("echo max > /sys/fs/cgroup/cpu.max"));
        assert!(quota("/x/cpu.cfs_quota_us").contains("echo -1 > /x/cpu.cfs_quota_us"));
    }

    proptest! {
        #[test]
        fn no_account_makes_the_reader_panic(number in "(max|-1|[0-9]{1,25}| |\n|\\PC)*") {
            let _ = (granted(&number), throttled_s(&number));
        }

        #[test]
        fn a_quota_is_its_share_of_a_period(quota in 1_u64..1_000_000_000, period in 1_u64..10_000_000) {
            let expected = quota as f64 / period as f64;
            prop_assert_eq!(granted(&format!("{quota} {period}\n")), Some(expected));
        }
    }
}
