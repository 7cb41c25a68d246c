//! The same tests on each engine.

use std::cell::Cell;

thread_local! {
    /// The arguments that choose the engine that this thread's test is about, if it is about one.
    static ENGINE: Cell<&'static [&'static str]> = const { Cell::new(&[]) };
}

/// This thread's test is about the engine that `arguments` choose.
pub fn choose(arguments: &'static [&'static str]) {
    ENGINE.set(arguments);
}

/// The arguments that choose the engine of this thread's test.
pub fn arguments() -> &'static [&'static str] {
    ENGINE.get()
}

/// Makes a test of each of these functions on each engine.
macro_rules! on_each_engine {
    ($($test:ident,)*) => {
        on_each_engine!(epoll, ["--engine", "epoll"]: $($test)*);
        on_each_engine!(io_uring, ["--engine", "io-uring"]: $($test)*);
        on_each_engine!(io_uring_small, ["--engine", "io-uring", "--ring", "32,32", "--buffers", "8"]: $($test)*);
    };
    ($module:ident, $arguments:tt: $($test:ident)*) => {
        mod $module {
            $(#[test]
            fn $test() {
                crate::support::engines::choose(&$arguments);
                super::$test();
            })*
        }
    };
}

pub(crate) use on_each_engine;
