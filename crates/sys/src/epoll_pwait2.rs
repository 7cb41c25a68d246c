//! epoll_pwait2(2): waiting for events until an instant that is exact to the nanosecond.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

/// True once the kernel has refused the call: it came with Linux 5.11, and sandboxes may not know it.
static IS_MISSING: AtomicBool = AtomicBool::new(false);

/// Takes events from `epoll` into the spare capacity of `events`, which is emptied before; waits for the first of them at
/// most `timeout_ns`, below a second.
///
/// `epoll::wait` of rustix issues epoll_pwait(2), whose timeout is in milliseconds, rounded up: a request that falls due
/// in 100 µs would leave 0.9 ms late. Without the newer call, that is what happens.
///
/// # Errors
///
/// Those of epoll_wait(2); EINTR when a signal came first.
#[inline]
pub fn wait(epoll: impl AsFd, events: &mut Vec<epoll::Event>, timeout_ns: u64) -> Result<(), Errno> {
    events.clear();
    if !IS_MISSING.load(Relaxed) {
        match pwait2(&epoll, events, timeout_ns) {
            Err(Errno::NOSYS | Errno::PERM) => IS_MISSING.store(true, Relaxed),
            result => return result,
        }
    }
    let timeout = Timespec { tv_sec: 0, tv_nsec: timeout_ns as _ };
    epoll::wait(&epoll, rustix::buffer::spare_capacity(events), Some(&timeout)).map(drop)
}

/// Returns whether the kernel has epoll_pwait2(2), and permits it.
pub fn is_exact() -> bool {
    let mut events = Vec::with_capacity(1);
    let tried = epoll::create(epoll::CreateFlags::CLOEXEC).and_then(|epoll| wait(&epoll, &mut events, 0));
    tried.is_ok() && !IS_MISSING.load(Relaxed)
}

#[inline]
fn pwait2(epoll: &impl AsFd, events: &mut Vec<epoll::Event>, timeout_ns: u64) -> Result<(), Errno> {
    // struct __kernel_timespec, on every architecture.
    let timeout = [0_i64, timeout_ns as i64];
    let room = events.spare_capacity_mut();
    #[allow(unsafe_code)]
    // SAFETY: `room` is memory for as many events as the call is told, `timeout` lives beyond it, and there is no signal mask.
    // rustix's event has the layout of the kernel's, for which it passes it itself. (libc's wrapper needs glibc 2.35.)
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.as_fd().as_raw_fd(),
            room.as_mut_ptr(),
            room.len() as libc::c_int,
            timeout.as_ptr(),
            std::ptr::null::<libc::sigset_t>(),
            size_of::<libc::sigset_t>(),
        )
    };
    if count < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
    }
    #[allow(unsafe_code)]
    // SAFETY: the kernel has written that many events, and says no more than there was room for.
    unsafe {
        events.set_len(count as usize);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now_ns;

    fn instance() -> std::os::fd::OwnedFd {
        epoll::create(epoll::CreateFlags::CLOEXEC).expect("an instance")
    }

    /// The shortest of many naps: the machine can only lengthen them.
    #[test]
    fn a_nap_of_a_fifth_of_a_millisecond_is_not_rounded_up_to_one() {
        let (instance, mut events) = (instance(), Vec::with_capacity(1));
        let naps = (0..200).map(|_| {
            let began_ns = now_ns();
            wait(&instance, &mut events, 200_000).expect("no signal");
            now_ns() - began_ns
        });
        let shortest_ns = naps.min().expect("many");
        assert!(shortest_ns >= 200_000, "{shortest_ns}");
        assert!(shortest_ns < 900_000 || IS_MISSING.load(Relaxed), "{shortest_ns}");
    }

    #[test]
    fn events_are_those_of_the_kernel_and_end_the_nap() {
        let (instance, mut events) = (instance(), Vec::with_capacity(4));
        let (_reader, writer) = rustix::pipe::pipe().expect("a pipe");
        epoll::add(&instance, &writer, epoll::EventData::new_u64(0x1234_5678_9abc), epoll::EventFlags::OUT)
            .expect("room");
        for _ in 0..2 {
            wait(&instance, &mut events, 999_999_999).expect("no signal");
            let [event] = events[..] else { panic!("one event") };
            let (data, flags) = (event.data, event.flags);
            assert_eq!((data.u64(), flags), (0x1234_5678_9abc, epoll::EventFlags::OUT));
        }
    }
}
