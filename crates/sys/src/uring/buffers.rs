//! Buffers that the kernel picks from when bytes have come, so that a waiting connection holds none.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::Completion;

/// One receive fills at most this much: a page, so that a buffer has one translation.
pub const BUFFER_BYTES: usize = 4096;

/// The one group of buffers of a ring.
pub const GROUP: u16 = 0;

/// A buffer that the kernel has filled: the holder's until it is [given back](ProvidedBuffers::give_back). One that is
/// dropped is lost to the kernel, and nothing else happens.
#[derive(Debug, PartialEq, Eq)]
pub struct Buffer {
    start: NonNull<u8>,
}

impl Buffer {
    /// The address of its bytes, for the kernel to read.
    #[inline]
    pub fn address(&self) -> NonNull<u8> {
        self.start
    }
}

/// Buffers of one ring, and the queue in which the kernel finds those that are free
/// (io_uring_register_buf_ring(3)).
///
/// A buffer belongs to the kernel until a completion names it, then to whoever has taken it until it is given back. The
/// memory stays for ever unless it is [freed](Self::free): the kernel writes there at its own time.
#[derive(Debug)]
pub struct ProvidedBuffers {
    queue: Memory,
    memory: Memory,
    count: u16,
    /// The position of the next buffer in the queue, a count that is never reset; the kernel has its own head.
    tail: u16,
    /// The number of buffers that the kernel has.
    available: usize,
}

impl ProvidedBuffers {
    /// Provides `count` buffers, a power of two, to `ring`.
    ///
    /// # Errors
    ///
    /// When there is no memory for them, or the kernel has no such queues (before Linux 5.19).
    ///
    /// # Safety
    ///
    /// Only completions of this ring may be [taken buffers from](Completion::take_buffer) with these.
    #[allow(unsafe_code)]
    pub(super) unsafe fn register(ring: &IoUring, count: u16) -> io::Result<Self> {
        let buffers = Self::allocate(count)?;
        // SAFETY: the memory holds `count` entries, and stays unless whoever frees it says that the ring is done with it.
        let registered = unsafe {
            let queue = buffers.queue.start().as_ptr() as u64;
            ring.submitter().register_buf_ring_with_flags(queue, count, GROUP, 0)
        };
        if let Err(error) = registered {
            // SAFETY: the kernel knows nothing of them.
            unsafe { buffers.free() };
            return Err(error);
        }
        Ok(buffers)
    }

    /// Makes `count` buffers that no kernel knows of.
    ///
    /// # Errors
    ///
    /// When there is no memory for them.
    pub fn allocate(count: u16) -> io::Result<Self> {
        let queue = Memory::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let memory = Memory::new(usize::from(count) * BUFFER_BYTES)?;
        let mut buffers = Self { queue, memory, count, tail: 0, available: 0 };
        (0..count).for_each(|id| buffers.provide(id));
        buffers.publish();
        Ok(buffers)
    }

    /// Takes the buffer that a completion names, once.
    #[inline]
    pub(super) fn take(&mut self, completion: &mut Completion) -> Option<Buffer> {
        let id = completion.take_buffer_id()?;
        self.available -= 1;
        Some(Buffer { start: self.start_of(id) })
    }

    /// The number of buffers that the kernel has, including those not yet [published](Self::publish).
    pub fn available(&self) -> usize {
        self.available
    }

    /// The bytes of a buffer.
    ///
    /// # Panics
    ///
    /// When it is not one of these.
    #[inline]
    pub fn bytes<'b>(&'b self, buffer: &'b Buffer) -> &'b [u8; BUFFER_BYTES] {
        self.id_of(buffer);
        #[allow(unsafe_code)]
        // SAFETY: it is one of these buffers, which are zeroed when made; there is one `Buffer` of it, so that the kernel
        // does not write there and nobody else has it mutably.
        unsafe {
            buffer.start.cast().as_ref()
        }
    }

    /// The bytes of a buffer, to be changed.
    ///
    /// # Panics
    ///
    /// When it is not one of these.
    #[inline]
    pub fn bytes_mut<'b>(&'b mut self, buffer: &'b mut Buffer) -> &'b mut [u8; BUFFER_BYTES] {
        self.id_of(buffer);
        #[allow(unsafe_code)]
        // SAFETY: as above; both are borrowed for as long as the bytes are.
        unsafe {
            buffer.start.cast().as_mut()
        }
    }

    /// Gives a buffer back; the kernel learns of it by [`publish`](Self::publish).
    ///
    /// # Panics
    ///
    /// When it is not one of these.
    #[inline]
    pub fn give_back(&mut self, buffer: Buffer) {
        let id = self.id_of(&buffer);
        self.provide(id);
    }

    /// Puts the buffer `id`, which nobody holds, where the kernel finds it.
    #[inline]
    fn provide(&mut self, id: u16) {
        let address = self.start_of(id).as_ptr().expose_provenance() as u64;
        let slot = usize::from(self.tail & (self.count - 1));
        #[allow(unsafe_code)]
        // SAFETY: `slot` is below the count of entries; the kernel reads only those before the tail that was
        // published, and this one is not.
        let entry = unsafe { self.queue.start().cast::<BufRingEntry>().add(slot).as_mut() };
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
        // SAFETY: the tail is an aligned 16-bit field of the memory that only this thread writes.
        let tail = unsafe {
            let base = self.queue.start().cast::<BufRingEntry>();
            AtomicU16::from_ptr(BufRingEntry::tail(base.as_ptr()).cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }

    /// Frees the memory.
    ///
    /// # Safety
    ///
    /// The ring must have no operation under way that receives into these buffers or sends from one, and none may be
    /// submitted to it any more.
    #[allow(unsafe_code)]
    pub unsafe fn free(self) {
        // SAFETY: the kernel does not use them, and nothing borrows from what is consumed here.
        unsafe {
            self.queue.free();
            self.memory.free();
        }
    }

    /// The address of buffer `id`.
    #[inline]
    fn start_of(&self, id: u16) -> NonNull<u8> {
        assert!(id < self.count, "the kernel names a buffer that it was not given");
        #[allow(unsafe_code)]
        // SAFETY: the memory holds `count` buffers.
        unsafe {
            self.memory.start().add(usize::from(id) * BUFFER_BYTES)
        }
    }

    /// The number of a buffer of these.
    #[inline]
    fn id_of(&self, buffer: &Buffer) -> u16 {
        let offset = buffer.start.addr().get().wrapping_sub(self.memory.start().addr().get());
        assert!(offset < usize::from(self.count) * BUFFER_BYTES, "a buffer of another ring");
        (offset / BUFFER_BYTES) as u16
    }
}

/// Zeroed memory that begins with a page. It stays unless it is freed.
#[derive(Debug)]
struct Memory {
    allocated: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    /// A page is no larger on any machine.
    const LARGEST_PAGE_BYTES: usize = 64 << 10;

    /// Memory that nothing touches before it is used: the allocator has it from the kernel, and is not asked to align it.
    fn new(bytes: usize) -> io::Result<Self> {
        let layout = Layout::array::<u8>(bytes + Self::LARGEST_PAGE_BYTES).map_err(io::Error::other)?;
        #[allow(unsafe_code)]
        // SAFETY: the size is not 0.
        let allocated = unsafe { alloc_zeroed(layout) };
        Ok(Self { allocated: NonNull::new(allocated).ok_or(io::ErrorKind::OutOfMemory)?, layout })
    }

    /// The start of the first page.
    #[inline]
    fn start(&self) -> NonNull<u8> {
        let before = self.allocated.addr().get().wrapping_neg() % Self::LARGEST_PAGE_BYTES;
        #[allow(unsafe_code)]
        // SAFETY: it has room for as much before what was asked for.
        unsafe {
            self.allocated.add(before)
        }
    }

    /// Frees it.
    ///
    /// # Safety
    ///
    /// Nothing may use it any more.
    #[allow(unsafe_code)]
    unsafe fn free(self) {
        // SAFETY: it was allocated so, and nothing uses it.
        unsafe { dealloc(self.allocated.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uring::Operation;

    /// The kernel says that it has filled the buffer `id`.
    fn filled(id: u16) -> Completion {
        Completion::simulated(Operation::Receive, 0, Ok(1), Some(id), true)
    }

    #[test]
    fn a_buffer_is_taken_once_filled_and_given_back() {
        let mut buffers = ProvidedBuffers::allocate(4).expect("memory");
        assert_eq!(buffers.available(), 4);
        let mut completion = filled(2);
        let mut buffer = buffers.take(&mut completion).expect("it names one");
        assert_eq!(buffers.take(&mut completion), None);
        assert_eq!(buffers.available(), 3);
        let mut other = buffers.take(&mut filled(3)).expect("it names another");
        buffers.bytes_mut(&mut buffer).fill(1);
        buffers.bytes_mut(&mut other).fill(2);
        assert_eq!((buffers.bytes(&buffer), buffers.bytes(&other)), (&[1; BUFFER_BYTES], &[2; BUFFER_BYTES]));
        buffers.give_back(buffer);
        buffers.give_back(other);
        buffers.publish();
        assert_eq!(buffers.available(), 4);
    }

    #[test]
    fn buffers_lie_apart_and_begin_with_a_page() {
        let buffers = ProvidedBuffers::allocate(8).expect("memory");
        let starts: Vec<_> = (0..8).map(|id| buffers.start_of(id).addr().get()).collect();
        assert_eq!(starts[0] % 4096, 0);
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == BUFFER_BYTES), "{starts:?}");
        for id in 0..8 {
            assert_eq!(buffers.id_of(&Buffer { start: buffers.start_of(id) }), id);
        }
    }

    #[test]
    #[should_panic(expected = "a buffer of another ring")]
    fn a_buffer_of_another_ring_is_not_taken_back() {
        let (mut ours, mut theirs) =
            (ProvidedBuffers::allocate(1).expect("memory"), ProvidedBuffers::allocate(1).expect("memory"));
        let buffer = theirs.take(&mut filled(0)).expect("it names one");
        ours.give_back(buffer);
    }

    #[test]
    #[should_panic(expected = "that it was not given")]
    fn a_number_beyond_all_buffers_is_no_buffer() {
        let mut buffers = ProvidedBuffers::allocate(2).expect("memory");
        let _ = buffers.take(&mut filled(2));
    }
}
