//! Explanations of the kernel's behaviour, in words, for each claim.

/// The paragraphs, each after a heading with the claim's name.
const TEXT: &str = include_str!("explanations.md");

/// The explanation of the claim called `id`; `None` if it has none.
pub fn of(id: &str) -> Option<String> {
    let sections = TEXT.split("\n## ").skip(1);
    let (_, text) =
        sections.filter_map(|section| section.split_once('\n')).find(|(name, _)| name.trim() == id)?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The names of the claims that are explained.
pub fn ids() -> impl Iterator<Item = &'static str> {
    TEXT.split("\n## ").skip(1).filter_map(|section| Some(section.lines().next()?.trim()))
}
