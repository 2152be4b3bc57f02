//! From what the compiler hands over to what it gets back, errors included.

use proc_macro2::{Span, TokenStream};
use syn::{Error, Item};

use crate::{args::Options, callable, function};

/// `#[task(args)] item`.
pub(crate) fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    // A mistake in the options is no reason to withhold the task: one error is enough.
    let (options, errors) = match syn::parse2::<Options>(args) {
        Ok(options) => (options, TokenStream::new()),
        Err(error) => (Options::default(), error.into_compile_error()),
    };
    let expanded = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(item)) => function::expand(item, &options),
        Ok(Item::Impl(item)) if callable::is_callable(&item) => callable::expand(&item, &options),
        Ok(_) => Err(Error::new(
            Span::call_site(),
            "`#[task]` goes on a function or on `impl Callable for ..`",
        )),
        Err(error) => Err(error),
    };
    // What is refused stays as it was, so that its other uses don't become errors too.
    let expanded = expanded.unwrap_or_else(|error| {
        let mut refused = error.into_compile_error();
        refused.extend(item);
        refused
    });
    errors.into_iter().chain(expanded).collect()
}

/// `closure!(input)`.
pub(crate) fn closure(input: TokenStream) -> TokenStream {
    crate::closure::expand(input).unwrap_or_else(Error::into_compile_error)
}
