//! The size of an io_uring. Builds without io_uring have it too, since it is one of the options.

/// Entries of the queues of a ring, and the buffers provided to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingSize {
    /// Submissions that fit before the kernel has to take some: a power of two.
    pub submissions: u32,
    /// Completions that fit before the kernel keeps them elsewhere: a power of two, no less than `submissions`.
    pub completions: u32,
    /// Buffers that the kernel receives into: a power of two.
    pub buffers: u16,
}

impl RingSize {
    /// Fewer submissions than this leave no room for what is submitted beside the sends of a turn.
    pub const FEWEST: u32 = 32;
    /// The most entries that a queue can have (IORING_MAX_ENTRIES; completions may be twice as many).
    pub const MOST: u32 = 32_768;

    /// A ring with queues of `(submissions, completions)` and so many `buffers`.
    pub const fn new((submissions, completions): (u32, u32), buffers: u16) -> Self {
        Self { submissions, completions, buffers }
    }

    /// The entries of the queues.
    pub const fn queues(&self) -> (u32, u32) {
        (self.submissions, self.completions)
    }
}

impl Default for RingSize {
    /// A short submission queue stays in the cache; the completion queue keeps all of a turn, unless thousands are busy.
    fn default() -> Self {
        Self { submissions: 256, completions: 8192, buffers: 256 }
    }
}

/// Reads the entries of both queues: `SUBMISSIONS,COMPLETIONS`.
///
/// # Errors
///
/// A sentence, when the text is not two powers of two that io_uring_setup(2) takes.
pub fn queues(text: &str) -> Result<(u32, u32), String> {
    let (submissions, completions) = text
        .split_once(',')
        .ok_or_else(|| format!("{text} is not SUBMISSIONS,COMPLETIONS, for example 256,8192"))?;
    let entries = |text: &str| text.parse().ok().filter(|count: &u32| count.is_power_of_two());
    match (entries(submissions), entries(completions)) {
        (Some(submissions), Some(completions))
            if (RingSize::FEWEST..=RingSize::MOST).contains(&submissions)
                && (submissions..=2 * RingSize::MOST).contains(&completions) =>
        {
            Ok((submissions, completions))
        }
        _ => Err(format!(
            "{text} is not two powers of two, {} to {} submissions and no fewer completions",
            RingSize::FEWEST,
            RingSize::MOST
        )),
    }
}

/// Reads the number of provided buffers (io_uring_register_buf_ring(3): a power of two, 32,768 at most).
///
/// # Errors
///
/// A sentence, when it is another number.
pub fn buffers(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(count) if u16::is_power_of_two(count) => Ok(count),
        _ => Err(format!("{text} is not a power of two up to {}", RingSize::MOST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_two_powers_of_two_of_which_the_second_is_no_smaller() {
        assert_eq!(queues("32,32"), Ok((32, 32)));
        assert_eq!(queues("256,8192"), Ok((256, 8192)));
        assert_eq!(queues("32768,65536"), Ok((32_768, 65_536)));
        for wrong in
            ["", "32", "32,", ",32", "16,32", "64,32", "33,64", "32,33", "32768,131072", "65536,65536"]
        {
            assert!(queues(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_number_of_buffers_is_a_power_of_two() {
        assert_eq!((buffers("1"), buffers("32768")), (Ok(1), Ok(32_768)));
        for wrong in ["0", "3", "65536", "-1", "x"] {
            assert!(buffers(wrong).is_err(), "{wrong}");
        }
    }
}
