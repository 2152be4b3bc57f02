//! Objects of a type of one's own, with tasks that run in the server.

use std::collections::BTreeMap;

use ppool::{
    manager::{self, ManagerErrorKind, Object, Value},
    task,
};

use crate::{
    common::{pool_of, tasks::End, watchdog},
    manager,
};

/// It has no serde, and could not travel.
struct Accounts {
    balances: BTreeMap<String, i64>,
    changes: Box<dyn Iterator<Item = u64>>,
}

#[task]
fn open_accounts(names: &[String]) {
    let balances = names.iter().map(|name| (name.clone(), 0)).collect();
    let changes = Box::new(1..);
    manager::set_object(Accounts { balances, changes });
}

/// Two changes that nobody sees apart; the number of the change.
#[task]
fn transfer(from: &str, to: &str, amount: i64) -> Result<u64, String> {
    manager::with_object(|accounts: &mut Accounts| {
        for (name, amount) in [(from, -amount), (to, amount)] {
            let balance = accounts.balances.get_mut(name);
            *balance.ok_or_else(|| format!("no account `{name}`"))? += amount;
        }
        Ok(accounts.changes.next().expect("it is endless"))
    })
}

#[task]
fn total() -> (i64, usize) {
    manager::with_object(|accounts: &mut Accounts| {
        let balances = accounts.balances.values();
        (balances.sum(), accounts.balances.len())
    })
}

#[task]
fn server_pid() -> u32 {
    std::process::id()
}

#[task]
fn transfer_often(accounts: Object, from: &str, to: &str) {
    for amount in 0..25 {
        let done = accounts.call(transfer, (from, to, amount));
        done.expect("the manager lives").expect("both are there");
        assert_eq!(accounts.call(total, ()).expect("it lives").0, 0);
    }
}

fn names() -> Vec<String> {
    ["Ann", "Bob", "Eve"].map(str::to_owned).to_vec()
}

#[test]
fn tasks_on_an_object_run_in_the_server_one_at_a_time() {
    let _watchdog = watchdog();
    let manager = manager();
    let accounts = manager.object(open_accounts, names()).unwrap();
    assert_eq!(accounts.call(server_pid, ()).unwrap(), manager.pid());
    let pool = pool_of(3);
    let calls = [("Ann", "Bob"), ("Bob", "Eve"), ("Eve", "Ann")]
        .map(|(from, to)| pool.submit(transfer_often, (&accounts, from, to)));
    for call in calls {
        call.wait().unwrap();
    }
    assert_eq!(accounts.call(total, ()).unwrap(), (0, 3));
    let last = accounts.call(transfer, ("Ann", "Bob", 5)).unwrap();
    assert_eq!(last, Ok(76));
    let missing = accounts.call(transfer, ("Ann", "Tom", 5)).unwrap();
    assert_eq!(missing, Err("no account `Tom`".to_owned()));
}

#[task]
fn set_and_panic(value: u32) {
    manager::with_object(|object: &mut u32| {
        *object = value;
        panic!("on purpose: {value}");
    })
}

#[task]
fn begin_at(value: u32) {
    manager::set_object(value);
}

#[task]
fn read() -> u32 {
    manager::with_object(|object: &mut u32| *object)
}

#[test]
fn a_task_that_panics_fails_its_call_and_the_object_lives_on() {
    let _watchdog = watchdog();
    let object = manager().object(begin_at, 1).unwrap();
    let error = object.call(set_and_panic, 7).unwrap_err();
    assert!(error.is_panic());
    let ManagerErrorKind::Panicked { panic, .. } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(panic.message(), "on purpose: 7");
    let location = panic.location().expect("the panic's place");
    assert!(location.contains("objects.rs"), "{location}");
    assert_eq!(object.call(read, ()).unwrap(), 7);
    let error = object.call(total, ()).unwrap_err().to_string();
    assert!(error.contains("there is no object of the type"), "{error}");
}

#[task]
fn refuse(why: &str) -> Result<(), String> {
    Err(why.to_owned())
}

#[test]
fn an_object_that_can_not_be_made_says_why() {
    let _watchdog = watchdog();
    let manager = manager();
    let error = manager.object(refuse, "no money").unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("Manager::object failed"), "{message}");
    assert!(
        message.contains("refuse") && message.contains("no money"),
        "{message}"
    );
    // Nothing but that has failed.
    assert_eq!(
        manager.object(begin_at, 3).unwrap().call(read, ()).unwrap(),
        3
    );
}

#[task]
fn wait_for(value: Value<u32>) -> u32 {
    loop {
        match value.get().expect("it is this server's own") {
            0 => std::thread::yield_now(),
            found => return found,
        }
    }
}

#[test]
fn a_task_that_takes_its_time_holds_up_no_other_object() {
    let _watchdog = watchdog();
    let manager = manager();
    let value = manager.value(0).unwrap();
    let slow = manager.object(begin_at, 1).unwrap();
    let quick = manager.object(begin_at, 2).unwrap();
    std::thread::scope(|scope| {
        // It is a client of its own server.
        let waiting = scope.spawn(|| slow.call(wait_for, &value).unwrap());
        assert_eq!(quick.call(read, ()).unwrap(), 2);
        value.set(9).unwrap();
        assert_eq!(waiting.join().unwrap(), 9);
    });
}

#[task]
fn end_the_server(how: End) {
    how.come();
}

#[test]
fn a_task_that_ends_the_server_is_a_clear_error() {
    let _watchdog = watchdog();
    let manager = manager();
    let object = manager.object(begin_at, 1).unwrap();
    let error = object.call(end_the_server, End::Abort).unwrap_err();
    assert!(error.is_server_gone());
    assert!(object.call(read, ()).unwrap_err().is_server_gone());
}

#[task]
fn call_and_die(object: Object) {
    let _ = object.call(read, ());
    End::Kill.come();
}

#[test]
fn a_client_that_dies_leaves_the_object_as_it_is() {
    let _watchdog = watchdog();
    let object = manager().object(begin_at, 5).unwrap();
    let pool = pool_of(1);
    assert!(
        pool.apply(call_and_die, &object)
            .unwrap_err()
            .is_worker_lost()
    );
    assert_eq!(object.call(read, ()).unwrap(), 5);
}
