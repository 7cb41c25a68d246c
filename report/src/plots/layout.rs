//! Sizes that all parts of a figure share.

/// Size of the text of labels and headings.
pub const TEXT_SIZE: f64 = 13.0;
/// Size of the text of ticks and captions.
pub const SMALL_SIZE: f64 = 12.0;
/// From one line of text to the next, as a multiple of its size.
pub const LINE: f64 = 1.35;
/// The room that an axis takes below a plot: the labels of its ticks, and its title.
pub const FOOT: f64 = 2.0 * SMALL_SIZE * LINE + 8.0;
/// Radius of the marker of a point.
pub const MARKER_RADIUS: f64 = 4.0;

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }
}
