//! Dicts, lists, values and arrays.

use std::collections::{BTreeMap, HashMap};

use ppool::{
    manager::{Array, Dict, List, Manager, Value},
    task,
};
use serde::{Deserialize, Serialize};

use crate::{
    common::{pool_of, watchdog},
    manager,
};

#[task]
fn write_double(doubles: Dict<u32, u32>, n: u32) {
    doubles.insert(n, n * 2).expect("the manager lives");
}

#[test]
fn what_workers_write_into_a_dict_all_see() {
    let _watchdog = watchdog();
    let manager = manager();
    let doubles = manager.dict::<u32, u32>().unwrap();
    let inputs = (0..10).map(|n| (doubles.clone(), n));
    pool_of(3).map(write_double, inputs).unwrap();
    let expected: BTreeMap<u32, u32> = (0..10).map(|n| (n, n * 2)).collect();
    assert_eq!(BTreeMap::from_iter(doubles.items().unwrap()), expected);
}

#[test]
fn a_dict_can_what_maps_can() {
    let _watchdog = watchdog();
    let dict = manager().dict::<String, Vec<u8>>().unwrap();
    assert!(dict.is_empty().unwrap());
    assert_eq!(dict.insert("b", [1, 2]).unwrap(), None);
    assert_eq!(dict.insert("a", &[3][..]).unwrap(), None);
    assert_eq!(dict.insert("b", vec![4]).unwrap(), Some(vec![1, 2]));
    assert_eq!(dict.get("b").unwrap(), Some(vec![4]));
    assert_eq!(dict.get(String::from("c")).unwrap(), None);
    // In the order in which the keys came.
    assert_eq!(dict.keys().unwrap(), ["b", "a"]);
    assert_eq!(dict.values().unwrap(), [vec![4], vec![3]]);
    assert_eq!(dict.get_or_insert("a", []).unwrap(), [3]);
    assert_eq!(dict.get_or_insert("c", []).unwrap(), [0; 0]);
    assert_eq!(dict.update("c", |value| value.push(9)).unwrap(), Some(()));
    assert_eq!(dict.update("d", |value| value.push(9)).unwrap(), None);
    let len = dict.update_or_insert("d", vec![1], |value| {
        value.push(2);
        value.len()
    });
    assert_eq!(len.unwrap(), 2);
    dict.extend([("e", [5]), ("b", [6])]).unwrap();
    assert_eq!(dict.pop_last().unwrap(), Some(("e".to_owned(), vec![5])));
    assert_eq!(dict.remove("b").unwrap(), Some(vec![6]));
    assert_eq!(dict.remove("b").unwrap(), None);
    assert!(!dict.contains_key("b").unwrap());
    let expected = [("a", vec![3]), ("c", vec![9]), ("d", vec![1, 2])];
    let expected: HashMap<String, Vec<u8>> = expected
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    assert_eq!(dict.to_map().unwrap(), expected);
    assert_eq!(dict.len().unwrap(), 3);
    dict.clear().unwrap();
    assert_eq!(dict.pop_last().unwrap(), None);
}

#[test]
fn a_list_can_what_lists_can() {
    let _watchdog = watchdog();
    let list = manager().list_of::<String, _>(["a", "b"]).unwrap();
    list.push("c").unwrap();
    list.extend(["d", "e"]).unwrap();
    list.insert(0, "first").unwrap();
    assert_eq!(list.len().unwrap(), 6);
    assert_eq!(list.first().unwrap().as_deref(), Some("first"));
    assert_eq!(list.set(0, "zero").unwrap(), "first");
    assert_eq!(list.get(6).unwrap(), None);
    assert!(list.contains("d").unwrap());
    assert_eq!(list.position("d").unwrap(), Some(4));
    assert!(list.remove_item("d").unwrap());
    assert!(!list.remove_item("d").unwrap());
    assert_eq!(list.remove(0).unwrap(), "zero");
    assert_eq!(list.pop().unwrap().as_deref(), Some("e"));
    list.update(0, |element| element.push('!')).unwrap();
    list.edit(|elements| elements.reverse()).unwrap();
    assert_eq!(list.to_vec().unwrap(), ["c", "b", "a!"]);
    assert_eq!(list.slice(1..).unwrap(), ["b", "a!"]);
    assert_eq!(list.slice(..=9).unwrap().len(), 3);
    let read: Result<Vec<String>, _> = list.iter().collect();
    assert_eq!(read.unwrap(), ["c", "b", "a!"]);
    list.retain(|element| element.len() == 1).unwrap();
    let error = list.remove(2).unwrap_err();
    assert!(error.is_out_of_range());
    let message = error.to_string();
    assert!(
        message.contains("the index is 2, but there are 2 elements"),
        "{message}"
    );
    assert!(list.insert(3, "x").unwrap_err().is_out_of_range());
    assert!(list.update(2, |_| ()).unwrap_err().is_out_of_range());
    list.clear().unwrap();
    assert_eq!(list.pop().unwrap(), None);
    assert!(list.is_empty().unwrap());
}

#[task]
fn count_up(counts: Dict<String, u64>, list: List<u64>, array: Array<u64>, value: Value<u64>) {
    for _ in 0..25 {
        let counted = counts.update_or_insert("all", 0, |count| *count += 1);
        counted.expect("the manager lives");
        list.update(0, |count| *count += 1).expect("it is there");
        array.update(1, |count| *count += 1).expect("it is there");
        value.update(|count| *count += 1).expect("it is there");
    }
}

#[test]
fn no_update_is_lost_when_many_update_the_same() {
    let _watchdog = watchdog();
    let manager = manager();
    let counts = manager.dict::<String, u64>().unwrap();
    let list = manager.list_of([0_u64]).unwrap();
    let array = manager.array([0_u64; 2]).unwrap();
    let value = manager.value(0_u64).unwrap();
    let pool = pool_of(4);
    let calls: Vec<_> = (0..8)
        .map(|_| pool.submit(count_up, (&counts, &list, &array, &value)))
        .collect();
    for call in calls {
        call.wait().unwrap();
    }
    assert_eq!(counts.get("all").unwrap(), Some(200));
    assert_eq!(list.get(0).unwrap(), Some(200));
    assert_eq!(array.to_vec().unwrap(), [0, 200]);
    assert_eq!(value.get().unwrap(), 200);
}

#[test]
fn an_array_keeps_its_length() {
    let _watchdog = watchdog();
    let array = manager().array(vec![0.5; 4]).unwrap();
    assert_eq!(array.len().unwrap(), 4);
    assert_eq!(array.set(3, 2.0).unwrap(), 0.5);
    assert!(array.set(4, 2.0).unwrap_err().is_out_of_range());
    assert!(array.get(4).unwrap_err().is_out_of_range());
    array.edit(|all| all.reverse()).unwrap();
    assert_eq!(array.slice(..2).unwrap(), [2.0, 0.5]);
    assert_eq!(array.get(0).unwrap(), 2.0);
}

/// A type of one's own: a value of it is shared as any other.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Account {
    balance: i64,
    history: Vec<String>,
}

impl Account {
    fn withdraw(&mut self, amount: i64) -> bool {
        let covered = self.balance >= amount;
        if covered {
            self.balance -= amount;
            self.history.push(format!("-{amount}"));
        }
        covered
    }
}

#[task]
fn withdraw(account: Value<Account>, amount: i64) -> bool {
    account
        .update(|account| account.withdraw(amount))
        .expect("the manager lives")
}

#[test]
fn a_value_of_ones_own_type_has_its_methods_called_atomically() {
    let _watchdog = watchdog();
    let account = Account {
        balance: 100,
        history: Vec::new(),
    };
    let account = manager().value(account).unwrap();
    let inputs = (0..20).map(|_| (account.clone(), 15));
    let done = pool_of(3).map(withdraw, inputs).unwrap();
    assert_eq!(done.iter().filter(|done| **done).count(), 6);
    assert_eq!(account.get().unwrap().balance, 10);
    assert_eq!(account.get().unwrap().history.len(), 6);
    let next = Account {
        balance: 1,
        history: Vec::new(),
    };
    assert_eq!(account.replace(&next).unwrap().balance, 10);
    assert_eq!(account.get().unwrap(), next);
}

#[test]
fn a_value_of_another_type_is_an_error_that_says_so() {
    let _watchdog = watchdog();
    let namespace = manager().namespace().unwrap();
    namespace.set("name", "text").unwrap();
    let error = namespace.get::<Vec<u32>>("name").unwrap_err();
    assert!(error.is_wrong_type());
    let message = error.to_string();
    assert!(message.contains("stored as a `&str`"), "{message}");
    assert!(message.contains("Vec<u32>"), "{message}");
}

#[test]
fn a_value_of_any_size_comes_and_goes() {
    let _watchdog = watchdog();
    let manager = manager();
    let text = "x".repeat(20 << 20);
    let value = manager.value(text.clone()).unwrap();
    let list = manager.list::<String>().unwrap();
    list.push(&text).unwrap();
    assert!(value.get().unwrap() == text);
    assert!(list.pop().unwrap() == Some(text));
}

#[test]
fn threads_use_a_handle_at_the_same_time() {
    let _watchdog = watchdog();
    let list = Manager::start().unwrap().list::<u32>().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let list = &list;
            scope.spawn(move || {
                for n in 0..50 {
                    list.push(thread * 50 + n).unwrap();
                }
            });
        }
    });
    let mut all = list.to_vec().unwrap();
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..400));
}
