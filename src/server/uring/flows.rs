//! The connections of a completion loop, and what each of them needs next.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};

use rustix::io::Errno;
use sys::uring::{Completion, Operation, ProvidedBuffers, Want};

use super::flow::{Flow, Next, Submission};
use crate::server::{Connections, Server};

/// Every connection of a loop, and the buffers that they share.
#[derive(Debug)]
pub struct Flows<'s> {
    connections: Connections<'s, Flow>,
    buffers: ProvidedBuffers,
    /// Connections to be asked what they need.
    touched: Vec<RawFd>,
    /// Connections that found no buffer to receive into, the longest waiting first.
    starved: VecDeque<RawFd>,
    /// The number of them that may receive in this iteration: more would find no buffer again.
    spare: usize,
    /// Connections with a send in the submission to come.
    sending: Vec<RawFd>,
    /// One of those has more to do as soon as it is sent.
    in_a_hurry: bool,
}

impl<'s> Flows<'s> {
    /// No connection yet.
    pub fn new(server: &'s Server, buffers: ProvidedBuffers) -> Self {
        Self {
            connections: Connections::new(server),
            buffers,
            touched: Vec::new(),
            starved: VecDeque::new(),
            spare: 0,
            sending: Vec::new(),
            in_a_hurry: false,
        }
    }

    /// Enters a connection that was admitted.
    pub fn open(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) {
        let fd = self.connections.open(socket, peer);
        self.touched.push(fd);
    }

    /// Something was done for a connection that is not among these.
    pub fn progress(&mut self) {
        self.connections.progress();
    }

    /// Returns the completions that the next call is to wait for.
    ///
    /// A send that succeeds has no completion, so a connection that has more to do after it cannot be waited for, nor
    /// can the buffer of one that others need.
    pub fn want(&self) -> Want {
        let buffers_are_awaited = !self.starved.is_empty() && !self.sending.is_empty();
        if self.in_a_hurry || buffers_are_awaited { Want::Nothing } else { Want::Something }
    }

    /// Books what the kernel has done; with `told_all`, it has taken every submission so far and nothing that it said of them
    /// is missing here.
    #[inline]
    pub fn completed(&mut self, completions: &mut [Completion], told_all: bool) {
        self.connections.woken(completions.len());
        self.book(completions, |operation| operation == Operation::Send);
        // The sends that nothing was said of have succeeded, so their buffers are free. Those that failed had to
        // be looked at first: their bytes are kept.
        if told_all {
            self.in_a_hurry = false;
            for fd in self.sending.drain(..) {
                if let Some(flow) = self.connections.state(fd) {
                    flow.sent_whole(&mut self.buffers);
                }
                self.connections.progress();
                self.touched.push(fd);
            }
        }
        self.book(completions, |operation| matches!(operation, Operation::Receive | Operation::SendRest));
        self.spare = self.buffers.available();
    }

    /// Books the completions of some operations.
    #[inline]
    fn book(&mut self, completions: &mut [Completion], which: impl Fn(Operation) -> bool) {
        let server = self.connections.server();
        for completion in completions.iter_mut().filter(|completion| which(completion.operation())) {
            let fd = completion.number() as RawFd;
            let Some(flow) = self.connections.state(fd) else { continue };
            flow.completed(completion, &mut self.buffers, server);
            self.connections.progress();
            self.touched.push(fd);
        }
    }

    /// Returns the next submission, and its connection; `None` once everything that can be submitted is.
    #[inline]
    pub fn next_submission(&mut self) -> Option<(RawFd, Submission)> {
        loop {
            let Some(&fd) = self.touched.last() else {
                if self.feed() {
                    continue;
                }
                self.buffers.publish();
                self.connections.end_iteration();
                return None;
            };
            match self.connections.state(fd).map_or(Next::Nothing, Flow::next) {
                Next::Nothing => {}
                Next::AwaitSend => self.in_a_hurry = true,
                Next::AwaitBuffers => self.starved.push_back(fd),
                Next::Close(errno) => drop(self.connections.close(fd, errno)),
                Next::Submit(submission) => {
                    if matches!(submission, Submission::Send(..)) {
                        self.sending.push(fd);
                    }
                    return Some((fd, submission));
                }
            }
            self.touched.pop();
        }
    }

    /// Lets as many of the starved receive as there are buffers; false if none.
    fn feed(&mut self) -> bool {
        let count = self.spare.min(self.starved.len());
        self.spare -= count;
        for fd in self.starved.drain(..count) {
            if let Some(flow) = self.connections.state(fd) {
                flow.feed();
            }
            self.touched.push(fd);
        }
        count > 0
    }

    /// The bytes to be sent by [`Submission::SendRest`]. They stay in place until that is complete.
    pub fn rest(&mut self, fd: RawFd) -> &[u8] {
        self.connections.state(fd).map_or(&[], |flow| flow.rest())
    }

    /// Ends every connection.
    pub fn end_all(&mut self) {
        self.touched = self.connections.descriptors();
        for &fd in &self.touched {
            if let Some(flow) = self.connections.state(fd) {
                flow.end(Some(Errno::CANCELED));
            }
        }
    }

    /// Returns whether every connection is closed, so that the kernel has nothing in hand.
    pub fn is_empty(&self) -> bool {
        self.connections.descriptors().is_empty()
    }

    /// Closes every connection, and leaves the buffers to be freed once the kernel does not use them.
    pub fn into_buffers(self) -> ProvidedBuffers {
        self.buffers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Options;

    /// Takes all that is to be submitted.
    fn submissions(flows: &mut Flows<'_>) -> Vec<Submission> {
        std::iter::from_fn(|| flows.next_submission()).map(|(_, submission)| submission).collect()
    }

    #[test]
    fn what_follows_a_send_is_not_forgotten_when_the_kernel_takes_nothing_for_the_moment() {
        let server = Server::new(&Options::default());
        let mut flows = Flows::new(&server, ProvidedBuffers::allocate(2).expect("memory"));
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().expect("sockets");
        let socket = OwnedFd::from(socket);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        flows.open(socket, None);
        assert_eq!(submissions(&mut flows), [Submission::Receive]);
        assert_eq!(flows.want(), Want::Something);
        // It has ended, so that it has to be begun anew once the reply is out.
        let received = Completion::simulated(Operation::Receive, fd as u32, Ok(5), Some(0), true);
        flows.completed(&mut [received], true);
        assert!(matches!(submissions(&mut flows)[..], [Submission::Send(_, 5)]));
        assert_eq!(flows.want(), Want::Nothing);
        // EAGAIN: nothing was taken.
        flows.completed(&mut [], false);
        assert_eq!(submissions(&mut flows), []);
        assert_eq!(flows.want(), Want::Nothing);
        flows.completed(&mut [], true);
        assert_eq!(submissions(&mut flows), [Submission::Receive]);
        assert_eq!(flows.want(), Want::Something);
    }

    #[test]
    fn a_reply_is_kept_until_the_ring_has_told_all_and_what_came_short_is_sent_on() {
        let server = Server::new(&Options::default());
        let mut flows = Flows::new(&server, ProvidedBuffers::allocate(1).expect("memory"));
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().expect("sockets");
        let socket = OwnedFd::from(socket);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        flows.open(socket, None);
        submissions(&mut flows);
        flows.completed(
            &mut [Completion::simulated(Operation::Receive, fd as u32, Ok(5), Some(0), false)],
            true,
        );
        assert!(matches!(submissions(&mut flows)[..], [Submission::Send(_, 5)]));
        // The completion of the send is still in the kernel: its buffer is not free.
        flows.completed(&mut [], false);
        assert_eq!((submissions(&mut flows), flows.spare), (vec![], 0));
        flows.completed(&mut [Completion::simulated(Operation::Send, fd as u32, Ok(2), None, true)], true);
        assert_eq!((submissions(&mut flows), flows.spare), (vec![Submission::SendRest], 1));
        assert_eq!(flows.rest(fd).len(), 3);
    }
}
