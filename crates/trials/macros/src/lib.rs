//! The attribute `#[test]` of [`trials`](../trials/index.html).

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// A test which `trials` runs, with what it needs: `#[test]`, or `#[test(needs(Program("socat"), ROOT))]` with needs of `trials::need`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match (needs(arguments), name(&item)) {
        (Ok(needs), Ok(name)) => {
            let registered = format!(
                "::trials::submit! {{ ::trials::Test::new(\
                    ::core::module_path!(), ::core::stringify!({name}), {name}, \
                    {{ #[allow(unused_imports)] use ::trials::need::*; &[{needs}] }}) }}"
            );
            [item, registered.parse().expect("an invocation")].into_iter().collect()
        }
        (Err(why), _) | (_, Err(why)) => {
            format!("::core::compile_error!({why:?});").parse().expect("an invocation")
        }
    }
}

/// The list in `needs(…)`; empty without arguments.
fn needs(arguments: TokenStream) -> Result<TokenStream, &'static str> {
    let tokens: Vec<TokenTree> = arguments.into_iter().collect();
    match tokens.as_slice() {
        [] => Ok(TokenStream::new()),
        [TokenTree::Ident(word), TokenTree::Group(list)]
            if word.to_string() == "needs" && list.delimiter() == Delimiter::Parenthesis =>
        {
            Ok(list.stream())
        }
        _ => Err("write #[test] or #[test(needs(…))]"),
    }
}

/// The name of the function; one that libtest would treat in another way is refused.
fn name(item: &TokenStream) -> Result<String, &'static str> {
    let mut tokens = item.clone().into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(attribute)
                if ["should_panic", "ignore"]
                    .iter()
                    .any(|word| attribute.stream().to_string().starts_with(word)) =>
            {
                return Err("trials knows neither #[should_panic] nor #[ignore]");
            }
            TokenTree::Ident(word) if word.to_string() == "fn" => {
                return tokens.next().map(|name| name.to_string()).ok_or("a function has a name");
            }
            _ => {}
        }
    }
    Err("#[test] stands before a function")
}
