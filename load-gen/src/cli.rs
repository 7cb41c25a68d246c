//! The command line of `load-gen`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use report::schema::{Arrivals, LoadMode, Protocol, WaitPolicy};

use crate::fleet::{FleetOptions, Load};
use crate::units::{self, Active};

const EXAMPLES: &str = "\
Examples:
  load-gen --conns 10000 --active 5%                  closed loop: how much does the server do?
  load-gen --conns 10000 --active 5% --rate 20k       open loop: how soon does it answer at 20,000/s?
  load-gen --target 127.0.0.1:7 --conns 50 --json     another echo server, result as JSON

Closed loop: each active connection sends its next request when it has the reply to the one before.
Open loop (--rate): requests fall due by a schedule and go out on time even when earlier ones are unanswered;
`response` runs from the instant the schedule intended, `service` from the actual send.

Exit status: 0 ok, 1 failure, 2 usage, 4 the run is not valid (the reasons are printed), 130 interrupted.";

/// Opens many TCP connections, puts load on some of them, verifies every reply and times it honestly.
#[derive(Debug, Parser)]
#[command(name = "load-gen", version, after_help = EXAMPLES, args_override_self = true)]
pub struct Cli {
    /// The server's address
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7777", value_parser = address)]
    pub target: SocketAddr,

    /// Connections to hold: 10000, 10k
    #[arg(long, short = 'c', value_name = "N", default_value = "50", value_parser = units::positive_count)]
    pub conns: u32,

    /// Connections that carry requests, spread evenly over all: a share (5%) or a count (500)
    #[arg(long, short = 'a', value_name = "SHARE|N", default_value = "100%")]
    pub active: Active,

    /// Open loop: requests a second over all connections (without it, closed loop)
    #[arg(long, short = 'R', value_name = "N", value_parser = units::rate)]
    pub rate: Option<f64>,

    /// Open loop: distribution of the gaps between requests
    #[arg(long, value_enum, default_value = "poisson")]
    arrivals: ArrivalsArg,

    /// Length of the measured window
    #[arg(long, short = 'd', value_name = "TIME", default_value = "10s", value_parser = positive_duration)]
    pub duration: Duration,

    /// Load before the window, not recorded
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = units::duration)]
    pub warmup: Duration,

    /// Bytes of a request
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = units::size_bytes)]
    pub size: u32,

    /// Closed loop: requests under way on each active connection
    #[arg(long, value_name = "N", default_value = "1", value_parser = pipeline, conflicts_with = "rate")]
    pub pipeline: u32,

    /// Worker threads, each with a descriptor table of its own (more are started where the limit demands it)
    #[arg(long, short = 't', value_name = "N", default_value = "1", value_parser = units::positive_count)]
    pub threads: u32,

    /// Connections to open a second at most
    #[arg(long, value_name = "N", value_parser = units::rate)]
    pub connect_rate: Option<f64>,

    /// What the server answers: the same bytes, or `get bytes N`
    #[arg(long, value_enum, default_value = "echo")]
    protocol: ProtocolArg,

    /// Pin the workers to this processor
    #[arg(long, value_name = "CPU")]
    pub cpu: Option<u32>,

    /// How a worker waits: spin (punctual; keeps a processor busy) or sleep [default: spin in open loop
    /// when there is a processor for every worker and one to spare, otherwise sleep]
    #[arg(long, value_enum)]
    wait: Option<WaitArg>,

    /// How long a connection may take to open, and a reply to come after the window
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,

    /// Seed of every random choice
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,

    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Print nothing but the result and errors
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ArrivalsArg {
    /// Exponential gaps, a random active connection each
    Poisson,
    /// Equal gaps, connections in turn
    Uniform,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProtocolArg {
    /// The same bytes
    Echo,
    /// `get bytes N` and a line feed for every N bytes read
    Ack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WaitArg {
    /// Poll without ever sleeping
    Spin,
    /// Sleep with a nanosecond timer
    Sleep,
}

impl Cli {
    /// The connections that were asked for.
    pub fn fleet(&self, live_latencies: bool) -> FleetOptions {
        FleetOptions {
            target: self.target,
            conns: self.conns,
            active: self.active.among(self.conns),
            threads: self.threads,
            connect_rate: self.connect_rate,
            protocol: match self.protocol {
                ProtocolArg::Echo => Protocol::Echo,
                ProtocolArg::Ack => Protocol::Ack,
            },
            size_bytes: self.size,
            cpu: self.cpu,
            timeout: self.timeout,
            seed: self.seed,
            live_latencies,
        }
    }

    /// The load that was asked for, where `processors` are there for everybody.
    pub fn load(&self, processors: usize) -> Load {
        let mode = match self.rate {
            Some(rate_per_s) => LoadMode::Open {
                rate_per_s,
                arrivals: match self.arrivals {
                    ArrivalsArg::Poisson => Arrivals::Poisson,
                    ArrivalsArg::Uniform => Arrivals::Uniform,
                },
            },
            None => LoadMode::Closed { pipeline: self.pipeline },
        };
        let spin = match self.wait {
            Some(wait) => wait == WaitArg::Spin,
            None => {
                // Workers that are pinned share one processor.
                let theirs = if self.cpu.is_some() { 1 } else { processors.saturating_sub(1) };
                self.rate.is_some() && processors > 1 && self.threads as usize <= theirs
            }
        };
        let wait = if spin { WaitPolicy::Spin } else { WaitPolicy::Sleep };
        Load { mode, wait, warmup: self.warmup, duration: self.duration }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| format!("'{text}' is not an address: write HOST:PORT, for example 127.0.0.1:7777"))
}

fn pipeline(text: &str) -> Result<u32, String> {
    const MOST: u32 = 10_000;
    match units::positive_count(text)? {
        depth @ ..=MOST => Ok(depth),
        _ => Err(format!("at most {MOST} requests can be under way on a connection")),
    }
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".into()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_help_parse() {
        let examples = EXAMPLES.lines().filter(|line| line.starts_with("  load-gen"));
        let parsed = examples.map(|line| {
            let command = line.trim().split("  ").next().expect("a command").split_whitespace();
            Cli::try_parse_from(command).unwrap_or_else(|error| panic!("{line}: {error}"))
        });
        assert_eq!(parsed.count(), 3);
    }

    #[test]
    fn a_bare_fraction_of_active_connections_is_a_usage_error() {
        let error = Cli::try_parse_from(["load-gen", "--active", "0.05"]).expect_err("ambiguous");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("ambiguous"), "{error}");
    }
}
