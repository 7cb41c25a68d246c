//! Commands that a user can paste into a shell.

use std::borrow::Cow;
use std::path::Path;

/// The command of `words`, each quoted where a shell would not take it as it stands.
pub fn command<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The path as a word of a command.
pub fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy()).into_owned()
}

fn quoted(word: &str) -> Cow<'_, str> {
    // Commas and percent signs mean nothing outside braces; shlex quotes them, and lists of names are easier to read without.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,%+@".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => Cow::Borrowed(word),
        false => shlex::try_quote(word).expect("no argument and no path holds a zero byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_shares_and_paths_stay_as_they_are() {
        let words = ["muxbench", "run", "--active", "1,5%", "./out/a-b_c.toml"];
        assert_eq!(command(words), "muxbench run --active 1,5% ./out/a-b_c.toml");
        assert_eq!(path(Path::new("my results/it's")), r#""my results/it's""#);
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_words_that_were_written(words in prop::collection::vec("[^\\x00]{0,12}", 1..6)) {
            let line = command(words.iter().map(String::as_str));
            prop_assert_eq!(shlex::split(&line), Some(words));
        }
    }
}
