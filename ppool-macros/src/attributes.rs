//! Which of a function's attributes stay with its code, and which go to the handle in its place.

use proc_macro2::Ident;
use syn::{Attribute, Meta, Token, parse_quote, punctuated::Punctuated};

/// The attributes of a task's function, by where they belong.
#[derive(Default)]
pub(crate) struct Attributes {
    /// `#[cfg]`: whatever exists only together with the function.
    pub(crate) everywhere: Vec<Attribute>,
    /// What is about the name: documentation, deprecation, lints.
    pub(crate) handle: Vec<Attribute>,
    /// What is about the code: lints and all that is not known here, such as `#[inline]`.
    pub(crate) function: Vec<Attribute>,
    /// Whether the function has documentation.
    pub(crate) is_documented: bool,
    /// The code that is written around a deprecated task may name it.
    pub(crate) allow_deprecated: Option<Attribute>,
}

impl Attributes {
    pub(crate) fn sort(attributes: Vec<Attribute>) -> Self {
        let mut sorted = Attributes::default();
        for (name, attribute) in attributes.into_iter().flat_map(named) {
            match name.as_str() {
                "cfg" => sorted.everywhere.push(attribute),
                "doc" => {
                    sorted.is_documented = true;
                    sorted.handle.push(attribute);
                }
                "deprecated" => {
                    sorted.allow_deprecated = Some(parse_quote!(#[allow(deprecated)]));
                    sorted.handle.push(attribute.clone());
                    sorted.function.push(attribute);
                }
                "allow" | "warn" | "deny" | "forbid" => {
                    sorted.handle.push(attribute.clone());
                    sorted.function.push(attribute);
                }
                _ => sorted.function.push(attribute),
            }
        }
        sorted
    }
}

/// The attribute with its name. One `#[cfg_attr(p, a, b)]` counts as `a` and `b`, each under the
/// condition; `#[expect]` counts as `#[allow]`, since what it expects may show at the handle or in
/// the code, and must not be missed at the other.
fn named(mut attribute: Attribute) -> Vec<(String, Attribute)> {
    let name = match attribute.path().get_ident() {
        Some(ident) => ident.to_string(),
        None => String::new(),
    };
    match (name.as_str(), &mut attribute.meta) {
        ("expect", Meta::List(list)) => {
            list.path = Ident::new("allow", list.path.segments[0].ident.span()).into();
            vec![("allow".to_owned(), attribute)]
        }
        ("cfg_attr", Meta::List(list)) => {
            let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
            let Ok(metas) = list.parse_args_with(parse) else {
                return vec![(name, attribute)];
            };
            let mut metas = metas.into_iter();
            let condition = metas.next();
            let under_condition = |(name, inner): (String, Attribute)| {
                let meta = inner.meta;
                (name, parse_quote!(#[cfg_attr(#condition, #meta)]))
            };
            metas
                .flat_map(|meta| named(parse_quote!(#[#meta])))
                .map(under_condition)
                .collect()
        }
        _ => vec![(name, attribute)],
    }
}
