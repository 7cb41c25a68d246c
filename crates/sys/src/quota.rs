//! The processor time that control groups grant (cgroups(7)): cpu.max of the second version, cpu.cfs_quota_us of the
//! first, of this process's own group and of all those around it.

use std::fs;
use std::path::{Path, PathBuf};

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

    /// What grants `processors` instead, or sets no bound: for the usual managers of containers, and for who may write
    /// the file.
    pub fn remedy(&self, processors: usize) -> String {
        let unlimited = if self.setting.ends_with(SECOND_QUOTA) { "max" } else { "-1" };
        format!(
            "docker run --cpus {processors}, resources.limits.cpu: {processors}, CPUQuota={processors}00%, or echo {unlimited} > {}",
            self.setting.display()
        )
    }
}

/// The control groups that may bound this process's processor time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups(Vec<Group>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    First,
    Second,
}

const SECOND_QUOTA: &str = "cpu.max";
const FIRST_QUOTA: &str = "cpu.cfs_quota_us";
const FIRST_PERIOD: &str = "cpu.cfs_period_us";

impl Groups {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        Self::seen_from(Path::new("/"))
    }

    /// Those of the process whose file system has its root at `root`.
    pub fn seen_from(root: &Path) -> Self {
        let read = |path| fs::read_to_string(root.join(path)).unwrap_or_default();
        let Self(mut groups) = Self::parse(&read("proc/self/cgroup"), &read("proc/self/mountinfo"));
        for group in &mut groups {
            group.folder = root.join(group.folder.strip_prefix("/").unwrap_or(&group.folder));
        }
        Self(groups)
    }

    /// Those that `cgroup` and `mountinfo` tell of, each with all groups around it up to the root of the mount.
    ///
    /// In a cgroup namespace a group's path begins at the namespace's root, which is what is mounted there; without one, the
    /// mount of a container begins at the container's group.
    fn parse(cgroup: &str, mountinfo: &str) -> Self {
        let mut found = Vec::new();
        for mount in mountinfo.lines().filter_map(Mount::parse) {
            let Some(path) = cgroup.lines().find_map(|line| path_of(line, mount.version)) else { continue };
            // A group outside of what is mounted can only be seen through the mount's own root.
            let inside = Path::new(path).strip_prefix(&mount.root).unwrap_or(Path::new(""));
            let is_plain = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
            let own = mount.point.join(if is_plain { inside } else { Path::new("") });
            let around = own.ancestors().take_while(|folder| folder.starts_with(&mount.point));
            for folder in around {
                let group = Group { folder: folder.to_owned(), version: mount.version };
                if !found.contains(&group) {
                    found.push(group);
                }
            }
        }
        Self(found)
    }

    /// The tightest quota of all.
    pub fn quota(&self) -> Option<Quota> {
        let quotas = self.0.iter().filter_map(Group::quota);
        quotas.min_by(|one, other| one.processors.total_cmp(&other.processors))
    }

    /// The time for which each group with a quota was throttled so far, in seconds summed over the processors. The kernel adds a throttling
    /// when it ends (kernel/sched/fair.c, `unthrottle_cfs_rq`), so one that still lasts is missing.
    pub fn held_back_s(&self) -> Vec<f64> {
        self.0.iter().filter(|group| group.quota().is_some()).map(Group::held_back_s).collect()
    }
}

/// The share of `window_s` seconds for which the group that was held back longest was, between two readings of all.
pub fn held_back(earlier_s: &[f64], later_s: &[f64], window_s: f64) -> f64 {
    let withheld = earlier_s.iter().zip(later_s).map(|(earlier, later)| later - earlier);
    (withheld.fold(0.0, f64::max) / window_s).clamp(0.0, 1.0)
}

impl Group {
    fn quota(&self) -> Option<Quota> {
        let read = |name| fs::read_to_string(self.folder.join(name)).ok();
        let (name, processors) = match self.version {
            Version::Second => (SECOND_QUOTA, granted(&read(SECOND_QUOTA)?)),
            Version::First => {
                (FIRST_QUOTA, granted(&format!("{} {}", read(FIRST_QUOTA)?, read(FIRST_PERIOD)?)))
            }
        };
        processors.map(|processors| Quota { processors, setting: self.folder.join(name) })
    }

    fn held_back_s(&self) -> f64 {
        let stat = fs::read_to_string(self.folder.join("cpu.stat")).unwrap_or_default();
        throttled_s(&stat)
    }
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

/// The path that a line of /proc/self/cgroup gives for the processor's controller, `N:CONTROLLERS:PATH`.
fn path_of(line: &str, version: Version) -> Option<&str> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let is_it = match version {
        Version::Second => controllers.is_empty(),
        Version::First => controllers.split(',').any(|controller| controller == "cpu"),
    };
    is_it.then_some(path)
}

/// Where a hierarchy of control groups that may bound processor time is mounted.
struct Mount {
    /// The group that is the root of what is mounted.
    root: PathBuf,
    point: PathBuf,
    version: Version,
}

impl Mount {
    /// Reads a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, _source, options) = (after.next()?, after.next()?, after.next()?);
        let version = match kind {
            "cgroup2" => Version::Second,
            "cgroup" if options.split(',').any(|option| option == "cpu") => Version::First,
            _ => return None,
        };
        Some(Self { root: unescaped(root), point: unescaped(point), version })
    }
}

/// The path that mountinfo writes with `\040` for a space, and likewise for a tab, a line feed and a backslash.
fn unescaped(text: &str) -> PathBuf {
    let mut path = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let code = rest.get(at + 1..at + 4).and_then(|octal| u8::from_str_radix(octal, 8).ok());
        path.push_str(&rest[..at]);
        match code.filter(u8::is_ascii) {
            Some(code) => {
                path.push(code.into());
                rest = &rest[at + 4..];
            }
            None => {
                path.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    path.push_str(rest);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A root folder with these files in it.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        root
    }

    const SECOND: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
    const FIRST: &str = "24 23 0:22 / /proc rw - proc proc rw\n\
        32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro master:9 - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";

    fn quota(files: &[(&str, &str)]) -> Option<(f64, String)> {
        let root = root(files);
        let quota = Groups::seen_from(root.path()).quota()?;
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
    fn a_group_that_is_not_mounted_here_is_looked_for_at_the_mount_alone() {
        for path in ["0::/../elsewhere\n", "0::/other/../..\n"] {
            let files = [("proc/self/cgroup", path), ("proc/self/mountinfo", SECOND)];
            let root = root(&files);
            let Groups(groups) = Groups::seen_from(root.path());
            assert_eq!(groups.len(), 1, "{groups:?}");
            assert_eq!(groups[0].folder, root.path().join("sys/fs/cgroup"));
        }
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
    fn a_path_with_a_space_or_a_backslash_is_read_as_it_is() {
        assert_eq!(unescaped("/a\\040b\\134c"), Path::new("/a b\\c"));
        assert_eq!(unescaped("/a\\"), Path::new("/a\\"));
        assert_eq!(unescaped("/\\777é\\é"), Path::new("/\\777é\\é"));
    }

    #[test]
    fn the_remedy_is_what_the_version_of_the_file_understands() {
        let quota = |setting: &str| Quota { processors: 0.5, setting: setting.into() }.remedy(2);
        assert!(quota("/sys/fs/cgroup/cpu.max").ends_with("echo max > /sys/fs/cgroup/cpu.max"));
        assert!(quota("/x/cpu.cfs_quota_us").contains("echo -1 > /x/cpu.cfs_quota_us"));
    }

    proptest! {
        #[test]
        fn no_account_of_groups_and_mounts_makes_the_reader_panic(
            cgroup in "([0-9:/a-z.,=]|cpu|::|\\.\\.|\n)*",
            mounts in "([0-9:/a-z \\\\]| / |cpu| - |cgroup2?|\\\\04|é|\n)*",
            number in "(max|-1|[0-9]{1,25}| |\n|\\PC)*",
        ) {
            let _ = (Groups::parse(&cgroup, &mounts), granted(&number), throttled_s(&number));
        }

        #[test]
        fn a_group_is_found_below_its_mount_whatever_its_name(
            names in proptest::collection::vec("[a-z \\\\é]{1,8}", 1..5),
        ) {
            let path = names.join("/");
            let Groups(groups) = Groups::parse(&format!("0::/{path}\n"), SECOND);
            prop_assert_eq!(groups.len(), names.len() + 1);
            prop_assert_eq!(&groups[0].folder, &Path::new("/sys/fs/cgroup").join(path));
        }

        #[test]
        fn a_quota_is_its_share_of_a_period(quota in 1_u64..1_000_000_000, period in 1_u64..10_000_000) {
            let expected = quota as f64 / period as f64;
            prop_assert_eq!(granted(&format!("{quota} {period}\n")), Some(expected));
        }
    }
}
