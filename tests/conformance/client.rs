//! A client that knows what it must receive.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use libc::c_int;
use muxbench::server::Reply;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::ioctl::{Getter, Opcode};
use rustix::net::{AddressFamily, SendFlags, SocketType};

use crate::model::{Conversation, stream_from};
use crate::subject::Subject;
use crate::support::{connect, reset, with_patience};

/// Nobody may push more than this at a server that answers into the void.
const PUSHED_AT_MOST_BYTES: u64 = 512 << 20;

/// The number of bytes that a client reads at once.
const READ_BYTES: usize = 1 << 17;

/// One client's end of a connection.
pub struct Client {
    pub stream: TcpStream,
    origin: u64,
    reply: Reply,
    conversation: Conversation,
}

impl Client {
    /// Connects to `address`, where the reply is `reply`.
    pub fn connect(address: SocketAddr, reply: Reply) -> Self {
        Self::on(connect(address), reply)
    }

    /// As [`connect`](Self::connect), with segments and a window so small that the server's kernel soon has no room for
    /// replies that are not read.
    pub fn connect_through_a_narrow_pipe(address: SocketAddr, reply: Reply) -> Self {
        let segment_bytes: c_int = 536;
        const WINDOW_BYTES: usize = 8 << 10;
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None);
        let socket = socket.expect("a socket");
        // SAFETY: the option value is a live c_int and the length is its size.
        #[allow(unsafe_code)]
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_MAXSEG,
                (&raw const segment_bytes).cast(),
                size_of::<c_int>() as libc::socklen_t,
            )
        };
        assert_eq!(set, 0, "small segments: {}", std::io::Error::last_os_error());
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, WINDOW_BYTES).expect("a small window");
        rustix::net::connect(&socket, &address).expect("the server accepts");
        Self::on(with_patience(socket.into()), reply)
    }

    fn on(stream: TcpStream, reply: Reply) -> Self {
        static ORIGINS: AtomicU64 = AtomicU64::new(0);
        let origin = ORIGINS.fetch_add(1, Ordering::Relaxed);
        Self { stream, origin, reply, conversation: Conversation::new(reply, origin) }
    }

    /// Sends the next `count` bytes of its stream, in one write unless the kernel splits it.
    pub fn send(&mut self, count: usize) {
        let at = self.conversation.sent_bytes();
        write_stream(&self.stream, self.origin, at, count, usize::MAX);
        self.conversation.sent(count as u64);
    }

    /// Sends what the kernel takes of the next `count` bytes without waiting.
    pub fn send_what_fits(&mut self, count: usize) -> usize {
        let bytes = self.conversation.next();
        let bytes = &bytes[..count.min(bytes.len())];
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = match rustix::net::send(&self.stream, bytes, flags) {
            Ok(sent) => sent,
            Err(rustix::io::Errno::WOULDBLOCK) => 0,
            Err(errno) => panic!("sending failed: {errno}"),
        };
        self.conversation.sent(sent as u64);
        sent
    }

    /// Sends one byte out of band (tcp(7), urgent data), if there is room for it: no server that echoes the
    /// stream answers it. Returns whether there was.
    pub fn send_urgent(&self) -> bool {
        match rustix::net::send(&self.stream, b"!", SendFlags::OOB | SendFlags::DONTWAIT) {
            Ok(_) => true,
            Err(rustix::io::Errno::WOULDBLOCK) => false,
            Err(errno) => panic!("sending out of band failed: {errno}"),
        }
    }

    /// Reads until every byte sent is answered.
    pub fn drain(&mut self) {
        let mut buffer = vec![0; READ_BYTES.min(64 + self.conversation.unanswered() as usize)];
        while !self.conversation.is_settled() {
            if self.read(&mut buffer) == 0 {
                panic!("the server ended with {} bytes unanswered", self.conversation.unanswered());
            }
        }
    }

    /// Reads once, at most `buffer`, and holds what comes against the model; returns how much it was.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.stream.read(buffer);
        let count = count.unwrap_or_else(|error| panic!("no answer to {:?}: {error}", self.conversation));
        self.received(&buffer[..count]);
        count
    }

    /// Reads what is there, at most `count` bytes, without waiting.
    pub fn read_what_is_there(&mut self, count: usize) {
        self.stream.set_nonblocking(true).expect("non-blocking");
        let mut buffer = vec![0; count];
        let read = self.stream.read(&mut buffer);
        self.stream.set_nonblocking(false).expect("blocking");
        match read {
            Ok(count) => self.received(&buffer[..count]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if let Err(wrong) = self.conversation.received(bytes) {
            panic!("{wrong}");
        }
    }

    /// Reads until the end of the stream and asserts that nothing is missing.
    pub fn expect_end(&mut self) {
        let mut buffer = vec![0; READ_BYTES];
        while self.read(&mut buffer) > 0 {}
        assert!(self.conversation.is_settled(), "the end, but not yet of: {:?}", self.conversation);
    }

    /// Sends `count` bytes and reads the answer.
    pub fn round_trip(&mut self, count: usize) {
        self.send(count);
        self.drain();
    }

    /// Sends `count` bytes from a thread, in writes of at most `write_bytes`, and reads the answer meanwhile.
    pub fn exchange(&mut self, count: usize, write_bytes: usize) {
        let at = self.conversation.sent_bytes();
        self.conversation.sent(count as u64);
        let writer = self.stream.try_clone().expect("a clone");
        let origin = self.origin;
        thread::scope(|scope| {
            scope.spawn(move || write_stream(&writer, origin, at, count, write_bytes));
            self.drain();
        });
    }

    /// Sends until the server reads no more, the kernel has no more room, and the server rests.
    ///
    /// Acknowledgements are so much smaller than what they acknowledge that the peer sends single bytes first, until
    /// they have filled every buffer.
    pub fn block(&mut self, subject: &Subject) -> u64 {
        const MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        const NONE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let begun = self.sent_bytes();
        if subject.reply == Reply::Ack {
            self.block_in_small_messages(subject);
        }
        loop {
            while self.send_what_fits(usize::MAX) > 0 {
                assert!(self.sent_bytes() - begun < PUSHED_AT_MOST_BYTES, "nothing holds the peer back");
            }
            if !self.has_room_within(MOMENT) {
                subject.await_rest();
                if !self.has_room_within(NONE) {
                    return self.sent_bytes() - begun;
                }
            }
        }
    }

    /// Writes small messages until the server, which has room for more, reads none because its replies have none.
    pub fn block_in_small_messages(&mut self, subject: &Subject) {
        const LOOKS: usize = 20;
        // Of two batches, one that was read in part and one that was not, no server's receive buffer is full: it has
        // 128 KiB at first (tcp_rmem), and only a server that reads gets more.
        let (message_bytes, batch) = match self.reply {
            Reply::Echo => (1000, 40),
            Reply::Ack => {
                self.shrink_receive_buffer();
                (1, 500)
            }
        };
        let echoes = || subject.control().stats().echoes;
        for _ in 0..10_000 {
            let before = echoes();
            (0..batch).for_each(|_| self.send(message_bytes));
            if (0..LOOKS).any(|_| echoes() > before) {
                continue;
            }
            subject.await_rest();
            if echoes() == before {
                return;
            }
        }
        panic!("nothing holds the peer back");
    }

    fn has_room_within(&self, time: Timespec) -> bool {
        let mut entry = [PollFd::new(&self.stream, PollFlags::OUT)];
        poll(&mut entry, Some(&time)).expect("polled") > 0
    }

    /// Returns whether the server's kernel comes to acknowledge everything that was sent (tcp(7), SIOCOUTQ): on
    /// loopback it does so soon, though congestion control may pace the sender, unless it has no room.
    pub fn is_taken_in(&self) -> bool {
        const LOOKS: usize = 2_000;
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        (0..LOOKS).any(|_| {
            thread::sleep(LOOK_AGAIN);
            unacknowledged(&self.stream) == 0
        })
    }

    /// Takes in about `bytes` bytes that are not read yet, and no more.
    pub fn set_receive_buffer(&self, bytes: usize) {
        rustix::net::sockopt::set_socket_recv_buffer_size(&self.stream, bytes).expect("a buffer");
    }

    /// Takes in no more than the smallest receive buffer holds: enough for small answers only, as larger ones would
    /// be dropped and wait for the server's timers.
    fn shrink_receive_buffer(&self) {
        self.set_receive_buffer(1);
    }

    /// Undoes [`shrink_receive_buffer`](Self::shrink_receive_buffer): else the rest would come in sips.
    pub fn widen_receive_buffer(&self) {
        self.set_receive_buffer(1 << 20);
    }

    /// The number of bytes sent that are not answered yet.
    pub fn unanswered(&self) -> u64 {
        self.conversation.unanswered()
    }

    /// The number of bytes sent.
    pub fn sent_bytes(&self) -> u64 {
        self.conversation.sent_bytes()
    }

    /// Returns whether an answer, or the end, has come that is not read yet.
    pub fn has_something_to_read(&self) -> bool {
        let mut entry = [PollFd::new(&self.stream, PollFlags::IN)];
        poll(&mut entry, Some(&Timespec::default())).expect("polled") > 0
    }

    /// The bare connection.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends its end.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("connected");
    }

    /// Closes with a reset.
    pub fn reset(self) {
        reset(self.stream);
    }
}

/// Writes `count` bytes of the stream of `origin` from byte `at` on, at most `write_bytes` at once.
fn write_stream(mut stream: &TcpStream, origin: u64, at: u64, count: usize, write_bytes: usize) {
    let mut written = 0;
    while written < count {
        let bytes = stream_from(origin, at + written as u64);
        let bytes = &bytes[..bytes.len().min(count - written).min(write_bytes)];
        stream.write_all(bytes).expect("sent");
        written += bytes.len();
    }
}

/// Returns the number of bytes sent that the other end's kernel has not acknowledged yet.
fn unacknowledged(stream: &TcpStream) -> usize {
    // SAFETY: SIOCOUTQ, which has the number of TIOCOUTQ, writes one int (net/ipv4/tcp.c, `tcp_ioctl`).
    #[allow(unsafe_code)]
    let asked = unsafe { rustix::ioctl::ioctl(stream, Getter::<{ libc::TIOCOUTQ as Opcode }, c_int>::new()) };
    asked.expect("a TCP socket").try_into().expect("a count")
}
