//! Writing SVG by hand, with coordinates rounded so that the same data give the same bytes.
//!
//! plotters would have drawn the lines, but not what makes these figures readable: its logarithmic ticks
//! are its own choice rather than 1, 2 and 5, a dashed line is a hundred short ones, and it leaves
//! neither groups nor titles in the file, which a page needs to toggle a mechanism and to show a value.

use std::fmt::Write as _;

/// The embedded font first, for pictures; what a browser has in its place after it.
const FONT_FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// The colour of text.
pub const INK: &str = "#222222";
/// The colour of what is secondary: captions, axes.
pub const QUIET_INK: &str = "#595959";

/// An SVG document under construction.
#[derive(Debug)]
pub struct Svg {
    out: String,
    depth: usize,
}

/// Where a text stands relative to its position.
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
    pub colour: &'a str,
}

impl<'a> Text<'a> {
    /// Plain text that starts at its position.
    pub fn new(content: &'a str, size: f64) -> Self {
        Self { content, size, anchor: Anchor::Start, bold: false, colour: INK }
    }

    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub fn quiet(self) -> Self {
        Self { colour: QUIET_INK, ..self }
    }

    pub fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

impl Svg {
    /// An empty picture with a white ground, in pixels; `title` is what a screen reader says.
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self { out: String::new(), depth: 0 };
        svg.open(&format!(
            "svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONT_FAMILY}\" role=\"img\""
        ));
        svg.line(&format!("<title>{}</title>", escaped(title)));
        svg.line("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
        svg
    }

    /// Ends the picture.
    pub fn finish(mut self) -> String {
        self.close("svg");
        self.out
    }

    /// Opens a group with the attributes given.
    pub fn open_group(&mut self, attributes: &str) {
        self.open(&format!("g {attributes}"));
    }

    /// Closes the group opened last.
    pub fn close_group(&mut self) {
        self.close("g");
    }

    /// One element, written as it is.
    pub fn element(&mut self, element: &str) {
        self.line(element);
    }

    /// A straight line; `attributes` give its stroke.
    pub fn segment(&mut self, from: (f64, f64), to: (f64, f64), attributes: &str) {
        self.line(&format!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {attributes}/>",
            coordinate(from.0),
            coordinate(from.1),
            coordinate(to.0),
            coordinate(to.1)
        ));
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
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"{weight}>{}</text>",
            coordinate(position.0),
            coordinate(position.1),
            text.size,
            text.colour,
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
    positions
        .iter()
        .map(|(x, y)| format!("{},{}", coordinate(*x), coordinate(*y)))
        .collect::<Vec<_>>()
        .join(" ")
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
}
