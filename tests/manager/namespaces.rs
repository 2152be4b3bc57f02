//! Namespaces, as the article shows them.

use ppool::{
    manager::{Event, Namespace},
    task,
};

use crate::{
    common::{pool_of, watchdog},
    manager,
};

#[task]
fn consume(namespace: Namespace, event: Event, ready: Event) -> (String, String) {
    let before = match namespace.get::<String>("value") {
        Ok(value) => value,
        Err(error) => error.to_string(),
    };
    ready.set().expect("the manager lives");
    event.wait().expect("the manager lives");
    (before, namespace.get("value").expect("it is set"))
}

#[task]
fn produce(namespace: Namespace, event: Event) {
    let set = namespace.set("value", "This is the value");
    set.and_then(|()| event.set()).expect("the manager lives");
}

#[test]
fn a_name_that_is_missing_is_a_clear_error_until_it_is_set() {
    let _watchdog = watchdog();
    let manager = manager();
    let namespace = manager.namespace().unwrap();
    let [event, ready] = [0, 1].map(|_| manager.event().unwrap());
    let pool = pool_of(2);
    let consumer = pool.submit(consume, (&namespace, &event, &ready));
    ready.wait().unwrap();
    pool.apply(produce, (&namespace, &event)).unwrap();
    let (before, after) = consumer.wait().unwrap();
    assert_eq!(before, "'Namespace' object has no attribute 'value'");
    assert_eq!(after, "This is the value");
    assert!(namespace.get::<u32>("other").unwrap_err().is_no_such_name());
}

#[task]
fn push_to_a_copy(namespace: Namespace) {
    let list = namespace.get::<Vec<String>>("my_list");
    // DOES NOT UPDATE THE GLOBAL VALUE!
    list.expect("it is there").push("This is the value".into());
}

#[task]
fn push_by_update(namespace: Namespace) {
    let push = |list: &mut Vec<String>| list.push("This is the value".into());
    namespace.update("my_list", push).expect("it is there");
}

#[test]
fn a_change_to_a_copy_of_a_value_is_not_propagated_and_an_update_is() {
    let _watchdog = watchdog();
    let namespace = manager().namespace().unwrap();
    namespace.set("my_list", Vec::<String>::new()).unwrap();
    let pool = pool_of(1);
    pool.apply(push_to_a_copy, &namespace).unwrap();
    assert!(namespace.get::<Vec<String>>("my_list").unwrap().is_empty());
    pool.apply(push_by_update, &namespace).unwrap();
    let list = namespace.get::<Vec<String>>("my_list").unwrap();
    assert_eq!(list, ["This is the value"]);
}

#[test]
fn names_can_be_listed_and_removed() {
    let _watchdog = watchdog();
    let namespace = manager().namespace().unwrap();
    namespace.set("one", 1).unwrap();
    namespace.set("two", "2").unwrap();
    assert_eq!(namespace.names().unwrap(), ["one", "two"]);
    assert!(namespace.contains("one").unwrap());
    namespace.remove("one").unwrap();
    assert!(!namespace.contains("one").unwrap());
    assert!(namespace.remove("one").unwrap_err().is_no_such_name());
    let error = namespace.update("one", |_: &mut u32| ()).unwrap_err();
    assert!(error.is_no_such_name());
    assert_eq!(namespace.get::<String>("two").unwrap(), "2");
}
