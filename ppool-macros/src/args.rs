//! The options in `#[task(..)]`.

use std::time::Duration;

use proc_macro2::Ident;
use syn::{
    Error, Expr, Lit, LitStr, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

use crate::duration;

/// What `#[task(name = "..", timeout = "..", retries = ..)]` says.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Options::default();
        while !input.is_empty() {
            options.parse_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn parse_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(
                "expected an option: `name = \"..\"`, `timeout = \"30s\"` or `retries = 2`",
            ));
        }
        let key = Ident::parse_any(input)?;
        match key.to_string().as_str() {
            "name" => set(&mut self.name, &key, input, name),
            "timeout" => set(&mut self.timeout, &key, input, timeout),
            "retries" => set(&mut self.retries, &key, input, retries),
            _ => Err(Error::new_spanned(
                &key,
                format!("a task has no option `{key}`: it has `name`, `timeout` and `retries`"),
            )),
        }
    }
}

fn set<T>(
    option: &mut Option<T>,
    key: &Ident,
    input: ParseStream<'_>,
    read: fn(&Expr) -> Result<T>,
) -> Result<()> {
    if option.is_some() {
        return Err(Error::new_spanned(key, format!("`{key}` is there twice")));
    }
    if !input.peek(Token![=]) {
        return Err(Error::new_spanned(
            key,
            format!("`{key}` needs a value: `{key} = ..`"),
        ));
    }
    input.parse::<Token![=]>()?;
    *option = Some(read(&input.parse()?)?);
    Ok(())
}

fn name(value: &Expr) -> Result<LitStr> {
    match literal(value) {
        Some(Lit::Str(name)) if name.value().is_empty() => {
            Err(Error::new_spanned(value, "a task's name can't be empty"))
        }
        Some(Lit::Str(name)) => Ok(name.clone()),
        _ => Err(Error::new_spanned(
            value,
            "`name` takes a string literal, as in `name = \"resize\"`",
        )),
    }
}

fn timeout(value: &Expr) -> Result<Duration> {
    match literal(value) {
        Some(Lit::Str(text)) => {
            duration::parse(&text.value()).map_err(|sentence| Error::new_spanned(value, sentence))
        }
        _ => Err(Error::new_spanned(
            value,
            "`timeout` takes a string literal with a unit, as in `timeout = \"30s\"`",
        )),
    }
}

fn retries(value: &Expr) -> Result<u32> {
    let number = match literal(value) {
        Some(Lit::Int(number)) => number.base10_parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| {
        Error::new_spanned(
            value,
            "`retries` takes a whole number from 0 to 4294967295, as in `retries = 2`",
        )
    })
}

/// The literal that `value` is; one that a `macro_rules!` passed on stands in a group.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(value) => Some(&value.lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}
