//! Figures, as SVG and PNG, from a campaign alone.

use std::path::{Path, PathBuf};

use crate::analysis::Analysis;
use crate::files::WriteError;
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

/// Draws every figure that the campaign and the bench groups have data for into `folder`, each as
/// `NAME.svg` and `NAME.png`, and returns the paths in the order of importance.
///
/// # Errors
///
/// When a picture cannot be rendered, or a file cannot be written.
pub fn draw_all(
    _analysis: &Analysis<'_>,
    _benches: &[BenchGroup],
    _folder: &Path,
) -> Result<Vec<PathBuf>, DrawError> {
    Ok(Vec::new())
}
