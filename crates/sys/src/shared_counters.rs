//! The counters of the loops of a server, also in memory that another process reads: the server has no part in that, and there is
//! no system call.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use model::schema::{CallCounters, ServerCounters};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

/// Raised with every change of [`Counters`] or [`SharedPlaces`], since another build may be at the other end.
const VERSION: u64 = 1;

/// Threads that can count, of which `threads` has one a connection. A page that nobody counts in takes no memory.
pub const PLACES: usize = 1 << 16;

/// The words that the memory begins with: what it is, and how it is laid out.
const IDENTITY: [u64; 4] =
    [u64::from_ne_bytes(*b"muxcount"), VERSION, size_of::<Counters>() as u64, PLACES as u64];

/// A count with one writer, read by other threads.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`. Only the thread that owns the counter may call this: a load and a store need no
    /// locked instruction, but two writers would lose counts.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one thread, in cache lines of their own: processors fetch lines in pairs, hence 128.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Counters {
    /// Calls that waited for events.
    pub waits: Counter,
    /// Events, or completions, that those calls reported.
    pub events: Counter,
    /// Wake-ups after which there was nothing to do.
    pub empty_wakeups: Counter,
    /// Calls of recv(2).
    pub recv: Counter,
    /// Calls of send(2).
    pub send: Counter,
    /// Of recv(2), send(2) and accept4(2), those that would have blocked.
    pub would_block: Counter,
    /// Replies made, each to one read.
    pub echoes: Counter,
    /// Connections accepted and served.
    pub accepted: Counter,
    /// Of those, the ones closed again.
    pub closed: Counter,
    /// Connections refused because the server was full.
    pub refused: Counter,
    /// System calls that no counter above counts: accept4(2), close(2), epoll_ctl(2) and their like.
    pub other_calls: Counter,
}

impl Counters {
    /// The counts so far. Each is exact; together they may straddle one event of a busy loop.
    pub fn read(&self) -> ServerCounters {
        let (waits, recv, send) = (self.waits.get(), self.recv.get(), self.send.get());
        ServerCounters {
            calls: Some(CallCounters {
                waits,
                events: self.events.get(),
                empty_wakeups: self.empty_wakeups.get(),
                recv,
                send,
                would_block: self.would_block.get(),
                syscalls: waits + recv + send + self.other_calls.get(),
            }),
            echoes: self.echoes.get(),
            accepted: self.accepted.get(),
            closed: self.closed.get(),
            refused: self.refused.get(),
        }
    }
}

/// The shared memory, at both ends. Whoever makes it writes the identity, the server all else.
#[repr(C)]
pub struct SharedPlaces {
    identity: [u64; 4],
    /// Not 0 when the server has a runtime that hides its calls.
    hides_calls: AtomicU64,
    /// The number of places that have been asked for, including those beyond [`PLACES`].
    taken: AtomicU64,
    places: [Counters; PLACES],
}

impl SharedPlaces {
    /// Maps the memory that was handed over as `file`, for as long as this process lives.
    ///
    /// # Errors
    ///
    /// When it is none of this build's, or the system refuses the mapping.
    pub fn adopt(file: &File) -> io::Result<&'static Self> {
        let another = || io::Error::new(io::ErrorKind::InvalidData, "it is not laid out as in this build");
        // Pages of a file that can shrink may go away under whoever uses them (mmap(2), SIGBUS).
        if !fcntl_get_seals(file)?.contains(SealFlags::SHRINK) || file.metadata()?.len() != Self::BYTES {
            return Err(another());
        }
        let mut identity = [0; size_of_val(&IDENTITY)];
        file.read_exact_at(&mut identity, 0)?;
        if identity != identity_bytes() {
            return Err(another());
        }
        let mapping = Mapping(MmapOptions::new().map_raw(file)?);
        Ok(Box::leak(Box::new(mapping)).places())
    }

    const BYTES: u64 = size_of::<Self>() as u64;

    /// Says that the server's system calls are not counted. It comes before the first [`take`](Self::take).
    pub fn hide_calls(&self) {
        self.hides_calls.store(1, Ordering::Relaxed);
    }

    /// A place for one more thread to count in; none when all are taken. From then on nothing is read here, since it would not be
    /// the whole.
    pub fn take(&self) -> Option<&Counters> {
        self.places.get(self.taken.fetch_add(1, Ordering::Release) as usize)
    }

    fn read(&self) -> Option<ServerCounters> {
        let taken = self.taken.load(Ordering::Acquire) as usize;
        let sum = self.places.get(..taken)?.iter().map(Counters::read).reduce(ServerCounters::plus)?;
        let hides_calls = self.hides_calls.load(Ordering::Relaxed) != 0;
        Some(ServerCounters { calls: sum.calls.filter(|_| !hides_calls), ..sum })
    }
}

impl fmt::Debug for SharedPlaces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedPlaces").field("taken", &self.taken).finish_non_exhaustive()
    }
}

/// A reader of the counters of a server that has [adopted](SharedPlaces::adopt) the memory they are in. It works on any
/// thread, any number of times. The counters stay readable after the server has ended.
#[derive(Debug, Clone)]
pub struct SharedCounters(Arc<Mapping>);

impl SharedCounters {
    /// The environment variable that tells `muxbench serve` the descriptor of the file it inherits. A build without shared
    /// counters passes over it.
    pub const VARIABLE: &str = "MUXBENCH_COUNTERS_FD";

    /// Makes the memory for the counters of one server, and the file to hand over: a process that is started before that is
    /// dropped inherits it, and is told by [`VARIABLE`](Self::VARIABLE).
    ///
    /// # Errors
    ///
    /// When the system refuses such memory.
    pub fn create() -> io::Result<(Self, File)> {
        const NAME: &str = "muxbench-counters";
        // Without the first flag newer kernels complain, and older ones do not know it (before Linux 6.3).
        let memory = memfd_create(NAME, MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| memfd_create(NAME, MemfdFlags::ALLOW_SEALING))?;
        let mut file = File::from(memory);
        file.write_all(&identity_bytes())?;
        file.set_len(SharedPlaces::BYTES)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let mapping = Mapping(MmapOptions::new().map_raw_read_only(&file)?);
        Ok((Self(Arc::new(mapping)), file))
    }

    /// The counters at this moment. Each is exact; together they may straddle one event of a busy loop.
    ///
    /// There are none when the server counts elsewhere: it has not begun, could not map the memory, or has had more threads than
    /// there are places.
    pub fn read(&self) -> Option<ServerCounters> {
        self.0.places().read()
    }
}

fn identity_bytes() -> [u8; size_of_val(&IDENTITY)] {
    let mut bytes = [0; size_of_val(&IDENTITY)];
    bytes.copy_from_slice(IDENTITY.map(u64::to_ne_bytes).as_flattened());
    bytes
}

/// A mapping of [`SharedPlaces`] whole.
#[derive(Debug)]
struct Mapping(MmapRaw);

impl Mapping {
    fn places(&self) -> &SharedPlaces {
        #[allow(unsafe_code)]
        // SAFETY: the mapping begins with a page, has that size by a seal, and lasts as long as `self`. Any bytes are
        // a value of the type. What changes is atomic, and is not written through a mapping that is only read.
        unsafe {
            &*self.0.as_ptr().cast::<SharedPlaces>()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    /// A file as [`SharedCounters::create`] makes it, but with `change` made before it is sealed with `seals`.
    fn forged(change: impl Fn(&File) -> io::Result<()>, seals: SealFlags) -> File {
        let file = File::from(memfd_create("forged", MemfdFlags::ALLOW_SEALING).expect("memory"));
        file.write_all_at(&identity_bytes(), 0).expect("written");
        file.set_len(SharedPlaces::BYTES).expect("sparse");
        change(&file).expect("changed");
        fcntl_add_seals(&file, seals).expect("sealed");
        file
    }

    #[test]
    fn the_layout_of_version_1_is_this() {
        // Whoever has to change it raises VERSION.
        assert_eq!(VERSION, 1);
        let counters = [
            offset_of!(Counters, waits),
            offset_of!(Counters, events),
            offset_of!(Counters, empty_wakeups),
            offset_of!(Counters, recv),
            offset_of!(Counters, send),
            offset_of!(Counters, would_block),
            offset_of!(Counters, echoes),
            offset_of!(Counters, accepted),
            offset_of!(Counters, closed),
            offset_of!(Counters, refused),
            offset_of!(Counters, other_calls),
        ];
        assert_eq!(counters.to_vec(), (0..11).map(|field| field * 8).collect::<Vec<_>>());
        assert_eq!((size_of::<Counters>(), align_of::<Counters>()), (128, 128));
        assert_eq!(offset_of!(SharedPlaces, hides_calls), size_of_val(&IDENTITY));
        assert_eq!(offset_of!(SharedPlaces, places), 128);
        assert_eq!(size_of::<SharedPlaces>(), 128 + PLACES * 128);
    }

    #[test]
    fn memory_of_another_layout_is_refused() {
        let adopt = |file: &File| SharedPlaces::adopt(file).map(drop).map_err(|error| error.kind());
        let invalid = Err(io::ErrorKind::InvalidData);
        assert_eq!(adopt(&forged(|_| Ok(()), SealFlags::SHRINK)), Ok(()));
        assert_eq!(adopt(&forged(|_| Ok(()), SealFlags::GROW)), invalid, "it could shrink");
        for word in 0..IDENTITY.len() as u64 {
            let other = forged(|file| file.write_all_at(b"?", word * 8), SealFlags::SHRINK);
            assert_eq!(adopt(&other), invalid, "word {word}");
        }
        let short = forged(|file| file.set_len(SharedPlaces::BYTES - 1), SealFlags::SHRINK);
        assert_eq!(adopt(&short), invalid);
        assert!(adopt(&File::open("/dev/null").expect("a file")).is_err());
    }

    #[test]
    fn nobody_can_change_the_size_of_what_was_made() {
        let (_counters, file) = SharedCounters::create().expect("memory");
        for bytes in [0, SharedPlaces::BYTES + 1] {
            assert!(file.set_len(bytes).is_err());
        }
        assert!(fcntl_add_seals(&file, SealFlags::WRITE).is_err());
    }
}
