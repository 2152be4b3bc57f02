//! What `#[task]` makes of functions and of callable objects, as far as that shows without a pool:
//! the local call, the entry in the registry, and the way from bytes to bytes.
#![forbid(unsafe_code)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ppool::{
    __private::{Decoder, Encoder, Invocation, InvokeError, TASKS, TaskEntry},
    Callable, RemoteError, Task, TaskObject, task,
};
use ppool_test_library as library;
use serde::{Deserialize, Serialize};

const LINE_OF_SQUARE: u32 = line!() + 3;

#[task]
fn square(n: u64) -> u64 {
    n * n
}

/// The task's entry, as the registry has it.
fn entry<T: Task>(_: T) -> &'static TaskEntry {
    T::entry()
}

/// What a worker does with a call whose arguments were encoded by `arguments`.
fn invoke<T: Task>(_: T, arguments: Encoder) -> Result<T::Output, InvokeError> {
    let mut output = Encoder::new();
    T::entry().invoke(&mut Invocation::new(
        Decoder::new(arguments.bytes()),
        &mut output,
    ))?;
    let mut result = Decoder::new(output.bytes());
    let value = T::output_lane()
        .decode(&mut result)
        .expect("it was encoded by this lane");
    assert!(result.rest().is_empty());
    Ok(value)
}

/// Encodes the arguments of `$task` by its lanes.
macro_rules! arguments {
    ($task:ident $(, $index:tt: $value:expr)*) => {{
        #[allow(unused_mut, reason = "a task without parameters")]
        let mut arguments = Encoder::new();
        $( <$task as Task>::lanes().$index.encode(&$value, &mut arguments).unwrap(); )*
        arguments
    }};
}

// --- the local call ------------------------------------------------------------------------------

#[task]
fn nothing() {}

#[task]
#[allow(clippy::ptr_arg, reason = "for the test")]
fn describe(text: &str, numbers: &[u32], names: &Vec<String>, point: &Point) -> String {
    format!("{text} {} {} {}", numbers.len(), names.join("+"), point.x)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    tags: BTreeMap<String, Option<bool>>,
}

#[task]
fn patterns(mut n: u64, (a, b): (u64, u64), _: u8, [first, ..]: [u16; 3], r#type: u8) -> u64 {
    n += a * b;
    n + u64::from(first) + u64::from(r#type)
}

#[test]
#[expect(
    clippy::no_effect,
    reason = "clippy takes the call of a handle for a constructor's"
)]
fn a_task_is_called_here_like_the_function_it_was() {
    assert_eq!(square(7), 49);
    nothing();
    let numbers = vec![1, 2, 3];
    let names = vec!["a".to_owned(), "b".to_owned()];
    let point = Point {
        x: -1,
        tags: BTreeMap::new(),
    };
    assert_eq!(
        describe(&String::from("x"), &numbers, &names, &point),
        "x 3 a+b -1"
    );
    assert_eq!(patterns(1, (2, 3), 0, [4, 5, 6], 7), 18);
    let pointer: fn(u64) -> u64 = *square;
    assert_eq!([1, 2, 3].map(pointer), [1, 4, 9]);
    assert_eq!(format!("{square:?}"), "square");
}

#[task]
fn fibonacci(n: u64) -> u64 {
    match n {
        0 | 1 => n,
        _ => fibonacci(n - 1) + fibonacci(n - 2),
    }
}

#[task]
fn square_of_fibonacci(n: u64) -> u64 {
    square(fibonacci(n))
}

#[task]
fn own_name() -> String {
    entry(own_name).name().to_owned()
}

#[test]
fn tasks_call_themselves_and_one_another_and_can_name_themselves() {
    assert_eq!(square_of_fibonacci(7), 169);
    assert_eq!(own_name(), "tasks::own_name");
}

/// Its variable has its name, as in many a function.
#[task]
#[track_caller]
fn total(numbers: &[f64]) -> f64 {
    let mut total = 0.0;
    for number in numbers {
        total += number;
    }
    total
}

#[task]
fn tally(tally: u64) -> u64 {
    tally
}

#[test]
fn a_task_may_have_a_variable_or_a_parameter_of_its_own_name() {
    assert_eq!(total(&[1.0, 2.0]), 3.0);
    assert_eq!(tally(3), 3);
    assert_eq!(invoke(tally, arguments!(tally, 0: 3)).unwrap(), 3);
    assert_eq!(
        invoke(total, arguments!(total, 0: vec![1.0, 2.0])).unwrap(),
        3.0
    );
}

#[task]
#[expect(clippy::too_many_arguments, reason = "twelve is the most")]
fn twelve(
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: i8,
    f: i16,
    g: i32,
    h: i64,
    i: &str,
    j: &[u8],
    k: &String,
    l: Option<bool>,
) -> (i64, String) {
    let sum = i64::from(a) + i64::from(b) + i64::from(c) + d.cast_signed();
    let sum = sum + i64::from(e) + i64::from(f) + i64::from(g) + h;
    (sum, format!("{i}{j:?}{k}{l:?}"))
}

#[test]
fn there_may_be_twelve_parameters() {
    let expected = (36, "i[10]kSome(true)".to_owned());
    let k = "k".to_owned();
    assert_eq!(
        twelve(1, 2, 3, 4, 5, 6, 7, 8, "i", &[10], &k, Some(true)),
        expected
    );
    let arguments = arguments!(
        twelve, 0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8,
        8: "i".to_owned(), 9: vec![10], 10: k, 11: Some(true)
    );
    assert_eq!(invoke(twelve, arguments).unwrap(), expected);
}

mod outer {
    pub(crate) mod inner {
        use ppool::task;

        use super::one;

        #[task]
        pub(crate) fn two() -> u8 {
            one() + super::one_more()
        }

        #[task]
        pub(super) fn one_again() -> u8 {
            one()
        }
    }

    fn one() -> u8 {
        1
    }

    #[ppool::task]
    fn one_more() -> u8 {
        inner::one_again()
    }
}

#[test]
fn tasks_live_in_modules_in_functions_and_in_library_crates() {
    const OFFSET: u8 = 40;
    #[task]
    fn in_a_function() -> u8 {
        OFFSET + outer::inner::two()
    }
    assert_eq!(in_a_function(), 42);
    assert_eq!(library::text::count_words("to be or not to be"), 6);
    assert_eq!(library::double(4), 8);

    assert_eq!(entry(in_a_function).name(), "tasks::in_a_function");
    assert_eq!(entry(outer::inner::two).name(), "tasks::outer::inner::two");
    assert_eq!(
        entry(library::text::count_words).name(),
        "ppool_test_library::text::count_words"
    );
    assert_eq!(entry(library::double).name(), "ppool_test_library::double");
}

// --- attributes ----------------------------------------------------------------------------------

// Each of these would be an error twice over if the condition were lost anywhere.
#[cfg(any())]
#[task]
fn never_there(x: NoSuchType) -> NoSuchType {}

#[task]
#[cfg(any())]
fn never_there(x: NoSuchType) -> NoSuchType {}

#[task]
#[cfg_attr(all(), cfg(any()))]
fn never_there(x: NoSuchType) -> NoSuchType {}

#[task]
#[cfg(not(any()))]
fn always_there() {}

#[task]
#[deprecated(note = "for the test")]
fn old(n: u8) -> u8 {
    if n == 0 { 0 } else { old(n - 1) }
}

/// Documented.
#[cfg_attr(
    all(),
    inline,
    doc = "Well.",
    allow(unused_variables, reason = "for the test")
)]
#[must_use]
#[task]
#[track_caller]
#[cold]
fn decorated(unused: u8) -> u32 {
    std::panic::Location::caller().line()
}

#[task]
#[expect(dead_code, reason = "nobody calls it")]
fn unused_name(#[allow(unused_variables, reason = "for the test")] unused: u8) {}

#[task]
const fn constant() -> u8 {
    3
}

#[test]
#[expect(
    clippy::no_effect,
    reason = "clippy takes the call of a handle for a constructor's"
)]
fn attributes_of_the_function_are_kept() {
    always_there();
    #[expect(deprecated, reason = "that it is deprecated is what the test is about")]
    let zero = old(3);
    assert_eq!(zero, 0);
    assert!(decorated(1) > 0);
    assert_eq!(constant(), 3);
}

// --- the registry --------------------------------------------------------------------------------

#[task(name = "tests/renamed", timeout = "1.5s", retries = 2)]
fn renamed() {}

#[task(retries = 0)]
fn never_again() {}

macro_rules! make_task {
    ($name:ident($parameter:ident: $type:ty) = $body:expr, $limit:literal) => {
        #[task(timeout = $limit)]
        fn $name($parameter: $type) -> usize {
            $body
        }
    };
}
make_task!(made_by_a_macro(text: &str) = text.len(), "5m");

#[test]
fn options_become_defaults_of_the_task() {
    let defaults = entry(renamed);
    assert_eq!(defaults.name(), "tests/renamed");
    assert_eq!(defaults.timeout(), Some(Duration::from_millis(1500)));
    assert_eq!(defaults.retries(), Some(2));
    assert_eq!(entry(never_again).retries(), Some(0));
    assert_eq!(entry(square).timeout(), None);
    assert_eq!(entry(square).retries(), None);
    let made = entry(made_by_a_macro);
    assert_eq!(made.timeout(), Some(Duration::from_secs(300)));
    assert_eq!(
        invoke(
            made_by_a_macro,
            arguments!(made_by_a_macro, 0: "four".to_owned())
        )
        .unwrap(),
        4
    );
}

#[test]
fn an_entry_says_what_the_task_is_and_where() {
    let known = entry(square);
    assert_eq!(known.name(), "tasks::square");
    assert_eq!(known.signature(), "fn square(n: u64) -> u64");
    assert_eq!(known.location(), format!("{}:{LINE_OF_SQUARE}", file!()));
    let names: Vec<_> = (0..6)
        .map_while(|index| entry(patterns).parameter(index))
        .collect();
    assert_eq!(names, ["n", "arg1", "arg2", "arg3", "type"]);
}

#[test]
fn every_task_of_the_binary_is_in_the_registry_under_a_name_of_its_own() {
    let names: BTreeSet<_> = TASKS.iter().map(TaskEntry::name).collect();
    assert_eq!(names.len(), TASKS.len());
    for name in [
        "tasks::square",
        "tests/renamed",
        "ppool_test_library::double",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    assert!(!names.contains("tasks::never_there"));
}

// --- from bytes to bytes -------------------------------------------------------------------------

#[test]
fn arguments_and_result_travel() {
    assert_eq!(invoke(square, arguments!(square, 0: 7)).unwrap(), 49);
    invoke(nothing, arguments!(nothing)).unwrap();

    let point = Point {
        x: 9,
        tags: BTreeMap::from([("t".to_owned(), None)]),
    };
    let names = vec!["a".to_owned(), "b".to_owned()];
    let arguments = arguments!(
        describe, 0: "x".to_owned(), 1: vec![1, 2, 3], 2: names, 3: point
    );
    assert_eq!(invoke(describe, arguments).unwrap(), "x 3 a+b 9");
    let arguments = arguments!(patterns, 0: 1, 1: (2, 3), 2: 0, 3: [4, 5, 6], 4: 7);
    assert_eq!(invoke(patterns, arguments).unwrap(), 18);
}

#[task]
fn divide(a: i64, b: i64) -> Result<i64, RemoteError> {
    a.checked_div(b)
        .ok_or_else(|| RemoteError::new("division by zero"))
}

#[task]
fn reverse(points: Vec<Point>) -> Vec<Point> {
    points.into_iter().rev().collect()
}

#[test]
fn whatever_serde_carries_travels() {
    assert_eq!(
        invoke(divide, arguments!(divide, 0: 7, 1: 2))
            .unwrap()
            .unwrap(),
        3
    );
    let error = invoke(divide, arguments!(divide, 0: 7, 1: 0))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.to_string(), "division by zero");
    let two = [1, 2].map(|x| Point {
        x,
        tags: BTreeMap::new(),
    });
    let result = invoke(reverse, arguments!(reverse, 0: two.to_vec())).unwrap();
    assert_eq!(result, [two[1].clone(), two[0].clone()]);
}

#[test]
fn an_argument_that_cannot_be_decoded_is_named_by_its_index() {
    let mut arguments = arguments!(describe, 0: "x".to_owned());
    arguments.put(&[1, 2, 3]).unwrap();
    let error = invoke(describe, arguments).unwrap_err();
    assert!(matches!(error, InvokeError::Decode(1, _)), "{error:?}");
}

// --- closures ------------------------------------------------------------------------------------

#[test]
fn a_closure_is_a_task_where_it_stands() {
    let scale = ppool::closure!(|x: u64, k: u64| -> u64 { x * k });
    assert_eq!(scale(2, 3), 6);
    let mut arguments = Encoder::new();
    arguments
        .put(&[2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])
        .unwrap();
    assert_eq!(invoke(scale, arguments).unwrap(), 6);
    let entry_of_scale = entry(scale);
    assert!(
        entry_of_scale
            .name()
            .starts_with("tasks::{closure@tests/tasks.rs:"),
        "{entry_of_scale:?}"
    );
    assert_eq!(entry_of_scale.signature(), "closure(x: u64, k: u64) -> u64");
    assert_eq!(entry_of_scale.parameter(1), Some("k"));
}

#[test]
fn closures_on_one_line_are_different_tasks() {
    #[rustfmt::skip]
    let names = [entry(ppool::closure!(|| {})).name(), entry(ppool::closure!(|| {})).name()];
    assert_ne!(names[0], names[1]);
}

#[test]
fn a_closure_may_return_nothing_and_borrow_its_parameters() {
    ppool::closure!(|| ())();
    ppool::closure!(|text: &str| println!("{text}"))("printed");
    ppool::closure!(|_numbers: &[u8], mut n: u8| {
        n += 1;
        assert_eq!(n, 4);
    },)(&[], 3);
    ppool::closure!(
        #[allow(unused_variables, reason = "for the test")]
        |unused: u8| {
            return;
        }
    )(1);
}

// --- callable objects ----------------------------------------------------------------------------

#[derive(Serialize, Deserialize)]
struct Resize {
    width: u32,
    height: u32,
}

#[task]
impl Callable for Resize {
    type Output = u32;

    fn call(self) -> u32 {
        self.width * self.height
    }
}

/// Its output is itself, and is named so.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Count<T> {
    /// How many.
    pub number: T,
}

#[task]
impl Callable for Count<u16> {
    type Output = Result<u16, String>;

    fn call(self) -> Self::Output {
        Ok(self.number)
    }
}

#[task(name = "tests/count", timeout = "500ms", retries = 1)]
impl Callable for Count<u8> {
    type Output = Self;

    fn call(self) -> Self {
        Count {
            number: self.number + 1,
        }
    }
}

#[task]
#[cfg(any())]
impl Callable for NoSuchJob {}

#[test]
fn a_callable_object_travels_and_is_called() {
    fn run<T: TaskObject>(job: T) -> T::Output {
        let mut argument = Encoder::new();
        T::lanes()
            .0
            .encode(&job, &mut argument)
            .expect("it can be encoded");
        invoke(T::task(), argument).expect("the call is in order")
    }
    let resize = Resize {
        width: 6,
        height: 7,
    };
    assert_eq!(entry(Resize::task()).name(), "tasks::Resize");
    assert_eq!(
        entry(Resize::task()).signature(),
        "fn call(self: Resize) -> u32"
    );
    assert_eq!(run(resize), 42);
    assert_eq!(run(Count { number: 1u8 }), Count { number: 2 });
    let count = entry(Count::<u8>::task());
    assert_eq!(count.name(), "tests/count");
    assert_eq!(count.timeout(), Some(Duration::from_millis(500)));
    assert_eq!(count.retries(), Some(1));
    assert_eq!(run(Count { number: 3u16 }), Ok(3));
    assert_eq!(entry(Count::<u16>::task()).name(), "tasks::Count<u16>");
}
