//! `muxbench export`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use load_gen::command::export::format_named;
use model::campaign::{Campaign, Histograms};
use model::files::{make_folder, write_atomically};
use model::note;
use model::read::{self, Measured, ReadError};
use model::schema::LoadReport;
use report::export::{self, ExportError, Exported, Format, OF_CAMPAIGNS};
use report::rounds::Analysis;

use super::{UsageError, compare, is_stream, print, readable};

/// Write a result in the format of another tool
///
/// Of a campaign: github-benchmark (two files for github-action-benchmark, smaller-is-better.json and bigger-is-better.json), bmf (Bencher),
/// prometheus (text format, for promtool, a Pushgateway and node_exporter) and openmetrics, csv (a row for each metric of each candidate at each
/// point), hgrm (percentiles in µs, a file for each candidate, point and load) and hlog (interval log, a tagged line for each of these and
/// each start). Those of several files go into the folder that -o names.
///
/// Of what load-gen --json or merge wrote: what load-gen --export would have given, hgrm, hlog, csv, prometheus, openmetrics or json.
#[derive(clap::Args)]
pub struct Export {
    /// The folder of a campaign, its campaign.json, or a load result; - is standard input
    #[arg(value_name = "DIR|FILE")]
    file: PathBuf,
    /// github-benchmark, bmf, hgrm, hlog, csv, prometheus, openmetrics or json. Of a load result hgrm shows the response time in open loop and the
    /// service time in closed; hgrm:service says which (response, service, lateness, connect, churn_connect)
    #[arg(long, value_name = "FORMAT", value_parser = wanted)]
    format: Format,
    /// Where it goes: a file, or a folder where there are several; - is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
}

fn wanted(name: &str) -> Result<Format, String> {
    match name {
        "github-benchmark" => Ok(Format::GithubBenchmark),
        "bmf" => Ok(Format::Bmf),
        name => format_named(name).map_err(|error| format!("{error}; of a campaign {OF_CAMPAIGNS}")),
    }
}

impl Export {
    /// Writes it.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let file = compare::file(readable(&self.file));
        let read = read::measured(&file).map_err(|error| match error {
            ReadError::OtherKind(told) => {
                UsageError(format!("{told}; export takes a campaign, or what load-gen --json or merge wrote"))
                    .into()
            }
            error => anyhow::Error::from(error),
        })?;
        match read {
            Measured::Campaign(campaign, histograms) => self.campaign(&campaign, &histograms)?,
            Measured::Loads(loads) => self.load(&file, loads)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn campaign(&self, campaign: &Campaign, histograms: &Histograms) -> anyhow::Result<()> {
        let exported = export::render_campaign(&Analysis::of(campaign, histograms), self.format);
        match exported.map_err(|error| UsageError(error.to_string()))? {
            Exported::One(text) => self.write(&text),
            Exported::Several(_) if is_stream(&self.output) => {
                Err(UsageError("this format has several files: name a folder for them with -o".to_owned())
                    .into())
            }
            Exported::Several(files) => {
                make_folder(&self.output)?;
                for (name, text) in files {
                    write_atomically(&self.output.join(name), text.as_bytes())?;
                }
                Ok(())
            }
        }
    }

    fn load(&self, file: &Path, loads: Vec<LoadReport>) -> anyhow::Result<()> {
        let [report] = &loads[..] else {
            let sentence = format!(
                "{}: {} results in one file; export takes one, and merge makes one of the shards of a run",
                file.display(),
                loads.len()
            );
            return Err(UsageError(sentence).into());
        };
        let text = export::render(report, self.format, &[]).map_err(|error| match error {
            ExportError::Histogram(_) => anyhow::anyhow!("{}: damaged: {error}", file.display()),
            error => UsageError(format!("{}: {error}", file.display())).into(),
        })?;
        self.write(&text)?;
        // Percentile distributions and logs have no place for it.
        if !report.valid {
            let reasons = report.invalid_reasons.join("; ");
            note!("muxbench: {}: the run is not valid: {reasons}", file.display());
        }
        Ok(())
    }

    fn write(&self, text: &str) -> anyhow::Result<()> {
        if is_stream(&self.output) {
            print(text)
        } else {
            Ok(write_atomically(&self.output, text.as_bytes())?)
        }
    }
}
