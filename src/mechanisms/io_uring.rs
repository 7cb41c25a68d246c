//! io_uring(7), as it is meant to be used: the kernel does the work and says when it is done.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};

use sys::uring::{Completion, Operation, Ring, Want};

use crate::server::uring::{self, Flows, Submission};
use crate::server::{ACCEPTS_PER_ITERATION, Admitted, Listener, ServeError, Server};

/// Serves `listener` with io_uring until it is shut down.
///
/// One submission accepts every connection to come; one more a connection receives all that it will ever send,
/// each time into a buffer that the kernel picks when bytes have come (multishot;
/// io_uring_prep_recv_multishot(3)). So one request is one submission, the send, and an iteration of the loop is one
/// io_uring_enter(2), however many connections it is for.
///
/// # Errors
///
/// When the kernel refuses the ring, its buffers, or to wait.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut ring = uring::ring(server)?;
    #[allow(unsafe_code)]
    // SAFETY: there is no other ring here.
    let buffers = unsafe { ring.provide(server.ring().buffers) };
    let buffers = buffers.map_err(|source| ServeError::Call { call: "io_uring_register", source })?;
    // Kept for ever unless all ends well: what is under way reads and writes there.
    let mut flows = ManuallyDrop::new(Flows::new(server, buffers));
    let (mut completions, mut arrivals) = (Vec::new(), VecDeque::new());
    ring.accept(listener.as_raw_fd());
    let mut is_listening = true;
    while is_listening || !flows.is_empty() {
        // Those who wait to be taken in do not delay those who are.
        let want = if arrivals.is_empty() { flows.want() } else { Want::WhatIsThere };
        uring::wait(&mut ring, want, &mut completions, server)?;
        flows.completed(&mut completions, ring.has_told_all());
        let arrives = |completion: &Completion| {
            matches!(completion.operation(), Operation::Accept | Operation::AwaitConnection)
        };
        arrivals.extend(completions.drain(..).filter(arrives));
        // The kernel accepts all that wait at once. Not all of them have to be looked at before others are served.
        for completion in arrivals.drain(..arrivals.len().min(ACCEPTS_PER_ITERATION)) {
            if completion.operation() == Operation::AwaitConnection {
                ring.accept(listener.as_raw_fd());
                continue;
            }
            let is_last = completion.is_last();
            match listener.admit(completion.accepted().map(|socket| (socket, None)), server)? {
                Admitted::Connection(socket, peer) => flows.open(socket, peer),
                Admitted::Dismissed => flows.progress(),
                Admitted::NoMore => {}
                Admitted::Stopped => {
                    is_listening = false;
                    flows.end_all();
                    ring.cancel_all();
                }
            }
            if is_last && is_listening {
                // Out of descriptors, accepting fails even where no connection waits: wait for one.
                ring.await_connection(listener.as_raw_fd());
            }
        }
        while let Some((fd, submission)) = flows.next_submission() {
            submit(fd, submission, &mut ring, &mut flows);
        }
    }
    #[allow(unsafe_code)]
    // SAFETY: a flow is closed when nothing of it is under way.
    unsafe {
        ManuallyDrop::into_inner(flows).into_buffers().free();
    }
    Ok(())
}

/// Asks of the kernel what the connection `fd` needs.
#[inline]
fn submit(fd: RawFd, submission: Submission, ring: &mut Ring, flows: &mut Flows<'_>) {
    // What is asked for a connection bears its descriptor as the number.
    let number = fd as u32;
    match submission {
        Submission::Receive => ring.receive(fd, number),
        Submission::CancelReceive => ring.cancel(Operation::Receive, number),
        // A slow reader must not hold a buffer that is everybody's, so what cannot go now is kept elsewhere.
        #[allow(unsafe_code)]
        // SAFETY: the flow holds the buffer until it is told that the ring has told all, and is kept until then.
        Submission::Send(start, length) => unsafe { ring.send(fd, number, start, length) },
        #[allow(unsafe_code)]
        // SAFETY: the flow leaves the bytes as they are until the completion, and is kept until then.
        Submission::SendRest => unsafe { ring.send_rest(fd, number, flows.rest(fd)) },
    }
}
