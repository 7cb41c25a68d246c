//! A control group with a CPU quota, for programs to run in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A control group made for one test, which ends with it.
pub struct ControlGroup {
    folder: PathBuf,
    /// The file that sets the quota.
    pub setting: PathBuf,
}

impl ControlGroup {
    /// A group that grants the time of so many processors, the name of which ends in `name`. Without the right to make one
    /// the answer is the reason.
    pub fn granting(processors: f64, name: &str) -> Result<Self, String> {
        const PERIOD_US: f64 = 100_000.0;
        let quota_us = (processors * PERIOD_US) as u64;
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        let mut refused = "no hierarchy of control groups with a cpu controller is mounted".to_owned();
        for line in mounts.lines() {
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let Some(point) = before.split(' ').nth(4).map(Path::new) else { continue };
            let (setting, text) = match after.split(' ').next() {
                Some("cgroup2") => {
                    // It may be there already; the root of a hierarchy may have processes of its own beside that.
                    let _ = write(&point.join("cgroup.subtree_control"), "+cpu");
                    ("cpu.max", format!("{quota_us} {PERIOD_US}"))
                }
                Some("cgroup") if after.split([' ', ',']).any(|option| option == "cpu") => {
                    ("cpu.cfs_quota_us", quota_us.to_string())
                }
                _ => continue,
            };
            let folder = point.join(format!("muxbench-test-{}-{name}", std::process::id()));
            match make_folder(&folder) {
                Err(error) => refused = format!("{}: {error}", folder.display()),
                Ok(()) => {
                    let group = Self { setting: folder.join(setting), folder };
                    match write(&group.setting, &text) {
                        Ok(()) => return Ok(group),
                        Err(error) => refused = format!("{}: {error}", group.setting.display()),
                    }
                }
            }
        }
        Err(refused)
    }

    /// As [`granting`](Self::granting); where that is refused, the test cannot run.
    pub fn or_ignore(processors: f64, name: &str) -> Self {
        Self::granting(processors, name).unwrap_or_else(|reason| {
            trials::cannot_run("control groups", format!("no control group can be made here: {reason}"))
        })
    }

    /// Starts `command` inside, with its output caught.
    pub fn spawn(&self, command: &Command) -> Child {
        // Nothing of the program runs before it is in the group: what is read at its start is read there.
        let name = self.folder.file_name().expect("a name").to_string_lossy();
        let script = "until grep -q \"$0\" /proc/self/cgroup; do sleep 0.01; done; exec \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, &name]).arg(command.get_program()).args(command.get_args());
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = shell.spawn().expect("a shell");
        write(&self.folder.join("cgroup.procs"), &child.id().to_string()).expect("it may be moved");
        child
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // A group whose processes have ended can be removed; one that a failed test left behind does no harm.
        if fs::remove_dir(&self.folder).is_err() {
            let _ = Command::new("sudo").arg("-n").arg("rmdir").arg(&self.folder).output();
        }
    }
}

fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir(folder)
        .or_else(|error| as_root(Command::new("sudo").args(["-n", "mkdir"]).arg(folder), &error.to_string()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let script = "printf %s \"$1\" > \"$2\"";
    fs::write(path, text).or_else(|error| {
        let mut command = Command::new("sudo");
        as_root(command.args(["-n", "sh", "-c", script, "sh", text]).arg(path), &error.to_string())
    })
}

/// Tries as root what was refused to this user with `reason`.
fn as_root(command: &mut Command, reason: &str) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(reason.to_owned()),
    }
}
