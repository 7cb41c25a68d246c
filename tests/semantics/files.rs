//! Files that are not streams, and descriptors that are closed: fs/select.c, fs/eventpoll.c.

use model::schema::WaitPhase::{ArmedAgain, Drained, FirstWait, MoreArrived, PartialRead, SecondWait};

use crate::expectation::expect;
use trials::test;

const NOTHING: &str = "nothing";

/// select(2) and poll(2): regular files are always ready (`vfs_poll`: DEFAULT_POLLMASK where a file has no
/// poll operation). epoll_ctl(2): EPERM (`file_can_poll`). io_uring: the mask is there when the request is
/// armed, which completes it; multishot ends with it, there being nothing to wait for
/// (`__io_arm_poll_handler`).
const ALWAYS: [&str; 7] = ["READ WRITE", "IN OUT", "EPERM", "EPERM", "EPERM", "IN OUT", "IN OUT"];
const ALWAYS_BUT_TOLD: [&str; 7] = ["READ WRITE", "IN OUT", "EPERM", "EPERM", "EPERM", NOTHING, NOTHING];

/// epoll_ctl(2), EPERM: "the target file fd does not support epoll", for example a regular file or a
/// directory.
#[test]
fn a_regular_file() {
    expect(
        "regular-file",
        &[
            (FirstWait, ALWAYS),
            (SecondWait, ALWAYS_BUT_TOLD),
            (ArmedAgain, ALWAYS),
            (PartialRead, ALWAYS_BUT_TOLD),
            (MoreArrived, ALWAYS_BUT_TOLD),
            (Drained, ALWAYS_BUT_TOLD),
        ],
    );
}

/// epoll_ctl(2), EPERM, names directories.
#[test]
fn a_directory() {
    expect("directory", &[(FirstWait, ALWAYS), (SecondWait, ALWAYS_BUT_TOLD), (ArmedAgain, ALWAYS)]);
}

/// null(4); drivers/char/mem.c: `null_fops` has no poll operation, as a regular file's have none.
#[test]
fn dev_null() {
    expect("dev-null", &[(FirstWait, ALWAYS), (SecondWait, ALWAYS_BUT_TOLD), (ArmedAgain, ALWAYS)]);
}

/// poll(2): POLLNVAL, and success. select(2), epoll_ctl(2), io_uring_enter(2): EBADF, which a ring says once,
/// in the completion.
#[test]
fn a_closed_descriptor() {
    let told = ["EBADF", "NVAL", "EBADF", "EBADF", "EBADF", "EBADF", "EBADF"];
    let again = ["EBADF", "NVAL", "EBADF", "EBADF", "EBADF", NOTHING, NOTHING];
    expect("closed-descriptor", &[(FirstWait, told), (SecondWait, again), (ArmedAgain, told)]);
}

/// epoll(7), questions and answers: closing the last descriptor of an open file description takes it out of
/// every set (`eventpoll_release`), silently. A poll request holds the file itself (io_uring/io_uring.c,
/// `io_assign_file`), and had found it ready before it was closed. Arming by number again fails for both.
#[test]
fn a_descriptor_closed_while_it_is_watched() {
    expect(
        "closed-while-watched",
        &[
            (FirstWait, ["EBADF", "NVAL", NOTHING, NOTHING, NOTHING, "IN OUT", "IN OUT"]),
            (SecondWait, ["EBADF", "NVAL", NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]),
            (ArmedAgain, ["EBADF", "NVAL", "EBADF", "EBADF", "EBADF", "EBADF", "EBADF"]),
        ],
    );
}

/// epoll(7), questions and answers: "events may be reported for that file descriptor" though it has been closed,
/// while a duplicate is open; and there is no way to change or remove it by its number any more.
#[test]
fn a_descriptor_closed_while_a_duplicate_is_open() {
    expect(
        "closed-but-duplicated",
        &[
            (FirstWait, ["EBADF", "NVAL", "IN OUT", "IN OUT", "IN OUT", "IN OUT", "IN OUT"]),
            (SecondWait, ["EBADF", "NVAL", "IN OUT", NOTHING, NOTHING, NOTHING, NOTHING]),
            (ArmedAgain, ["EBADF", "NVAL", "EBADF", "EBADF", "EBADF", "EBADF", "EBADF"]),
        ],
    );
}
