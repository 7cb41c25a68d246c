//! The sets of select(2), of any length.

use std::os::fd::RawFd;

use super::Interest;

/// A word of a set: the kernel reads `unsigned long`s, bit 0 of the first being descriptor 0.
pub type Word = libc::c_ulong;

/// Descriptors in a word.
pub const WORD_BITS: usize = Word::BITS as usize;

/// The descriptors that are watched, as words on the heap: `fd_set` ends at 1024 bits in glibc, and `FD_SET` beyond it
/// is undefined or aborts; the kernel takes any length.
#[derive(Debug, Default)]
pub struct DescriptorSets {
    for_reading: Vec<Word>,
    for_writing: Vec<Word>,
    /// Bits set in `for_writing`.
    writers: usize,
}

impl DescriptorSets {
    /// Watches `fd` for `interest`, and for nothing else.
    pub fn watch(&mut self, fd: RawFd, interest: Interest) {
        let (word, bit) = place(fd);
        if word >= self.for_reading.len() {
            self.for_reading.resize(word + 1, 0);
            self.for_writing.resize(word + 1, 0);
        }
        self.clear(word, bit);
        match interest {
            Interest::Readable => self.for_reading[word] |= bit,
            Interest::Writable => {
                self.for_writing[word] |= bit;
                self.writers += 1;
            }
        }
    }

    /// Watches `fd` no longer. The sets end with the highest word in use.
    pub fn forget(&mut self, fd: RawFd) {
        let (word, bit) = place(fd);
        self.clear(word, bit);
        while let (Some(0), Some(0)) = (self.for_reading.last(), self.for_writing.last()) {
            self.for_reading.pop();
            self.for_writing.pop();
        }
    }

    /// The set of those watched for reading.
    pub fn for_reading(&self) -> &Vec<Word> {
        &self.for_reading
    }

    /// The set of those watched for writing, if there are any: mostly there are none, and then the kernel is
    /// spared that set.
    pub fn for_writing(&self) -> Option<&Vec<Word>> {
        (self.writers > 0).then_some(&self.for_writing)
    }

    /// The highest descriptor watched, plus one.
    pub fn highest_plus_one(&self) -> usize {
        let Some(last) = self.for_reading.len().checked_sub(1) else { return 0 };
        let bits = self.for_reading[last] | self.for_writing[last];
        last * WORD_BITS + (Word::BITS - bits.leading_zeros()) as usize
    }

    fn clear(&mut self, word: usize, bit: Word) {
        self.writers -= usize::from(self.for_writing[word] & bit != 0);
        self.for_reading[word] &= !bit;
        self.for_writing[word] &= !bit;
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
        let mut sets = DescriptorSets::default();
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
        let mut sets = DescriptorSets::default();
        for interest in [Interest::Readable, Interest::Writable, Interest::Readable] {
            sets.watch(1500, interest);
            let (word, bit) = place(1500);
            let both = (sets.for_reading[word] & bit != 0, sets.for_writing[word] & bit != 0);
            assert_eq!(both, (interest == Interest::Readable, interest == Interest::Writable));
        }
    }
}
