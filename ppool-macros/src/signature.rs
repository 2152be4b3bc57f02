//! What a task's function may look like, and a sentence for each thing that it may not.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Error, FnArg, GenericParam, Generics, Pat, Result, ReturnType, Safety, Type};

use crate::parameter::{Parameter, refuse_borrows};

const MOST_PARAMETERS: usize = 12;

/// A signature that a task may have.
pub(crate) struct Signature {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Output,
    /// Whether it gives a future, which the worker drives to its end.
    pub(crate) is_async: bool,
}

/// What a task returns.
pub(crate) struct Output(Option<Type>);

impl Output {
    /// The type, `()` included.
    pub(crate) fn ty(&self) -> TokenStream {
        match &self.0 {
            Some(ty) => quote!(#ty),
            None => quote!(()),
        }
    }

    /// The user's type that has to be one that travels.
    pub(crate) fn travels(&self) -> Option<&Type> {
        self.0.as_ref()
    }
}

impl Signature {
    /// The signature of a task, when it can be one.
    pub(crate) fn of(sig: &syn::Signature) -> Result<Self> {
        let mut refusals = Refusals::default();
        refusals.asyncness(&sig.asyncness);
        if let Safety::Unsafe(token) = &sig.safety {
            refusals.add(
                token,
                "a task can't be `unsafe`: no caller can keep its contract in another process; \
                 wrap it in a safe function",
            );
        }
        refusals.unless_none(
            &sig.abi,
            "a task can't be `extern`: call the foreign function inside a Rust function",
        );
        refusals.unless_none(
            &sig.variadic,
            "a task can't be variadic: take a slice `&[T]`",
        );
        refusals.generics(&sig.generics);

        let mut typed = Vec::new();
        for input in &sig.inputs {
            match input {
                FnArg::Typed(input) => typed.push((&*input.pat, &*input.ty, &input.attrs[..])),
                FnArg::Receiver(receiver) => refusals.add(
                    receiver,
                    "a task is a free function, without `self`: for a value that can be called \
                     write `#[task] impl Callable for ..`",
                ),
            }
        }
        let parameters = refusals.parameters(typed);
        let output = refusals.output(&sig.output);
        refusals.into_result()?;
        Ok(Signature {
            parameters,
            output,
            is_async: sig.asyncness.is_some(),
        })
    }
}

/// All that is wrong, so that the user sees it at once.
#[derive(Default)]
pub(crate) struct Refusals(Option<Error>);

impl Refusals {
    pub(crate) fn add(&mut self, place: impl ToTokens, sentence: &str) {
        self.add_error(Error::new_spanned(place, sentence));
    }

    pub(crate) fn unless_none(&mut self, place: &Option<impl ToTokens>, sentence: &str) {
        if let Some(place) = place {
            self.add(place, sentence);
        }
    }

    /// Refuses what is `async` where the worker has no runtime for it.
    pub(crate) fn asyncness(&mut self, asyncness: &Option<impl ToTokens>) {
        if !cfg!(feature = "tokio") {
            self.unless_none(
                asyncness,
                "an `async` task needs the feature `tokio` of ppool: enable it in Cargo.toml with \
                 `ppool = { version = \"..\", features = [\"tokio\"] }`",
            );
        }
    }

    fn add_error(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add_error(error)).ok()
    }

    pub(crate) fn into_result(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }

    /// Refuses whatever is generic.
    pub(crate) fn generics(&mut self, generics: &Generics) {
        for parameter in &generics.params {
            self.add(
                parameter,
                match parameter {
                    GenericParam::Lifetime(_) => {
                        "a task has no lifetime parameters: write `&str`, `&[T]` or `&T` without a \
                         lifetime"
                    }
                    GenericParam::Type(_) | GenericParam::Const(_) => {
                        "a task can't be generic, for a worker finds it by its name alone: write \
                         one task for each type"
                    }
                },
            );
        }
        self.unless_none(
            &generics.where_clause,
            "a task has no `where` clause, for nothing in it is generic",
        );
    }

    fn parameters(&mut self, typed: Vec<(&Pat, &Type, &[Attribute])>) -> Vec<Parameter> {
        if let Some((pattern, ..)) = typed.get(MOST_PARAMETERS) {
            self.add(
                pattern,
                "a task takes at most twelve parameters: put some of them in a struct or a tuple",
            );
        }
        let mut parameters = Vec::new();
        for (index, (pattern, ty, attributes)) in typed.into_iter().enumerate() {
            for attribute in attributes {
                if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                    self.add(
                        attribute,
                        "a task's parameters are the same everywhere: put the condition on the \
                         whole function",
                    );
                }
            }
            parameters.extend(self.take(Parameter::new(index, pattern, ty)));
        }
        parameters
    }

    fn output(&mut self, output: &ReturnType) -> Output {
        let ReturnType::Type(_, ty) = output else {
            return Output(None);
        };
        if let Type::Never(never) = &**ty {
            self.add(
                never,
                "a task has to return, for its caller waits for the result: return `()`",
            );
        }
        self.take(refuse_borrows(
            ty,
            "a task's result can't borrow, for it travels to another process: return an owned \
             value, such as a `String` or a `Vec`",
        ));
        Output(Some((**ty).clone()))
    }
}
