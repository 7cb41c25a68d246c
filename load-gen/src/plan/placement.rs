//! The placement of connections: which are active, and which worker's descriptor table holds each.

use sys::descriptor_table::Table;

/// Descriptors that a worker needs besides its connections: standard streams, epoll, room for a few more.
pub const DESCRIPTORS_RESERVED: u64 = 16;

/// The assignment of connections to threads.
///
/// Worker `t` of `workers` holds every `workers`-th active connection. Idle ones go round the
/// workers' tables too; when those are too small for all, further threads hold the idle connections and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    conns: u32,
    active: u32,
    /// Threads that carry load.
    pub workers: u32,
    /// Threads in all, one descriptor table each where there are tables to be had.
    pub tables: u32,
}

/// More connections than descriptor tables can hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the descriptor limit is {limit}: too low for even one connection per descriptor table; raise it with ulimit -n"
)]
pub struct LimitTooLow {
    limit: u64,
}

impl Placement {
    /// Places `conns` connections, `active` of them active, on at least `workers` threads, where a
    /// descriptor table holds `limit` descriptors. In one table for all, further threads would hold nothing more.
    ///
    /// # Errors
    ///
    /// When a table holds no connection at all.
    pub fn new(conns: u32, active: u32, workers: u32, limit: u64, table: Table) -> Result<Self, LimitTooLow> {
        let room = limit.saturating_sub(DESCRIPTORS_RESERVED).min(u64::from(u32::MAX)) as u32;
        if room == 0 {
            return Err(LimitTooLow { limit });
        }
        let room = if table.is_own() { room } else { u32::MAX };
        // A shard may hold idle connections alone: its one worker then carries nothing.
        let workers = workers.min(active).max(active.div_ceil(room)).max(1);
        let idle = conns - active;
        let workers_hold_all = active.div_ceil(workers).saturating_add(idle.div_ceil(workers)) <= room;
        let holders = if workers_hold_all { 0 } else { idle.div_ceil(room) };
        let tables = workers + holders;
        Ok(Self { conns, active, workers, tables })
    }

    /// Returns whether connection `index` is active; the active ones are spread evenly over all.
    #[inline]
    pub fn is_active(&self, index: u32) -> bool {
        self.actives_before(index + 1) > self.actives_before(index)
    }

    /// The table that holds connection `index`.
    #[cfg(test)]
    pub fn table(&self, index: u32) -> u32 {
        let before = self.actives_before(index);
        if self.is_active(index) {
            return before % self.workers;
        }
        let idle_before = index - before;
        match self.tables - self.workers {
            0 => idle_before % self.tables,
            holders => self.workers + idle_before % holders,
        }
    }

    /// The connections that `table` holds, in ascending order.
    pub fn of_table(&self, table: u32) -> impl Iterator<Item = u32> {
        let mut active = self.actives_of(table).peekable();
        let mut idle = self.idle_of(table).peekable();
        std::iter::from_fn(move || match (active.peek(), idle.peek()) {
            (Some(one), Some(other)) if one < other => active.next(),
            (Some(_), None) => active.next(),
            _ => idle.next(),
        })
    }

    /// The idle connections that `table` holds, in ascending order.
    pub fn idle_of(&self, table: u32) -> impl ExactSizeIterator<Item = u32> + use<> {
        let (conns, idle) = (u64::from(self.conns), u64::from(self.conns - self.active));
        let (first, step) = match self.tables - self.workers {
            0 => (table, self.tables),
            _ if table < self.workers => (self.conns, 1),
            holders => (table - self.workers, holders),
        };
        // The inverse of what comes before: number `k` of the idle ones stands behind `k * conns / idle` others.
        (first..(idle as u32).max(first))
            .step_by(step as usize)
            .map(move |k| (u64::from(k) * conns / idle) as u32)
    }

    /// The active connections that `table` holds, in ascending order.
    fn actives_of(&self, table: u32) -> impl Iterator<Item = u32> + use<> {
        let (conns, active) = (u64::from(self.conns), u64::from(self.active));
        let end = if table < self.workers { self.active } else { 0 };
        (table..end.max(table))
            .step_by(self.workers as usize)
            .map(move |k| ((u64::from(k) + 1) * conns).div_ceil(active) as u32 - 1)
    }

    fn actives_before(&self, index: u32) -> u32 {
        (u64::from(index) * u64::from(self.active) / u64::from(self.conns)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn held(placement: &Placement) -> Vec<u32> {
        let mut held = vec![0; placement.tables as usize];
        (0..placement.conns).for_each(|index| held[placement.table(index) as usize] += 1);
        held
    }

    #[test]
    fn what_fits_one_table_takes_one() {
        let placement = Placement::new(10_000, 500, 1, 20_000, Table::Own).expect("room");
        assert_eq!((placement.workers, placement.tables), (1, 1));
    }

    #[test]
    fn one_table_for_all_threads_takes_the_threads_asked_for_and_no_more() {
        let shared = Table::Shared(rustix::io::Errno::PERM);
        for workers in [1, 3] {
            let placement = Placement::new(5_000, 10, workers, 1_024, shared).expect("room");
            assert_eq!((placement.workers, placement.tables), (workers, workers));
            assert_eq!(held(&placement).iter().sum::<u32>(), 5_000);
        }
        assert!(Placement::new(10, 1, 1, 16, shared).is_err());
    }

    #[test]
    fn a_low_limit_takes_more_tables_not_fewer_connections() {
        let placement = Placement::new(5_000, 10, 1, 1_024, Table::Own).expect("room");
        assert_eq!(placement.workers, 1);
        assert!(held(&placement).iter().all(|&held| held <= 1_024 - 16));
        assert!(Placement::new(10, 1, 1, 16, Table::Own).is_err());
    }

    #[test]
    fn idle_connections_alone_have_tables_too() {
        for (conns, limit) in [(10, 1_024), (5_000, 1_024)] {
            let placement = Placement::new(conns, 0, 4, limit, Table::Own).expect("room");
            assert_eq!(placement.workers, 1);
            assert!((0..conns).all(|index| !placement.is_active(index)));
            assert!(held(&placement).iter().all(|&held| u64::from(held) <= limit - 16));
            assert_eq!(held(&placement).iter().sum::<u32>(), conns);
        }
    }

    #[test]
    fn active_connections_are_spread_evenly() {
        let placement = Placement::new(10_000, 10, 1, 20_000, Table::Own).expect("room");
        let active: Vec<u32> = (0..10_000).filter(|&index| placement.is_active(index)).collect();
        assert_eq!(active.len(), 10);
        assert!(active.windows(2).all(|pair| pair[1] - pair[0] == 1_000));
    }

    proptest! {
        #[test]
        fn every_connection_has_a_table_with_room_for_it(
            conns in 1u32..20_000, share in 0.0f64..1.0, workers in 1u32..6, limit in 17u64..6_000,
        ) {
            let active = ((f64::from(conns) * share) as u32).max(1);
            let placement = Placement::new(conns, active, workers, limit, Table::Own).expect("room");
            let held = held(&placement);
            prop_assert_eq!(held.iter().sum::<u32>(), conns);
            prop_assert!(held.iter().all(|&held| u64::from(held) <= limit - DESCRIPTORS_RESERVED));
            prop_assert_eq!((0..conns).filter(|&index| placement.is_active(index)).count() as u32, active);
            for table in [0, placement.workers - 1, placement.workers % placement.tables, placement.tables - 1] {
                let here: Vec<u32> = (0..conns).filter(|&index| placement.table(index) == table).collect();
                let idle = here.iter().filter(|&&index| !placement.is_active(index)).count();
                prop_assert_eq!(placement.of_table(table).collect::<Vec<_>>(), here);
                prop_assert_eq!(placement.idle_of(table).len(), idle);
            }
            prop_assert!((0..conns).filter(|&i| placement.is_active(i)).all(|i| placement.table(i) < placement.workers));
        }
    }
}
