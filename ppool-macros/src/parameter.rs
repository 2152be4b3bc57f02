//! One parameter: how its argument travels, and how the function gets it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Error, Lifetime, Pat, Result, Type, TypeArray, TypeImplTrait, TypeInfer, TypeReference,
    ext::IdentExt,
    visit::{self, Visit},
};

/// A parameter of a task.
pub(crate) struct Parameter {
    /// What errors call it.
    pub(crate) name: String,
    /// Its type as the user wrote it.
    pub(crate) ty: Type,
    form: Form,
}

/// How the function takes it.
enum Form {
    /// By value.
    Value(Type),
    /// As `&str`.
    Text,
    /// As `&[T]`.
    Slice(Type),
    /// As `&T`.
    Borrowed(Type),
}

impl Parameter {
    /// The parameter at `index`, as the user wrote it.
    pub(crate) fn new(index: usize, pattern: &Pat, ty: &Type) -> Result<Self> {
        let form = Form::of(ty)?;
        if let Some(inner) = form.inner() {
            refuse_borrows(inner, BORROWED_INSIDE)?;
        }
        let name = match pattern {
            Pat::Ident(pattern) => pattern.ident.unraw().to_string(),
            _ => format!("arg{index}"),
        };
        Ok(Parameter {
            name,
            ty: ty.clone(),
            form,
        })
    }

    /// A parameter that is taken by value.
    pub(crate) fn by_value(name: &str, ty: &Type) -> Result<Self> {
        refuse_borrows(ty, BORROWED_INSIDE)?;
        Ok(Parameter {
            name: name.to_owned(),
            ty: ty.clone(),
            form: Form::Value(ty.clone()),
        })
    }

    /// The type of the argument as it travels.
    pub(crate) fn owned(&self) -> TokenStream {
        match &self.form {
            Form::Value(ty) | Form::Borrowed(ty) => quote!(#ty),
            Form::Text => quote!(::std::string::String),
            Form::Slice(ty) => quote!(::std::vec::Vec<#ty>),
        }
    }

    /// The user's type that has to be one that travels.
    pub(crate) fn travels(&self) -> Option<&Type> {
        self.form.inner()
    }

    /// Whether the function borrows it.
    pub(crate) fn is_borrowed(&self) -> bool {
        !matches!(self.form, Form::Value(_))
    }

    /// The type as the user wrote it, with this lifetime where it borrows.
    pub(crate) fn borrowed_for(&self, lifetime: Option<&Lifetime>) -> TokenStream {
        match &self.form {
            Form::Value(ty) => quote!(#ty),
            Form::Text => quote!(&#lifetime str),
            Form::Slice(ty) => quote!(&#lifetime [#ty]),
            Form::Borrowed(ty) => quote!(&#lifetime #ty),
        }
    }

    /// Takes the argument off the invocation `__call`, by its lane among `__lanes`.
    pub(crate) fn decode(&self, index: usize) -> TokenStream {
        let lane = syn::Index::from(index);
        match self.form {
            Form::Value(_) | Form::Borrowed(_) => quote!(__call.argument(#index, &__lanes.#lane)),
            Form::Text => quote!(__call.text(#index)),
            Form::Slice(_) => quote!(__call.slice(#index, &__lanes.#lane)),
        }
    }

    /// Hands what was decoded to the function.
    pub(crate) fn pass(&self, argument: &syn::Ident) -> TokenStream {
        match self.form {
            Form::Value(_) | Form::Text => quote!(#argument),
            Form::Slice(_) | Form::Borrowed(_) => quote!(&#argument),
        }
    }
}

impl Form {
    fn of(ty: &Type) -> Result<Self> {
        match ungroup(ty) {
            Type::Reference(reference) => Form::of_reference(reference),
            _ => Ok(Form::Value(ty.clone())),
        }
    }

    fn of_reference(reference: &TypeReference) -> Result<Self> {
        if reference.mutability.is_some() {
            return Err(Error::new_spanned(
                reference,
                "a task can't take `&mut`: it would change a copy in the worker; take the value \
                 and return it",
            ));
        }
        if let Some(lifetime) = reference.lifetime.as_ref().filter(|l| l.ident == "static") {
            return Err(Error::new_spanned(
                lifetime,
                "a task can't borrow for `'static`: its arguments live as long as one call; leave \
                 the lifetime out",
            ));
        }
        Ok(match ungroup(&reference.elem) {
            Type::Slice(slice) => Form::Slice((*slice.elem).clone()),
            Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => Form::Text,
            Type::TraitObject(object) => {
                return Err(Error::new_spanned(
                    object,
                    "a trait object can't travel to another process: name the type",
                ));
            }
            elem => Form::Borrowed(elem.clone()),
        })
    }

    fn inner(&self) -> Option<&Type> {
        match self {
            Form::Value(ty) | Form::Slice(ty) | Form::Borrowed(ty) => Some(ty),
            Form::Text => None,
        }
    }
}

/// The type without the parentheses and the invisible groups of `macro_rules!` around it.
fn ungroup(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungroup(&group.elem),
        Type::Paren(paren) => ungroup(&paren.elem),
        _ => ty,
    }
}

const BORROWED_INSIDE: &str = "only a whole parameter can be borrowed, as `&str`, `&[T]` or `&T`: take an owned type here, such \
     as `String` or `Vec<T>`";

/// Refuses, with `sentence`, a type that borrows from somewhere, and `impl Trait`.
pub(crate) fn refuse_borrows(ty: &Type, sentence: &'static str) -> Result<()> {
    let mut search = BorrowSearch {
        sentence,
        found: Ok(()),
    };
    search.visit_type(ty);
    search.found
}

struct BorrowSearch {
    sentence: &'static str,
    found: Result<()>,
}

impl BorrowSearch {
    fn refuse(&mut self, place: impl quote::ToTokens, sentence: &str) {
        if self.found.is_ok() {
            self.found = Err(Error::new_spanned(place, sentence));
        }
    }
}

impl Visit<'_> for BorrowSearch {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        self.refuse(reference, self.sentence);
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.refuse(lifetime, self.sentence);
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.refuse(
            ty,
            "a task can't take or return `impl Trait`: name the type, so that both processes know \
             what travels",
        );
    }

    fn visit_type_infer(&mut self, ty: &TypeInfer) {
        self.refuse(
            ty,
            "a task's types have to be written out, for nothing says what `_` is",
        );
    }

    // The length of an array is no type, whatever stands in it.
    fn visit_type_array(&mut self, array: &TypeArray) {
        visit::visit_type(self, &array.elem);
    }
}
