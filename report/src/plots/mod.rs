//! Figures, as SVG and PNG, from a campaign alone.

mod axis;
mod chart;
mod figures;
mod labels;
mod png;
pub mod style;
mod svg;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::analysis::Analysis;
use crate::files::{self, WriteError};
use crate::schema::BenchGroup;

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
    ];
    of_campaign
        .into_iter()
        .chain(benches.iter().map(figures::bench))
        .flatten()
        .map(|figure| Drawing { svg: figure.svg(), name: figure.name, title: figure.title })
        .collect()
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
    std::fs::create_dir_all(folder).map_err(|source| WriteError { path: folder.to_owned(), source })?;
    let written: Result<Vec<[PathBuf; 2]>, DrawError> =
        draw(analysis, benches).par_iter().map(|drawing| write(drawing, folder)).collect();
    Ok(written?.into_iter().flatten().collect())
}

fn write(drawing: &Drawing, folder: &Path) -> Result<[PathBuf; 2], DrawError> {
    let picture = png::rendered(&drawing.svg)
        .map_err(|reason| DrawError::Render { figure: drawing.name.clone(), reason })?;
    let paths = ["svg", "png"].map(|extension| folder.join(format!("{}.{extension}", drawing.name)));
    files::write_atomically(&paths[0], drawing.svg.as_bytes())?;
    files::write_atomically(&paths[1], &picture)?;
    Ok(paths)
}

#[cfg(test)]
mod tests;
