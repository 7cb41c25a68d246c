//! The counters of a loop while it serves.

use std::ops::Deref;
use std::sync::Arc;

use sys::shared_counters::Counters;

/// The memory that one thread counts in.
#[derive(Debug, Clone)]
pub enum Place {
    /// Memory of this process.
    Own(Arc<Counters>),
    /// Memory that another process reads.
    Shared(&'static Counters),
}

impl Deref for Place {
    type Target = Counters;

    #[inline]
    fn deref(&self) -> &Counters {
        match self {
            Self::Own(counters) => counters,
            Self::Shared(counters) => counters,
        }
    }
}

#[cfg(test)]
mod tests {
    use sys::shared_counters::{PLACES, SharedCounters, SharedPlaces};

    use crate::server::{Options, Server};

    fn adopted() -> (SharedCounters, &'static SharedPlaces) {
        let (counters, file) = SharedCounters::create().expect("memory");
        (counters, SharedPlaces::adopt(&file).expect("ours"))
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
}
