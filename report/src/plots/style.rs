//! One colour, marker and dash a mechanism, the same in every figure.
//!
//! The colours are Okabe and Ito's, and Paul Tol's "muted" where those run out: both can be told apart
//! with every common colour blindness. Markers and dashes carry the same distinction in greyscale, and
//! where two lines coincide the dashed one lets the other show through.

use std::f64::consts::TAU;

use super::svg::{Svg, coordinate};

/// How a mechanism is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// `#rrggbb`.
    pub colour: &'static str,
    /// The shape at each point.
    pub marker: Marker,
    /// `stroke-dasharray`; empty for a solid line.
    pub dash: &'static str,
}

/// The shape at each point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A regular polygon, its first corner turned this share of a full turn from the top.
    Regular(u32, f64),
    /// A star with this many points.
    Star(u32),
    /// An upright cross.
    Plus,
    /// A cross on its corners.
    Cross,
}

const SOLID: &str = "";
const DASHED: &str = "7 4";
const DOTTED: &str = "2 3";
const MIXED: &str = "9 3 2 3";

/// Every mechanism of the project, by name.
const STYLES: [(&str, Style); 12] = [
    ("threads", style("#555555", Marker::Plus, MIXED)),
    ("select", style("#E69F00", Marker::Regular(4, 0.125), DASHED)),
    ("poll", style("#D55E00", Marker::Regular(3, 0.0), SOLID)),
    ("epoll-lt", style("#0072B2", Marker::Circle, SOLID)),
    ("epoll-et", style("#56B4E9", Marker::Regular(4, 0.0), DASHED)),
    ("epoll-oneshot", style("#009E73", Marker::Regular(3, 0.5), MIXED)),
    ("io-uring-poll", style("#CC79A7", Marker::Regular(5, 0.0), DASHED)),
    ("io-uring", style("#882255", Marker::Star(5), SOLID)),
    ("mio", style("#44AA99", Marker::Regular(6, 0.0), DOTTED)),
    ("polling", style("#999933", Marker::Regular(3, 0.25), DOTTED)),
    ("tokio", style("#332288", Marker::Regular(3, 0.75), DASHED)),
    ("compio", style("#AA4499", Marker::Cross, MIXED)),
];

const fn style(colour: &'static str, marker: Marker, dash: &'static str) -> Style {
    Style { colour, marker, dash }
}

/// The style of a mechanism. One that the project does not know gets a style by its name: always the
/// same, though two strangers may share one.
pub fn of(mechanism: &str) -> Style {
    const COLOURS: [&str; 6] = ["#000000", "#117733", "#AA3377", "#997700", "#004488", "#BB5566"];
    const MARKERS: [Marker; 4] = [Marker::Star(4), Marker::Star(6), Marker::Star(3), Marker::Regular(8, 0.0)];
    const DASHES: [&str; 4] = [SOLID, DASHED, DOTTED, MIXED];
    if let Some((_, known)) = STYLES.iter().find(|(name, _)| *name == mechanism) {
        return *known;
    }
    // FNV-1a: stable across builds, unlike the standard library's hasher.
    let hash = mechanism.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let pick = |shift: u32, choices: usize| usize::try_from((hash >> shift) & 0xffff).unwrap_or(0) % choices;
    style(COLOURS[pick(0, COLOURS.len())], MARKERS[pick(16, MARKERS.len())], DASHES[pick(32, DASHES.len())])
}

impl Style {
    /// The attributes of the line.
    pub fn stroke(&self) -> String {
        let dash =
            if self.dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{}\"", self.dash) };
        format!("stroke=\"{}\" stroke-width=\"2\" stroke-linejoin=\"round\"{dash}", self.colour)
    }

    /// Draws the marker; `hollow` marks a point that is not to be trusted in full.
    pub fn draw_marker(&self, svg: &mut Svg, at: (f64, f64), radius: f64, hollow: bool) {
        let fill = if hollow { "#ffffff" } else { self.colour };
        let paint = format!("fill=\"{fill}\" stroke=\"{}\" stroke-width=\"1.4\"", self.colour);
        match self.marker {
            Marker::Circle => {
                let (x, y) = (coordinate(at.0), coordinate(at.1));
                svg.element(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\" {paint}/>", coordinate(radius)));
            }
            marker => svg.polygon(&corners(marker, at, radius), &paint),
        }
    }
}

fn corners(marker: Marker, at: (f64, f64), radius: f64) -> Vec<(f64, f64)> {
    // Share of a turn from the top, and distance from the middle.
    let around = |turn: f64, distance: f64| {
        (at.0 + distance * (turn * TAU).sin(), at.1 - distance * (turn * TAU).cos())
    };
    let spikes = |points: u32, inner: f64| -> Vec<(f64, f64)> {
        let of = |index: u32| if index.is_multiple_of(2) { radius * 1.3 } else { radius * inner };
        (0..points * 2).map(|index| around(f64::from(index) / f64::from(points * 2), of(index))).collect()
    };
    match marker {
        Marker::Circle => Vec::new(),
        Marker::Regular(points, turn) => {
            let larger = radius * if points == 3 { 1.35 } else { 1.2 };
            (0..points).map(|index| around(turn + f64::from(index) / f64::from(points), larger)).collect()
        }
        Marker::Star(points) => spikes(points, 0.5),
        Marker::Plus => cross(|turn, distance| around(turn, distance * radius)),
        Marker::Cross => cross(|turn, distance| around(turn + 0.125, distance * radius)),
    }
}

/// The twelve corners of a cross with arms a third as wide as long.
fn cross(around: impl Fn(f64, f64) -> (f64, f64)) -> Vec<(f64, f64)> {
    let (arm, half_width) = (1.25_f64, 0.4_f64);
    let (tip, tip_turn) = (arm.hypot(half_width), half_width.atan2(arm) / TAU);
    let notch = half_width * std::f64::consts::SQRT_2;
    (0..4)
        .flat_map(|quarter| {
            let turn = f64::from(quarter) / 4.0;
            [around(turn - tip_turn, tip), around(turn + tip_turn, tip), around(turn + 0.125, notch)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_mechanism_differs_from_every_other_in_colour_and_in_marker() {
        for (index, (name, style)) in STYLES.iter().enumerate() {
            for (other_name, other) in &STYLES[index + 1..] {
                assert_ne!(style.colour, other.colour, "{name} {other_name}");
                assert_ne!(style.marker, other.marker, "{name} {other_name}");
            }
        }
    }

    #[test]
    fn a_stranger_always_gets_the_same_style_and_never_a_known_colour() {
        let stranger = of("go-netpoll");
        assert_eq!(stranger, of("go-netpoll"));
        assert!(STYLES.iter().all(|(_, known)| known.colour != stranger.colour));
    }
}
