//! The setup of a ring, on this kernel and on older ones.

use std::io;

use io_uring::IoUring;

use crate::ring_size::RingSize;

/// The ways to set up a ring, the best first, each with what it lacks.
///
/// With DEFER_TASKRUN completions are made when the loop waits for them, instead of interrupting it; that
/// needs SINGLE_ISSUER. COOP_TASKRUN spares the interrupt between processors, and leaves them to the next
/// call of any kind (io_uring_setup(2)).
const SETUPS: [(Setup, &str); 4] = [
    (|builder| builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun(), ""),
    (|builder| builder.setup_single_issuer().setup_coop_taskrun(), "without DEFER_TASKRUN (Linux 6.1)"),
    (|builder| builder.setup_coop_taskrun(), "without SINGLE_ISSUER (6.0) and DEFER_TASKRUN (6.1)"),
    (|builder| builder, "without COOP_TASKRUN (5.19), SINGLE_ISSUER (6.0) and DEFER_TASKRUN (6.1)"),
];

/// Adds to how a ring is set up.
type Setup = fn(&mut io_uring::Builder) -> &mut io_uring::Builder;

/// The way in which a loop notices that something has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// By a call that asks for it.
    ByCall,
    /// In memory shared with the kernel (IORING_SETUP_TASKRUN_FLAG): who spins makes no call in vain.
    InMemory,
}

/// A ring of this size with the best set-up that this kernel has, and a line about what that lacks; empty if nothing.
///
/// # Errors
///
/// When the kernel has no io_uring, forbids it, or has no memory for it.
pub(super) fn set_up(size: &RingSize, notice: Notice) -> io::Result<(IoUring, &'static str)> {
    best_of(&SETUPS, |setup| {
        let mut builder = IoUring::builder();
        // A submission that fails must not keep those behind it from the kernel (5.18, as all of this).
        builder.setup_cqsize(size.completions).setup_submit_all();
        if notice == Notice::InMemory {
            builder.setup_taskrun_flag();
        }
        setup(&mut builder).build(size.submissions)
    })
}

/// The first of `setups` that `build` does not find invalid.
fn best_of<S: Copy, R>(
    setups: &[(S, &'static str)],
    build: impl Fn(S) -> io::Result<R>,
) -> io::Result<(R, &'static str)> {
    let mut refused = io::ErrorKind::InvalidInput.into();
    for (setup, lacking) in setups {
        match build(*setup) {
            Ok(ring) => return Ok((ring, lacking)),
            // What io_uring_setup(2) answers for a flag that it does not know.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    const KERNELS: [(u32, &str); 3] = [(3, ""), (2, "without three"), (1, "without two and three")];

    #[test]
    fn an_older_kernel_gets_the_set_up_that_it_knows() {
        let kernel =
            |known: u32| move |asked: u32| if asked <= known { Ok(asked) } else { Err(Errno::INVAL.into()) };
        assert_eq!(best_of(&KERNELS, kernel(3)).expect("known"), (3, ""));
        assert_eq!(best_of(&KERNELS, kernel(1)).expect("known"), (1, "without two and three"));
        assert_eq!(best_of(&KERNELS, kernel(0)).expect_err("none").kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_kernel_that_forbids_it_is_asked_once() {
        let asked = std::cell::Cell::new(0);
        let forbid = |_| {
            asked.set(asked.get() + 1);
            Err::<(), _>(io::Error::from(Errno::PERM))
        };
        assert_eq!(best_of(&KERNELS, forbid).expect_err("forbidden").kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(asked.get(), 1);
    }
}
