//! The figures by which campaigns are compared and published: two of latency, one of capacity, one of cost.

use crate::cells::{Figure, summary};
use crate::schema::{Cell, MainFigure};
use crate::statistics::Summary;

impl MainFigure {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::ResponseP50, Self::ResponseP99, Self::Capacity, Self::ServerCpu];

    /// What a cell has of it.
    pub fn figure(self) -> Figure {
        match self {
            Self::ResponseP50 => Figure::ResponseP50,
            Self::ResponseP99 => Figure::ResponseP99,
            Self::Capacity => Figure::Throughput,
            Self::ServerCpu => Figure::ServerCpu,
        }
    }

    /// What a table calls it.
    pub fn words(self) -> &'static str {
        self.figure().words()
    }

    /// What a name of a series ends with: `epoll-et/10000c/10a/p99`.
    pub fn slug(self) -> &'static str {
        match self {
            Self::ResponseP50 => "p50",
            Self::ResponseP99 => "p99",
            Self::Capacity => "capacity",
            Self::ServerCpu => "cpu",
        }
    }

    /// Whether more of it is better; the others are times.
    pub fn is_better_when_greater(self) -> bool {
        self == Self::Capacity
    }

    /// Whether it is measured in open loop, and so depends on the rate that was offered.
    pub fn depends_on_rate(self) -> bool {
        matches!(self, Self::ResponseP50 | Self::ResponseP99)
    }

    /// What the repeats of it amount to; `None` without any.
    pub fn summary(self, cells: &[&Cell]) -> Option<Summary> {
        summary(cells, |cell| self.figure().of(cell))
    }
}
