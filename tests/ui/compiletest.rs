//! What the compiler says about tasks: to each of those in `fail` what stands beside it; to those in
//! `without_tokio` the same, as long as that feature is off. (Those in `pass` are test programs of
//! `ppool`.)
//!
//! The wording of the compiler's own part changes between releases, so the messages are those of
//! the release that CI pins. After a change, `TRYBUILD=overwrite cargo test -p ppool-test-refusals`
//! writes them anew; read what it has written.
#![forbid(unsafe_code)]

#[test]
fn refusals_are_one_sentence_at_the_right_place() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("fail/*.rs");
    tests.compile_fail("without_tokio/*.rs");
}
