//! What the compiler says about tasks: to each of those in `ui/fail` what stands beside it; to those in
//! `ui/without_tokio` only without that feature. (Those in `ui/pass` are test programs of their own.)
//!
//! The wording of the compiler's own part changes between releases, so the messages are those of
//! the release that CI pins. After a change, `TRYBUILD=overwrite cargo test --test compiletest`
//! writes them anew; read what it has written.
#![forbid(unsafe_code)]

#[test]
fn refusals_are_one_sentence_at_the_right_place() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/ui/fail/*.rs");
    if !cfg!(feature = "tokio") {
        tests.compile_fail("tests/ui/without_tokio/*.rs");
    }
}
