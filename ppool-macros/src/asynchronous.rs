//! `#[task] async fn`: the function as one that can be named, since the type of its future can't.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Lifetime;

use crate::signature::Signature;

/// A function that boxes the future of an async function. It is what the handle derefs to, so that
/// `fetch(url).await` calls the task here.
pub(crate) struct Boxed<'a> {
    signature: &'a Signature,
    /// The handle, and the async function, which has the same name.
    handle: &'a Ident,
    /// The lifetime of all that is borrowed, the future included; none when nothing is.
    lifetime: Option<Lifetime>,
}

impl<'a> Boxed<'a> {
    pub(crate) fn of(signature: &'a Signature, handle: &'a Ident) -> Self {
        let borrows = signature.parameters.iter().any(|p| p.is_borrowed());
        Boxed {
            signature,
            handle,
            lifetime: borrows.then(|| Lifetime::new("'__call", Span::call_site())),
        }
    }

    /// The type of its pointer.
    pub(crate) fn pointer(&self) -> TokenStream {
        let (types, future) = (self.types(), self.future());
        let quantifier = self
            .lifetime
            .as_ref()
            .map(|lifetime| quote!(for<#lifetime>));
        quote!(#quantifier fn(#(#types),*) -> #future)
    }

    /// The async function with it, hidden in an `impl` of the handle, and its path there. (Why in
    /// two ways, `plain_function` says.)
    pub(crate) fn function(
        &self,
        function: &TokenStream,
        binds_own_name: bool,
    ) -> (TokenStream, TokenStream) {
        let handle = self.handle;
        if binds_own_name {
            let (pointer, boxed) = (self.pointer(), self.boxed(&quote!(#handle)));
            let item = quote! {
                impl #handle {
                    const FUNCTION: #pointer = {
                        #function
                        #boxed
                        __boxed
                    };
                }
            };
            (item, quote!(#handle::FUNCTION))
        } else {
            let boxed = self.boxed(&quote!(#handle::#handle));
            let item = quote! {
                impl #handle {
                    #function
                    #boxed
                }
            };
            (item, quote!(#handle::__boxed))
        }
    }

    fn boxed(&self, function: &TokenStream) -> TokenStream {
        let (types, future) = (self.types(), self.future());
        let generics = self.lifetime.as_ref().map(|lifetime| quote!(<#lifetime>));
        let arguments: Vec<_> = (0..self.signature.parameters.len())
            .map(|index| format_ident!("__argument_{index}"))
            .collect();
        // At the user's function, so that a complaint about a future that is not `Send` is too.
        let body = quote_spanned! {self.handle.span()=>
            ::std::boxed::Box::pin(#function(#(#arguments),*))
        };
        quote! {
            fn __boxed #generics(#(#arguments: #types),*) -> #future {
                #body
            }
        }
    }

    fn types(&self) -> Vec<TokenStream> {
        let parameters = self.signature.parameters.iter();
        parameters
            .map(|parameter| parameter.borrowed_for(self.lifetime.as_ref()))
            .collect()
    }

    fn future(&self) -> TokenStream {
        let output = self.signature.output.ty();
        let lifetime = self.lifetime.as_ref().map(|lifetime| quote!(+ #lifetime));
        quote! {
            ::std::pin::Pin<::std::boxed::Box<
                dyn ::std::future::Future<Output = #output> + ::std::marker::Send #lifetime
            >>
        }
    }
}
