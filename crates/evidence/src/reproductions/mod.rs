//! Published figures, measured again: the same calls on the same kind of descriptors, beside what was printed.
//!
//! Most need no server and no generator: one thread waits for what it has made ready itself, as the originals do. What is
//! timed is what they time. [`waiters`] has the waits, which the micro-benchmarks use too. [`Servers`] are the caller's.

mod channels;
mod echo;
mod libevent;
mod one_ready;
mod perf;
pub mod waiters;

use std::error::Error;
use std::net::SocketAddr;
use std::time::SystemTime;

use load_gen::plan::schedule;
use model::schema::{Environment, Point, ReproducedFigure, Reproduction, Reproductions, SCHEMA_VERSION};
use rand::seq::SliceRandom;
use stats::{Interval, Level};
use sys::{limits, processors};

/// The number of times that each figure is measured: an interval over six repeats deserves the name.
pub const REPEATS: u32 = 6;

/// The name by which `muxbench run` knows them.
pub const NAME: &str = "reproductions";

/// The names of the tables, in the order in which they are measured.
pub const TABLES: [&str; 6] = [
    one_ready::TLPI_NAME,
    one_ready::KEGEL_NAME,
    libevent::NAME,
    echo::GAMMO_NAME,
    echo::IO_URING_NAME,
    perf::NAME,
];

/// The reason that there is no server.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Echo servers, one a mechanism.
pub trait Servers {
    /// Returns whether this build and this kernel have one of `mechanism`.
    fn has(&self, mechanism: &str) -> bool;

    /// Starts one for the connections of `point`, on the processor `cpu` if there is one for it.
    ///
    /// # Errors
    ///
    /// When it does not come to listen.
    fn start(&self, mechanism: &str, point: &Point, cpu: Option<u32>) -> Result<Box<dyn Server>, Failure>;
}

/// A server that runs. Dropping it ends it.
pub trait Server {
    /// The address that it listens on.
    fn address(&self) -> SocketAddr;

    /// Waits until it has accepted `opened` connections.
    ///
    /// # Errors
    ///
    /// When it does not.
    fn await_accepted(&mut self, opened: u64) -> Result<(), Failure>;
}

/// One figure that is to be measured.
pub struct Case<'a> {
    /// As [`ReproducedFigure::mechanism`].
    mechanism: &'static str,
    /// Descriptors watched.
    watched: u32,
    /// The published figure, if there is one.
    published: Option<f64>,
    /// Sets up and measures once, in the table's unit.
    measure: Box<dyn Fn() -> f64 + 'a>,
}

/// One table that is to be measured: everything but the figures, and the cases.
type Table<'a> = (Reproduction, Vec<Case<'a>>);

/// The tables called so, in the order of [`TABLES`]; all of them where no name is given.
///
/// # Errors
///
/// The names that no table has, in a line that names those there are.
pub fn select(names: &[String]) -> Result<Vec<&'static str>, String> {
    let unknown: Vec<String> = names
        .iter()
        .filter(|name| !TABLES.contains(&name.as_str()))
        .map(|name| format!("'{name}'"))
        .collect();
    if !unknown.is_empty() {
        return Err(format!(
            "{NAME} has no table {}; its tables are {}",
            unknown.join(", "),
            TABLES.join(", ")
        ));
    }
    let is_wanted = |table: &&str| names.is_empty() || names.iter().any(|name| name == table);
    Ok(TABLES.into_iter().filter(is_wanted).collect())
}

/// Measures the tables called `names` on the machine and the processors of `environment`, and tells `progress` of each figure as
/// it comes, with how many there will be.
pub fn run(
    servers: &dyn Servers,
    environment: Environment,
    names: &[&str],
    seed: u64,
    mut progress: impl FnMut(u32, u32),
) -> Reproductions {
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let limit = u32::try_from(limits::raise_descriptors()).unwrap_or(u32::MAX);
    if let Some(cpu) = environment.server_cpu {
        // Where it cannot be pinned it may wander, which the interval tells.
        let _ = processors::pin_to(&[cpu]);
    }
    let mut tables = Vec::from(all(servers, &environment, limit));
    tables.retain(|(table, _)| names.contains(&table.name.as_str()));
    let planned = tables.iter().map(|(_, cases)| cases.len() as u32).sum::<u32>() * REPEATS;
    let mut done = 0;
    let mut measure = |(table, cases): Table<'_>| {
        let figures = interleaved(&cases, seed, || {
            done += 1;
            progress(done, planned);
        });
        Reproduction { figures, ..table }
    };
    let tables = tables.into_iter().map(&mut measure).collect();
    Reproductions {
        schema_version: SCHEMA_VERSION,
        started,
        command: command(names, seed),
        environment,
        tables,
    }
}

/// All tables, in the order of [`TABLES`], under a descriptor limit.
fn all<'a>(servers: &'a dyn Servers, environment: &'a Environment, limit: u32) -> [Table<'a>; TABLES.len()] {
    [
        one_ready::tlpi(limit),
        one_ready::kegel(limit),
        libevent::table(limit),
        echo::gammo(servers, environment, limit),
        echo::io_uring(servers, environment),
        perf::table(environment.generator_cpu),
    ]
}

/// The command that repeats it.
fn command(names: &[&str], seed: u64) -> String {
    let which = if names == TABLES { String::new() } else { format!(" {}", names.join(" ")) };
    format!("muxbench run {NAME}{which} --seed {seed}")
}

/// Measures every case once a repeat, in a random order.
fn interleaved(cases: &[Case<'_>], seed: u64, mut measured: impl FnMut()) -> Vec<ReproducedFigure> {
    let mut random = schedule::random(seed, 0, 0);
    let mut values = vec![Vec::new(); cases.len()];
    for _ in 0..REPEATS {
        let mut order: Vec<usize> = (0..cases.len()).collect();
        order.shuffle(&mut random);
        for at in order {
            values[at].push((cases[at].measure)());
            measured();
        }
    }
    let figure = |(case, values): (&Case<'_>, Vec<f64>)| {
        let level = stats::of_repeats(&values).expect("enough repeats");
        let Level { value: median, interval: Interval { low, high } } = level;
        ReproducedFigure {
            mechanism: case.mechanism.to_owned(),
            watched: case.watched,
            published: case.published,
            median,
            low,
            high,
            repeats: values.len() as u32,
        }
    };
    cases.iter().zip(values).map(figure).collect()
}

/// Returns the description of a table, without its figures.
fn head(name: &str, title: &str, source: &str, what: &str, differs: &str, unit: &str) -> Reproduction {
    Reproduction {
        name: name.to_owned(),
        title: title.to_owned(),
        source: source.to_owned(),
        what: what.to_owned(),
        differs: differs.to_owned(),
        unit: unit.to_owned(),
        figures: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoServers;

    impl Servers for NoServers {
        fn has(&self, _: &str) -> bool {
            false
        }

        fn start(&self, mechanism: &str, _: &Point, _: Option<u32>) -> Result<Box<dyn Server>, Failure> {
            Err(mechanism.into())
        }
    }

    #[test]
    fn tables_are_selected_by_name_in_their_own_order_and_the_command_names_them() {
        let select =
            |names: &[&str]| select(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let two = select(&["libevent", "tlpi", "tlpi"]).expect("tables");
        assert_eq!(two, ["tlpi", "libevent"]);
        assert_eq!(command(&two, 7), "muxbench run reproductions tlpi libevent --seed 7");
        let all = select(&[]).expect("tables");
        assert_eq!(all, TABLES);
        assert_eq!(command(&all, 1), "muxbench run reproductions --seed 1");
        let wrong = select(&["tlpi", "tplpi", "x"]).expect_err("no such tables");
        assert!(
            wrong.starts_with("reproductions has no table 'tplpi', 'x'; its tables are tlpi, kegel, "),
            "{wrong}"
        );
    }

    #[test]
    fn every_table_is_known_by_the_name_in_its_head() {
        let environment = Environment::default();
        assert_eq!(all(&NoServers, &environment, 1_000).map(|(head, _)| head.name), TABLES);
    }

    #[test]
    fn every_case_is_measured_once_a_repeat() {
        let case = |watched: u32| Case {
            mechanism: "poll",
            watched,
            published: None,
            measure: Box::new(move || f64::from(watched)),
        };
        let mut measured = 0;
        let figures = interleaved(&[case(10), case(100)], 1, || measured += 1);
        assert_eq!(measured, 2 * REPEATS);
        let found: Vec<_> =
            figures.iter().map(|figure| (figure.watched, figure.median, figure.repeats)).collect();
        assert_eq!(found, [(10, 10.0, REPEATS), (100, 100.0, REPEATS)]);
    }
}
