//! Pages as templates, each with the words of its page, which stand in `report/templates`. Nothing is computed in them.

use minijinja::value::Value;
use minijinja::{Environment, Error, HtmlEscape, UndefinedBehavior};

/// The files of `report/templates` that are part of the program, by name.
macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../templates/", $name)))),+]
    };
}

/// Those whose name ends with `.html` escape whatever is put into them.
const TEMPLATES: [(&str, &str); 8] = embedded![
    "claims.md.jinja",
    "claims.txt.jinja",
    "page.html",
    "parts.html",
    "reproductions.md.jinja",
    "reproductions.txt.jinja",
    "semantics.md.jinja",
    "semantics.txt.jinja",
];

/// The template `name` with what `context` has in its places.
pub(crate) fn filled(name: &str, context: Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(!name.ends_with(".html"));
    // A name that is misspelt in a template is an error, and not an empty place.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("prose", prose);
    environment.add_filter("escaped", escaped);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    environment.get_template(name)?.render(context)
}

/// The same of a text.
///
/// # Panics
///
/// When the template fails, which is a defect of this crate.
pub(crate) fn text(name: &str, context: Value) -> String {
    filled(name, context).unwrap_or_else(|error| panic!("{name}: {error:#}"))
}

/// Text from outside in which what stands between backticks is code.
fn prose(text: &str) -> Value {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = HtmlEscape(part).to_string();
        out += &if index % 2 == 1 { format!("<code>{part}</code>") } else { part };
    }
    Value::from_safe_string(out)
}

/// Text from outside in Markdown, so that it cannot end a table cell or start markup.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if "|*_`[]<\\".contains(character) {
            out.push('\\');
        }
        out.push(if character == '\n' { ' ' } else { character });
    }
    out
}
