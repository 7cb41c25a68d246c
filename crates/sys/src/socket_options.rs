//! Options of sockets that rustix does not have.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use crate::by_number::result;

/// Lets connect(2) choose the port, when it knows the whole four-tuple, rather than bind(2), which would need one that is free
/// towards every target (ip(7), IP_BIND_ADDRESS_NO_PORT).
///
/// # Errors
///
/// When the kernel does not know the option.
pub fn bind_address_no_port(socket: impl AsFd) -> Result<(), Errno> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// setsockopt(2) of an option that is an integer.
///
/// # Errors
///
/// When the kernel does not know the option, or the value.
pub fn set(
    socket: impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<(), Errno> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    let descriptor = socket.as_fd().as_raw_fd();
    #[allow(unsafe_code)]
    // SAFETY: the value is a live integer of the length given, which the kernel only reads.
    result(unsafe { libc::setsockopt(descriptor, level, option, (&raw const value).cast(), length) })
        .map(drop)
}

/// getsockopt(2) of an option that is an integer.
///
/// # Errors
///
/// When the kernel does not know the option.
pub fn get(socket: impl AsFd, level: libc::c_int, option: libc::c_int) -> Result<libc::c_int, Errno> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let descriptor = socket.as_fd().as_raw_fd();
    #[allow(unsafe_code)]
    // SAFETY: value and length outlive the call, and the length is the value's.
    let returned =
        unsafe { libc::getsockopt(descriptor, level, option, (&raw mut value).cast(), &raw mut length) };
    result(returned).map(|_| value)
}
