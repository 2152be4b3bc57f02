//! `#[task] impl Callable for Job`: a value that can be called.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ImplItem, ItemImpl, Result, Type, spanned::Spanned};

use crate::{
    args::Options, attributes::Attributes, parameter::Parameter, registration::Registration,
    signature::Refusals, text::readable,
};

/// Whether it is an implementation of `Callable`.
pub(crate) fn is_callable(item: &ItemImpl) -> bool {
    item.trait_
        .as_ref()
        .and_then(|(path, _)| path.segments.last())
        .is_some_and(|last| last.ident == "Callable")
}

/// The implementation as it is, and what makes a task object of the job.
pub(crate) fn expand(item: &ItemImpl, options: &Options) -> Result<TokenStream> {
    let mut refusals = Refusals::default();
    refusals.generics(&item.generics);
    let job = &*item.self_ty;
    let parameter = refusals.take(Parameter::by_value("self", job));
    refusals.into_result()?;
    let parameters: Vec<_> = parameter.into_iter().collect();

    let cfg = Attributes::sort(item.attrs.clone()).everywhere;
    let name: String = job
        .to_token_stream()
        .to_string()
        .split_whitespace()
        .collect();
    let task = quote!(::ppool::__private::ObjectTask<#job>);
    let output_text = output_type(item).map_or_else(String::new, readable);
    let output = quote!(<#job as ::ppool::__private::Callable>::Output);
    let functions = Registration {
        task: task.clone(),
        place: job.span(),
        default_name: quote!(::core::concat!(::core::module_path!(), "::", #name)),
        options,
        signature: format!("fn call(self: {name}) -> {}", output_text),
        parameters: &parameters,
        output: output.clone(),
        output_travels: output_type(item).map(|ty| spanned_like(ty, job)),
        function: quote!(<#job as ::ppool::__private::Callable>::call),
        is_async: false,
    }
    .functions();
    Ok(quote! {
        #item

        #(#cfg)*
        #[automatically_derived]
        impl ::ppool::__private::TaskObject for #job {
            type Task = #task;

            #[inline]
            fn task() -> #task {
                ::ppool::__private::ObjectTask::new()
            }

            #functions
        }
    })
}

fn output_type(item: &ItemImpl) -> Option<&Type> {
    item.items.iter().find_map(|item| match item {
        ImplItem::Type(item) if item.ident == "Output" => Some(&item.ty),
        _ => None,
    })
}

/// The job's output in words that mean the same anywhere (`Self` doesn't), but for the compiler's
/// messages it lies where `written` does.
fn spanned_like(written: &Type, job: &Type) -> TokenStream {
    let tokens: Vec<TokenTree> = written.to_token_stream().into_iter().collect();
    let start = tokens.first().map_or_else(Span::call_site, TokenTree::span);
    let end = tokens.last().map_or_else(Span::call_site, TokenTree::span);
    let mut output = quote_spanned!(start=> <);
    output.extend(quote!(#job as ::ppool::__private::Callable>::));
    output.extend(quote_spanned!(end=> Output));
    output
}
