//! `muxbench merge`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use load_gen::command::view::{Colour, Paint};
use model::read;
use model::schema::ResultFile;
use report::merge::Source;

use super::{INVALID, is_stream, print, readable};

/// Put the shards of one run together, without loss
///
/// Takes what load-gen --shard i/N --json wrote: a file a shard, or several results in one file or pipe. Counters and histograms
/// are added and percentiles computed anew. Refuses shards of different settings, a shard that is missing or there twice, and
/// windows that began too far apart. Ends with 4 if a shard was not valid.
#[derive(clap::Args)]
pub struct Merge {
    /// Results of the shards; - is standard input
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
    /// Where the whole goes, as JSON; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// How far apart the windows of the shards may begin
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = load_gen::plan::units::duration)]
    max_skew: Duration,
}

impl Merge {
    /// Merges them and says how that went.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let mut sources = Vec::new();
        for file in &self.files {
            sources.extend(read(file)?);
        }
        let merged = report::merge::merge(sources, self.max_skew)?;
        let paint = Paint::of(Colour::Auto, &std::io::stdout());
        let (valid, table) = (merged.valid, load_gen::command::output::human(&merged, paint));
        let text = serde_json::to_string_pretty(&ResultFile::Load(merged))? + "\n";
        if is_stream(&self.output) {
            print(&text)?;
        } else {
            model::files::write_atomically(&self.output, text.as_bytes())?;
            print(&table)?;
        }
        Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(INVALID) })
    }
}

/// The results in `file`, each with a name of its own.
fn read(file: &Path) -> anyhow::Result<Vec<Source>> {
    let path = readable(file);
    let reports = read::loads(path)?;
    let several = reports.len() > 1;
    let name = |at: usize| match several {
        true => format!("{} (result {})", path.display(), at + 1),
        false => path.display().to_string(),
    };
    Ok(reports.into_iter().enumerate().map(|(at, report)| Source { name: name(at), report }).collect())
}
