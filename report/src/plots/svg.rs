//! Writing SVG by hand, with coordinates rounded so that the same data give the same bytes.
//!
//! plotters would have drawn the lines, but not what makes these figures readable: its logarithmic ticks
//! are its own choice rather than 1, 2 and 5, a dashed line is a hundred short ones, and it leaves
//! neither groups nor titles in the file, which a page needs to toggle a mechanism and to show a value.

use std::fmt::Write as _;

use super::layout::Area;

/// The embedded font first, for pictures; what a browser has in its place after it.
const FONT_FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// The ground of every figure, and of a hollow marker.
pub const GROUND: Paint = Paint { class: "ground", light: "#ffffff", dark: "#111111" };
/// Text.
const INK: Paint = Paint { class: "ink", light: "#222222", dark: "#ececec" };
/// Text that is secondary: captions, the labels of ticks.
const QUIET: Paint = Paint { class: "quiet", light: "#595959", dark: "#b4b4b4" };
/// The line at the foot of a plot, and lines with a meaning.
pub const FRAME: Paint = Paint { class: "frame", light: "#767676", dark: "#8f8f8f" };
/// The ruling at a tick with a label.
const GRID: Paint = Paint { class: "grid", light: "#d9d9d9", dark: "#3a3a3a" };
/// The ruling at one without.
const FAINT: Paint = Paint { class: "faint", light: "#efefef", dark: "#242424" };

/// The paints of fills; those of strokes follow.
const FILLED: [Paint; 3] = [GROUND, INK, QUIET];
const STROKED: [Paint; 3] = [FRAME, GRID, FAINT];

/// A colour on a light and on a dark ground.
///
/// The attributes in the file are the light one, which pictures are rendered from. A browser that prefers dark takes the other from the
/// style sheet: resvg passes over rules for media.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// The class of the elements that have it.
    class: &'static str,
    /// `#rrggbb`.
    pub light: &'static str,
    /// `#rrggbb`.
    pub dark: &'static str,
}

impl Paint {
    /// The attributes of what is filled with it.
    pub fn fill(&self) -> String {
        format!("class=\"{}\" fill=\"{}\"", self.class, self.light)
    }

    /// The attributes of a line of it, one pixel wide.
    pub fn stroke(&self) -> String {
        format!("class=\"{}\" stroke=\"{}\" stroke-width=\"1\"", self.class, self.light)
    }
}

/// An SVG document under construction.
#[derive(Debug)]
pub struct Svg {
    out: String,
    depth: usize,
}

/// The part of a text that is at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    pub content: &'a str,
    pub size: f64,
    pub anchor: Anchor,
    pub bold: bool,
    paint: Paint,
}

impl<'a> Text<'a> {
    /// Plain text that starts at its position.
    pub fn new(content: &'a str, size: f64) -> Self {
        Self { content, size, anchor: Anchor::Start, bold: false, paint: INK }
    }

    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub fn quiet(self) -> Self {
        Self { paint: QUIET, ..self }
    }

    pub fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

impl Svg {
    /// An empty picture, in pixels. `name` is the figure's, `title` and `description` are what a screen reader says, `rules` are
    /// further rules for a dark ground.
    ///
    /// Several figures stand in one page: nothing has an id, and every rule is about figures of this kind alone.
    pub fn new(name: &str, (width, height): (f64, f64), title: &str, description: &str, rules: &str) -> Self {
        let mut svg = Self { out: String::new(), depth: 0 };
        svg.open(&format!(
            "svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{CLASS}\" data-figure=\"{}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONT_FAMILY}\" role=\"img\"",
            escaped(name)
        ));
        svg.line(&format!("<title>{}</title>", escaped(title)));
        svg.line(&format!("<desc>{}</desc>", escaped(description)));
        svg.line(&format!("<style>{}{rules}}}</style>", style()));
        svg.line(&format!("<rect width=\"100%\" height=\"100%\" {}/>", GROUND.fill()));
        svg
    }

    /// Ends the picture.
    pub fn finish(mut self) -> String {
        self.close("svg");
        self.out
    }

    /// A group with the attributes given, and in it what `draw` draws.
    pub fn group(&mut self, attributes: &str, draw: impl FnOnce(&mut Self)) {
        self.open(&format!("g {attributes}"));
        draw(self);
        self.close("g");
    }

    /// A group that says `hover` where the pointer of a browser is over it.
    pub fn titled(&mut self, attributes: &str, hover: &str, draw: impl FnOnce(&mut Self)) {
        self.group(attributes, |svg| {
            svg.line(&format!("<title>{}</title>", escaped(hover)));
            draw(svg);
        });
    }

    /// The same of something that was measured.
    pub fn point(&mut self, hover: &str, draw: impl FnOnce(&mut Self)) {
        self.titled("class=\"point\"", hover, draw);
    }

    /// A rectangle.
    pub fn rect(&mut self, area: Area, attributes: &str) {
        let [x, y] = [area.left, area.top].map(coordinate);
        let [width, height] = [area.width(), area.bottom - area.top].map(coordinate);
        self.line(&format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {attributes}/>"));
    }

    /// A disc.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, attributes: &str) {
        let [x, y, radius] = [x, y, radius].map(coordinate);
        self.line(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {attributes}/>"));
    }

    /// A straight line; `attributes` give its stroke.
    pub fn segment(&mut self, from: (f64, f64), to: (f64, f64), attributes: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(coordinate);
        self.line(&format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {attributes}/>"));
    }

    /// A line through several positions, without fill.
    pub fn polyline(&mut self, positions: &[(f64, f64)], attributes: &str) {
        self.line(&format!("<polyline points=\"{}\" fill=\"none\" {attributes}/>", pairs(positions)));
    }

    /// A filled shape.
    pub fn polygon(&mut self, positions: &[(f64, f64)], attributes: &str) {
        self.line(&format!("<polygon points=\"{}\" {attributes}/>", pairs(positions)));
    }

    /// A line of text at `position`, its baseline there.
    pub fn text(&mut self, position: (f64, f64), text: Text<'_>) {
        let anchor = match text.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if text.bold { " font-weight=\"bold\"" } else { "" };
        self.line(&format!(
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{anchor}\" {}{weight}>{}</text>",
            coordinate(position.0),
            coordinate(position.1),
            text.size,
            text.paint.fill(),
            escaped(text.content)
        ));
    }

    fn open(&mut self, tag: &str) {
        self.line(&format!("<{tag}>"));
        self.depth += 1;
    }

    fn close(&mut self, tag: &str) {
        self.depth -= 1;
        self.line(&format!("</{tag}>"));
    }

    fn line(&mut self, content: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.out, "{:width$}{content}", "", width = self.depth * 2);
    }
}

/// The attributes of the ruling at a tick.
pub fn ruling(is_labelled: bool) -> String {
    if is_labelled { GRID.stroke() } else { FAINT.stroke() }
}

/// The class of every figure.
pub const CLASS: &str = "muxbench-figure";

/// The beginning of the rules for a dark ground; paper stays light.
fn style() -> String {
    let rule = |property: &'static str| {
        move |paint: Paint| format!(".{CLASS} .{}{{{property}:{}}}", paint.class, paint.dark)
    };
    let rules = FILLED.map(rule("fill")).concat() + &STROKED.map(rule("stroke")).concat();
    format!("@media screen and (prefers-color-scheme:dark){{{rules}")
}

/// A coordinate to a tenth of a pixel: the last bits of a logarithm, which differ between machines,
/// must not reach the file.
pub fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text as it may stand in XML. Characters that XML forbids become a replacement character.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}')
            }
            character => out.push(character),
        }
    }
    out
}

fn pairs(positions: &[(f64, f64)]) -> String {
    let pair = |(x, y): &(f64, f64)| format!("{},{}", coordinate(*x), coordinate(*y));
    positions.iter().map(pair).collect::<Vec<_>>().join(" ")
}

/// The width of a text in the embedded font, in pixels, a little generous: a browser without that font
/// takes another.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let em: f64 = text
        .chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | '\'' | '|' => 0.29,
            ' ' | ',' | '.' | ':' | ';' | '·' => 0.33,
            'f' | 't' | 'r' | 'I' | '(' | ')' | '-' | '/' => 0.40,
            'm' | 'W' | 'M' | '%' | '—' => 0.98,
            'w' | '×' | '±' | '≥' | '≤' | '=' | '+' => 0.84,
            'A'..='Z' => 0.71,
            _ => 0.63,
        })
        .sum();
    em * size * if bold { 1.11 } else { 1.0 }
}

/// A text cut to at most `limit` pixels, an ellipsis in the place of what is gone.
pub fn shortened(text: &str, size: f64, bold: bool, limit: f64) -> String {
    if width(text, size, bold) <= limit {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    let with_ellipsis = |kept: &[char]| kept.iter().collect::<String>().trim_end().to_owned() + "…";
    while kept.len() > 1 && width(&with_ellipsis(&kept), size, bold) > limit {
        kept.pop();
    }
    with_ellipsis(&kept)
}

/// Breaks a text at spaces into lines of at most `limit` pixels.
pub fn wrapped(text: &str, size: f64, bold: bool, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, bold) <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::style;

    #[test]
    fn coordinates_are_short_and_rounded() {
        assert_eq!(coordinate(1.0), "1");
        assert_eq!(coordinate(-0.01), "0");
        assert_eq!(coordinate(1.0 / 3.0), "0.3");
    }

    #[test]
    fn text_cannot_break_the_file() {
        assert_eq!(escaped("a<b> & \"c\"\u{1}\n"), "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd} ");
    }

    #[test]
    fn lines_are_broken_at_spaces_and_lose_no_word() {
        let lines = wrapped("one two three four", 12.0, false, 60.0);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), "one two three four");
        assert!(wrapped("", 12.0, false, 60.0).is_empty());
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_says_so() {
        assert_eq!(shortened("short", 12.0, false, 100.0), "short");
        let cut = shortened("much too long for that", 12.0, false, 60.0);
        assert!(cut.ends_with('…') && width(&cut, 12.0, false) <= 60.0 && cut.starts_with("muc"), "{cut}");
    }

    #[test]
    fn text_and_lines_stand_out_from_both_grounds() {
        for (paint, least) in [(INK, 7.0), (QUIET, 4.5), (FRAME, 3.0)] {
            assert!(style::contrast(paint.light, GROUND.light) >= least, "{}", paint.class);
            assert!(style::contrast(paint.dark, GROUND.dark) >= least, "{}", paint.class);
        }
    }
}
