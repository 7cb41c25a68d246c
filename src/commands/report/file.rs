//! Figures of a result that is no campaign: of a run of load-gen, and of published tables measured again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use model::note;
use model::read;
use report::plots::{self, Drawing};

/// Draws `file` into `plots`, or else into a folder with its name beside it.
pub fn draw(file: &Path, plots: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let drawings = drawings(file)?;
    if drawings.is_empty() {
        bail!(
            "{}: nothing to draw: it has neither a series (load-gen --interval 1s) nor enough samples",
            file.display()
        );
    }
    let name = file.file_stem().map(|name| format!("{}-plots", name.display())).unwrap_or_default();
    let folder = plots.unwrap_or_else(|| file.with_file_name(name));
    for path in plots::write_all(&drawings, &folder, true)? {
        note!("muxbench: figure {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn drawings(file: &Path) -> anyhow::Result<Vec<Drawing>> {
    match read::kind(file)?.as_deref() {
        // Several runs in one file are no single JSON value.
        Some("load") | None => match &read::loads(file)?[..] {
            [load] => Ok(plots::draw_load(load)?),
            several => bail!(
                "{}: has {} runs: merge them first (muxbench merge), or draw each by itself",
                file.display(),
                several.len()
            ),
        },
        Some("reproductions") => Ok(plots::draw_reproductions(&read::reproductions(file)?)),
        Some("campaign") => bail!("{}: give the folder of the campaign, not its file", file.display()),
        _ => bail!(
            "{}: neither a campaign's folder nor a result of load-gen --json or muxbench run reproductions",
            file.display()
        ),
    }
}
