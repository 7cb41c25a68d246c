//! The counters of a server in memory that another process reads: the server has no part in it, and there is no system call.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use model::schema::ServerCounters;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

use super::Counters;

/// Raised with every change of [`Counters`] or [`SharedPlaces`], since another build may be at the other end.
const VERSION: u64 = 1;

/// Threads that can count, of which `threads` has one a connection. A page that nobody counts in takes no memory.
const PLACES: usize = 1 << 16;

/// What the memory begins with: what it is, and how it is laid out.
const IDENTITY: [u64; 4] =
    [u64::from_ne_bytes(*b"muxcount"), VERSION, size_of::<Counters>() as u64, PLACES as u64];

/// The shared memory, at both ends. Whoever makes it writes the identity, the server all else.
#[repr(C)]
pub struct SharedPlaces {
    identity: [u64; 4],
    /// Not 0 when the server has a runtime that hides its calls.
    hides_calls: AtomicU64,
    /// How many places have been asked for, those included that there were not.
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
    pub(super) fn hide_calls(&self) {
        self.hides_calls.store(1, Ordering::Relaxed);
    }

    /// A place for one more thread to count in; none when all are taken. From then on nothing is read here, since it would not be
    /// the whole.
    pub(super) fn take(&self) -> Option<&Counters> {
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

/// What reads the counters of a server that has [adopted](SharedPlaces::adopt) the memory they are in, on any thread and
/// as often as one likes. They stay readable when the server has ended.
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
    use crate::server::{Options, Server};

    fn adopted() -> (SharedCounters, &'static SharedPlaces) {
        let (counters, file) = SharedCounters::create().expect("memory");
        (counters, SharedPlaces::adopt(&file).expect("ours"))
    }

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
    fn what_the_threads_of_a_server_count_is_read_from_the_other_mapping() {
        let (counters, places) = adopted();
        assert_eq!(counters.read(), None, "no server has begun");
        let server = Server::new(&Options { counters: Some(places), ..Options::default() });
        let part = server.part();
        server.counters().echoes.add(1);
        part.counters().send.add(2);
        let other = counters.clone();
        let read = std::thread::spawn(move || other.read()).join().expect("no panic");
        let read = read.expect("a server counts there");
        assert_eq!((read.echoes, read.calls.expect("counted").send), (1, 2));
        assert_eq!(read, server.read_counters());
    }

    #[test]
    fn a_place_goes_from_a_thread_that_has_ended_to_the_next() {
        let (counters, places) = adopted();
        let server = Server::new(&Options { counters: Some(places), ..Options::default() });
        for _ in 0..2 * PLACES {
            server.part().counters().echoes.add(1);
        }
        assert_eq!(counters.read().expect("there is room").echoes, 2 * PLACES as u64);
    }

    #[test]
    fn with_more_threads_than_places_the_server_alone_knows_all() {
        let (counters, places) = adopted();
        let server = Server::new(&Options { counters: Some(places), ..Options::default() });
        let mut parts: Vec<_> = (1..PLACES).map(|_| server.part()).collect();
        parts.iter().for_each(|part| part.counters().echoes.add(1));
        assert_eq!(counters.read().expect("there is room").echoes, PLACES as u64 - 1);
        parts.push(server.part());
        parts[PLACES - 1].counters().echoes.add(1);
        assert_eq!(counters.read(), None);
        assert_eq!(server.read_counters().echoes, PLACES as u64);
    }

    #[test]
    fn a_runtime_that_hides_its_calls_has_no_counters_of_them_here_either() {
        let (counters, places) = adopted();
        places.hide_calls();
        let server = Server::new(&Options { counters: Some(places), ..Options::default() });
        server.counters().echoes.add(1);
        let read = counters.read().expect("a server counts there");
        assert_eq!((read.echoes, read.calls), (1, None));
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
