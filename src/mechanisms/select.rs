//! select(2).

use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use rustix::io::Errno;

use crate::server::{Accepted, Connections, Interest, Listener, ServeError, Server, Turn};

/// Serves `listener` with select(2) until it is shut down.
///
/// The kernel overwrites the sets with its answer, so each call works on a copy. It looks at every
/// descriptor below the highest one, and copies that many bits in and out: a wait costs by the highest
/// *number*, watched or not (fs/select.c, `do_select`).
///
/// The sets are words on the heap. `fd_set` ends at 1024 bits in glibc, and `FD_SET` beyond it is undefined
/// or aborts; the kernel takes any length. The call issued is pselect6(2) without a signal mask: glibc's
/// select(2) has become that on every architecture.
///
/// # Errors
///
/// When the kernel refuses a wait.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut connections = Connections::new(server);
    let mut sets = Sets::default();
    sets.watch(listener.as_raw_fd(), Interest::Readable);
    loop {
        let mut ready = match sets.wait() {
            Ok(ready) => ready,
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(ServeError::call("select")(errno)),
        };
        connections.woken(ready);
        let mut word = 0;
        while ready > 0 && word < sets.readable.len() {
            // A connection is in one of the sets, so that no event is in both.
            let mut bits = sets.readable[word] | sets.writable.get(word).copied().unwrap_or(0);
            ready = ready.saturating_sub(bits.count_ones() as usize);
            while bits != 0 {
                let fd = (word * WORD_BITS + bits.trailing_zeros() as usize) as RawFd;
                bits &= bits - 1;
                if fd == listener.as_raw_fd() {
                    loop {
                        match listener.accept(&mut connections)? {
                            Accepted::Connection(fd) => sets.watch(fd, Interest::Readable),
                            Accepted::NoMore => break,
                            Accepted::Stopped => return Ok(()),
                        }
                    }
                    continue;
                }
                match connections.turn(fd) {
                    Turn::More | Turn::Short | Turn::Blocked => {}
                    Turn::Await(interest) => sets.watch(fd, interest),
                    Turn::Closed => sets.forget(fd),
                }
            }
            word += 1;
        }
        connections.settle();
    }
}

/// A word of a set: the kernel reads `unsigned long`s, bit 0 of the first being descriptor 0.
type Word = libc::c_ulong;

const WORD_BITS: usize = Word::BITS as usize;

/// What is watched, and what a wait reported of it.
#[derive(Default)]
struct Sets {
    for_reading: Vec<Word>,
    for_writing: Vec<Word>,
    /// Bits set in `for_writing`: mostly none, and then the kernel is spared that set.
    writers: usize,
    /// The kernel's answer to the last wait.
    readable: Vec<Word>,
    writable: Vec<Word>,
}

impl Sets {
    /// Watches `fd` for `interest`, and for nothing else.
    fn watch(&mut self, fd: RawFd, interest: Interest) {
        let (word, bit) = place(fd);
        if word >= self.for_reading.len() {
            self.for_reading.resize(word + 1, 0);
            self.for_writing.resize(word + 1, 0);
        }
        self.writers -= usize::from(self.for_writing[word] & bit != 0);
        self.for_reading[word] &= !bit;
        self.for_writing[word] &= !bit;
        match interest {
            Interest::Readable => self.for_reading[word] |= bit,
            Interest::Writable => {
                self.for_writing[word] |= bit;
                self.writers += 1;
            }
        }
    }

    /// Watches `fd` no longer. The sets end with the highest word in use.
    fn forget(&mut self, fd: RawFd) {
        let (word, bit) = place(fd);
        self.writers -= usize::from(self.for_writing[word] & bit != 0);
        self.for_reading[word] &= !bit;
        self.for_writing[word] &= !bit;
        while let (Some(0), Some(0)) = (self.for_reading.last(), self.for_writing.last()) {
            self.for_reading.pop();
            self.for_writing.pop();
        }
    }

    /// The highest descriptor watched, plus one.
    fn highest_plus_one(&self) -> usize {
        let Some(last) = self.for_reading.len().checked_sub(1) else { return 0 };
        let bits = self.for_reading[last] | self.for_writing[last];
        last * WORD_BITS + (Word::BITS - bits.leading_zeros()) as usize
    }

    /// Waits without limit of time and returns how many bits are set in the answers.
    fn wait(&mut self) -> Result<usize, Errno> {
        self.readable.clone_from(&self.for_reading);
        self.writable.clear();
        if self.writers > 0 {
            self.writable.extend_from_slice(&self.for_writing);
        }
        let writable = match self.writers {
            0 => ptr::null_mut(),
            _ => self.writable.as_mut_ptr().cast(),
        };
        #[allow(unsafe_code)]
        // SAFETY: select(2) reads and writes whole words that hold the first `highest_plus_one` bits, all
        // of which both vectors have; a null set is not touched.
        let ready = unsafe {
            libc::select(
                self.highest_plus_one() as libc::c_int,
                self.readable.as_mut_ptr().cast(),
                writable,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        usize::try_from(ready).map_err(|_| {
            // On an error the sets are as they were: nothing in them is an answer.
            Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
        })
    }
}

/// The word and the bit of `fd`.
fn place(fd: RawFd) -> (usize, Word) {
    (fd as usize / WORD_BITS, 1 << (fd as usize % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_end_with_the_highest_descriptor_in_use() {
        let mut sets = Sets::default();
        for fd in [3, 64, 5000] {
            sets.watch(fd, Interest::Readable);
        }
        assert_eq!(sets.highest_plus_one(), 5001);
        sets.watch(5000, Interest::Writable);
        assert_eq!((sets.highest_plus_one(), sets.writers), (5001, 1));
        sets.forget(5000);
        assert_eq!((sets.highest_plus_one(), sets.writers), (65, 0));
        sets.forget(64);
        sets.forget(3);
        assert_eq!(sets.highest_plus_one(), 0);
    }

    #[test]
    fn a_descriptor_is_never_in_both_sets() {
        let mut sets = Sets::default();
        for interest in [Interest::Readable, Interest::Writable, Interest::Readable] {
            sets.watch(1500, interest);
            let (word, bit) = place(1500);
            let both = (sets.for_reading[word] & bit != 0, sets.for_writing[word] & bit != 0);
            assert_eq!(both, (interest == Interest::Readable, interest == Interest::Writable));
        }
    }
}
