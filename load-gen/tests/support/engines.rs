//! The same tests on each engine.

use std::cell::Cell;

thread_local! {
    /// The engine that this thread's test is about, if it is about one.
    static ENGINE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// This thread's test is about `engine`.
pub fn choose(engine: &'static str) {
    ENGINE.set(Some(engine));
}

/// The arguments that choose the engine of this thread's test.
pub fn arguments() -> Vec<&'static str> {
    ENGINE.get().map_or_else(Vec::new, |engine| vec!["--engine", engine])
}

/// Makes a test of each of these functions on each engine.
macro_rules! on_each_engine {
    ($($test:ident,)*) => {
        on_each_engine!(epoll, "epoll": $($test)*);
        on_each_engine!(io_uring, "io-uring": $($test)*);
    };
    ($module:ident, $engine:literal: $($test:ident)*) => {
        mod $module {
            $(#[trials::test]
            fn $test() {
                crate::support::engines::choose($engine);
                super::$test();
            })*
        }
    };
}

pub(crate) use on_each_engine;
