//! The `#[task]` attribute and the `closure!` macro of ppool. Use them through the crate `ppool`.
//!
//! ```text
//!  lib ──► expand ──┬─► function ◄── closure     parse: args, duration
//!                   │      └─► asynchronous
//!                   └─► callable                 check: signature, parameter
//!                          └─► registration      sort:  attributes
//! ```
//!
//! Whether a type can travel is asked of the compiler, at the user's own spans; all else is refused
//! here, in one sentence each. The expansion names `::ppool::__private` only.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod args;
mod asynchronous;
mod attributes;
mod callable;
mod closure;
mod duration;
mod expand;
mod function;
mod parameter;
mod registration;
mod signature;
mod text;

#[doc = include_str!("../doc/task.md")]
#[proc_macro_attribute]
pub fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(args.into(), item.into()).into()
}

#[doc = include_str!("../doc/closure.md")]
#[proc_macro]
pub fn closure(input: TokenStream) -> TokenStream {
    expand::closure(input.into()).into()
}
