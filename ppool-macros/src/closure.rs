//! `closure!(|x: u64| -> u64 { .. })`: a task without a name.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{
    Block, Error, Expr, ExprClosure, FnArg, Generics, ItemFn, Pat, Result, ReturnType, Stmt, Token,
    Visibility,
    parse::{Parse, ParseStream},
    parse_quote,
    punctuated::Punctuated,
    token::Paren,
};

use crate::{
    args::Options,
    function,
    signature::{Refusals, Signature},
    text::readable,
};

/// An expression: the handle of a task that is written where it is used.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Input(closure) = syn::parse2(input)?;
    let mut refusals = Refusals::default();
    refusals.unless_none(
        &closure.lifetimes,
        "a task has no lifetime parameters: write `&str`, `&[T]` or `&T` without a lifetime",
    );
    refusals.asyncness(&closure.asyncness);
    refusals.unless_none(
        &closure.capture,
        "a closure that is a task captures nothing, so there is nothing to `move`: pass it as an \
         argument",
    );
    let inputs = typed_inputs(&closure.inputs, &mut refusals);
    if let (ReturnType::Default, Some(value)) = (&closure.output, value_of(&closure.body)) {
        refusals.add(
            value,
            "say what the closure returns, as in `|x: u64| -> u64 { .. }`: without `->` it returns \
             `()`",
        );
    }
    refusals.into_result()?;

    let text = {
        let (inputs, output) = (&closure.inputs, &closure.output);
        let asyncness = closure.asyncness.map_or("", |_| "async ");
        format!(
            "{asyncness}closure({}) {}",
            readable(inputs),
            readable(output)
        )
    };
    let item = as_function(closure, inputs);
    let signature = Signature::of(&item.sig)?;
    let handle = item.sig.ident.clone();
    let name = quote! {
        ::core::concat!(
            ::core::module_path!(), "::{closure@",
            ::core::file!(), ":", ::core::line!(), ":", ::core::column!(), "}"
        )
    };
    let items = function::expand_checked(item, &signature, &Options::default(), name, text);
    Ok(quote!({ #items #handle }))
}

struct Input(ExprClosure);

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let sentence = "`closure!` takes one closure, as in `closure!(|x: u64| -> u64 { x * 2 })`";
        if input.is_empty() {
            return Err(Error::new(Span::call_site(), sentence));
        }
        let closure = match input.parse()? {
            Expr::Closure(closure) => closure,
            other => return Err(Error::new_spanned(other, sentence)),
        };
        input.parse::<Option<Token![,]>>()?;
        match input.is_empty() {
            true => Ok(Input(closure)),
            false => Err(input.error(sentence)),
        }
    }
}

/// The parameters as those of a function, which all have a type.
fn typed_inputs(
    inputs: &Punctuated<Pat, Token![,]>,
    refusals: &mut Refusals,
) -> Punctuated<FnArg, Token![,]> {
    let mut typed = Punctuated::new();
    for input in inputs {
        match input {
            Pat::Type(input) => typed.push(FnArg::Typed(input.clone())),
            _ => refusals.add(
                input,
                "say the type of each parameter, as in `|x: u64|`: the worker has to know it",
            ),
        }
    }
    typed
}

fn as_function(closure: ExprClosure, inputs: Punctuated<FnArg, Token![,]>) -> ItemFn {
    let block = match *closure.body {
        Expr::Block(body) if body.label.is_none() && body.attrs.is_empty() => body.block,
        body => Block {
            brace_token: Default::default(),
            stmts: vec![Stmt::Expr(body, None)],
        },
    };
    ItemFn {
        attrs: closure.attrs,
        vis: Visibility::Inherited,
        modifiers: Default::default(),
        sig: syn::Signature {
            constness: None,
            asyncness: closure.asyncness,
            safety: Default::default(),
            abi: None,
            fn_token: parse_quote!(fn),
            ident: Ident::new("__closure", Span::call_site()),
            generics: Generics::default(),
            // Where the compiler proposes to write the return type.
            paren_token: Paren(closure.inputs_end.span),
            inputs,
            variadic: None,
            output: closure.output,
        },
        block: Box::new(block),
    }
}

/// The expression at the end of a body that can only be meant as a value. (Whether a call or an
/// `if` has one, only the compiler knows.)
fn value_of(body: &Expr) -> Option<&Expr> {
    match body {
        Expr::Block(body) => match body.block.stmts.last() {
            Some(Stmt::Expr(last, None)) => value_of(last),
            _ => None,
        },
        Expr::Group(group) => value_of(&group.expr),
        Expr::Paren(paren) => value_of(&paren.expr),
        Expr::Tuple(tuple) if tuple.elems.is_empty() => None,
        Expr::Binary(binary) if is_assignment(&binary.op) => None,
        Expr::Array(_)
        | Expr::Binary(_)
        | Expr::Cast(_)
        | Expr::Closure(_)
        | Expr::Field(_)
        | Expr::Index(_)
        | Expr::Lit(_)
        | Expr::Path(_)
        | Expr::Range(_)
        | Expr::Reference(_)
        | Expr::Repeat(_)
        | Expr::Struct(_)
        | Expr::Tuple(_)
        | Expr::Unary(_) => Some(body),
        _ => None,
    }
}

fn is_assignment(op: &syn::BinOp) -> bool {
    use syn::BinOp::*;
    matches!(
        op,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}
