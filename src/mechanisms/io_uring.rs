//! io_uring(7), as it is meant to be used: the kernel does the work and says when it is done.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::squeue::{Entry, Flags};
use io_uring::{opcode, types::CancelBuilder, types::Fd};
use libc::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, POLLIN, SOCK_CLOEXEC};

use crate::server::uring::{Completion, Flows, GROUP, Operation, Ring, Submission, Want};
use crate::server::{ACCEPTS_A_TURN, Admitted, Listener, ServeError, Server};

/// Serves `listener` with io_uring until it is shut down.
///
/// One submission accepts every connection to come; one more a connection receives all that it will ever send,
/// each time into a buffer that the kernel picks when bytes have come (multishot;
/// io_uring_prep_recv_multishot(3)). So an echo is one submission, the send, and a turn of the loop is one
/// io_uring_enter(2), however many connections it is for.
///
/// # Errors
///
/// When the kernel refuses the ring, its buffers, or to wait.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut ring = Ring::new(server)?;
    let buffers = ring.provide(server.ring().buffers)?;
    // Kept for ever unless all ends well: what is under way reads and writes there.
    let mut flows = ManuallyDrop::new(Flows::new(server, buffers));
    let (mut completions, mut arrivals) = (Vec::new(), VecDeque::new());
    ring.push(accept(&listener), Operation::Accept.on(listener.as_raw_fd()))?;
    let mut is_listening = true;
    while is_listening || !flows.is_empty() {
        // Those who wait to be taken in do not keep from their turns those who are.
        let want = if arrivals.is_empty() { flows.want() } else { Want::WhatIsThere };
        ring.wait(want, &mut completions)?;
        flows.completed(&completions, ring.has_told_all());
        let arrives = |completion: &Completion| {
            matches!(completion.operation(), Operation::Accept | Operation::AwaitConnection)
        };
        arrivals.extend(completions.drain(..).filter(arrives));
        // The kernel accepts all that wait at once. Not all of them have to be looked at before others are served.
        for completion in arrivals.drain(..arrivals.len().min(ACCEPTS_A_TURN)) {
            let next = match completion.operation() {
                Operation::Accept => {
                    let accepted = completion.accepted().map(|socket| (socket, None));
                    match listener.admit(accepted, server)? {
                        Admitted::Connection(socket, peer) => flows.open(socket, peer),
                        Admitted::Dismissed => flows.progress(),
                        Admitted::NoMore => {}
                        Admitted::Stopped => {
                            is_listening = false;
                            flows.end_all();
                            let everything = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
                            ring.push(everything, Operation::Cancel.on(-1))?;
                        }
                    }
                    if !completion.is_last() || !is_listening {
                        continue;
                    }
                    // Out of descriptors, accepting fails even where no connection waits: wait for one.
                    (await_connection(&listener), Operation::AwaitConnection)
                }
                _ => (accept(&listener), Operation::Accept),
            };
            ring.push(next.0, next.1.on(listener.as_raw_fd()))?;
        }
        while let Some((fd, submission)) = flows.next_submission() {
            let (entry, operation) = prepare(fd, submission, &mut flows);
            ring.push(entry, operation.on(fd))?;
        }
    }
    drop(ManuallyDrop::into_inner(flows));
    Ok(())
}

/// Accepts every connection from now on.
fn accept(listener: &Listener) -> Entry {
    opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(SOCK_CLOEXEC).build()
}

/// Says when there is a connection to accept.
fn await_connection(listener: &Listener) -> Entry {
    opcode::PollAdd::new(Fd(listener.as_raw_fd()), POLLIN as u32).build()
}

/// What to ask of the kernel for the connection `fd`.
#[inline]
fn prepare(fd: RawFd, submission: Submission, flows: &mut Flows<'_>) -> (Entry, Operation) {
    match submission {
        Submission::Receive => (opcode::RecvMulti::new(Fd(fd), GROUP).build(), Operation::Receive),
        // Such a send is over when its submission is, the bytes copied; only one that has failed or come short
        // is told of (IOSQE_CQE_SKIP_SUCCESS), which spares each echo a completion and a wake-up. A slow reader
        // must not hold a buffer that is everybody's, so what cannot go now is kept elsewhere.
        Submission::Send(id, length) => {
            let reply = flows.reply(id, length);
            let send = opcode::Send::new(Fd(fd), reply.as_ptr(), reply.len() as u32);
            let send = send.flags(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL).build();
            (send.flags(Flags::SKIP_SUCCESS), Operation::Send)
        }
        Submission::SendRest => {
            let rest = flows.rest(fd);
            let send = opcode::Send::new(Fd(fd), rest.as_ptr(), rest.len() as u32);
            (send.flags(MSG_NOSIGNAL | MSG_WAITALL).build(), Operation::SendRest)
        }
        Submission::CancelReceive => {
            (opcode::AsyncCancel::new(Operation::Receive.on(fd)).build(), Operation::Cancel)
        }
    }
}
