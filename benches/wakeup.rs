//! From one thread to another, asleep on another processor: what each mechanism adds to the kernel's wake-up.

mod support;

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::thread::JoinHandle;

use evidence::reproductions::waiters::{self, Wait};
use muxbench::experiment::environment::Pinning;
use rustix::event::{EventfdFlags, eventfd};
use sys::clock::now_ns;
use sys::processors;

use support::{Collector, criterion_on};

/// A thread that sleeps until the bell rings, over and over.
struct Sleeper {
    shared: Arc<Shared>,
    /// The path of the file that tells the thread's state (proc_pid_stat(5)).
    stat: String,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    bell: OwnedFd,
    /// The sleeper's thread, once it has one.
    id: AtomicU64,
    /// The instant at which it woke, in nanoseconds; 0 until it does.
    woken_ns: AtomicU64,
    ends: AtomicBool,
}

impl Sleeper {
    fn new(mechanism: &'static str, cpu: Option<u32>) -> Self {
        let bell = eventfd(0, EventfdFlags::CLOEXEC).expect("a descriptor is free");
        let shared = Arc::new(Shared {
            bell,
            id: AtomicU64::new(0),
            woken_ns: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            if let Some(cpu) = cpu {
                processors::pin_to(&[cpu]).expect("an allowed processor");
            }
            let id = rustix::thread::gettid().as_raw_nonzero().get();
            theirs.id.store(id as u64, Release);
            sleep_and_tell(&theirs, mechanism);
        });
        while shared.id.load(Acquire) == 0 {
            std::thread::yield_now();
        }
        let stat = format!("/proc/self/task/{}/stat", shared.id.load(Relaxed));
        Self { shared, stat, thread: Some(thread) }
    }

    /// Nanoseconds from the call that rings the bell to the sleeper's first reading of the clock.
    fn wake(&mut self) -> u64 {
        while !self.is_asleep() {
            std::hint::spin_loop();
        }
        self.shared.woken_ns.store(0, Relaxed);
        let rung_ns = now_ns();
        self.ring();
        loop {
            match self.shared.woken_ns.load(Acquire) {
                0 => std::hint::spin_loop(),
                woken_ns => return woken_ns.saturating_sub(rung_ns),
            }
        }
    }

    fn ring(&self) {
        rustix::io::write(&self.shared.bell, &1_u64.to_ne_bytes()).expect("room for one more");
    }

    fn is_asleep(&self) -> bool {
        let stat = std::fs::read_to_string(&self.stat).expect("the thread lives");
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.shared.ends.store(true, Relaxed);
        self.ring();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the sleeper does not panic");
        }
    }
}

/// The sleeper's life. The bell is blocking: a wait has to come before it is read, except where reading is the waiting.
fn sleep_and_tell(shared: &Shared, mechanism: &str) {
    let mut sleep = Sleep::on(mechanism, &shared.bell);
    let mut found = Vec::with_capacity(1);
    while !shared.ends.load(Relaxed) {
        let woken_ns = match &mut sleep {
            Sleep::Read => {
                read(&shared.bell);
                now_ns()
            }
            wait => {
                found.clear();
                wait.wait(&mut found);
                let woken_ns = now_ns();
                read(&shared.bell);
                woken_ns
            }
        };
        shared.woken_ns.store(woken_ns, Release);
    }
}

fn read(bell: impl AsFd) {
    rustix::io::read(bell, &mut [0_u8; 8]).expect("the bell has rung");
}

/// The way in which a thread sleeps on the bell.
enum Sleep {
    /// In read(2).
    Read,
    /// In the wait of a mechanism.
    Waiter(Box<dyn Wait>),
    /// In io_uring_enter(2), a poll of the bell being under way.
    #[cfg(feature = "io-uring-poll")]
    Ring(Box<RingPoll>),
}

impl Sleep {
    fn on(mechanism: &str, bell: &OwnedFd) -> Self {
        match mechanism {
            "threads" => Self::Read,
            #[cfg(feature = "io-uring-poll")]
            "io-uring-poll" => Self::Ring(Box::new(RingPoll::new(bell.as_raw_fd()))),
            name => Self::Waiter(waiters::waiter(name, &[bell.as_raw_fd()])),
        }
    }

    fn wait(&mut self, found: &mut Vec<RawFd>) {
        match self {
            Self::Read => {}
            Self::Waiter(waiter) => waiter.wait(found),
            #[cfg(feature = "io-uring-poll")]
            Self::Ring(ring) => ring.wait(),
        }
    }
}

/// A multishot poll in a ring of its own.
#[cfg(feature = "io-uring-poll")]
struct RingPoll(io_uring::IoUring);

#[cfg(feature = "io-uring-poll")]
impl RingPoll {
    fn new(bell: RawFd) -> Self {
        let mut ring = io_uring::IoUring::builder().setup_single_issuer().build(8).expect("a ring");
        let poll = io_uring::opcode::PollAdd::new(io_uring::types::Fd(bell), libc::POLLIN as u32).multi(true);
        sys::uring::queue_poll(&mut ring, poll).expect("room for one");
        ring.submit().expect("submitted");
        Self(ring)
    }

    fn wait(&mut self) {
        self.0.submit_and_wait(1).expect("waited");
        self.0.completion().for_each(drop);
    }
}

fn main() {
    let pinning = Pinning::choose();
    let mut mechanisms = vec!["threads"];
    mechanisms.extend(waiters::MECHANISMS);
    #[cfg(feature = "io-uring-poll")]
    if sys::uring::probe_readiness().is_ok() {
        mechanisms.push("io-uring-poll");
    }
    let what = "from write(2) on an eventfd to the first instruction of the thread that sleeps on it, on the other processor";
    let collector = Collector::new("wakeup", what, mechanisms.len());
    let mut criterion = criterion_on(pinning.server);
    for mechanism in mechanisms {
        collector.point(
            &mut criterion,
            mechanism,
            1,
            || Sleeper::new(mechanism, pinning.generator),
            Sleeper::wake,
        );
    }
    criterion.final_summary();
    collector.write();
}
