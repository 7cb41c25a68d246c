//! Tests of which some need a program, a package, namespaces or root.

mod big;
mod cli;
mod exports;
mod generate;
mod interruption;
mod names;
mod quota;
mod readers;
mod scarcity;
mod support;
mod workload;

fn main() -> std::process::ExitCode {
    trials::main()
}
