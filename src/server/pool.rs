//! Threads that serve the same connections.

use std::sync::Arc;

use super::{ServeError, Server};

/// Runs `serve` for each of `servers`: one on the calling thread, several on a thread of their own each, which share the
/// caller's descriptor table. The threads are named as those of loops are; all are waited for.
///
/// Whenever one ends, by an error or a panic too, `stop` is called, so that the others end as well.
///
/// # Errors
///
/// What the first that failed said, or the system where it refuses a thread.
pub fn on_a_thread_each(
    servers: &[Arc<Server>],
    stop: impl Fn() + Sync,
    serve: impl Fn(&Server) -> Result<(), ServeError> + Sync,
) -> Result<(), ServeError> {
    let (serve, stop) = (&serve, &stop);
    if let [server] = servers {
        // With a thread of its own beside this one, each call would count a reference to its file (`__fget_light`, fs/file.c).
        let _ = rustix::thread::set_name(c"loop-0");
        let _last_act = OnDrop(stop);
        return serve(server);
    }
    std::thread::scope(|scope| {
        let mut outcome = Ok(());
        let mut threads = Vec::with_capacity(servers.len());
        for (index, server) in servers.iter().enumerate() {
            let run = move || {
                let _last_act = OnDrop(stop);
                serve(server)
            };
            match std::thread::Builder::new().name(format!("loop-{index}")).spawn_scoped(scope, run) {
                Ok(thread) => threads.push(thread),
                Err(source) => {
                    outcome = Err(ServeError::Call { call: "clone3", source });
                    stop();
                    break;
                }
            }
        }
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or(Err(ServeError::Panicked)));
        ended.fold(outcome, Result::and)
    })
}

/// Calls what it holds when it goes out of scope.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Condvar;
    use std::sync::Mutex;

    use super::*;
    use crate::server::Options;

    /// Three threads, of which the first ends as `first` does and the others only when stopped.
    fn run(first: impl Fn() -> Result<(), ServeError> + Sync) -> Result<(), ServeError> {
        let servers: Vec<_> = (0..3).map(|_| Arc::new(Server::new(&Options::default()))).collect();
        let (stopped, changed) = (Mutex::new(false), Condvar::new());
        let stop = || {
            *stopped.lock().expect("no other panics with it") = true;
            changed.notify_all();
        };
        on_a_thread_each(&servers, stop, |server| {
            if std::ptr::eq(server, &raw const *servers[0]) {
                return first();
            }
            let guard = stopped.lock().expect("no other panics with it");
            drop(changed.wait_while(guard, |stopped| !*stopped));
            Ok(())
        })
    }

    #[test]
    fn a_thread_that_fails_or_panics_ends_the_others() {
        assert!(run(|| Ok(())).is_ok());
        let failed = run(|| Err(ServeError::call("epoll_wait")(rustix::io::Errno::BADF)));
        assert!(matches!(failed, Err(ServeError::Call { call: "epoll_wait", .. })), "{failed:?}");
        let panicked = run(|| panic!("as a test wants it"));
        assert!(matches!(panicked, Err(ServeError::Panicked)), "{panicked:?}");
    }
}
