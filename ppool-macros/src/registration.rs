//! What a task and a callable object have in common: the entry in the registry, and the lanes of the
//! arguments and the result.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use crate::{args::Options, parameter::Parameter};

/// What they are made of.
pub(crate) struct Registration<'a> {
    /// The type that implements `Task`.
    pub(crate) task: TokenStream,
    /// Where the user wrote it.
    pub(crate) place: Span,
    /// An expression: the name when the options give none.
    pub(crate) default_name: TokenStream,
    pub(crate) options: &'a Options,
    /// The signature as text: part of what parent and worker compare.
    pub(crate) signature: String,
    pub(crate) parameters: &'a [Parameter],
    /// The type of the result.
    pub(crate) output: TokenStream,
    /// The same, where the compiler shall point when it can't travel.
    pub(crate) output_travels: Option<TokenStream>,
    /// The path of the plain function.
    pub(crate) function: TokenStream,
    /// Whether it gives a future of the result.
    pub(crate) is_async: bool,
}

impl Registration<'_> {
    /// The arguments' types as they travel.
    pub(crate) fn owned(&self) -> impl Iterator<Item = TokenStream> {
        self.parameters.iter().map(Parameter::owned)
    }

    /// The functions that `Task` and `TaskObject` both have: `entry`, `lanes`, `output_lane`.
    pub(crate) fn functions(&self) -> TokenStream {
        let invoke = self.invoke();
        let entry = self.entry();
        let lanes = self.lanes();
        let output = &self.output;
        let output_lane = lane(output);
        let output_check = self.output_travels.as_ref().map(check);
        quote! {
            fn entry() -> &'static ::ppool::__private::TaskEntry {
                #invoke

                #[::ppool::__private::linkme::distributed_slice(::ppool::__private::TASKS)]
                #[linkme(crate = ::ppool::__private::linkme)]
                static ENTRY: ::ppool::__private::TaskEntry = #entry;

                &ENTRY
            }

            #lanes

            #[inline]
            fn output_lane() -> ::ppool::__private::Lane<#output> {
                #output_check
                #output_lane
            }
        }
    }

    fn lanes(&self) -> TokenStream {
        if self.parameters.is_empty() {
            return quote!(
                #[inline]
                fn lanes() {}
            );
        }
        let types = self.owned();
        let lanes = self.owned().map(lane);
        let checks = self
            .parameters
            .iter()
            .filter_map(Parameter::travels)
            .map(check);
        quote! {
            #[inline]
            fn lanes() -> (#(::ppool::__private::Lane<#types>,)*) {
                #(#checks)*
                (#(#lanes,)*)
            }
        }
    }

    /// `fn invoke`: from bytes to bytes, in the worker.
    ///
    /// Its variables have names that no user gives to a task: a unit struct's name can't be bound.
    fn invoke(&self) -> TokenStream {
        let Registration { task, function, .. } = self;
        let decode = self
            .parameters
            .iter()
            .enumerate()
            .map(|(index, p)| p.decode(index));
        let arguments: Vec<_> = (0..self.parameters.len())
            .map(|index| format_ident!("__argument_{index}"))
            .collect();
        let pass = self
            .parameters
            .iter()
            .zip(&arguments)
            .map(|(parameter, name)| parameter.pass(name));
        let call = match self.is_async {
            true => quote!(::ppool::__private::block_on(#function(#(#pass),*))),
            false => quote!(#function(#(#pass),*)),
        };
        quote! {
            #[inline(always)]
            fn invoke(
                __call: &mut ::ppool::__private::Invocation<'_>,
            ) -> ::std::result::Result<(), ::ppool::__private::InvokeError> {
                let __lanes = <#task as ::ppool::__private::Task>::lanes();
                #(let #arguments = #decode?;)*
                __call.run();
                let __result = #call;
                __call.result(&<#task as ::ppool::__private::Task>::output_lane(), &__result)
            }

            fn invoke_each(
                __calls: &mut ::ppool::__private::Invocations<'_>,
            ) -> ::std::result::Result<(), ::ppool::__private::InvokeError> {
                __calls.each(invoke)
            }
        }
    }

    /// The value of the registry's entry.
    fn entry(&self) -> TokenStream {
        let task = &self.task;
        let signature = &self.signature;
        let names = self.parameters.iter().map(|parameter| &parameter.name);
        let name = match &self.options.name {
            Some(name) => quote!(#name),
            None => self.default_name.clone(),
        };
        let location = quote_spanned! {self.place=>
            ::core::concat!(::core::file!(), ":", ::core::line!())
        };
        let timeout = self.options.timeout.map(|timeout| {
            let (seconds, rest) = (timeout.as_secs(), timeout.subsec_nanos());
            quote!(.with_timeout(::core::time::Duration::new(#seconds, #rest)))
        });
        let retries = self
            .options
            .retries
            .map(|retries| quote!(.with_retries(#retries)));
        quote! {
            ::ppool::__private::TaskEntry::new(
                #name,
                #signature,
                #location,
                &[#(#names),*],
                invoke,
                ::ppool::__private::hook,
            )
            .with_several(::ppool::__private::Form::of::<#task>, invoke_each)
            #timeout
            #retries
        }
    }
}

/// An expression: the lane by which values of type `ty` travel.
fn lane(ty: impl ToTokens) -> TokenStream {
    quote! {{
        #[allow(unused_imports, reason = "which of them is used depends on the type")]
        use ::ppool::__private::{
            ByCbor as _, ByNothing as _, ByPlainSlice as _, ByPlainValue as _, ByRaw as _,
        };
        (&&&&::ppool::__private::Probe::<#ty>::new()).lane()
    }}
}

/// Makes the compiler say in our words, at the user's type, that it can't travel.
fn check(ty: impl ToTokens) -> TokenStream {
    quote!(const _: () = <#ty as ::ppool::__private::Travels>::CHECK;)
}
