//! `#[task]` on a function: the function itself, and the handle in its place.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Block, ItemFn, PatIdent, Result,
    ext::IdentExt,
    visit::{self, Visit},
};

use crate::{
    args::Options, asynchronous::Boxed, attributes::Attributes, registration::Registration,
    signature::Signature, text::readable,
};

/// A `#[task]` function, checked, with all that stands in its place.
pub(crate) fn expand(mut item: ItemFn, options: &Options) -> Result<TokenStream> {
    let signature = Signature::of(&item.sig)?;
    item.sig.constness = None;
    let name = item.sig.ident.unraw().to_string();
    let default_name = quote!(::core::concat!(::core::module_path!(), "::", #name));
    let text = readable(&item.sig);
    Ok(expand_checked(
        item,
        &signature,
        options,
        default_name,
        text,
    ))
}

/// A function whose signature was checked. `text` is the signature for people to read.
pub(crate) fn expand_checked(
    item: ItemFn,
    signature: &Signature,
    options: &Options,
    default_name: TokenStream,
    text: String,
) -> TokenStream {
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = item;
    let attributes = Attributes::sort(attrs);
    let Attributes {
        everywhere,
        handle: handle_attributes,
        function: function_attributes,
        allow_deprecated,
        ..
    } = &attributes;
    let documentation = attributes.is_documented.then(|| {
        let note = format!("\n\nThis is a task, made of\n```text\n{text}\n```");
        quote!(#[doc = #note])
    });
    let handle = &sig.ident;
    let output = signature.output.ty();
    let function = quote!(#(#function_attributes)* #sig #block);
    let binds_own_name = binds_own_name(&sig, &block);
    let (pointer, plain, path) = if signature.is_async {
        let boxed = Boxed::of(signature, handle);
        let (plain, path) = boxed.function(&function, binds_own_name);
        (boxed.pointer(), plain, path)
    } else {
        let types = signature.parameters.iter().map(|parameter| &parameter.ty);
        let pointer = quote!(fn(#(#types),*) -> #output);
        let (plain, path) = plain_function(handle, &function, &pointer, binds_own_name);
        (pointer, plain, path)
    };
    // At the user's function, so that a complaint about a private type in a public one is too.
    let associated = |name: &str, ty: TokenStream| {
        let name = Ident::new(name, handle.span());
        quote_spanned!(handle.span()=> type #name = #ty;)
    };
    let target = associated("Target", pointer.clone());
    let registration = Registration {
        task: handle.to_token_stream(),
        place: handle.span(),
        default_name,
        options,
        signature: text,
        parameters: &signature.parameters,
        output: output.clone(),
        output_travels: signature.output.travels().map(ToTokens::to_token_stream),
        function: path.clone(),
        is_async: signature.is_async,
    };
    let owned = registration.owned();
    let args = associated("Args", quote!((#(#owned,)*)));
    let result = associated("Output", output.clone());
    let functions = registration.functions();
    quote! {
        #(#everywhere)*
        #(#handle_attributes)*
        #documentation
        #[allow(non_camel_case_types, reason = "it stands in the place of a function")]
        #[derive(::std::clone::Clone, ::std::marker::Copy, ::std::fmt::Debug)]
        #vis struct #handle;

        #(#everywhere)*
        #allow_deprecated
        #plain

        #(#everywhere)*
        #allow_deprecated
        #[automatically_derived]
        impl ::std::ops::Deref for #handle {
            #target

            #[inline]
            fn deref(&self) -> &Self::Target {
                const FUNCTION: <#handle as ::std::ops::Deref>::Target = #path;
                &FUNCTION
            }
        }

        #(#everywhere)*
        #allow_deprecated
        #[automatically_derived]
        impl ::ppool::__private::Task for #handle {
            #args
            #result

            #functions
        }
    }
}

/// The user's function, hidden in an `impl` of the handle, and its path there. It keeps its name,
/// for backtraces and the compiler's warnings.
///
/// As an associated function it leaves the handle in sight of its body, which may have to pass the
/// task to a pool. But the name of a unit struct can't be the name of a variable, so where the
/// function has a variable of its own name it stands in a scope in which the name is a function's.
fn plain_function(
    handle: &Ident,
    function: &TokenStream,
    pointer: &TokenStream,
    binds_own_name: bool,
) -> (TokenStream, TokenStream) {
    if binds_own_name {
        let item = quote! {
            impl #handle {
                const FUNCTION: #pointer = {
                    #function
                    #handle
                };
            }
        };
        (item, quote!(#handle::FUNCTION))
    } else {
        (quote!(impl #handle { #function }), quote!(#handle::#handle))
    }
}

/// Whether the function has a parameter or a variable that is called as it is.
fn binds_own_name(sig: &syn::Signature, block: &Block) -> bool {
    struct Search<'a> {
        name: &'a Ident,
        found: bool,
    }

    impl Visit<'_> for Search<'_> {
        fn visit_pat_ident(&mut self, pattern: &PatIdent) {
            self.found |= pattern.ident == *self.name;
            visit::visit_pat_ident(self, pattern);
        }
    }

    let mut search = Search {
        name: &sig.ident,
        found: false,
    };
    search.visit_signature(sig);
    search.visit_block(block);
    search.found
}
