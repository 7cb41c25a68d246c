//! A process group: who belongs to it, what all of it uses together, and how it is ended.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::usage::{ProcessClock, resident_bytes};

/// A process group, by its leader (setpgid(2)).
///
/// The number stays the group's own while a member lives or the leader has not been waited for; after
/// that the kernel may give it to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessGroup(Pid);

impl ProcessGroup {
    /// The group whose leader is process `pid`; none for 0.
    pub fn led_by(pid: u32) -> Option<Self> {
        Pid::from_raw(pid.try_into().ok()?).map(Self)
    }

    /// The processor time that its processes have used since they started, with that of those of their children that have ended and been
    /// waited for.
    ///
    /// A process that ends between the two accounts of a window without anybody waiting for it takes its time
    /// with it.
    ///
    /// # Errors
    ///
    /// When no process of the group is left, or /proc is not mounted.
    pub fn cpu_time(self) -> io::Result<Duration> {
        let own = |pid| ProcessClock::of(raw(pid))?.read();
        // A process may end between the listing and the reading.
        let times = self.members()?.into_iter().filter_map(|pid| Some((pid, own(pid).ok()?)));
        let times = times.map(|(pid, own)| own + Duration::from_secs_f64(children_cpu_s(pid)));
        times.reduce(|sum, own| sum + own).ok_or_else(|| Errno::SRCH.into())
    }

    /// Resident memory of its processes, in bytes. Pages that several of them share, as forked ones do, are
    /// counted in each.
    ///
    /// # Errors
    ///
    /// When /proc is not mounted.
    pub fn resident_bytes(self) -> io::Result<u64> {
        Ok(self.members()?.into_iter().filter_map(|pid| resident_bytes(raw(pid)).ok()).sum())
    }

    /// Sends `signal` to all of it; a group without processes is none the worse.
    pub fn signal(self, signal: Signal) {
        let _ = kill_process_group(self.0, signal);
    }

    /// Waits until none of its processes runs; false if some still does at `deadline`.
    pub fn await_end(self, deadline: Instant) -> bool {
        loop {
            let running = self.running();
            if running.is_empty() {
                return true;
            }
            // One that has ended in the meantime has no descriptor, and needs none.
            let ends: Vec<OwnedFd> =
                running.into_iter().filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect();
            for end in &ends {
                let left = deadline.saturating_duration_since(Instant::now());
                // An interrupted wait is made up for by the next turn.
                let _ = poll(&mut [PollFd::new(end, PollFlags::IN)], Some(&timespec(left)));
            }
            if Instant::now() >= deadline {
                return self.running().is_empty();
            }
        }
    }

    /// Its processes that have not ended: zombies, which nobody has waited for yet, are none.
    fn running(self) -> Vec<Pid> {
        let mut members = self.members().unwrap_or_default();
        members.retain(|pid| stat(*pid).is_some_and(|stat| !stat.has_ended));
        members
    }

    /// Its processes, zombies included: they still have an account.
    fn members(self) -> io::Result<Vec<Pid>> {
        let mut members = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| Pid::from_raw(name.parse().ok()?)) else {
                continue;
            };
            if group_of(pid) == self.0.as_raw_nonzero().get() {
                members.push(pid);
            }
        }
        Ok(members)
    }
}

/// The group of process `pid`, by getpgid(2), which costs a hundredth of what reading it from /proc/PID/stat
/// does; 0 for the kernel's threads, which is why rustix's safe call does not do, and -1 without such a process.
fn group_of(pid: Pid) -> libc::pid_t {
    #[allow(unsafe_code)]
    // SAFETY: getpgid(2) takes a number and answers with one; it touches no memory of ours.
    unsafe {
        libc::getpgid(pid.as_raw_nonzero().get())
    }
}

/// The values that only /proc/PID/stat tells.
#[derive(Debug, PartialEq)]
pub(crate) struct Stat {
    /// True if the process is a zombie, or dead and about to disappear.
    has_ended: bool,
    /// Processor time of children that were waited for, in seconds; the kernel rounds down to ticks.
    children_cpu_s: f64,
}

/// Processor time of the children of process `pid` that it waited for, in seconds; 0 once it has gone itself.
fn children_cpu_s(pid: Pid) -> f64 {
    stat(pid).map_or(0.0, |stat| stat.children_cpu_s)
}

fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{}/stat", raw(pid))).ok()?)
}

/// Reads a line in the manner of /proc/PID/stat (proc_pid_stat(5)).
pub(crate) fn parse_stat(text: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses, which may hold parentheses and spaces itself.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // From field 3 on: cutime is field 16, cstime field 17.
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some(Stat {
        has_ended: matches!(*fields.first()?, "Z" | "X" | "x"),
        children_cpu_s: (ticks(16)? + ticks(17)?) / rustix::param::clock_ticks_per_second() as f64,
    })
}

fn raw(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Account;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Command, Stdio};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A shell that leads a group of its own; the group ends with it.
    struct Shell {
        child: Child,
        group: ProcessGroup,
    }

    impl Shell {
        /// Starts `script` and waits until it has written a line.
        fn start(script: &str) -> Self {
            let mut command = Command::new("sh");
            command.args(["-c", script]).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().expect("a shell");
            let group = ProcessGroup::led_by(child.id()).expect("not 0");
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
            Self { child, group }
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            self.group.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }

    #[test]
    fn a_programs_name_may_hold_spaces_and_parentheses() {
        let rest = "S 1 42 42 0 -1 4194304 100 200 0 0 5 6 70 30 20 0 1 0 300 1000 50";
        let tick_s = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        for name in ["socat", "a b", "a) S 1 9 (b", ") Z 0 0"] {
            let stat = parse_stat(&format!("42 ({name}) {rest}\n")).expect("well-formed");
            assert!(!stat.has_ended, "{name}");
            assert!((stat.children_cpu_s - 100.0 * tick_s).abs() < 1e-9, "{name}: {stat:?}");
        }
        let zombie = parse_stat(&format!("42 (sh) {}", rest.replace("S 1", "Z 1"))).expect("well-formed");
        assert!(zombie.has_ended);
        assert_eq!(parse_stat("42 (sh) S 1 42"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_group_is_its_leader_and_all_who_stayed_in_it() {
        let shell = Shell::start("sleep 600 & sleep 600 & echo started; wait");
        assert_eq!(shell.group.running().len(), 3);
        let alone = resident_bytes(shell.child.id()).expect("alive");
        assert!(shell.group.resident_bytes().expect("alive") > alone);
        assert!(shell.group.cpu_time().expect("alive") > Duration::ZERO);
    }

    #[test]
    fn the_time_of_children_that_have_ended_stays_in_the_sum() {
        let shell = Shell::start("(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); echo counted; read _");
        let own = ProcessClock::of(shell.child.id()).and_then(ProcessClock::read).expect("alive");
        let of_group = Account::Group(shell.group).read().expect("alive");
        assert!(of_group > 2 * own, "{of_group:?} of which the shell's own {own:?}");
    }

    #[test]
    fn ending_a_group_ends_every_process_of_it() {
        let mut shell = Shell::start("sleep 600 & sleep 600 & echo started; wait");
        assert!(!shell.group.await_end(Instant::now()), "it runs");
        shell.group.signal(Signal::TERM);
        assert!(shell.group.await_end(Instant::now() + PATIENCE));
        assert!(shell.group.cpu_time().is_ok(), "its leader was not waited for and keeps its account");
        assert_eq!(shell.child.wait().expect("a child of ours").signal(), Some(15));
    }

    #[test]
    fn a_group_that_nobody_is_in_has_no_account_and_has_ended() {
        let nobody = ProcessGroup::led_by(i32::MAX.unsigned_abs()).expect("not 0");
        assert!(nobody.cpu_time().is_err());
        assert!(nobody.await_end(Instant::now()));
        assert_eq!(ProcessGroup::led_by(0), None);
    }
}
