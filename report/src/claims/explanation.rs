//! Why the kernel behaves so, in words, for each claim.

/// The paragraphs, each after a heading with the claim's name.
const TEXT: &str = include_str!("explanations.md");

/// What explains the claim called `id`; `None` of a claim that nobody explained.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::cost;

    #[test]
    fn every_claim_about_cost_is_explained_and_the_kernels_source_named() {
        let explained: Vec<&str> = ids().take(cost::ALL.len()).collect();
        assert_eq!(explained, cost::ALL.iter().map(|claim| claim.id).collect::<Vec<_>>());
        for id in explained {
            let text = of(id).unwrap_or_default();
            assert!([".c", ".h"].iter().any(|file| text.contains(file)), "{id} names no source: {text}");
        }
    }
}
