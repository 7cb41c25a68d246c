//! The command line of `load-gen`.

mod consistency;
mod values;

use std::time::Duration;

use clap::Parser;
use model::schema::{
    Arrivals, Dialogue, EngineKind, LoadMode, Objective, Pause, Protocol, Shard, Size, Timestamps,
    WaitPolicy, Workload,
};
use model::streams::{self, PrintError};
use sys::ring_size::{self, RingSize};

use crate::client::dialogue;
use crate::command::curve::{self, OfferedRate};
use crate::command::export::{Export, Exports};
use crate::command::generate::Generate;
use crate::command::start_at::{self, StartAt};
use crate::command::view::{Colour, Paint};
use crate::plan::options::{Load, PoolOptions};
use crate::plan::shard;
use crate::plan::target::{Target, Written};
use crate::plan::units::{self, Active};
use crate::plan::{sizes, think};
use values::{
    ArrivalsArg, EngineArg, ProtocolArg, TimestampsArg, WaitArg, interval, pipeline, positive_duration,
    positive_total,
};

const EXAMPLES: &str = "\
Examples:
  load-gen --conns 10000 --active 5%                  closed loop: how much does the server do?
  load-gen --conns 10000 --active 5% --rate 20k       open loop: how soon does it answer at 20,000/s?
  load-gen --conns 1000 --rate 10k..100k:10           a curve: ten rates, one after the other
  load-gen --conns 1000 --slo p99=1ms                 the highest rate at which p99 stays within 1 ms
  load-gen --target 127.0.0.1:7 --conns 50 --json     another echo server, result as JSON
  load-gen -c 1M --shard 2/3 --start-at 1767322800    a third of a run; muxbench merge puts the results together
  load-gen --rate 20k --interval 1s --json            and what came in each second
  load-gen --rate 20k --timestamps kernel             and what the generator itself added
  load-gen --target 127.0.0.1:6379 --protocol redis   a server with a protocol of its own
  load-gen --conns 10k --active 5% --rotate 1s --churn 100/s --size exp:256 --rate 5k

Closed loop: each active connection sends its next request when it has the reply to the one before.
Open loop (--rate): requests fall due by a schedule and go out on time even when earlier ones are unanswered;
`response` runs from the instant the schedule intended, `service` from the actual send.

Exit status: 0 ok, 1 failure, 2 usage, 4 the run is not valid (the reasons are printed), 130 interrupted.";

/// Opens many TCP connections, puts load on some of them, verifies every reply and times it honestly.
#[derive(Debug, Parser)]
#[command(name = "load-gen", version, after_help = EXAMPLES, args_override_self = true)]
pub struct Cli {
    /// The server: HOST:PORT, HOST:PORT-PORT, [::1]:7777 or unix:/path/socket; several with commas (\\, in a path), or
    /// repeated, are taken in turn, and so are all addresses of a name that accept
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7777")]
    target: Vec<Written>,

    /// Connections to hold: 10000, 10k
    #[arg(long, short = 'c', value_name = "N", default_value = "50", value_parser = units::positive_count)]
    pub conns: u32,

    /// Connections that carry requests, spread evenly over all: a share (5%) or a count (500)
    #[arg(long, short = 'a', value_name = "SHARE|N", default_value = "100%")]
    pub active: Active,

    /// Open loop: requests per second over all connections (without it, closed loop); 10k..200k:10 measures ten
    /// rising rates, one after the other
    #[arg(long, short = 'R', value_name = "N|A..B:STEPS")]
    pub rate: Option<OfferedRate>,

    /// Open loop: search for the highest rate (of --rate A..B, if given) at which this percentile of the response
    /// times stays within the bound and every request is answered
    #[arg(long, value_name = "pPERCENT=TIME", value_parser = curve::objective)]
    pub slo: Option<Objective>,

    /// Open loop: distribution of the gaps between requests [default: poisson]
    #[arg(long, value_enum)]
    arrivals: Option<ArrivalsArg>,

    /// Length of the measured window [default: 10s; with --requests, as long as they take]
    #[arg(long, short = 'd', value_name = "TIME", value_parser = positive_duration)]
    duration: Option<Duration>,

    /// The window ends when so many requests have been answered, if not earlier: 100k, 1M
    #[arg(long, value_name = "N", value_parser = positive_total)]
    requests: Option<u64>,

    /// Load before the window, not recorded
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = units::duration)]
    pub warmup: Duration,

    /// Before the warm-up, load grows from nothing to the whole: the rate, or in closed loop the connections that
    /// carry requests
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    ramp: Option<Duration>,

    /// Bytes of a request: 64, 4k; or a range, each size as likely as any other, 64..1k; or exponential with a mean,
    /// exp:256 [default: 64]
    #[arg(long, value_name = "BYTES", value_parser = sizes::parse)]
    size: Option<Size>,

    /// Closed loop: requests under way on each active connection [default: 1]. Open loop: the most there may be; one
    /// beyond is held back, counted as delayed, and its clock runs [default: no bound]
    #[arg(long, value_name = "N", value_parser = pipeline)]
    pipeline: Option<u32>,

    /// Closed loop: pause between a reply and the next request: 10ms, or exponential with a mean, exp:10ms
    #[arg(long, value_name = "TIME", value_parser = think::parse, conflicts_with_all = ["rate", "slo"])]
    think: Option<Pause>,

    /// Every so often the active connections become idle and others become active
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    rotate: Option<Duration>,

    /// Connections to close and open anew, at random instants: 100/s
    #[arg(long, value_name = "N", value_parser = units::rate)]
    churn: Option<f64>,

    /// Worker threads, each with a descriptor table of its own (more are started where the limit demands it)
    #[arg(long, short = 't', value_name = "N", default_value = "1", value_parser = units::positive_count)]
    pub threads: u32,

    /// Connections to open a second at most
    #[arg(long, value_name = "N", value_parser = units::rate)]
    pub connect_rate: Option<f64>,

    /// What the server answers
    #[arg(long, value_enum, default_value = "echo")]
    protocol: ProtocolArg,

    /// What is sent for each request, where no --protocol fits: {payload} stands for --size bytes, {size} for their
    /// number, and there are \r \n \t \0 \\ \{ \xHH
    #[arg(long, value_name = "TEMPLATE", requires = "expect", conflicts_with = "protocol")]
    send: Option<String>,

    /// What has to come back for it, byte for byte, in the same notation
    #[arg(long, value_name = "TEMPLATE", requires = "send")]
    expect: Option<String>,

    /// Pin the workers to this processor
    #[arg(long, value_name = "CPU")]
    pub cpu: Option<u32>,

    /// How a worker waits: spin (punctual; keeps a processor busy) or sleep [default: spin in open loop
    /// when there is a processor for every worker and one to spare, by the CPU quota too; otherwise sleep]
    #[arg(long, value_enum)]
    wait: Option<WaitArg>,

    /// How bytes are moved: epoll (a call for each send and receive) or io-uring (one for all of a turn)
    /// [default: io-uring where the kernel has it, otherwise epoll, as with --rotate, --churn and --timestamps kernel]
    #[arg(long, value_enum)]
    engine: Option<EngineArg>,

    /// Entries of the queues of each worker's io_uring, powers of two; smaller ones overflow more often, and lose nothing
    #[arg(long, value_name = "SUBMISSIONS,COMPLETIONS", default_value = "256,8192", value_parser = ring_size::queues)]
    ring: (u32, u32),

    /// Buffers that each worker's io_uring receives into: a power of two
    #[arg(long, value_name = "N", default_value = "256", value_parser = ring_size::buffers)]
    buffers: u16,

    /// How long a connection may take to open, and a reply to come after the window
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,

    /// Time series: what came in each interval of the window, in the JSON
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub interval: Option<Duration>,

    /// Whose time-stamps the replies have: the generator's own, or besides the kernel's (SO_TIMESTAMPING, TCP
    /// only), which tell how much of a response the generator itself added
    #[arg(long, value_enum, default_value = "user")]
    timestamps: TimestampsArg,

    /// Begin although this machine seems too small for so many connections; what is missing is still said
    #[arg(long)]
    pub no_preflight: bool,

    /// Seed of every random choice
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,

    /// Do the i-th of N parts of this run, which N processes do together: all other options describe the whole.
    /// Counted from 1 [default: as JOB_COMPLETION_INDEX and JOB_COMPLETIONS, or SLURM_ARRAY_TASK_ID, say]
    #[arg(long, value_name = "i/N", value_parser = shard::parse)]
    pub shard: Option<Shard>,

    /// Begin the load (with its warm-up) at this instant, all connections open: seconds since 1970, or RFC 3339
    #[arg(long, value_name = "UNIXTIME", value_parser = start_at::parse)]
    pub start_at: Option<StartAt>,

    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Also write the result for other tools, `-` for standard output; repeatable. KIND is hgrm (percentiles in µs),
    /// hlog (interval log), csv, prometheus (text format), openmetrics or json. hgrm shows the response time in open loop and the service time in
    /// closed; hgrm:service=PATH says which (response, service, lateness, connect,
    /// churn_connect)
    #[arg(long, value_name = "KIND=PATH")]
    pub export: Vec<Export>,

    /// Print shell completions or the manual page, and do nothing else
    #[arg(long, value_enum, value_name = "WHAT", exclusive = true)]
    pub generate: Option<Generate>,

    /// Print nothing but the result and errors
    #[arg(long, short = 'q')]
    pub quiet: bool,

    /// Colours: on a terminal, unless NO_COLOR is set; always; never
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

/// The measurement to make on the connections.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// One window.
    Once,
    /// A window at each of these rates.
    Steps(Vec<f64>),
    /// The search in this range for the highest rate that meets an objective.
    Search((f64, f64), Objective),
}

impl Cli {
    /// The command line of this process, or the end of it where that is a usage error or asks for help.
    ///
    /// # Errors
    ///
    /// When help cannot be printed.
    pub fn of_process() -> Result<Self, PrintError> {
        let cli = match Self::try_parse() {
            Ok(cli) => cli,
            Err(error) => end_with(&error)?,
        };
        cli.check().unwrap_or_else(|error| error.exit());
        Ok(cli)
    }

    /// The exports: where the result goes besides.
    pub fn exports(&self) -> Exports<'_> {
        Exports(&self.export)
    }

    /// The server as it is written.
    pub fn written_target(&self) -> Written {
        Written::all(&self.target).expect("there is a default")
    }

    /// The connections that were asked for, to the server at `target`.
    pub fn pool(&self, target: Target, live_latencies: bool) -> PoolOptions {
        PoolOptions {
            target,
            conns: self.conns,
            active: self.active.among(self.conns),
            threads: self.threads,
            connect_rate: self.connect_rate,
            protocol: match self.protocol {
                _ if self.send.is_some() => Protocol::Template,
                ProtocolArg::Echo => Protocol::Echo,
                ProtocolArg::Ack => Protocol::Ack,
                ProtocolArg::Redis => Protocol::Redis,
            },
            size: self.size(),
            workload: self.workload(),
            cpu: self.cpu,
            engine: self.engine.map(|engine| match engine {
                EngineArg::Epoll => EngineKind::Epoll,
                EngineArg::IoUring => EngineKind::IoUring,
            }),
            ring: RingSize::new(self.ring, self.buffers),
            timeout: self.timeout,
            seed: self.seed,
            live_latencies,
            part_of: None,
            timestamps: match self.timestamps {
                TimestampsArg::User => Timestamps::User,
                TimestampsArg::Kernel => Timestamps::Kernel,
            },
        }
    }

    /// The shard of the run that this process is, and the variables of the environment that say so, if `--shard` does
    /// not.
    ///
    /// # Errors
    ///
    /// A sentence, when the environment names a shard only in part.
    pub fn shard_and_why(&self) -> Result<Option<(Shard, Option<String>)>, String> {
        if let Some(shard) = self.shard {
            return Ok(Some((shard, None)));
        }
        let found = shard::from_environment(|name| std::env::var(name).ok())?;
        Ok(found.map(|(shard, why)| (shard, Some(why))))
    }

    /// The longest that the window may be.
    fn duration(&self) -> Duration {
        let default = if self.requests.is_some() { units::LONGEST } else { Duration::from_secs(10) };
        self.duration.unwrap_or(default)
    }

    /// Bytes of a request.
    fn size(&self) -> Size {
        self.size.unwrap_or(Size::Fixed { bytes: 64 })
    }

    fn workload(&self) -> Workload {
        let template = self.send.clone().zip(self.expect.clone());
        Workload {
            think: self.think,
            requests: self.requests,
            most_under_way: self.pipeline.filter(|_| self.first_rate().is_some()),
            rotate_s: self.rotate.as_ref().map(Duration::as_secs_f64),
            churn_per_s: self.churn,
            ramp_s: self.ramp.as_ref().map(Duration::as_secs_f64),
            dialogue: match (template, self.protocol) {
                (Some((send, expect)), _) => Some(Dialogue { send, expect }),
                (None, ProtocolArg::Redis) => Some(dialogue::redis()),
                (None, ProtocolArg::Echo | ProtocolArg::Ack) => None,
            },
        }
    }

    /// The load that was asked for, where the time of `processors` is there for everybody. A part of one is no processor to
    /// spin on: whoever shares it would wait.
    pub fn load(&self, processors: f64) -> Load {
        let processors = processors as usize;
        let mode = match self.first_rate() {
            Some(rate_per_s) => LoadMode::Open {
                rate_per_s,
                arrivals: match self.arrivals {
                    Some(ArrivalsArg::Uniform) => Arrivals::Uniform,
                    Some(ArrivalsArg::Poisson) | None => Arrivals::Poisson,
                },
            },
            None => LoadMode::Closed { pipeline: self.pipeline.unwrap_or(1) },
        };
        let spin = match self.wait {
            Some(wait) => wait == WaitArg::Spin,
            None => {
                // Workers that are pinned share one processor.
                let theirs = if self.cpu.is_some() { 1 } else { processors.saturating_sub(1) };
                self.first_rate().is_some() && processors > 1 && self.threads as usize <= theirs
            }
        };
        let wait = if spin { WaitPolicy::Spin } else { WaitPolicy::Sleep };
        Load { mode, wait, warmup: self.warmup, duration: self.duration(), interval: self.interval }
    }
}

/// Prints the help or the version that was asked for and ends the process, with 2 where the command line is wrong.
///
/// # Errors
///
/// When it cannot be printed: clap itself would say nothing and end with 0.
pub fn end_with<T>(error: &clap::Error) -> Result<T, PrintError> {
    if error.use_stderr() {
        error.exit();
    }
    let text = error.render();
    let is_painted = Paint::of(Colour::Auto, &std::io::stdout()).is_on();
    streams::print(if is_painted { text.ansi().to_string() } else { text.to_string() })?;
    std::process::exit(0);
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
        assert_eq!(parsed.count(), 10);
    }

    #[test]
    fn a_bare_fraction_of_active_connections_is_a_usage_error() {
        let error = Cli::try_parse_from(["load-gen", "--active", "0.05"]).expect_err("ambiguous");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("ambiguous"), "{error}");
    }
}
