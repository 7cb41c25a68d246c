//! The limit of open descriptors, which is on their numbers in one table (getrlimit(2), RLIMIT_NOFILE).

use rustix::process::{Resource, Rlimit};

/// The soft and the hard limit of descriptors (getrlimit(2)): those that most systems begin with, where they are not told.
pub fn descriptors() -> Rlimit {
    const USUAL: libc::rlimit = libc::rlimit { rlim_cur: 1_024, rlim_max: 4_096 };
    let mut limit = USUAL;
    #[allow(unsafe_code)]
    // SAFETY: the pointer is to room for one limit. (rustix takes this call for one that cannot fail.)
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let libc::rlimit { rlim_cur, rlim_max } = if result == 0 { limit } else { USUAL };
    let finite = |number| (number != libc::RLIM_INFINITY).then_some(number);
    Rlimit { current: finite(rlim_cur), maximum: finite(rlim_max) }
}

/// Raises the soft limit of descriptors to the hard one and returns it.
///
/// The limit is on descriptor *numbers* in one descriptor table, and a soft limit can always be raised to
/// the hard one (getrlimit(2)); a failure leaves the limit as it was.
pub fn raise_descriptors() -> u64 {
    let limit = descriptors();
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let in_force = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    in_force.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_tells_the_same_limit_as_rustix() {
        let (limit, same) = (descriptors(), rustix::process::getrlimit(Resource::Nofile));
        assert_eq!((limit.current, limit.maximum), (same.current, same.maximum));
    }
}
