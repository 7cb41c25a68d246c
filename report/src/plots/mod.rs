//! Figures, as SVG and where wanted as PNG, from a campaign alone.

mod axis;
mod chart;
mod fields;
mod figures;
mod heat;
mod labels;
mod layout;
mod lines;
#[cfg(feature = "png")]
mod png;
mod ratios;
mod rows;
pub mod style;
mod svg;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use crate::page::Drawing;
use crate::rounds::Analysis;
use model::files::{self, WriteError};
use model::histogram::DecodeError;
use model::schema::{BenchGroup, LoadReport, Reproductions};

use self::chart::Figure;

/// The reason for which a figure could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The SVG could not be turned into a picture.
    #[error("{0}")]
    Render(String),
}

/// Every figure that the campaign and the bench groups have data for, the main one first.
pub fn draw(analysis: &Analysis<'_>, benches: &[BenchGroup]) -> Vec<Drawing> {
    let of_benches = benches.iter().filter_map(figures::bench);
    figures::of_campaign(analysis).into_iter().chain(of_benches).map(|figure| drawn(&figure)).collect()
}

/// The figures of one run of the load generator: time × latency, where it has a series (`--interval`), and the distribution of
/// its times.
///
/// # Errors
///
/// When a histogram in it is damaged.
pub fn draw_load(load: &LoadReport) -> Result<Vec<Drawing>, DecodeError> {
    Ok(figures::of_load(load)?.iter().map(drawn).collect())
}

/// A figure for each published table: ours, and beside it what was published.
pub fn draw_reproductions(all: &Reproductions) -> Vec<Drawing> {
    figures::reproductions(all).iter().map(drawn).collect()
}

fn drawn(figure: &Figure) -> Drawing {
    let (name, title) = (figure.name.clone(), figure.title.clone());
    Drawing { svg: figure.svg(), drawn: figure.styles.names(), name, title }
}

/// Writes figures into `folder`, which is made if need be, each as `NAME.svg` and, where it is wanted and this is a build with the
/// feature `png`, as `NAME.png`, and returns the paths in their order.
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
    if with_png && let Some(picture) = picture(drawing)? {
        paths.push(path("png"));
        files::write_atomically(&paths[1], &picture)?;
    }
    files::write_atomically(&paths[0], drawing.svg.as_bytes())?;
    Ok(paths)
}

/// The figure as the bytes of a PNG file, in a build that draws them.
#[cfg(feature = "png")]
fn picture(drawing: &Drawing) -> Result<Option<Vec<u8>>, DrawError> {
    let failed = |reason: String| DrawError::Render(format!("cannot render {}: {reason}", drawing.name));
    png::rendered(&drawing.svg).map(Some).map_err(failed)
}

#[cfg(not(feature = "png"))]
fn picture(_: &Drawing) -> Result<Option<Vec<u8>>, DrawError> {
    Ok(None)
}

#[cfg(test)]
mod tests;
