//! Handles travel, and what nobody has a handle to is gone.

use std::time::Duration;

use ppool::{
    manager::{Dict, List, Manager, Value},
    task,
};
use serde::{Deserialize, Serialize};

use crate::{
    common::{
        pool_of,
        processes::{children_of, descriptors, is_alive, state},
        until, watchdog,
    },
    manager,
};

/// Long enough for anything that should happen.
const AMPLE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Job {
    name: String,
    results: Dict<String, u32>,
    others: Vec<List<u32>>,
}

#[task]
fn work(job: Job) -> Job {
    let done = job.results.insert(&job.name, 1);
    done.expect("the manager lives");
    for list in &job.others {
        list.push(7).expect("the manager lives");
    }
    job
}

#[test]
fn handles_are_fields_of_arguments_and_results() {
    let _watchdog = watchdog();
    let manager = manager();
    let job = Job {
        name: "job".into(),
        results: manager.dict().unwrap(),
        others: vec![manager.list().unwrap(), manager.list().unwrap()],
    };
    let job = pool_of(1).apply(work, job).unwrap();
    assert_eq!(job.results.get("job").unwrap(), Some(1));
    for list in job.others {
        assert_eq!(list.to_vec().unwrap(), [7]);
    }
}

#[task]
fn make(manager: Manager, elements: Vec<u32>) -> List<u32> {
    manager.list_of(elements).expect("the manager lives")
}

#[test]
fn a_worker_makes_objects_of_a_manager_that_it_was_given() {
    let _watchdog = watchdog();
    let manager = manager();
    let list = pool_of(1).apply(make, (&manager, vec![1, 2])).unwrap();
    assert_eq!(list.to_vec().unwrap(), [1, 2]);
}

/// Uses it, and gives it to a worker of a worker.
#[task]
fn pass_on(list: List<u32>, depth: u32) -> u32 {
    list.push(depth).expect("the manager lives");
    match depth {
        0 => std::process::id(),
        _ => pool_of(1)
            .apply(pass_on, (&list, depth - 1))
            .expect("the inner pool works"),
    }
}

#[test]
fn a_worker_hands_a_handle_on_to_another() {
    let _watchdog = watchdog();
    let list = manager().list::<u32>().unwrap();
    let last = pool_of(1).apply(pass_on, (&list, 2)).unwrap();
    assert_ne!(last, std::process::id());
    assert_eq!(list.to_vec().unwrap(), [2, 1, 0]);
}

#[test]
fn a_manager_keeps_handles_of_its_own_and_of_others() {
    let _watchdog = watchdog();
    let (here, there) = (manager(), manager());
    let dict = here.dict::<String, List<u32>>().unwrap();
    dict.insert("own", here.list::<u32>().unwrap()).unwrap();
    dict.insert("other", there.list::<u32>().unwrap()).unwrap();
    // Nobody but the dict has them now.
    drop(there);
    for name in ["own", "other"] {
        dict.get(name).unwrap().unwrap().push(5).unwrap();
        let list = dict.get(name).unwrap().unwrap();
        assert_eq!(list.to_vec().unwrap(), [5]);
    }
    let nested = here.value(vec![dict.clone()]).unwrap();
    drop(dict);
    let dict = nested.get().unwrap().remove(0);
    assert_eq!(dict.keys().unwrap(), ["own", "other"]);
}

#[test]
fn the_server_ends_with_the_last_handle() {
    let _watchdog = watchdog();
    let first = manager();
    let pid = first.pid();
    let list = first.list::<u32>().unwrap();
    let second = first.clone();
    drop(first);
    list.push(1).unwrap();
    assert!(second.is_alive());
    drop(second);
    list.push(2).unwrap();
    assert!(is_alive(pid));
    drop(list);
    // It ends, and is reaped.
    until(|| state(pid).is_none());
    assert!(!children_of(std::process::id()).contains(&pid));
}

#[test]
fn an_object_goes_with_its_last_handle() {
    let _watchdog = watchdog();
    let manager = manager();
    let keeper = manager.list::<u32>().unwrap();
    let open = || descriptors(manager.pid()).len();
    let before = open();
    for _ in 0..3 {
        let lists: Vec<_> = (0..20).map(|_| manager.list::<u32>().unwrap()).collect();
        pool_of(1)
            .apply(keep_for_a_while, lists)
            .expect("the worker ends well");
    }
    // A connection or two more may have been made.
    until(|| open() <= before + 2);
    keeper.push(1).unwrap();
}

#[task]
fn keep_for_a_while(lists: Vec<List<u32>>) {
    ppool::worker::set_state(lists);
}

#[test]
fn shutting_down_ends_the_server_and_says_so_to_all() {
    let _watchdog = watchdog();
    let manager = manager();
    let value = manager.value(1).unwrap();
    manager.shutdown().unwrap();
    assert!(state(manager.pid()).is_none());
    assert!(manager.join_timeout(AMPLE));
    let error = value.get().unwrap_err();
    assert!(error.is_server_gone());
    assert_eq!(
        error.to_string(),
        "Value::get failed: the manager's server has ended"
    );
    assert!(manager.dict::<u8, u8>().unwrap_err().is_server_gone());
    assert!(!manager.is_alive());
    manager.shutdown().unwrap();
}

#[test]
fn handles_do_not_travel_by_other_serializers() {
    let _watchdog = watchdog();
    let value: Value<u32> = manager().value(1).unwrap();
    let error = serde_json::to_string(&value).unwrap_err().to_string();
    assert!(error.contains("can only travel as an argument"), "{error}");
}

#[task]
fn count_in_a_manager_of_its_own() -> u32 {
    let value = manager().value(41_u32).expect("it lives");
    value.update(|value| *value += 1).expect("it lives");
    value.get().expect("it lives")
}

#[test]
fn a_worker_has_a_manager_of_its_own() {
    let _watchdog = watchdog();
    assert_eq!(
        pool_of(1).apply(count_in_a_manager_of_its_own, ()).unwrap(),
        42
    );
}
