//! One colour, marker and dash a mechanism, the same in every figure.
//!
//! The colours are Okabe and Ito's, and Paul Tol's "muted" where those run out: both can be told apart with every common colour
//! blindness. One that is too light for a white ground is darkened there, one that is too dark for a dark ground lightened there, until it
//! contrasts by 3 to 1 (WCAG 2, success criterion 1.4.11). Markers and dashes carry the same distinction in greyscale, and where two lines
//! coincide the dashed one lets the other show through.

use std::f64::consts::TAU;

use model::schema::AGAIN;

use super::svg::{CLASS, GROUND, Svg, escaped};

/// The style of a mechanism.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// On a light ground: `#rrggbb`.
    pub colour: &'static str,
    /// On a dark one.
    pub dark: &'static str,
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
    ("threads", style("#555555", "#8A8A8A", Marker::Plus, MIXED)),
    ("select", style("#C48700", "#E69F00", Marker::Regular(4, 0.125), DASHED)),
    ("poll", style("#D55E00", "#D55E00", Marker::Regular(3, 0.0), SOLID)),
    ("epoll-lt", style("#0072B2", "#2B93D1", Marker::Circle, SOLID)),
    ("epoll-et", style("#4A9BC8", "#7CCBF5", Marker::Regular(4, 0.0), DASHED)),
    ("epoll-oneshot", style("#009E73", "#009E73", Marker::Regular(3, 0.5), MIXED)),
    ("io-uring-poll", style("#CC79A7", "#CC79A7", Marker::Regular(5, 0.0), DASHED)),
    ("io-uring", style("#882255", "#B4567F", Marker::Star(5), SOLID)),
    ("mio", style("#41A393", "#44AA99", Marker::Regular(6, 0.0), DOTTED)),
    ("polling", style("#999933", "#999933", Marker::Regular(3, 0.25), DOTTED)),
    ("tokio", style("#332288", "#8477C9", Marker::Regular(3, 0.75), DASHED)),
    ("compio", style("#AA4499", "#BE5DAE", Marker::Cross, MIXED)),
];

const fn style(colour: &'static str, dark: &'static str, marker: Marker, dash: &'static str) -> Style {
    Style { colour, dark, marker, dash }
}

/// For what the project does not know: external servers.
const STRANGERS_COLOURS: [(&str, &str); 6] = [
    ("#000000", "#FFFFFF"),
    ("#117733", "#2FA155"),
    ("#AA3377", "#C9628F"),
    ("#997700", "#B08F1A"),
    ("#004488", "#5A8CC4"),
    ("#BB5566", "#CF7080"),
];
const STRANGERS_MARKERS: [Marker; 4] =
    [Marker::Star(4), Marker::Star(6), Marker::Star(3), Marker::Regular(8, 0.0)];
const STRANGERS_DASHES: [&str; 4] = [SOLID, DASHED, DOTTED, MIXED];

/// Returns whether `name` is one of the project's mechanisms.
pub fn is_known(name: &str) -> bool {
    STYLES.iter().any(|(known, _)| *known == name)
}

/// The styles of all that one figure compares.
#[derive(Debug, Default)]
pub struct Styles(Vec<(String, Style)>);

impl Styles {
    /// Gives each of `names` its style.
    ///
    /// A stranger's style comes from its name, so that it is the same in every campaign, unless one named
    /// before it has that already: then it gets the next of those that are used least. Up to four strangers
    /// share neither colour nor marker, up to six no colour.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut styles: Vec<(String, Style)> = Vec::new();
        let mut strangers: Vec<Style> = Vec::new();
        for name in names {
            // A twin is drawn as that of which it is one.
            let own = name.strip_suffix(AGAIN).unwrap_or(name);
            let known = STYLES.iter().find(|(known, _)| *known == own);
            let style = known.map_or_else(|| strangers_style(name, &strangers), |(_, style)| *style);
            if known.is_none() {
                strangers.push(style);
            }
            styles.push((name.to_owned(), style));
        }
        Self(styles)
    }

    /// The rules that give each its colour on a dark ground: what is drawn of it is in a group with its name, and has that group's
    /// colour.
    pub fn rules(&self) -> String {
        let rule = |(name, style): &(String, Style)| {
            // In a string of a style sheet nothing but these ends it or starts something else, and no name needs them.
            let name: String =
                name.chars().filter(|c| !c.is_control() && !"\"\\<>{}&".contains(*c)).collect();
            format!(".{CLASS} [data-mechanism=\"{name}\"]{{color:{}}}", style.dark)
        };
        self.0.iter().map(rule).collect()
    }

    /// The names that have a style.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The style of `name`.
    pub fn get(&self, name: &str) -> Style {
        let given = self.0.iter().find(|(given, _)| given == name);
        given.map_or_else(|| strangers_style(name, &[]), |(_, style)| *style)
    }
}

/// The style that the project does not know `name` by, beside the strangers before it.
fn strangers_style(name: &str, before: &[Style]) -> Style {
    // FNV-1a: stable across builds, unlike the standard library's hasher.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let wish = |shift: u32| usize::try_from((hash >> shift) & 0xffff).unwrap_or(0);
    let (colour, dark) =
        least_used(&STRANGERS_COLOURS, wish(0), before.iter().map(|style| (style.colour, style.dark)));
    style(
        colour,
        dark,
        least_used(&STRANGERS_MARKERS, wish(16), before.iter().map(|style| style.marker)),
        least_used(&STRANGERS_DASHES, wish(32), before.iter().map(|style| style.dash)),
    )
}

/// The choice that `used` has least often; of several, the first from `wish` on.
fn least_used<T: Copy + PartialEq>(choices: &[T], wish: usize, used: impl Iterator<Item = T> + Clone) -> T {
    let from_wish = (0..choices.len()).map(|step| choices[(wish + step) % choices.len()]);
    let uses = |choice: &T| used.clone().filter(|used| used == choice).count();
    from_wish.min_by_key(uses).unwrap_or(choices[0])
}

impl Style {
    /// The attributes of the group that holds all that is drawn of `mechanism`, which has its colour.
    pub fn group(&self, class: &str, mechanism: &str) -> String {
        format!("class=\"{class}\" data-mechanism=\"{}\" color=\"{}\"", escaped(mechanism), self.colour)
    }

    /// The attributes of the line, within the group.
    pub fn stroke(&self) -> String {
        let dash =
            if self.dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{}\"", self.dash) };
        format!("stroke=\"currentColor\" stroke-width=\"2\" stroke-linejoin=\"round\"{dash}")
    }

    /// Draws the marker, within the group; `hollow` marks a point that is not to be trusted in full.
    pub fn draw_marker(&self, svg: &mut Svg, at: (f64, f64), radius: f64, hollow: bool) {
        let fill = if hollow { GROUND.fill() } else { "fill=\"currentColor\"".to_owned() };
        let paint = format!("{fill} stroke=\"currentColor\" stroke-width=\"1.4\"");
        match self.marker {
            Marker::Circle => svg.circle(at, radius, &paint),
            marker => svg.polygon(&corners(marker, at, radius), &paint),
        }
    }
}

/// The contrast ratio of two colours, `#rrggbb`: 1 to 21 (WCAG 2).
#[cfg(test)]
pub fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| {
        let channel = |from: usize| {
            let value = f64::from(u8::from_str_radix(&colour[from..from + 2], 16).expect("#rrggbb")) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
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
    fn every_colour_stands_out_from_its_ground() {
        let known = STYLES.map(|(_, style)| (style.colour, style.dark));
        for (light, dark) in known.into_iter().chain(STRANGERS_COLOURS) {
            assert!(contrast(light, GROUND.light) >= 3.0, "{light}: {}", contrast(light, GROUND.light));
            assert!(contrast(dark, GROUND.dark) >= 4.0, "{dark}: {}", contrast(dark, GROUND.dark));
        }
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    }

    #[test]
    fn colours_differ_on_a_dark_ground_too() {
        for (index, (name, style)) in STYLES.iter().enumerate() {
            assert!(STYLES[index + 1..].iter().all(|(_, other)| other.dark != style.dark), "{name}");
        }
    }

    #[test]
    fn a_hostile_name_cannot_leave_its_rule() {
        let rules = Styles::of(["a\"]{} </style><b>"]).rules();
        assert!(rules.contains("[data-mechanism=\"a] /styleb\"]{color:"), "{rules}");
    }

    #[test]
    fn a_stranger_always_gets_the_same_style_and_never_a_known_colour() {
        let stranger = Styles::of(["go-netpoll"]).get("go-netpoll");
        assert_eq!(stranger, Styles::of(["epoll-lt", "go-netpoll"]).get("go-netpoll"));
        assert!(STYLES.iter().all(|(_, known)| known.colour != stranger.colour));
    }

    #[test]
    fn strangers_of_one_campaign_are_told_apart_by_colour_and_by_marker() {
        // With six colours and four markers, many of these names wish for the same.
        for first in 0..40 {
            let names: Vec<String> = (first..first + 4).map(|number| format!("server-{number}")).collect();
            let styles = Styles::of(names.iter().map(String::as_str));
            for (index, name) in names.iter().enumerate() {
                for other in &names[index + 1..] {
                    assert_ne!(styles.get(name).colour, styles.get(other).colour, "{name} {other}");
                    assert_ne!(styles.get(name).marker, styles.get(other).marker, "{name} {other}");
                }
            }
            assert_eq!(styles.get(&names[0]), Styles::of([names[0].as_str()]).get(&names[0]), "{}", names[0]);
        }
    }
}
