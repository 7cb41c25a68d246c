//! `perf bench epoll wait`: one thread waits, another makes descriptors ready, by mode.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use sys::processors;

use super::{Case, Table, head};

/// The name of the table.
pub const NAME: &str = "perf-epoll-wait";

/// Descriptors of the waiter (perf's default).
const WATCHED: u32 = 64;
const BUDGET: Duration = Duration::from_millis(300);
/// The longest time that the waiter sleeps, so that it notices the end.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// tools/perf/bench/epoll-wait.c.
pub fn table(writer_cpu: Option<u32>) -> Table<'static> {
    let head = head(
        NAME,
        "perf bench epoll wait: operations a second by mode, one waiter",
        "tools/perf/bench/epoll-wait.c, since Linux 5.0; it publishes no figures",
        "One thread waits for one event at a time on 64 eventfds and reads it; another writes to each in turn as fast as it \
         can. An operation is a wait and its read, with oneshot the re-arming as well.",
        "perf starts a waiter a processor unless told otherwise (-t 1) and its writer writes in a random order when asked \
         (-R); here the two threads have a processor each.",
        "ops/s",
    );
    let modes = [
        ("epoll-lt", EventFlags::IN),
        ("epoll-et", EventFlags::IN.union(EventFlags::ET)),
        ("epoll-oneshot", EventFlags::IN.union(EventFlags::ONESHOT)),
    ];
    let cases = modes.into_iter().map(|(mechanism, flags)| {
        let measure = Box::new(move || operations_per_s(flags, writer_cpu));
        Case { mechanism, watched: WATCHED, published: None, measure }
    });
    (head, cases.collect())
}

fn operations_per_s(flags: EventFlags, writer_cpu: Option<u32>) -> f64 {
    let new = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("a descriptor is free");
    let eventfds: Vec<OwnedFd> = (0..WATCHED).map(|_| new()).collect();
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = writer_cpu.map(|cpu| processors::pin_to(&[cpu]));
            while !ends.load(Relaxed) {
                // One that nobody has read yet stays ready; the counter only grows.
                eventfds.iter().for_each(|fd| _ = rustix::io::write(fd, &1_u64.to_ne_bytes()));
            }
        });
        // Also when the waiter panics: the scope waits for the writer.
        let _end = End(&ends);
        wait_and_read(&eventfds, flags)
    })
}

/// Ends the writer when it goes.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn wait_and_read(eventfds: &[OwnedFd], flags: EventFlags) -> f64 {
    let epoll = epoll::create(CreateFlags::CLOEXEC).expect("a descriptor is free");
    for (at, fd) in eventfds.iter().enumerate() {
        epoll::add(&epoll, fd, EventData::new_u64(at as u64), flags).expect("new");
    }
    let mut events = Vec::with_capacity(1);
    let mut operations = 0_u64;
    let begun = Instant::now();
    while begun.elapsed() < BUDGET {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&PATIENCE)) {
            // A closed ring interrupts the thread that used it once more, though there is no signal.
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => panic!("epoll_wait: {error}"),
        }
        let at = events[0].data.u64();
        let fd = &eventfds[at as usize];
        let _ = rustix::io::read(fd, &mut [0_u8; 8]);
        if flags.contains(EventFlags::ONESHOT) {
            epoll::modify(&epoll, fd, EventData::new_u64(at), flags).expect("registered");
        }
        operations += 1;
    }
    operations as f64 / begun.elapsed().as_secs_f64()
}
