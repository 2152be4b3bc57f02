//! The `#[task]` attribute and the `closure!` macro of ppool. Use them through the crate `ppool`.

/// Not written yet.
#[proc_macro_attribute]
pub fn task(
    _args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    item
}

/// Not written yet.
#[proc_macro]
pub fn closure(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    input
}
