//! The control groups that this process is in (cgroups(7)), for one controller: its own and those around it.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// A control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The folder with its files.
    pub folder: PathBuf,
    /// The version of control groups, by which its files have their names.
    pub version: Version,
}

/// The two versions of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    First,
    Second,
}

impl Group {
    /// The text of one of its files; none where there is no such file.
    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    /// A number in one of its files. "max" is no number, and no limit.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.read(name)?.trim().parse().ok()
    }
}

/// The groups of this process that `controller` may bound.
pub(crate) fn of_this_process(controller: &str) -> Vec<Group> {
    seen_from(Path::new("/"), controller)
}

/// The groups of the process whose file system has its root at `root`.
pub(crate) fn seen_from(root: &Path, controller: &str) -> Vec<Group> {
    let read = |path| fs::read_to_string(root.join(path)).unwrap_or_default();
    let mut groups = parse(&read("proc/self/cgroup"), &read("proc/self/mountinfo"), controller);
    for group in &mut groups {
        group.folder = root.join(group.folder.strip_prefix("/").unwrap_or(&group.folder));
    }
    groups
}

/// The groups that `cgroup` and `mountinfo` name, each with all groups around it up to the root of the mount.
///
/// In a cgroup namespace a group's path begins at the namespace's root, which is what is mounted there; without one, the
/// mount of a container begins at the container's group.
fn parse(cgroup: &str, mountinfo: &str, controller: &str) -> Vec<Group> {
    let mut found = Vec::new();
    for mount in mountinfo.lines().filter_map(|line| Mount::parse(line, controller)) {
        let path = cgroup.lines().find_map(|line| path_of(line, mount.version, controller));
        let Some(path) = path else { continue };
        // A group outside of what is mounted can only be seen through the mount's own root.
        let inside = Path::new(path).strip_prefix(&mount.root).unwrap_or(Path::new(""));
        let is_plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
        let own = mount.point.join(if is_plain { inside } else { Path::new("") });
        for folder in own.ancestors().take_while(|folder| folder.starts_with(&mount.point)) {
            let group = Group { folder: folder.to_owned(), version: mount.version };
            if !found.contains(&group) {
                found.push(group);
            }
        }
    }
    found
}

/// The path that a line of /proc/self/cgroup, `N:CONTROLLERS:PATH`, gives for a controller.
fn path_of<'a>(line: &'a str, version: Version, controller: &str) -> Option<&'a str> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let is_it = match version {
        Version::Second => controllers.is_empty(),
        Version::First => controllers.split(',').any(|named| named == controller),
    };
    is_it.then_some(path)
}

/// The mount of a hierarchy of control groups.
struct Mount {
    /// The group that is the root of what is mounted.
    root: PathBuf,
    point: PathBuf,
    version: Version,
}

impl Mount {
    /// Reads a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
    fn parse(line: &str, controller: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, _source, options) = (after.next()?, after.next()?, after.next()?);
        let version = match kind {
            "cgroup2" => Version::Second,
            "cgroup" if options.split(',').any(|option| option == controller) => Version::First,
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
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A root folder with these files in it.
    pub fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        root
    }

    pub const SECOND: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
    pub const FIRST: &str = "24 23 0:22 / /proc rw - proc proc rw\n\
        32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro master:9 - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";

    #[test]
    fn a_group_that_is_not_mounted_here_is_looked_for_at_the_mount_alone() {
        for path in ["0::/../elsewhere\n", "0::/other/../..\n"] {
            let files = [("proc/self/cgroup", path), ("proc/self/mountinfo", SECOND)];
            let root = root(&files);
            let groups = seen_from(root.path(), "cpu");
            assert_eq!(groups.len(), 1, "{groups:?}");
            assert_eq!(groups[0].folder, root.path().join("sys/fs/cgroup"));
        }
    }

    #[test]
    fn each_controller_of_the_first_version_has_a_hierarchy_of_its_own() {
        let own = "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc/inner\n0::/\n";
        let folders = |controller| -> Vec<PathBuf> {
            parse(own, FIRST, controller).into_iter().map(|group| group.folder).collect()
        };
        assert_eq!(folders("cpu"), [Path::new("/sys/fs/cgroup/cpu,cpuacct")]);
        assert_eq!(
            folders("memory"),
            ["/sys/fs/cgroup/memory/inner", "/sys/fs/cgroup/memory"].map(Path::new)
        );
        assert!(folders("pids").is_empty());
    }

    #[test]
    fn a_path_with_a_space_or_a_backslash_is_read_as_it_is() {
        assert_eq!(unescaped("/a\\040b\\134c"), Path::new("/a b\\c"));
        assert_eq!(unescaped("/a\\"), Path::new("/a\\"));
        assert_eq!(unescaped("/\\777é\\é"), Path::new("/\\777é\\é"));
    }

    proptest! {
        #[test]
        fn no_account_of_groups_and_mounts_makes_the_reader_panic(
            cgroup in "([0-9:/a-z.,=]|cpu|::|\\.\\.|\n)*",
            mounts in "([0-9:/a-z \\\\]| / |cpu| - |cgroup2?|\\\\04|é|\n)*",
        ) {
            let _ = parse(&cgroup, &mounts, "cpu");
        }

        #[test]
        fn a_group_is_found_below_its_mount_whatever_its_name(
            names in proptest::collection::vec("[a-z \\\\é]{1,8}", 1..5),
        ) {
            let path = names.join("/");
            let groups = parse(&format!("0::/{path}\n"), SECOND, "cpu");
            prop_assert_eq!(groups.len(), names.len() + 1);
            prop_assert_eq!(&groups[0].folder, &Path::new("/sys/fs/cgroup").join(path));
        }
    }
}
