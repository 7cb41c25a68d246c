//! The memory of the kernel's slab allocator, as a whole and by cache.

use std::collections::BTreeMap;
use std::fs;

use model::schema::{Slab, SlabCache};

use crate::capacity;

/// Of a cache that did not gain at least this many objects a connection, what changed is somebody else's.
const OBJECTS_PER_CONNECTION: f64 = 0.1;

/// The slabs at one moment.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    all_bytes: Option<u64>,
    /// Size of an object in bytes, and objects in use, by the cache's name.
    caches: BTreeMap<String, (u64, u64)>,
}

impl Reading {
    /// The slabs now: in all from /proc/meminfo, and by cache where /proc/slabinfo can be read, which needs root.
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
        Self { all_bytes: capacity::slab_bytes(), caches: parse(&text) }
    }

    /// The change from `before` that opening `connections` connections made; `None` where the kernel does not tell.
    pub fn since(&self, before: &Self, connections: u64) -> Option<Slab> {
        let (after_bytes, before_bytes) = self.all_bytes.zip(before.all_bytes)?;
        let least = OBJECTS_PER_CONNECTION * connections as f64;
        let caches = self.caches.iter().filter_map(|(name, &(object_bytes, after))| {
            let before = before.caches.get(name).map_or(0, |(_, objects)| *objects);
            let gained = after.saturating_sub(before) as f64;
            (gained >= least).then(|| (name.clone(), SlabCache { object_bytes, before, after }))
        });
        Some(Slab { before_bytes, after_bytes, caches: caches.collect() })
    }
}

/// Name, object size and active objects of each line of /proc/slabinfo (slabinfo(5)).
pub(crate) fn parse(text: &str) -> BTreeMap<String, (u64, u64)> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next()?.to_owned();
        let active = fields.next()?.parse().ok()?;
        let object_bytes = fields.nth(1)?.parse().ok()?;
        Some((name, (object_bytes, active)))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> …\n";

    fn reading(all_bytes: u64, tcp: u64, dentry: u64) -> Reading {
        let text = format!(
            "{HEAD}TCP {tcp} 13 2432 13 8 : tunables 0 0 0 : slabdata 1 1 0\ndentry {dentry} 99 192 21 1 : tunables 0 0 0\n"
        );
        Reading { all_bytes: Some(all_bytes), caches: parse(&text) }
    }

    #[test]
    fn the_caches_that_grew_with_the_connections_are_kept() {
        let slab = reading(9_000, 2_010, 505).since(&reading(1_000, 10, 500), 1_000).expect("told");
        assert_eq!((slab.before_bytes, slab.after_bytes), (1_000, 9_000));
        let tcp = SlabCache { object_bytes: 2432, before: 10, after: 2_010 };
        assert_eq!(slab.caches, BTreeMap::from([("TCP".to_owned(), tcp)]));
    }

    #[test]
    fn a_cache_that_shrank_or_is_new_is_no_trouble() {
        let mut before = reading(1_000, 10, 500);
        before.caches.remove("TCP");
        let slab = reading(900, 300, 5).since(&before, 1_000).expect("told");
        assert_eq!(slab.caches.keys().collect::<Vec<_>>(), ["TCP"]);
        assert_eq!(slab.caches["TCP"].before, 0);
    }

    #[test]
    fn this_machine_tells_its_slabs() {
        let now = Reading::now();
        assert!(now.since(&Reading::now(), 1).is_some_and(|slab| slab.after_bytes > 0));
    }
}
