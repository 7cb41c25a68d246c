//! The usage of processes, threads and the whole machine so far; the difference of two readings is the usage of a
//! window.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::process_group::ProcessGroup;

/// The number of times that the calling thread has slept so far (getrusage(2), ru_nvcsw).
pub fn voluntary_switches() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[allow(unsafe_code)]
    // SAFETY: getrusage(2) fills the structure, and all zeroes are a valid one should it fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    usage.ru_nvcsw
}

/// The processor time of one process, all its threads together, to the nanosecond; /proc/PID/stat would give hundredths of a
/// second. A reading is one system call of the reader's, and the process has no part in it.
///
/// It is found by the process's number: once the process has been waited for, that may be somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessClock(libc::clockid_t);

impl ProcessClock {
    /// The clock of process `pid` (clock_getcpuclockid(3)).
    ///
    /// # Errors
    ///
    /// When there is no such process.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut clock: libc::clockid_t = 0;
        #[allow(unsafe_code)]
        // SAFETY: the pointer is to a live local of the right type.
        let error = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) };
        if error == 0 { Ok(Self(clock)) } else { Err(io::Error::from_raw_os_error(error)) }
    }

    /// The processor time of the process since it started, user and system; also after its end, until it is waited for.
    ///
    /// # Errors
    ///
    /// When it has been waited for.
    #[inline]
    pub fn read(self) -> io::Result<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        #[allow(unsafe_code)]
        // SAFETY: the pointer is to a live local of the right type.
        let result = unsafe { libc::clock_gettime(self.0, &mut time) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }
}

/// The source of a server's processor time, which can be read on any thread, any number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// One process: a system call a reading, and nothing allocated.
    Process(ProcessClock),
    /// All processes of a group, looked up in /proc at each reading.
    Group(ProcessGroup),
}

impl Account {
    /// The processor time used so far.
    ///
    /// # Errors
    ///
    /// When the process, or the last of the group, is gone; of a group, when /proc is not mounted.
    #[inline]
    pub fn read(&self) -> io::Result<Duration> {
        match self {
            Self::Process(clock) => clock.read(),
            Self::Group(group) => group.cpu_time(),
        }
    }
}

/// The scheduler's accounts of the threads of a process (/proc/PID/task/TID/schedstat). Threads that start later are not counted.
#[derive(Debug, Clone)]
pub struct Scheduling {
    paths: Arc<[CString]>,
    /// Threads that have another name than the process.
    named: usize,
}

/// The scheduler's account of some threads so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scheduled {
    /// The number of times that one of them began to run on a processor, after it had waited for something or had been put aside.
    pub wakeups: u64,
    /// The time in which they were ready to run and had no processor, in seconds.
    pub starved_s: f64,
}

impl Scheduling {
    /// Those of process `pid` as it is now; none with more threads than can be read in passing, at some microseconds each.
    pub fn of(pid: u32) -> Option<Self> {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
        let folders: Vec<PathBuf> = threads.map(|thread| thread.path()).collect();
        if !(1..=WATCHED_AT_MOST).contains(&folders.len()) {
            return None;
        }
        let name = |folder: &Path| fs::read(folder.join("comm")).ok();
        let own = name(Path::new(&format!("/proc/{pid}")));
        let path = |folder: &PathBuf| CString::new(folder.join("schedstat").into_os_string().into_vec()).ok();
        Some(Self {
            paths: folders.iter().map(path).collect::<Option<_>>()?,
            named: folders.iter().filter(|folder| name(folder) != own).count(),
        })
    }

    /// The sum so far; none once a thread is gone, or where the kernel keeps no such account. Nothing is allocated.
    pub fn read(&self) -> Option<Scheduled> {
        self.paths.iter().try_fold(Scheduled::default(), |sum, path| {
            let of_thread = scheduled(path)?;
            Some(Scheduled {
                wakeups: sum.wakeups + of_thread.wakeups,
                starved_s: sum.starved_s + of_thread.starved_s,
            })
        })
    }

    /// The number of threads that have another name than the process: in a server of ours those that serve.
    pub fn named(&self) -> usize {
        self.named
    }
}

/// Returns whether a thread of process `pid` runs or is ready to (proc_pid_stat(5), state R). One that waits for a processor is in no account of
/// the time that it waited until it gets one (kernel/sched/stats.h, `sched_info_arrive`).
pub fn is_ready_to_run(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    stats.into_iter().any(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R')))
}

/// Threads beyond which the scheduler's accounts are not read: sixteen loops, and those beside them.
const WATCHED_AT_MOST: usize = 24;

fn scheduled(path: &CStr) -> Option<Scheduled> {
    let mut text = [0; 128];
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = rustix::io::read(&file, &mut text).ok()?;
    let mut numbers = std::str::from_utf8(&text[..length]).ok()?.split_ascii_whitespace().skip(1);
    let starved_s = numbers.next()?.parse::<f64>().ok()? / 1e9;
    Some(Scheduled { starved_s, wakeups: numbers.next()?.parse().ok()? })
}

/// The usage of one thread of this process (/proc/PID/task/TID/schedstat).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ThreadUsage {
    /// Time on a processor, in seconds.
    pub cpu_s: f64,
    /// Time ready to run without a processor, in seconds.
    pub starved_s: f64,
}

/// The usage of thread `id` of this process so far; zeroes where the kernel keeps no such account.
pub fn thread(id: u64) -> ThreadUsage {
    thread_of(&format!("/proc/self/task/{id}/schedstat"))
}

fn thread_of(path: &str) -> ThreadUsage {
    let Ok(text) = fs::read_to_string(path) else { return ThreadUsage::default() };
    let mut seconds = text.split_ascii_whitespace().map(|ns| ns.parse::<f64>().unwrap_or(0.0) / 1e9);
    ThreadUsage { cpu_s: seconds.next().unwrap_or(0.0), starved_s: seconds.next().unwrap_or(0.0) }
}

/// The usage of the calling thread so far; zeroes where the kernel keeps no such account.
pub fn this_thread() -> ThreadUsage {
    thread_of("/proc/thread-self/schedstat")
}

/// The time that the hypervisor took from the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SystemUsage {
    /// Time that it gave to others, in seconds.
    pub steal_s: f64,
    /// Processors online.
    pub processors: u32,
}

/// The time taken from the machine since it started (/proc/stat, in ticks of usually 10 ms).
///
/// # Errors
///
/// When /proc is not mounted.
pub fn system() -> io::Result<SystemUsage> {
    let text = fs::read_to_string("/proc/stat")?;
    parse_system(&text)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/stat is not as known"))
}

pub(crate) fn parse_system(text: &str) -> Option<SystemUsage> {
    let tick_s = 1.0 / rustix::param::clock_ticks_per_second() as f64;
    let total = text.lines().next()?.strip_prefix("cpu ")?;
    // After user, nice, system, idle, iowait, irq and softirq.
    let steal = total.split_ascii_whitespace().nth(7)?;
    Some(SystemUsage {
        steal_s: steal.parse::<f64>().ok()? * tick_s,
        processors: text.lines().skip(1).take_while(|line| line.starts_with("cpu")).count() as u32,
    })
}

/// The time taken from the machine between two readings.
#[must_use]
pub fn system_since(later: SystemUsage, earlier: SystemUsage) -> SystemUsage {
    SystemUsage { steal_s: later.steal_s - earlier.steal_s, ..later }
}

/// The share of the processors' time that the hypervisor gave to others, of what it took in `window_s` seconds. It counts in ticks, so
/// that one of them says nothing about a short window.
#[must_use]
pub fn stolen(used: SystemUsage, window_s: f64) -> f64 {
    let tick_s = 1.0 / rustix::param::clock_ticks_per_second() as f64;
    (used.steal_s - tick_s).max(0.0) / (window_s * f64::from(used.processors.max(1)))
}

/// Resident memory of process `pid`, in bytes (/proc/PID/statm).
///
/// # Errors
///
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: u64 = statm
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "statm has no second field"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn the_kernels_account_of_the_machine_is_read_in_its_order() {
        let text = "cpu  100 20 300 4000 50 6 70 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\nintr 5\n";
        let usage = parse_system(text).expect("well-formed");
        let tick_s = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        assert!((usage.steal_s - 8.0 * tick_s).abs() < 1e-9);
        assert_eq!(usage.processors, 2);
        assert_eq!(parse_system("cpu 1 2"), None);
    }

    fn work() {
        let mut sum = 0_u64;
        (0..2_000_000_u64).for_each(|number| sum = std::hint::black_box(sum ^ number));
    }

    #[test]
    fn a_process_that_waits_for_its_input_is_counted_when_it_comes() {
        use std::io::{BufRead, BufReader, Write};
        use std::process::{Command, Stdio};
        // All on one processor, which a child inherits, and which this thread keeps busy: so it has to wait for it.
        let one = crate::processors::allowed().expect("some")[0];
        crate::processors::pin_to(&[one]).expect("one of those allowed");
        let mut cat =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat runs");
        let (mut ask, answers) = (cat.stdin.take().expect("piped"), cat.stdout.take().expect("piped"));
        let mut answers = BufReader::new(answers).lines();
        let mut exchange = || {
            ask.write_all(b"again\n").expect("it reads");
            assert_eq!(answers.next().expect("a line").expect("it writes"), "again");
        };
        exchange();
        let scheduling = Scheduling::of(cat.id()).expect("one thread");
        assert_eq!(scheduling.named(), 0);
        let before = scheduling.read().expect("it lives");
        let has_waited = std::thread::scope(|scope| {
            let exchanges = scope.spawn(|| {
                (0..10_000).any(|_| {
                    exchange();
                    scheduling.read().is_some_and(|now| now.starved_s > before.starved_s)
                })
            });
            while !exchanges.is_finished() {
                std::hint::spin_loop();
            }
            exchanges.join().expect("it reads and writes")
        });
        let after = scheduling.read().expect("it lives");
        assert!(after.wakeups > before.wakeups && has_waited, "{before:?} {after:?}");
        drop(ask);
        cat.wait().expect("a child");
        assert_eq!(scheduling.read(), None, "it is gone");
    }

    #[test]
    fn who_runs_is_ready_to_run_and_who_waits_for_input_is_not() {
        assert!(is_ready_to_run(std::process::id()), "this thread runs");
        let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
        let (ask, answer) = (cat.stdin.as_mut().expect("piped"), cat.stdout.as_mut().expect("piped"));
        ask.write_all(b"!").expect("it reads");
        answer.read_exact(&mut [0]).expect("it writes");
        while is_ready_to_run(cat.id()) {
            std::thread::yield_now();
        }
        drop(cat.stdin.take());
        cat.wait().expect("a child");
        assert!(!is_ready_to_run(cat.id()), "it is gone");
    }

    #[test]
    fn an_account_is_read_from_any_thread_and_never_goes_back() {
        let clock = ProcessClock::of(std::process::id()).expect("alive");
        let account = Account::Process(clock);
        let earlier = account.read().expect("alive");
        let later = std::thread::spawn(move || {
            work();
            account.read().expect("alive")
        });
        let later = later.join().expect("no panic");
        assert!(earlier < later, "{earlier:?} {later:?}");
    }

    #[test]
    fn a_process_that_has_ended_keeps_its_clock_until_it_is_waited_for() {
        let mut child =
            Command::new("sh").args(["-c", "read _"]).stdin(Stdio::piped()).spawn().expect("a shell");
        let clock = ProcessClock::of(child.id()).expect("alive");
        drop(child.stdin.take());
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child)), ended).expect("a child of ours");
        assert!(clock.read().expect("a zombie") > Duration::ZERO);
        child.wait().expect("a child of ours");
        assert!(clock.read().is_err());
        assert!(ProcessClock::of(child.id()).is_err());
    }

    #[test]
    fn a_tick_of_stolen_time_says_nothing_and_more_is_a_share_of_all_processors() {
        let tick_s = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        let of = |ticks: f64| SystemUsage { steal_s: ticks * tick_s, processors: 2 };
        assert_eq!(stolen(of(1.0), tick_s), 0.0);
        assert_eq!(stolen(of(5.0), 4.0 * tick_s), 0.5);
    }

    #[test]
    fn this_process_has_resident_memory() {
        assert!(resident_bytes(std::process::id()).expect("read") > 100_000);
    }
}
