//! The figures by which campaigns are compared and published: two of latency, one of capacity, one of cost.

use model::schema::{Cell, MainFigure};

use crate::cells::{self, Figure};
use crate::statistics::Summary;

/// The figure of a cell that `main` is.
pub fn figure(main: MainFigure) -> Figure {
    match main {
        MainFigure::ResponseP50 => Figure::ResponseP50,
        MainFigure::ResponseP99 => Figure::ResponseP99,
        MainFigure::Capacity => Figure::Throughput,
        MainFigure::ServerCpu => Figure::ServerCpu,
    }
}

/// Its name in a table.
pub fn words(main: MainFigure) -> &'static str {
    figure(main).words()
}

/// The summary of its repeats; `None` without any.
pub fn summary(main: MainFigure, cells: &[&Cell]) -> Option<Summary> {
    cells::summary(cells, |cell| figure(main).of(cell))
}
