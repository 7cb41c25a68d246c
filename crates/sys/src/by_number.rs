//! Calls on descriptor *numbers*, which may be closed, and with arguments that a safe interface rules out: what the kernel
//! answers is the point. An error is its answer. Sets, arrays and events are as long as the kernel is told.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// A word of the sets of select(2); bit 0 of the first is descriptor 0.
pub type Word = libc::c_ulong;

/// The result of a call: the error in errno after -1, or else the value.
#[inline]
pub(crate) fn result(returned: libc::c_int) -> Result<usize, Errno> {
    usize::try_from(returned)
        .map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
}

/// poll(2) of an array as it is; returns how many descriptors have events.
#[inline]
pub fn poll(fds: &mut [libc::pollfd], timeout_ms: libc::c_int) -> Result<usize, Errno> {
    #[allow(unsafe_code)]
    // SAFETY: the array is as long as is said, and poll(2) writes to nothing else.
    result(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) })
}

/// poll(2) of so many descriptors without an array, and without waiting.
pub fn poll_without_array(count: u64) -> Result<usize, Errno> {
    #[allow(unsafe_code)]
    // SAFETY: no array is handed over; were it looked for after all, the answer would be EFAULT.
    result(unsafe { libc::poll(ptr::null_mut(), count as libc::nfds_t, 0) })
}

/// select(2) of the descriptors below `end`: those to be read, to be written, and in exceptional conditions. Without a limit it
/// waits until one is ready. Returns how many bits are left in the sets.
///
/// # Panics
///
/// When a set has not the room for descriptors below `end`.
#[inline]
pub fn select(end: RawFd, sets: [Option<&mut [Word]>; 3], limit: Option<Duration>) -> Result<usize, Errno> {
    let pointer = |set: Option<&mut [Word]>| {
        set.map_or(ptr::null_mut(), |words| {
            assert!(words.len() * Word::BITS as usize >= end as usize, "sets too short");
            words.as_mut_ptr().cast::<libc::fd_set>()
        })
    };
    let [readable, writable, exceptional] = sets;
    let mut limit = limit.map(|limit| libc::timeval {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_usec: limit.subsec_micros() as libc::suseconds_t,
    });
    let limit = limit.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    #[allow(unsafe_code)]
    // SAFETY: select(2) reads and writes whole words that hold the first `end` bits, which each set has.
    result(unsafe { libc::select(end, pointer(readable), pointer(writable), pointer(exceptional), limit) })
}

/// epoll_create(2), the older call, with any size.
pub fn epoll_create(size: libc::c_int) -> Result<OwnedFd, Errno> {
    #[allow(unsafe_code)]
    // SAFETY: the call takes a number; what it returns is new, and nobody else's.
    unsafe {
        let fd = result(libc::epoll_create(size))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// epoll_ctl(2) with any operation, any descriptor number and any flags; an event carries the number.
#[inline]
pub fn epoll_ctl(set: RawFd, operation: libc::c_int, fd: RawFd, flags: libc::c_int) -> Result<(), Errno> {
    let mut event = libc::epoll_event { events: flags as u32, u64: fd as u64 };
    #[allow(unsafe_code)]
    // SAFETY: the event outlives the call; numbers that name no descriptor are answered by an error.
    result(unsafe { libc::epoll_ctl(set, operation, fd, &raw mut event) }).map(drop)
}

/// epoll_wait(2) for `most` events, of which there is room for eight: of each the number it carries, and its flags.
pub fn epoll_wait(
    set: RawFd,
    most: libc::c_int,
    timeout_ms: libc::c_int,
) -> Result<Vec<(u64, libc::c_int)>, Errno> {
    const ROOM: usize = 8;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; ROOM];
    #[allow(unsafe_code)]
    // SAFETY: the array is no shorter than is said; nothing is stored where the number is not above zero.
    let returned =
        unsafe { libc::epoll_wait(set, events.as_mut_ptr(), most.min(ROOM as libc::c_int), timeout_ms) };
    let count = result(returned)?;
    Ok(events[..count].iter().map(|event| (event.u64, event.events as libc::c_int)).collect())
}

/// epoll_wait(2) into a page that may only be read, without waiting.
///
/// # Errors
///
/// When there is no such page.
pub fn epoll_wait_into_read_only(set: RawFd) -> io::Result<Result<usize, Errno>> {
    let length = rustix::param::page_size();
    #[allow(unsafe_code)]
    // SAFETY: the page is new and nothing refers to it after it is unmapped; that it may not be written is
    // the point, and the kernel answers that by an error.
    unsafe {
        let page = mmap_anonymous(ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE)?;
        let returned = result(libc::epoll_wait(set, page.cast(), 1, 0));
        munmap(page, length)?;
        Ok(returned)
    }
}

/// Bytes that can be read from `fd`.
///
/// Of a TCP socket this takes its lock (net/ipv4/tcp.c, `tcp_ioctl`), so that no segment is still being
/// worked on when it returns.
pub fn readable_bytes(fd: RawFd) -> Result<usize, Errno> {
    integer_of(fd, libc::FIONREAD)
}

/// Bytes that a TCP socket has sent, and that were not acknowledged: those of SIOCOUTQ without those of
/// SIOCOUTQNSD, which wait to be sent (tcp(7); net/ipv4/tcp.c, `tcp_ioctl`).
pub fn under_way_bytes(fd: RawFd) -> Result<usize, Errno> {
    const SIOCOUTQNSD: libc::Ioctl = 0x894B;
    // Read in this order, a byte sent in between counts as under way, and not the other way round.
    let unsent = integer_of(fd, SIOCOUTQNSD)?;
    Ok(integer_of(fd, libc::TIOCOUTQ)?.saturating_sub(unsent))
}

fn integer_of(fd: RawFd, request: libc::Ioctl) -> Result<usize, Errno> {
    let mut answer: libc::c_int = 0;
    #[allow(unsafe_code)]
    // SAFETY: all requests that are made here write one int.
    let returned = unsafe { libc::ioctl(fd, request, &raw mut answer) };
    result(returned).map(|_| answer.max(0) as usize)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    #[test]
    fn a_set_that_ends_before_the_descriptors_do_never_reaches_the_kernel() {
        let bits = Word::BITS as RawFd;
        let select = |end| select(end, [Some(&mut [0]), None, None], Some(Duration::ZERO));
        assert_eq!(select(bits), Ok(0));
        for end in [bits + 1, -1] {
            assert!(std::panic::catch_unwind(|| select(end)).is_err(), "{end}");
        }
    }

    #[test]
    fn no_more_events_are_asked_for_than_there_is_room() {
        let set = epoll_create(1).expect("a set");
        let eventfds = [(); 9].map(|()| eventfd(1, EventfdFlags::CLOEXEC).expect("a descriptor is free"));
        for fd in &eventfds {
            epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), libc::EPOLLIN).expect("added");
        }
        let found = |most| epoll_wait(set.as_raw_fd(), most, 0).map(|events| events.len());
        assert_eq!([1, 9, 0, -1].map(found), [Ok(1), Ok(8), Err(Errno::INVAL), Err(Errno::INVAL)]);
    }
}
