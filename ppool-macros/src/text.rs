//! Tokens as people write them.

use quote::ToTokens;

/// The text of `tokens`, on one line and without the spaces that nobody writes.
pub(crate) fn readable(tokens: impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        (" ::", "::"),
        (":: ", "::"),
        (" :", ":"),
        (" ,", ","),
        (" ;", ";"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" (", "("),
        (",(", ", ("),
        (":(", ": ("),
        (">(", "> ("),
    ] {
        text = text.replace(from, to);
    }
    text
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn types_and_signatures_read_as_written() {
        for (tokens, text) in [
            (quote!(fn f()), "fn f()"),
            (
                quote!(fn f(text: &str, (a, _): (u8, [u64; 4]), v: &[Vec<u8>]) -> Result<(), a::E>),
                "fn f(text: &str, (a, _): (u8, [u64; 4]), v: &[Vec<u8>]) -> Result<(), a::E>",
            ),
            (quote!(fn f(x: u8) -> (u8, u8)), "fn f(x: u8) -> (u8, u8)"),
            (quote!(<A as B<u8>>::C), "<A as B<u8>>::C"),
        ] {
            assert_eq!(readable(tokens), text);
        }
    }
}
