//! Buffers that the kernel picks from when bytes have come, so that a waiting connection holds none.

use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// One receive fills at most this much: a page, so that a buffer has one translation.
pub const BUFFER_BYTES: usize = 4096;

/// The one group of buffers of a ring.
pub const GROUP: u16 = 0;

/// Buffers of one ring, and the queue in which the kernel finds those that are free
/// (io_uring_register_buf_ring(3)).
///
/// A buffer belongs to the kernel until a completion names it, then to the loop until it is given back.
#[derive(Debug)]
pub struct ProvidedBuffers {
    queue: Mapping,
    memory: Mapping,
    count: u16,
    /// Where the next buffer is put, counted on for ever; the kernel has its own head.
    tail: u16,
    /// How many the kernel has.
    available: usize,
}

impl ProvidedBuffers {
    /// Provides `count` buffers, a power of two, to `ring`.
    ///
    /// The ring must have no operation under way when this is dropped, or never drop it.
    ///
    /// # Errors
    ///
    /// When there is no memory for them, or the kernel has no such queues (before Linux 5.19).
    pub fn register(ring: &IoUring, count: u16) -> io::Result<Self> {
        let buffers = Self::allocate(count)?;
        #[allow(unsafe_code)]
        // SAFETY: the mapping holds `count` entries; the ring uses it while operations are under way only.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(buffers.queue.start() as u64, count, GROUP, 0)?;
        }
        Ok(buffers)
    }

    /// Makes `count` buffers that no kernel knows of yet.
    ///
    /// # Errors
    ///
    /// When there is no memory for them.
    pub fn allocate(count: u16) -> io::Result<Self> {
        let queue = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let memory = Mapping::new(usize::from(count) * BUFFER_BYTES)?;
        let mut buffers = Self { queue, memory, count, tail: 0, available: 0 };
        (0..count).for_each(|id| buffers.give_back(id));
        buffers.publish();
        Ok(buffers)
    }

    /// The bytes of the buffer `id`, which a completion has just named: it is the loop's now.
    #[inline]
    pub fn take(&mut self, id: u16) -> &mut [u8; BUFFER_BYTES] {
        self.available -= 1;
        self.bytes(id)
    }

    /// How many buffers the kernel has, those included that it was not told of yet.
    pub fn available(&self) -> usize {
        self.available
    }

    /// The bytes of the buffer `id`, which the loop has taken.
    #[inline]
    pub fn bytes(&mut self, id: u16) -> &mut [u8; BUFFER_BYTES] {
        assert!(id < self.count);
        let start = self.memory.start().wrapping_add(usize::from(id) * BUFFER_BYTES);
        #[allow(unsafe_code)]
        // SAFETY: the mapping holds `count` buffers, zeroed when made; one that the loop has taken is not
        // written to by the kernel, and `self` is borrowed for as long as the bytes are.
        unsafe {
            &mut *start.cast::<[u8; BUFFER_BYTES]>()
        }
    }

    /// Gives the buffer `id` back; the kernel learns of it by [`publish`](Self::publish).
    #[inline]
    pub fn give_back(&mut self, id: u16) {
        let slot = usize::from(self.tail & (self.count - 1));
        let address = self.bytes(id).as_ptr() as u64;
        #[allow(unsafe_code)]
        // SAFETY: `slot` is below the count of entries; the kernel reads only those before the tail that was
        // published, and this one is not.
        let entry = unsafe { &mut *self.queue.start().cast::<BufRingEntry>().add(slot) };
        // The tail of the queue overlays the unused field of the first entry: each field is set by itself.
        entry.set_addr(address);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        self.available += 1;
    }

    /// Tells the kernel of all buffers given back: one store for a whole turn.
    #[inline]
    pub fn publish(&self) {
        #[allow(unsafe_code)]
        // SAFETY: the tail is an aligned 16-bit field of the mapping that only this thread writes.
        let tail = unsafe {
            let base = self.queue.start().cast::<BufRingEntry>();
            AtomicU16::from_ptr(BufRingEntry::tail(base).cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Pages of anonymous memory, unmapped when dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    bytes: usize,
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        #[allow(unsafe_code)]
        // SAFETY: no address is asked for, so nothing that exists is mapped over.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )?
        };
        Ok(Self { start: NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?, bytes })
    }

    fn start(&self) -> *mut u8 {
        self.start.as_ptr().cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[allow(unsafe_code)]
        // SAFETY: the mapping is this one's own, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.start.as_ptr(), self.bytes) };
    }
}
