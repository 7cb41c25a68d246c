//! The part of an open-loop run that a worker keeps to test it afterwards: a bounded sample of the arrivals, and the
//! response times of each part of the window. All memory is taken, and touched, beforehand.

use crate::plan::window::Window;
use crate::record::live;

/// Parts that the window is cut into.
pub const PARTS: usize = 40;
/// Consecutive requests that are kept in each part.
pub const STRETCH: u32 = 512;

/// A request that the generator tried to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The time that the schedule intended, in nanoseconds of the clock.
    pub intended_ns: u64,
    /// The time at which it was handed to the socket, or on io_uring to the queue of the next call, in the order in
    /// which requests fell due; they may leave in another. A full socket is the server's doing: it counts as `delayed`.
    pub tried_ns: u64,
}

/// The longest time in which the generator did nothing although a request was due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standstill {
    /// Its length.
    pub length_ns: u64,
    /// The time at which it ended.
    pub end_ns: u64,
}

/// The sample of one worker.
///
/// A stretch of consecutive requests is kept from the begin of each part on. What a stretch has not used when the next
/// part begins is used there, so that of a slow schedule all requests are kept, without a hole.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The part of the planned window that the self-check looks at.
    pub window: Window,
    /// The mean gap of the worker's schedule, in nanoseconds.
    pub mean_gap_ns: f64,
    arrivals: Vec<Arrival>,
    /// The index in `arrivals` at which each stretch without a hole begins.
    stretches: Vec<usize>,
    budget: u32,
    parts_begun: usize,
    next_part_ns: u64,
    /// The time at which the worker last tried to send a request.
    last_ns: u64,
    standstill: Standstill,
    due: [u64; PARTS],
    due_part: usize,
    due_part_end_ns: u64,
    /// Responses of each part, in the buckets of a live histogram.
    responses: Vec<u32>,
    part_ns: u64,
}

impl Sample {
    /// An empty sample of a schedule of `rate_per_s` requests per second.
    pub fn new(window: Window, rate_per_s: f64) -> Self {
        const UNTOUCHED: Arrival = Arrival { intended_ns: 1, tried_ns: 1 };
        // Writing to it takes the page faults now rather than in the window.
        let mut arrivals = vec![UNTOUCHED; PARTS * STRETCH as usize];
        arrivals.clear();
        let mut responses = vec![1; PARTS * live::BUCKETS];
        responses.fill(0);
        let mut sample = Self {
            window,
            mean_gap_ns: 1e9 / rate_per_s,
            arrivals,
            stretches: Vec::with_capacity(PARTS),
            budget: 0,
            parts_begun: 0,
            next_part_ns: window.begin_ns,
            last_ns: 0,
            standstill: Standstill::default(),
            due: [0; PARTS],
            due_part: 0,
            due_part_end_ns: 0,
            responses,
            part_ns: ((window.end_ns - window.begin_ns) / PARTS as u64).max(1),
        };
        sample.due_part_end_ns = sample.part_begin_ns(1);
        sample
    }

    /// The first instant of a part; of the one after the last, the end of the window.
    pub fn part_begin_ns(&self, part: usize) -> u64 {
        if part < PARTS { self.window.begin_ns + part as u64 * self.part_ns } else { self.window.end_ns }
    }

    /// The end of each part.
    pub fn part_ends_ns(&self) -> Vec<u64> {
        (1..=PARTS).map(|part| self.part_begin_ns(part)).collect()
    }

    /// So many requests of the schedule fell due, sent or not, in the part of the window that `intended_ns` is in; instants
    /// only grow.
    #[inline]
    pub fn due(&mut self, intended_ns: u64, count: u64) {
        while self.due_part + 1 < PARTS && intended_ns >= self.due_part_end_ns {
            self.due_part += 1;
            self.due_part_end_ns = self.part_begin_ns(self.due_part + 1);
        }
        self.due[self.due_part] += if self.window.contains(intended_ns) { count } else { 0 };
    }

    /// A request was handed to its engine; instants only grow.
    #[inline]
    pub fn tried(&mut self, intended_ns: u64, now_ns: u64) {
        let still_ns = now_ns - self.last_ns.max(intended_ns).min(now_ns);
        self.last_ns = now_ns;
        if !self.window.contains(intended_ns) {
            return;
        }
        if still_ns > self.standstill.length_ns {
            self.standstill = Standstill { length_ns: still_ns, end_ns: now_ns };
        }
        if intended_ns >= self.next_part_ns {
            self.begin_part(intended_ns);
        }
        if self.budget > 0 {
            self.budget -= 1;
            self.arrivals.push(Arrival { intended_ns, tried_ns: now_ns });
        }
    }

    #[cold]
    fn begin_part(&mut self, intended_ns: u64) {
        if self.budget == 0 {
            self.stretches.push(self.arrivals.len());
        }
        while intended_ns >= self.next_part_ns {
            self.parts_begun += 1;
            self.budget += STRETCH;
            self.next_part_ns =
                if self.parts_begun < PARTS { self.part_begin_ns(self.parts_begun) } else { u64::MAX };
        }
    }

    /// A request was answered.
    #[inline]
    pub fn answered(&mut self, intended_ns: u64, response_ns: u64) {
        if !self.window.contains(intended_ns) {
            return;
        }
        let since_ns = intended_ns - self.window.begin_ns;
        let part = ((since_ns / self.part_ns) as usize).min(PARTS - 1);
        self.responses[part * live::BUCKETS + live::bucket(response_ns)] += 1;
    }

    /// The stretches of consecutive requests.
    pub fn stretches(&self) -> impl Iterator<Item = &[Arrival]> {
        let ends = self.stretches.iter().skip(1).copied().chain([self.arrivals.len()]);
        self.stretches.iter().zip(ends).map(|(&begin, end)| &self.arrivals[begin..end])
    }

    /// Requests that fell due in each part.
    pub fn due_by_part(&self) -> &[u64; PARTS] {
        &self.due
    }

    /// The longest standstill.
    pub fn standstill(&self) -> Standstill {
        self.standstill
    }

    /// Adds the responses of `parts` to the counts of a live histogram.
    pub fn add_responses(&self, parts: std::ops::Range<usize>, counts: &mut [u64]) {
        for part in parts {
            let theirs = &self.responses[part * live::BUCKETS..(part + 1) * live::BUCKETS];
            counts.iter_mut().zip(theirs).for_each(|(sum, count)| *sum += u64::from(*count));
        }
    }
}
