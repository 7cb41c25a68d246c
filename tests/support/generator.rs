//! The load generator, in the test's own process, told what to do as its command is.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use load_gen::command::cli::Cli;
use load_gen::pool::Pool;
use load_gen::record::observer::Observer;
use model::schema::LoadReport;

/// Open connections to a server.
pub struct Generator {
    target: SocketAddr,
    pool: Pool,
}

impl Generator {
    /// Opens what `arguments` of `load-gen` say.
    pub fn open(target: SocketAddr, arguments: &[&str]) -> Self {
        let pool = Pool::open(parse(target, arguments).pool(target.into(), false), Arc::default(), &mut ());
        Self { target, pool: pool.expect("the server takes connections") }
    }

    /// Puts the load that `arguments` say on the connections.
    pub fn run(&mut self, arguments: &[&str], observer: &mut dyn Observer) -> LoadReport {
        let load = parse(self.target, arguments).load(1.0);
        let report = self.pool.run(&load, observer).expect("the workers live");
        let failed: u64 = report.errors.values().sum();
        assert_eq!(report.scheduled, report.completed + failed + report.outstanding, "the books balance");
        report
    }

    /// Connections that have been lost since they were opened.
    pub fn lost(&mut self) -> u64 {
        self.pool.lost().expect("the workers live")
    }
}

fn parse(target: SocketAddr, arguments: &[&str]) -> Cli {
    let target = target.to_string();
    let always = ["load-gen", "--target", &target, "--warmup", "0s", "--timeout", "30s"];
    Cli::try_parse_from(always.iter().chain(arguments)).unwrap_or_else(|error| panic!("{error}"))
}
