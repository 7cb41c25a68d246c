//! `muxbench run reproductions`: no campaign, but one thread that measures again what others have published.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use evidence::reproductions::{self, Failure, Server, Servers};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::note;
use model::schema::{Point, Protocol, ResultFile};
use muxbench::experiment::environment::{self, Pinning};
use muxbench::experiment::server::{self, Own};
use muxbench::mechanisms;

use super::{UsageError, print};

/// The file in its folder.
pub const FILE_NAME: &str = "reproductions.json";

/// The servers of the `muxbench` at this path.
struct Ours(PathBuf);

impl Servers for Ours {
    fn has(&self, mechanism: &str) -> bool {
        mechanisms::find(mechanism).is_some_and(|mechanism| mechanism.obstacle().is_none())
    }

    fn start(&self, mechanism: &str, point: &Point, cpu: Option<u32>) -> Result<Box<dyn Server>, Failure> {
        let stop = Arc::default();
        let server = Own::start(&self.0, mechanism, point, Protocol::Echo, cpu.as_slice(), &stop)?;
        Ok(Box::new(Started(server)))
    }
}

struct Started(server::Server);

impl Server for Started {
    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn await_accepted(&mut self, opened: u64) -> Result<(), Failure> {
        Ok(self.0.await_accepted(opened)?)
    }
}

/// Measures the tables called `names`, or all, writes the result and its page into `out`, and prints the tables, or the result.
pub fn execute(names: &[String], seed: u64, out: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let names = reproductions::select(names).map_err(UsageError)?;
    let folder = out.map_or_else(|| PathBuf::from("results").join(reproductions::NAME), Path::to_path_buf);
    model::files::make_folder(&folder).context("choose another folder with --out")?;
    if cfg!(debug_assertions) {
        note!("muxbench: this is a debug build: its figures say little; use cargo run --release");
    }
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} figures  {elapsed}, {eta} left")?;
    let bar = ProgressBar::with_draw_target(None, target).with_style(style);
    let program =
        std::env::current_exe().context("cannot find the muxbench program to start servers with")?;
    let environment = environment::capture(&Pinning::choose());
    let measured = reproductions::run(&Ours(program), environment, &names, seed, |done, planned| {
        bar.set_length(planned.into());
        bar.set_position(done.into());
    });
    bar.finish_and_clear();
    let page = folder.join("reproductions.md");
    model::files::write_atomically(&page, report::reproductions::page(&measured).as_bytes())?;
    let table = report::reproductions::render(&measured);
    let text = serde_json::to_string_pretty(&ResultFile::Reproductions(measured))? + "\n";
    model::files::write_atomically(&folder.join(FILE_NAME), text.as_bytes())?;
    print(if json { &text } else { &table })?;
    note!("muxbench: result {}", folder.join(FILE_NAME).display());
    note!("muxbench: page {}", page.display());
    Ok(ExitCode::SUCCESS)
}
