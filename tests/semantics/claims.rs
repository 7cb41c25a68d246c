//! The verdict of each claim, with what it rests on, as man pages and kernel source have it.

use model::schema::ClaimVerdict::{Confirmed, ConfirmedWithConditions, Refuted};
use model::schema::{ClaimVerdict, Finding};

use crate::expectation::{claim, kernel, ring_is_there};
use trials::test;

/// Asserts the verdict, and that its conditions or contradictions are exactly the parts that begin with
/// `parts`.
fn assert_verdict(id: &str, verdict: ClaimVerdict, parts: &[&str]) {
    let claim = claim(id);
    assert_eq!(claim.verdict, verdict, "{id}: {:?}\n{:#?}", claim.because, claim.evidence);
    let plain = [Finding::AsClaimed, Finding::Context];
    let odd = claim.evidence.iter().filter(|evidence| !plain.contains(&evidence.finding));
    let odd: Vec<&str> = odd.map(|evidence| evidence.what.as_str()).collect();
    assert!(
        odd.len() == parts.len() && odd.iter().zip(parts).all(|(odd, part)| odd.starts_with(part)),
        "{id}: expected {parts:?}, found {odd:?}"
    );
    assert_eq!(claim.because.len(), parts.len(), "each has its line: {:?}", claim.because);
}

/// Returns the kernel's behaviour in the part of claim `id` that begins with `part`.
fn observed(id: &str, part: &str) -> &'static str {
    let evidence = claim(id).evidence.iter().find(|evidence| evidence.what.starts_with(part));
    evidence.and_then(|evidence| evidence.observed.as_deref()).expect("observed")
}

/// poll(2), epoll_wait(2): timeout and return value. fs/select.c, `do_sys_poll`: EINVAL beyond RLIMIT_NOFILE.
#[test]
fn poll_timeout() {
    assert_verdict("poll-timeout", Confirmed, &[]);
}

/// poll(2) lists the macros and says of POLLRDBAND that it is "generally unused on Linux". `tcp_poll`
/// (net/ipv4/tcp.c) has urgent data as EPOLLPRI, asks for a byte more before EPOLLIN when the urgent byte is
/// next in line, and never sets EPOLLWRBAND, which `unix_poll` (net/unix/af_unix.c) does.
#[test]
fn poll_events_table() {
    let conditions = [
        "POLLIN, nothing there but a byte of urgent data",
        "POLLRDBAND",
        "POLLRDBAND, urgent data of TCP",
        "POLLWRBAND, room to write on TCP",
    ];
    assert_verdict("poll-events-table", ConfirmedWithConditions, &conditions);
}

/// poll(2): events is an input, revents an output; select(2): "upon return, each of the file descriptor sets
/// is modified in place".
#[test]
fn poll_set_once() {
    assert_verdict("poll-set-once", Confirmed, &[]);
}

/// poll(2) takes an array; select(2): nfds "should be set to the highest-numbered file descriptor … plus 1".
#[test]
fn no_max_plus_one() {
    assert_verdict("no-max-plus-one", Confirmed, &[]);
}

/// epoll_ctl(2), EPERM; fs/eventpoll.c, `file_can_poll`. select(2) and poll(2): files are always ready.
/// /proc/self/mounts has a poll operation (fs/proc_namespace.c, `mounts_poll`), so that not every regular
/// file is refused.
#[test]
fn pollable_kinds() {
    let filesystem = "that file is on ext2, ext3, ext4 or xfs";
    match observed("pollable-kinds", filesystem) {
        "yes" => assert_verdict("pollable-kinds", Confirmed, &[]),
        _ => assert_verdict("pollable-kinds", ConfirmedWithConditions, &[filesystem]),
    }
    let add = |kind: &str| observed("pollable-kinds", &format!("epoll_ctl(ADD) of {kind}"));
    for never in ["a directory", "/dev/null"] {
        assert_eq!(add(never), "EPERM", "{never}");
    }
    for always in [
        "/proc/self/mounts",
        "a Unix socket",
        "a pipe",
        "a FIFO",
        "a signalfd",
        "an inotify",
        "a pidfd",
        "an epoll",
    ] {
        assert_eq!(add(always), "success", "{always}");
    }
    let ring = if ring_is_there() { "IN OUT" } else { "n/a" };
    assert_eq!(
        observed("pollable-kinds", "select, poll and io_uring"),
        format!("select READ WRITE, poll IN OUT, io-uring-poll {ring}, io-uring-once {ring}")
    );
}

/// epoll_create(2): "Since Linux 2.6.8, the size argument is ignored, but must be greater than zero"; EINVAL.
#[test]
fn size_ignored() {
    assert_verdict("size-ignored", Confirmed, &[]);
}

/// epoll_ctl(2), ERRORS; fs/eventpoll.c, `do_epoll_ctl`. `ep_loop_check` allows a chain of EP_MAX_NESTS (4)
/// links, which is 5 sets, since Linux 6.17 and in stable kernels of that time; before, it was laxer. ENOSPC
/// needs as many watches as the user may have.
#[test]
fn ctl_ops() {
    assert_verdict("ctl-ops", ConfirmedWithConditions, &["ADD beyond /proc/sys/fs/epoll/max_user_watches"]);
    let depth = claim("ctl-ops").evidence.iter().find(|evidence| evidence.what.ends_with("ever deeper"));
    let depth = depth.and_then(|evidence| evidence.note.as_deref());
    assert!(depth == Some("5 deep is allowed") || kernel() < (6, 17), "{depth:?}");
    for closed in ["a descriptor closed while registered", "the same while a duplicate is open"] {
        assert_eq!(observed("ctl-ops", closed), "EBADF", "{closed}");
    }
}

/// epoll_ctl(2): epoll_wait(2) always waits for EPOLLERR and EPOLLHUP; but EPOLLONESHOT leaves only
/// EP_PRIVATE_BITS of a spent entry, ERR and HUP not among them (fs/eventpoll.c, `ep_send_events`).
#[test]
fn event_flags() {
    assert_verdict("event-flags", ConfirmedWithConditions, &["EPOLLONESHOT spent, then reset"]);
}

/// epoll_ctl(2), EINVAL; fs/eventpoll.c, EPOLLEXCLUSIVE_OK_BITS: IN, OUT, ERR, HUP, WAKEUP and ET may come
/// with it, RDHUP and ONESHOT may not; a set may not be watched exclusively.
#[test]
fn exclusive_add_only() {
    assert_verdict("exclusive-add-only", Confirmed, &[]);
    let context = [
        ("MOD without it", "EINVAL"),
        ("ADD with EPOLLEXCLUSIVE and EPOLLET", "success"),
        ("ADD with EPOLLEXCLUSIVE and EPOLLRDHUP", "EINVAL"),
        ("ADD with EPOLLEXCLUSIVE and EPOLLONESHOT", "EINVAL"),
        ("ADD with EPOLLEXCLUSIVE of an epoll descriptor", "EINVAL"),
    ];
    for (part, errno) in context {
        assert_eq!(observed("exclusive-add-only", part), errno, "{part}");
    }
}

/// epoll_ctl(2), EPOLLWAKEUP; fs/eventpoll.c, `ep_take_care_of_epollwakeup`: without CAP_BLOCK_SUSPEND the
/// flag is removed, and always where the kernel has no CONFIG_PM_SLEEP.
#[test]
fn wakeup_capability() {
    let with = "the flag in the set, with the capability";
    let evidence = claim("wakeup-capability").evidence.iter().find(|evidence| evidence.what == with);
    match evidence.expect("looked at").finding {
        Finding::AsClaimed => assert_verdict("wakeup-capability", Confirmed, &[]),
        _ => assert_verdict("wakeup-capability", ConfirmedWithConditions, &[with]),
    }
}

/// epoll_wait(2), ERRORS; fs/eventpoll.c, `ep_send_events`: -EFAULT where an event cannot be stored;
/// signal(7): epoll_wait and poll are never restarted, whatever SA_RESTART says.
#[test]
fn wait_errors() {
    let condition = "into memory that may not be written, no event waiting";
    assert_verdict("wait-errors", ConfirmedWithConditions, &[condition]);
    assert_eq!(observed("wait-errors", "the same during poll"), "EINTR");
}

/// epoll(7): level-triggered, epoll is "simply a faster poll(2)".
#[test]
fn lt_repeats() {
    assert_verdict("lt-repeats", Confirmed, &[]);
}

/// epoll(7): the pipe of the example; events between two waits "will be combined"; the advice to use non-blocking
/// descriptors is about the program that reads until EAGAIN. fs/eventpoll.c never looks at O_NONBLOCK.
#[test]
fn et_once() {
    let conditions = ["two arrivals before a wait", "blocking: as the first"];
    assert_verdict("et-once", ConfirmedWithConditions, &conditions);
    assert_eq!(observed("et-once", "blocking: read until nothing is left"), "the last read sleeps");
}

/// include/net/sock.h: `sk_stream_is_writeable` wants a third of the buffer free (`sk_stream_min_wspace`),
/// while send(2) takes bytes until the buffer is full (`sk_stream_memory_free`).
#[test]
fn lt_writable_always() {
    assert_verdict("lt-writable-always", ConfirmedWithConditions, &["while it fills"]);
}

/// net/core/stream.c, `sk_stream_write_space`, called where SOCK_NOSPACE is set (net/ipv4/tcp_input.c,
/// `tcp_check_space`); net/unix/af_unix.c, `unix_write_space`, called for each packet freed. An edge reports
/// all that is ready (fs/eventpoll.c, `ep_item_poll`).
#[test]
fn et_writable_edge() {
    let conditions = ["Unix stream socket, never full", "watched for EPOLLIN too"];
    assert_verdict("et-writable-edge", ConfirmedWithConditions, &conditions);
}

/// epoll_ctl(2), EPOLLONESHOT: "the user must call epoll_ctl() with EPOLL_CTL_MOD to rearm"; EEXIST for ADD.
#[test]
fn oneshot_rearm() {
    assert_verdict("oneshot-rearm", ConfirmedWithConditions, &["armed again by EPOLL_CTL_ADD"]);
}

/// epoll(7), STANDARDS: "Linux". What other systems have cannot be seen from one.
#[test]
fn linux_only() {
    assert_verdict("linux-only", ConfirmedWithConditions, &["epoll on any other system"]);
}

/// socket(7): "SO_SNDLOWAT is not changeable on Linux (setsockopt(2) fails with the error ENOPROTOOPT)", and
/// its value is 1.
#[test]
fn sndlowat() {
    assert_verdict("sndlowat", Refuted, &["setsockopt(SO_SNDLOWAT, 2048)", "getsockopt(SO_SNDLOWAT)"]);
    assert_eq!(observed("sndlowat", "setsockopt"), "ENOPROTOOPT");
    assert_eq!(observed("sndlowat", "getsockopt"), "1");
    assert_eq!(observed("sndlowat", "setsockopt(TCP_NOTSENT_LOWAT"), "success");
}

/// socket(7), SO_LINGER: with it close(2) waits, without it "the closing is done in the background";
/// net/ipv4/tcp.c, `__tcp_close`: a socket with unread input sends a reset. Accepted sockets inherit the
/// option (`sk_clone`).
#[test]
fn linger() {
    let conditions = ["what the peer reads without SO_LINGER", "what the peer reads with SO_LINGER, a byte"];
    assert_verdict("linger", ConfirmedWithConditions, &conditions);
    assert_eq!(observed("linger", "SO_LINGER of a connection accepted"), "on, 5 s");
}

/// The expectations are for kernels from 5.11 on, which is what muxbench asks for.
#[test]
fn the_kernel_is_one_that_the_expectations_are_for() {
    assert!(kernel() >= (5, 11), "Linux {}.{} is older than the expectations", kernel().0, kernel().1);
}
