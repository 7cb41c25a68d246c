//! Text in a table that a spreadsheet may open.

use std::borrow::Cow;

/// Characters by which spreadsheets tell a formula; some pass over white space in front of it.
const BEGIN_A_FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n'];

/// `text` as a field that no spreadsheet takes for a formula: an apostrophe goes before what would begin one. Only for what others have
/// named: a number may be negative.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    match text.trim_start_matches(' ').starts_with(BEGIN_A_FORMULA) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_formula_has_an_apostrophe_before_it_and_nothing_else_has() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        for plain in ["epoll-lt", "127.0.0.1:7777", "unix:/a=b", "", "naïve µs", "'=1"] {
            assert_eq!(text(plain), plain);
        }
    }
}
