//! From the names in a target to the addresses that accept connections.
//!
//! A name may have several addresses. Those of `localhost` are one server seen through several families, so that the first
//! family that accepts is taken; those of other names are as many servers, and all that accept are taken. To know which,
//! a connection to each is opened, and closed with a reset.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use sys::clock::now_ns;

use crate::fault::Faults;
use crate::plan::source::Sources;
use crate::plan::target::{self, Endpoint, Part, Target, Written};
use crate::pool::dialer::{Dialed, Dialer, close_with_reset};

/// The time before a name is looked up again.
const AGAIN: Duration = Duration::from_millis(250);
/// The longest time before an interruption is noticed.
const NOTICE: Duration = Duration::from_millis(20);
/// The longest wait for the addresses of a name: one that never answers must not cost the whole timeout, and a first
/// SYN that is lost is sent again after a second.
const ACCEPTS_WITHIN: Duration = Duration::from_secs(3);

/// The reason that there is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookUpError {
    /// The resolver has none, for as long as it was asked.
    #[error("cannot look up '{host}': {words}")]
    Failed {
        /// The name.
        host: String,
        /// The resolver's message.
        words: String,
    },
    /// Interrupted meanwhile.
    #[error("interrupted while looking up '{0}'")]
    Interrupted(String),
}

/// The function that looks a name up: it returns the addresses, with any port, or the reason that there is none.
pub type Resolver = fn(&str) -> Result<Vec<SocketAddr>, String>;

/// Looks up the names of targets.
pub struct LookUp<'a> {
    /// The function that is asked for the addresses of a name.
    pub resolver: Resolver,
    /// The time for which a name that has no address is looked up again and again.
    pub timeout: Duration,
    /// Set when it should end.
    pub stop: &'a AtomicBool,
    /// Told what may be worth a line.
    pub say: &'a dyn Fn(&str),
}

impl<'a> LookUp<'a> {
    /// One that asks the system's resolver.
    pub fn by_system(timeout: Duration, stop: &'a AtomicBool, say: &'a dyn Fn(&str)) -> Self {
        Self { resolver: target::resolve, timeout, stop, say }
    }

    /// The places of `written`: those that accept of each name, and all that it has where none does, so that opening the
    /// connections says why.
    ///
    /// # Errors
    ///
    /// When a name has no address in time.
    pub fn places(&self, written: &Written) -> Result<Target, LookUpError> {
        let deadline = Instant::now() + self.timeout;
        let mut known: HashMap<&str, Vec<SocketAddr>> = HashMap::new();
        let (mut endpoints, mut silent) = (Vec::new(), Vec::new());
        for part in written.parts() {
            let (host, port) = match part {
                Part::Place(endpoint) => {
                    endpoints.push(endpoint.clone());
                    continue;
                }
                Part::Name { host, port } => (host.as_str(), *port),
            };
            if !known.contains_key(host) {
                known.insert(host, self.addresses(host, deadline)?);
            }
            let mut found = known[host].clone();
            found.iter_mut().for_each(|address| address.set_port(port));
            let failed = if found.len() > 1 { self.failed(&found) } else { BTreeMap::new() };
            let taken = taken(&found, |at| !failed.contains_key(&at));
            endpoints.extend(taken.iter().map(|&at| Endpoint::Tcp(found[at])));
            let passed_over = || failed.iter().filter(|(at, _)| !taken.contains(at));
            silent.extend(passed_over().map(|(&at, faults)| (Endpoint::Tcp(found[at]), *faults)));
            if passed_over().count() > 0 && !is_one_server(&found) {
                let why = passed_over().map(|(&at, faults)| format!("{} ({faults})", found[at]));
                let why = why.collect::<Vec<_>>().join(", ");
                (self.say)(&format!("of the {} addresses of {part} some accept nothing: {why}", found.len()));
            }
        }
        Ok(Target::found(written.clone(), endpoints, silent))
    }

    /// All addresses of `host`.
    fn addresses(&self, host: &str, deadline: Instant) -> Result<Vec<SocketAddr>, LookUpError> {
        let mut has_told = false;
        loop {
            let words = match self.ask(host, deadline)? {
                Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
                Ok(_) => "it has no address".to_owned(),
                Err(words) => words,
            };
            // Four numbers that are no address will not become one.
            let is_hopeless = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if is_hopeless || Instant::now() + AGAIN >= deadline {
                return Err(LookUpError::Failed { host: host.to_owned(), words });
            }
            if !has_told {
                (self.say)(&format!("cannot look up '{host}': {words}; trying again until --timeout"));
                has_told = true;
            }
            let again = Instant::now() + AGAIN;
            while Instant::now() < again {
                self.go_on(host)?;
                thread::sleep(NOTICE);
            }
        }
    }

    fn go_on(&self, host: &str) -> Result<(), LookUpError> {
        match self.stop.load(Relaxed) {
            true => Err(LookUpError::Interrupted(host.to_owned())),
            false => Ok(()),
        }
    }

    /// Asks the resolver once, on a thread of its own: it may wait for name servers, and nothing ends that.
    fn ask(&self, host: &str, deadline: Instant) -> Result<Result<Vec<SocketAddr>, String>, LookUpError> {
        let (answer, answers) = mpsc::channel();
        let (resolver, name) = (self.resolver, host.to_owned());
        let asking = thread::Builder::new().name("look-up".to_owned()).spawn(move || {
            // Nobody may wait any more.
            let _ = answer.send(resolver(&name));
        });
        if let Err(error) = asking {
            return Ok(Err(error.to_string()));
        }
        loop {
            match answers.recv_timeout(NOTICE) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Ok(Err("the resolver panicked".to_owned())),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => {
                    return Ok(Err("no name server answered in time".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => self.go_on(host)?,
            }
        }
    }

    /// Those of `addresses` that accept no connection, by their place, with the reason.
    fn failed(&self, addresses: &[SocketAddr]) -> BTreeMap<usize, Faults> {
        let patience = self.timeout.min(ACCEPTS_WITHIN);
        let places = addresses.iter().map(|&address| Part::Place(Endpoint::Tcp(address)));
        let target = Written::of(places).places().expect("places alone");
        let all = addresses.len() as u32;
        let mut dialer = Dialer::new(&target, Sources::new(&target, all, u32::MAX), patience);
        let mut failed: BTreeMap<usize, Faults> = BTreeMap::new();
        let mut ended = |Dialed { number, outcome, .. }: Dialed<()>| match outcome {
            Ok(socket) => close_with_reset(socket),
            Err(fault) => failed.entry(target.place(number)).or_default().add(fault),
        };
        (0..all).filter_map(|index| dialer.start(index, ())).for_each(&mut ended);
        while dialer.on_their_way() > 0 && !self.stop.load(Relaxed) {
            dialer.wait(NOTICE);
            std::iter::from_fn(|| dialer.next_dialed(now_ns())).for_each(&mut ended);
        }
        failed
    }
}

/// The positions of the addresses of a name that are taken: those that accept, or all if none does. If they are one
/// server's, only those of the first family that accepts.
fn taken(addresses: &[SocketAddr], accepts: impl Fn(usize) -> bool) -> Vec<usize> {
    let accepting: Vec<usize> = (0..addresses.len()).filter(|&at| accepts(at)).collect();
    let Some(&first) = accepting.first() else { return (0..addresses.len()).collect() };
    let is_alike = |at: &usize| addresses[*at].is_ipv4() == addresses[first].is_ipv4();
    match is_one_server(addresses) {
        true => accepting.into_iter().filter(is_alike).collect(),
        false => accepting,
    }
}

/// Returns whether these are one server's addresses in several families: those of this machine's loopback.
fn is_one_server(addresses: &[SocketAddr]) -> bool {
    addresses.iter().all(|address| address.ip().is_loopback())
        && addresses.iter().any(SocketAddr::is_ipv4)
        && addresses.iter().any(SocketAddr::is_ipv6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU32;

    /// Looks `written` up by `resolver`, and returns what was said besides.
    fn found(written: &str, resolver: Resolver, timeout: Duration) -> (Result<Target, LookUpError>, String) {
        let (stop, said) = (AtomicBool::new(false), Mutex::new(String::new()));
        let say = |line: &str| said.lock().expect("nobody panics").push_str(line);
        let look_up = LookUp { resolver, timeout, stop: &stop, say: &say };
        let target = look_up.places(&written.parse().expect("a target"));
        (target, said.into_inner().expect("nobody panics"))
    }

    fn addresses(texts: &[&str]) -> Result<Vec<SocketAddr>, String> {
        Ok(texts.iter().map(|text| text.parse().expect("an address")).collect())
    }

    fn endpoints(target: &Target) -> Vec<String> {
        target.endpoints().iter().map(ToString::to_string).collect()
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn of_a_loopback_name_the_family_that_accepts_is_taken_wherever_it_stands() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        for resolver in [(|_| addresses(&["[::1]:0", "127.0.0.1:0"])) as Resolver, |_| {
            addresses(&["127.0.0.1:0", "[::1]:0"])
        }] {
            let (target, said) = found(&format!("localhost:{port}"), resolver, PATIENCE);
            let target = target.expect("it listens");
            assert_eq!(endpoints(&target), [format!("127.0.0.1:{port}")]);
            assert_eq!(target.silent().len(), 1);
            assert_eq!(target.to_string(), format!("localhost:{port}"), "it is told as it was written");
            assert_eq!(said, "", "nothing is amiss");
        }
    }

    #[test]
    fn of_other_names_every_address_that_accepts_is_taken_and_the_others_are_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let _second = TcpListener::bind(("127.0.0.3", port)).expect("free");
        let resolver = |_: &str| addresses(&["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"]);
        let (target, said) = found(&format!("pod:{port},127.0.0.9:1"), resolver, PATIENCE);
        let target = target.expect("it listens");
        let expected = [format!("127.0.0.1:{port}"), format!("127.0.0.3:{port}"), "127.0.0.9:1".to_owned()];
        assert_eq!(endpoints(&target), expected);
        let [(silent, faults)] = target.silent() else { panic!("{target:?}") };
        assert_eq!(silent.to_string(), format!("127.0.0.2:{port}"));
        assert_eq!(faults.to_string(), "1 refused (ECONNREFUSED)");
        assert!(said.contains("127.0.0.2") && said.contains("ECONNREFUSED"), "{said}");
    }

    #[test]
    fn where_nothing_accepts_all_addresses_are_left_to_say_why() {
        let resolver = |_: &str| addresses(&["127.0.0.1:0", "[::1]:0"]);
        let (target, _) = found("localhost:1", resolver, PATIENCE);
        assert_eq!(endpoints(&target.expect("addresses")), ["127.0.0.1:1", "[::1]:1"]);
    }

    #[test]
    fn a_name_that_comes_late_is_found() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let resolver: Resolver = |_| match ASKED.fetch_add(1, Relaxed) {
            0 | 1 => Err("Name or service not known".to_owned()),
            _ => addresses(&["127.0.0.1:0"]),
        };
        let (target, said) = found("late:7,late:8", resolver, PATIENCE);
        assert_eq!(endpoints(&target.expect("late")), ["127.0.0.1:7", "127.0.0.1:8"]);
        assert_eq!(ASKED.load(Relaxed), 3, "once more after two failures, and once for both ports");
        assert!(said.contains("Name or service not known"), "{said}");
    }

    #[test]
    fn a_name_that_never_comes_fails_with_the_resolvers_words() {
        let resolver: Resolver = |_| Err("Temporary failure in name resolution".to_owned());
        let (target, _) = found("never:7", resolver, Duration::from_millis(1));
        let error = target.expect_err("none").to_string();
        assert_eq!(error, "cannot look up 'never': Temporary failure in name resolution");
        // A mistyped address is not waited for.
        let (target, said) = found("300.1.1.1:7", resolver, PATIENCE);
        assert!(target.is_err() && said.is_empty(), "{said}");
    }

    #[test]
    fn a_resolver_that_hangs_costs_the_timeout_and_an_interruption_ends_it() {
        let hangs: Resolver = |_| loop {
            thread::park();
        };
        let (target, _) = found("slow:7", hangs, Duration::from_millis(1));
        assert!(target.expect_err("none").to_string().contains("no name server"));
        let (stop, say) = (AtomicBool::new(true), |_: &str| {});
        let look_up = LookUp { resolver: hangs, timeout: PATIENCE, stop: &stop, say: &say };
        let interrupted = look_up.places(&"slow:7".parse().expect("a name"));
        assert_eq!(interrupted, Err(LookUpError::Interrupted("slow".to_owned())));
    }
}
