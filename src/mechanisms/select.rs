//! select(2).

use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use rustix::io::Errno;

use crate::server::{
    Connections, DescriptorSets, Interest, Listener, ServeError, Server, Step, WORD_BITS, Word,
};

/// Serves `listener` with select(2) until it is shut down.
///
/// The kernel overwrites the sets with its answer, so each call works on a copy. It looks at every
/// descriptor below the highest one, and copies that many bits in and out: a wait costs by the highest
/// *number*, watched or not (fs/select.c, `do_select`).
///
/// The sets are longer than glibc's `fd_set` where they have to be: see [`DescriptorSets`]. The call issued is
/// pselect6(2) without a signal mask: glibc's select(2) has become that on every architecture (musl's only where
/// there is no older call).
///
/// # Errors
///
/// When the kernel refuses a wait.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut connections = Connections::new(server);
    let mut sets = DescriptorSets::default();
    let mut answer = Answer::default();
    sets.watch(listener.as_raw_fd(), Interest::Readable);
    loop {
        let mut ready = match wait(&sets, &mut answer) {
            Ok(ready) => ready,
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(ServeError::call("select")(errno)),
        };
        connections.woken(ready);
        let mut word = 0;
        while ready > 0 && word < answer.readable.len() {
            // A connection is in one of the sets, so that no event is in both.
            let mut bits = answer.readable[word] | answer.writable.get(word).copied().unwrap_or(0);
            ready = ready.saturating_sub(bits.count_ones() as usize);
            while bits != 0 {
                let fd = (word * WORD_BITS + bits.trailing_zeros() as usize) as RawFd;
                bits &= bits - 1;
                if fd == listener.as_raw_fd() {
                    let Some(accepted) = listener.accept(&mut connections)? else { return Ok(()) };
                    accepted.iter().for_each(|&fd| sets.watch(fd, Interest::Readable));
                    continue;
                }
                match connections.step(fd) {
                    Step::More | Step::Short | Step::Blocked => {}
                    Step::Await(interest) => sets.watch(fd, interest),
                    Step::Closed => sets.forget(fd),
                }
            }
            word += 1;
        }
        connections.end_iteration();
    }
}

/// The kernel's answer to a wait.
#[derive(Default)]
struct Answer {
    readable: Vec<Word>,
    writable: Vec<Word>,
}

/// Waits without limit of time and returns how many bits are set in the answer.
fn wait(watched: &DescriptorSets, answer: &mut Answer) -> Result<usize, Errno> {
    answer.readable.clone_from(watched.for_reading());
    answer.writable.clear();
    let writable = match watched.for_writing() {
        None => ptr::null_mut(),
        Some(words) => {
            answer.writable.extend_from_slice(words);
            answer.writable.as_mut_ptr().cast()
        }
    };
    #[allow(unsafe_code)]
    // SAFETY: select(2) reads and writes whole words that hold the first `highest_plus_one` bits, all of which
    // both vectors have; a null set is not touched.
    let ready = unsafe {
        libc::select(
            watched.highest_plus_one() as libc::c_int,
            answer.readable.as_mut_ptr().cast(),
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
