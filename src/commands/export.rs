//! `muxbench export`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use load_gen::export::format_named;
use model::files::{make_folder, write_atomically};
use model::note;
use model::read::{self, Measured, ReadError};
use model::schema::{Campaign, LoadReport};
use report::export::campaign::{Exported, Format as CampaignFormat};
use report::export::{self, ExportError, Format};

use super::{UsageError, compare, is_stream, print, readable};

/// What a campaign can be written as.
const OF_CAMPAIGN: &str = "github-benchmark, bmf, prometheus, openmetrics, csv, hgrm or hlog";

/// Write a result in the format of another tool
///
/// Of a campaign: github-benchmark (two files for github-action-benchmark, smaller-is-better.json and bigger-is-better.json), bmf (Bencher),
/// prometheus (text format, for promtool, a Pushgateway and node_exporter) and openmetrics, csv (a row a cell), hgrm (percentiles in µs, a file a contender and point) and hlog (interval log, a tagged line a
/// cell). Those of several files go into the folder that -o names.
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
    format: Wanted,
    /// Where it goes: a file, or a folder where there are several; - is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
}

/// A format that was asked for, whatever the result will be.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// One that only campaigns have.
    OfCampaign(CampaignFormat),
    /// One that runs of load have, and most of them campaigns too.
    OfLoad(Format),
}

fn wanted(name: &str) -> Result<Wanted, String> {
    match name {
        "github-benchmark" => Ok(Wanted::OfCampaign(CampaignFormat::GithubBenchmark)),
        "bmf" => Ok(Wanted::OfCampaign(CampaignFormat::Bmf)),
        name => format_named(name)
            .map(Wanted::OfLoad)
            .map_err(|error| format!("{error}; of a campaign {OF_CAMPAIGN}")),
    }
}

impl Wanted {
    /// The format in which a campaign is written.
    fn of_campaign(self) -> Result<CampaignFormat, UsageError> {
        match self {
            Self::OfCampaign(format) => Ok(format),
            Self::OfLoad(Format::Prometheus) => Ok(CampaignFormat::Prometheus),
            Self::OfLoad(Format::OpenMetrics) => Ok(CampaignFormat::OpenMetrics),
            Self::OfLoad(Format::Csv) => Ok(CampaignFormat::Csv),
            Self::OfLoad(Format::Hgrm(None)) => Ok(CampaignFormat::Hgrm),
            Self::OfLoad(Format::Hlog) => Ok(CampaignFormat::Hlog),
            Self::OfLoad(Format::Hgrm(Some(_)) | Format::Json) => {
                Err(UsageError(format!("a campaign is written as {OF_CAMPAIGN}; JSON is what it is already")))
            }
        }
    }
}

impl Export {
    /// Writes it.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let file = compare::file(readable(&self.file));
        let read = read::measured(&file).map_err(|error| match error {
            ReadError::OtherKind { .. } => UsageError(format!(
                "{error}; export takes a campaign, or what load-gen --json or merge wrote"
            ))
            .into(),
            error => anyhow::Error::from(error),
        })?;
        match (read, self.format) {
            (Measured::Campaign(campaign), format) => {
                self.campaign(&file, &campaign, format.of_campaign()?)?
            }
            (Measured::Loads(_), Wanted::OfCampaign(_)) => {
                let sentence =
                    format!("{}: a load result has no such format; it is for campaigns", file.display());
                return Err(UsageError(sentence).into());
            }
            (Measured::Loads(loads), Wanted::OfLoad(format)) => self.load(&file, loads, format)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn campaign(&self, file: &Path, campaign: &Campaign, format: CampaignFormat) -> anyhow::Result<()> {
        let damaged = |error| anyhow::anyhow!("{}: damaged: {error}", file.display());
        match export::campaign::render(campaign, format).map_err(damaged)? {
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

    fn load(&self, file: &Path, loads: Vec<LoadReport>, format: Format) -> anyhow::Result<()> {
        let [report] = &loads[..] else {
            let sentence = format!(
                "{}: {} results in one file; export takes one, and merge makes one of the shards of a run",
                file.display(),
                loads.len()
            );
            return Err(UsageError(sentence).into());
        };
        let text = export::render(report, format, &[]).map_err(|error| match error {
            ExportError::Absent(_) => UsageError(format!("{}: {error}", file.display())).into(),
            ExportError::Histogram(_) => anyhow::anyhow!("{}: damaged: {error}", file.display()),
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
