//! Figures, as SVG and PNG, from a campaign alone.

mod axis;
mod chart;
mod dots;
mod fields;
mod figures;
mod heat;
mod labels;
mod lines;
mod png;
pub mod style;
mod svg;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::analysis::Analysis;
use model::files::{self, WriteError};
use model::histogram::DecodeError;
use model::schema::{BenchGroup, LoadReport, Reproductions};

use self::chart::Figure;

/// Why a figure could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The SVG could not be turned into a picture.
    #[error("cannot render {figure}: {reason}")]
    Render {
        /// The name of the figure.
        figure: String,
        /// What the renderer said.
        reason: String,
    },
}

/// A figure that has been drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// The name of its files, without extension: `idle-scaling`.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// What is drawn, in another.
    pub subtitle: String,
    /// The figure itself: the same bytes for the same data.
    pub svg: String,
}

/// Every figure that the campaign and the bench groups have data for, the main one first.
pub fn draw(analysis: &Analysis<'_>, benches: &[BenchGroup]) -> Vec<Drawing> {
    let of_campaign = [
        figures::idle_scaling(analysis),
        figures::percentile_spectrum(analysis),
        figures::cost(analysis),
        figures::active_scaling(analysis),
        figures::crossover_map(analysis),
    ];
    of_campaign
        .into_iter()
        .flatten()
        .chain(figures::further(analysis))
        .chain(figures::setup_memory(analysis))
        .chain(benches.iter().filter_map(figures::bench))
        .map(drawn)
        .collect()
}

/// The figures of one run of the load generator: time × latency, where it has a series (`--interval`), and the distribution of
/// its times.
///
/// # Errors
///
/// When a histogram in it is damaged.
pub fn draw_load(load: &LoadReport) -> Result<Vec<Drawing>, DecodeError> {
    Ok(figures::of_load(load)?.into_iter().map(drawn).collect())
}

/// A figure for each published table: ours, and beside it what was published.
pub fn draw_reproductions(all: &Reproductions) -> Vec<Drawing> {
    figures::reproductions(all).into_iter().map(drawn).collect()
}

fn drawn(figure: Figure) -> Drawing {
    Drawing { svg: figure.svg(), name: figure.name, title: figure.title, subtitle: figure.subtitle }
}

/// Draws every figure into `folder`, which is made if need be, each as `NAME.svg` and `NAME.png`, and returns the paths, the main
/// figure first.
///
/// # Errors
///
/// When a picture cannot be rendered, or the folder or a file cannot be written.
pub fn draw_all(
    analysis: &Analysis<'_>,
    benches: &[BenchGroup],
    folder: &Path,
) -> Result<Vec<PathBuf>, DrawError> {
    write_all(&draw(analysis, benches), folder, true)
}

/// Writes figures into `folder`, which is made if need be, each as `NAME.svg` and, where it is wanted, as `NAME.png`, and returns
/// the paths in their order.
///
/// # Errors
///
/// When a picture cannot be rendered, or the folder or a file cannot be written.
pub fn write_all(drawings: &[Drawing], folder: &Path, with_png: bool) -> Result<Vec<PathBuf>, DrawError> {
    files::make_folder(folder)?;
    let written: Result<Vec<Vec<PathBuf>>, DrawError> =
        drawings.par_iter().map(|drawing| write(drawing, folder, with_png)).collect();
    Ok(written?.into_iter().flatten().collect())
}

fn write(drawing: &Drawing, folder: &Path, with_png: bool) -> Result<Vec<PathBuf>, DrawError> {
    let path = |extension: &str| folder.join(format!("{}.{extension}", drawing.name));
    let mut paths = vec![path("svg")];
    if with_png {
        let picture = png::rendered(&drawing.svg)
            .map_err(|reason| DrawError::Render { figure: drawing.name.clone(), reason })?;
        paths.push(path("png"));
        files::write_atomically(&paths[1], &picture)?;
    }
    files::write_atomically(&paths[0], drawing.svg.as_bytes())?;
    Ok(paths)
}

#[cfg(test)]
mod tests;
