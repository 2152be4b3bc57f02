//! What can be passed, and in which forms.

use std::collections::BTreeMap;

use ppool::task;
use serde::{Deserialize, Serialize};

use crate::common::{pool_of, tasks::square, watchdog};

mod many_parameters {
    use ppool::task;

    macro_rules! sums {
        ($($name:ident($($parameter:ident),*);)*) => { $(
            #[task]
            #[expect(clippy::too_many_arguments, reason = "how many there may be is the point")]
            pub(crate) fn $name($($parameter: u64),*) -> u64 {
                0 $(+ $parameter)*
            }
        )* };
    }

    #[task]
    pub(crate) fn sum_of_0() -> u64 {
        0
    }
    #[task]
    pub(crate) fn sum_of_1(a: u64) -> u64 {
        a
    }
    #[task]
    pub(crate) fn sum_of_2(a: u64, b: u64) -> u64 {
        a + b
    }
    #[task]
    pub(crate) fn sum_of_3(a: u64, b: u64, c: u64) -> u64 {
        a + b + c
    }
    #[task]
    pub(crate) fn sum_of_4(a: u64, b: u64, c: u64, d: u64) -> u64 {
        a + b + c + d
    }
    #[task]
    pub(crate) fn sum_of_5(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
        a + b + c + d + e
    }
    #[task]
    pub(crate) fn sum_of_6(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
        a + b + c + d + e + f
    }
    #[task]
    pub(crate) fn sum_of_7(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> u64 {
        a + b + c + d + e + f + g
    }
    // The attribute also works where a macro writes the function.
    sums! {
        sum_of_8(a, b, c, d, e, f, g, h);
        sum_of_9(a, b, c, d, e, f, g, h, i);
        sum_of_10(a, b, c, d, e, f, g, h, i, j);
        sum_of_11(a, b, c, d, e, f, g, h, i, j, k);
        sum_of_12(a, b, c, d, e, f, g, h, i, j, k, l);
    }
}

#[test]
fn a_task_has_none_to_twelve_parameters() {
    use many_parameters::*;

    let _watchdog = watchdog();
    let pool = pool_of(1);
    let sums = [
        pool.apply(sum_of_0, ()),
        pool.apply(sum_of_1, 1),
        pool.apply(sum_of_2, (1, 2)),
        pool.apply(sum_of_3, (1, 2, 3)),
        pool.apply(sum_of_4, (1, 2, 3, 4)),
        pool.apply(sum_of_5, (1, 2, 3, 4, 5)),
        pool.apply(sum_of_6, (1, 2, 3, 4, 5, 6)),
        pool.apply(sum_of_7, (1, 2, 3, 4, 5, 6, 7)),
        pool.apply(sum_of_8, (1, 2, 3, 4, 5, 6, 7, 8)),
        pool.apply(sum_of_9, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
        pool.apply(sum_of_10, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
        pool.apply(sum_of_11, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)),
        pool.apply(sum_of_12, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
    ];
    for (n, sum) in (0u64..).zip(sums) {
        assert_eq!(sum.unwrap(), n * (n + 1) / 2);
    }
}

#[test]
fn one_argument_goes_bare_or_in_a_tuple() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    assert_eq!(pool.apply(square, 7).unwrap(), 49);
    assert_eq!(pool.apply(square, (7,)).unwrap(), 49);
    assert_eq!(pool.submit(square, 7).wait().unwrap(), 49);
    assert_eq!(pool.try_submit(square, 7).unwrap().wait().unwrap(), 49);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    street: String,
    numbers: BTreeMap<u32, Option<char>>,
}

#[task]
fn lengths(text: &str, numbers: &[u64], address: &Address, words: &[String]) -> Vec<usize> {
    let words = words.iter().map(String::len).sum();
    vec![text.len(), numbers.len(), address.numbers.len(), words]
}

#[test]
fn parameters_may_be_borrowed() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let address = Address {
        street: "Dammstrasse".into(),
        numbers: BTreeMap::from([(1, Some('a')), (2, None)]),
    };
    let owned = (
        String::from("four"),
        vec![1, 2, 3],
        address.clone(),
        vec![String::from("one"), String::from("three")],
    );
    let words = owned.3.clone();
    assert_eq!(pool.apply(lengths, owned).unwrap(), [4, 3, 2, 8]);
    // What the caller keeps is passed by reference; nothing is cloned.
    let passed = ("four", &[1, 2, 3], &address, &words[..]);
    assert_eq!(pool.apply(lengths, passed).unwrap(), [4, 3, 2, 8]);
    let text = String::from("grüezi");
    let passed = (text.as_str(), [0u64; 1000], &address, &words);
    assert_eq!(pool.apply(lengths, passed).unwrap(), [7, 1000, 2, 8]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Signal {
    unit: String,
    #[serde(with = "ppool::raw")]
    samples: Vec<f64>,
    #[serde(with = "ppool::raw")]
    marks: Option<Box<[u32]>>,
}

#[task]
fn double(mut signal: Signal) -> Signal {
    for sample in &mut signal.samples {
        *sample *= 2.0;
    }
    signal.marks = None;
    signal
}

#[test]
fn fields_of_plain_data_travel_as_bytes() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for len in [0, 3, 100_000] {
        let signal = Signal {
            unit: "V".into(),
            samples: (0..len).map(f64::from).collect(),
            marks: Some([7, 8].into()),
        };
        let expected = Signal {
            unit: "V".into(),
            samples: (0..len).map(|n| f64::from(n) * 2.0).collect(),
            marks: None,
        };
        assert!(pool.apply(double, signal).unwrap() == expected, "{len}");
    }
}

#[task]
fn nothing(_: ()) {}

#[task]
fn move_house(mut address: Address, street: String) -> (Address, Option<f64>, [i8; 3]) {
    address.street = street;
    (address, Some(0.5), [-1, 0, 1])
}

#[test]
fn values_come_back_as_they_were() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let address = Address {
        street: String::new(),
        numbers: (0..100).map(|n| (n, char::from_u32(n))).collect(),
    };
    let moved = pool.apply(move_house, (&address, "Limmatquai")).unwrap();
    let expected = Address {
        street: "Limmatquai".into(),
        ..address
    };
    assert_eq!(moved, (expected, Some(0.5), [-1, 0, 1]));
    pool.apply(nothing, ((),)).unwrap();
}
