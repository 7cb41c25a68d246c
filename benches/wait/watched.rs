//! TCP connections to watch, of which one at a time becomes ready.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use load_gen::plan::options::PoolOptions;
use load_gen::plan::schedule;
use load_gen::pool::Pool;
use rand::RngExt;

/// Connections whose other end is at hand to make them ready, spread evenly over all.
const CANDIDATES: u32 = 50;
/// Descriptors for everything but the watched connections.
const RESERVED: u64 = 2 * CANDIDATES as u64 + 50;

/// Accepted TCP connections in the order of their descriptors.
pub struct Watched {
    descriptors: Vec<RawFd>,
    /// The candidates: this end, and the other.
    candidates: Vec<(TcpStream, TcpStream)>,
    ready: usize,
    random: rand_xoshiro::Xoshiro256PlusPlus,
    others: Vec<TcpStream>,
    /// The other ends of all but the candidates, in descriptor tables of their own.
    _far_ends: Option<Pool>,
}

impl Watched {
    /// The largest number of connections that can be watched under a descriptor limit.
    pub fn most(limit: u64) -> u32 {
        u32::try_from(limit.saturating_sub(RESERVED)).unwrap_or(u32::MAX)
    }

    /// Opens `count` connections; the thread that holds their far ends runs on `far_cpu`.
    pub fn connect(count: u32, far_cpu: Option<u32>) -> Self {
        let (for_others, for_candidates) = (listener(), listener());
        let candidates_count = CANDIDATES.min(count);
        let others_count = count - candidates_count;
        let far_ends = (others_count > 0).then(|| {
            let target = for_others.local_addr().expect("bound");
            std::thread::spawn(move || far_ends(target, others_count, far_cpu))
        });
        let (mut others, mut candidates, mut descriptors) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..count {
            let is_candidate = (index + 1) * candidates_count / count > index * candidates_count / count;
            if is_candidate {
                let far = TcpStream::connect(for_candidates.local_addr().expect("bound")).expect("listening");
                far.set_nodelay(true).expect("a socket");
                let (near, _) = for_candidates.accept().expect("connected");
                descriptors.push(near.as_raw_fd());
                candidates.push((near, far));
            } else {
                let (near, _) = for_others.accept().expect("connected");
                descriptors.push(near.as_raw_fd());
                others.push(near);
            }
        }
        let far_ends = far_ends.map(|thread| thread.join().expect("connected"));
        Self {
            descriptors,
            candidates,
            ready: 0,
            random: schedule::random(1, 0, 0),
            others,
            _far_ends: far_ends,
        }
    }

    /// Moves this end of every connection to a higher number, so that all are spread over the numbers up to `highest`,
    /// which is taken. A number that is in use is passed over.
    pub fn spread(mut self, highest: RawFd) -> Self {
        let of_candidates = self.candidates.iter_mut().map(|(near, _)| near);
        let mut near_ends: Vec<&mut TcpStream> = of_candidates.chain(&mut self.others).collect();
        near_ends.sort_by_key(|near| near.as_raw_fd());
        let count = near_ends.len() as RawFd;
        // From the highest down, so that what a move frees is not taken by the next one.
        for (index, near) in (0..count).zip(near_ends).rev() {
            let moved = rustix::io::fcntl_dupfd_cloexec(&*near, highest * (index + 1) / count);
            *near = TcpStream::from(moved.expect("below the limit of descriptors"));
        }
        let of_candidates = self.candidates.iter().map(|(near, _)| near);
        self.descriptors = of_candidates.chain(&self.others).map(AsRawFd::as_raw_fd).collect();
        self.descriptors.sort_unstable();
        assert_eq!(self.descriptors.last(), Some(&highest), "the highest number was free");
        self
    }

    /// The descriptors to watch.
    pub fn descriptors(&self) -> &[RawFd] {
        &self.descriptors
    }

    /// Makes a random candidate ready and returns it.
    pub fn make_one_ready(&mut self) -> RawFd {
        self.ready = self.random.random_range(0..self.candidates.len());
        let (near, far) = &mut self.candidates[self.ready];
        // On loopback the byte has arrived when write(2) returns.
        far.write_all(b"!").expect("room for a byte");
        near.as_raw_fd()
    }

    /// Takes the byte.
    pub fn drain(&mut self) {
        let (near, _) = &mut self.candidates[self.ready];
        near.read_exact(&mut [0]).expect("the byte that was written");
    }
}

/// A listener whose queue is as long as can be: a connection that overflows it looks established to its other
/// end and is never accepted here (tcp(7), syncookies). Waiting for one that does not come is an error.
fn listener() -> TcpListener {
    const LONGEST_QUEUE: i32 = 4096;
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    rustix::net::listen(&listener, LONGEST_QUEUE).expect("a bound socket");
    let patience = Some(Duration::from_secs(30));
    rustix::net::sockopt::set_socket_timeout(&listener, rustix::net::sockopt::Timeout::Recv, patience)
        .expect("a socket");
    listener
}

fn far_ends(target: std::net::SocketAddr, conns: u32, cpu: Option<u32>) -> Pool {
    let options = PoolOptions {
        // Slower than this thread accepts, even where both share a processor.
        connect_rate: Some(10_000.0),
        cpu,
        timeout: Duration::from_secs(30),
        ..PoolOptions::new(target, conns, 1)
    };
    Pool::open(options, Arc::default(), &mut ()).expect("the listener takes connections")
}
