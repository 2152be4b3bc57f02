//! Clients, servers and parents that die.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use ppool::{
    manager::{Barrier, Condition, Event, Lock, Manager, ManagerErrorKind, Semaphore},
    task,
};

use crate::{
    common::{
        pool_of,
        processes::{descriptors, is_alive, wait_until_gone},
        program::{self, Program},
        tasks::End,
        until, watchdog,
    },
    manager,
};

/// How many descriptors the server has open: one more for each connection.
fn connections(manager: &Manager) -> usize {
    // What it has answered before this answer is off its hands then.
    assert!(manager.is_alive());
    descriptors(manager.pid()).len()
}

#[task]
fn die_with_lock(lock: Lock, held: Event, how: End) {
    let _guard = lock.lock().expect("the manager lives");
    held.set().expect("the manager lives");
    how.come();
}

#[test]
fn the_lock_of_a_process_that_dies_goes_to_the_next_who_is_told() {
    let _watchdog = watchdog();
    let manager = manager();
    let lock = manager.lock().unwrap();
    let pool = pool_of(1);
    for how in [End::Kill, End::Exit(0), End::Abort] {
        let held = manager.event().unwrap();
        let dying = pool.submit(die_with_lock, (&lock, &held, how));
        held.wait().unwrap();
        // It waits, or comes too late to have to.
        let guard = lock.lock().unwrap();
        let recovered = guard.recovered().expect("the owner died");
        let error = dying.wait().unwrap_err();
        assert!(error.is_worker_lost());
        let ppool::TaskErrorKind::WorkerLost(exit) = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(recovered.pid(), exit.pid());
        drop(guard);
        assert!(lock.lock().unwrap().recovered().is_none());
    }
}

#[task]
fn die_with_permits(semaphore: Semaphore, condition: Condition, held: Event) {
    let _permits = [0, 1].map(|_| semaphore.acquire().expect("the manager lives"));
    let _guard = condition.lock().expect("the manager lives");
    held.set().expect("the manager lives");
    End::Kill.come();
}

#[test]
fn permits_of_a_process_that_dies_come_back() {
    let _watchdog = watchdog();
    let manager = manager();
    let semaphore = manager.bounded_semaphore(2).unwrap();
    let condition = manager.condition().unwrap();
    let held = manager.event().unwrap();
    let pool = pool_of(1);
    let dying = pool.submit(die_with_permits, (&semaphore, &condition, &held));
    held.wait().unwrap();
    let permits = [0, 1].map(|_| semaphore.acquire().unwrap());
    assert!(permits[0].recovered().is_some());
    assert!(condition.lock().unwrap().recovered().is_some());
    assert!(dying.wait().unwrap_err().is_worker_lost());
    assert_eq!(semaphore.available().unwrap(), 0);
    drop(permits);
    assert_eq!(semaphore.available().unwrap(), 2);
}

#[task]
fn wait_for_lock(lock: Lock) {
    let _guard = lock.lock().expect("the manager lives");
}

#[task]
fn wait_at_barrier(barrier: Barrier) -> bool {
    barrier.wait().is_err_and(|error| error.is_broken_barrier())
}

#[test]
fn one_that_is_killed_while_it_waits_is_missed_by_nobody() {
    let _watchdog = watchdog();
    let manager = manager();
    let lock = manager.lock().unwrap();
    let open = || connections(&manager);
    let guard = lock.lock().unwrap();
    let pool = pool_of(2);
    let before = open();
    let waiting = pool.submit(wait_for_lock, &lock);
    // Its connection is there, and it soon waits; if not, the kill comes even earlier.
    until(|| open() > before);
    assert!(waiting.kill());
    assert!(waiting.wait().unwrap_err().is_cancelled());
    drop(guard);
    assert!(lock.lock().unwrap().recovered().is_none());

    // At a barrier the others wait for it, in vain.
    let barrier = manager.barrier(3).unwrap();
    let [first, second] = [0, 1].map(|_| pool.submit(wait_at_barrier, &barrier));
    until(|| barrier.waiting().unwrap() == 2);
    assert!(first.kill());
    assert!(second.wait().unwrap());
    assert!(barrier.is_broken().unwrap());
}

#[test]
fn the_server_s_death_is_a_clear_error_for_all_and_a_hang_for_nobody() {
    let _watchdog = watchdog();
    let manager = manager();
    let (lock, event) = (manager.lock().unwrap(), manager.event().unwrap());
    let (condition, barrier) = (manager.condition().unwrap(), manager.barrier(2).unwrap());
    let dict = manager.dict::<u32, u32>().unwrap();
    let guard = lock.lock().unwrap();
    let open = || connections(&manager);
    let before = open();
    std::thread::scope(|scope| {
        let waiting = [
            scope.spawn(|| lock.lock().map(drop)),
            scope.spawn(|| event.wait()),
            scope.spawn(|| {
                let guard = condition.lock()?;
                condition.wait(guard).map(drop)
            }),
            scope.spawn(|| barrier.wait().map(drop)),
        ];
        // All are connected; whether they wait already makes no difference.
        until(|| open() >= before + 3);
        assert!(manager.kill());
        for waiting in waiting {
            let error = waiting.join().unwrap().unwrap_err();
            assert!(error.is_server_gone(), "{error}");
        }
    });
    drop(guard);
    for _ in 0..2 {
        assert!(dict.get(1).unwrap_err().is_server_gone());
        assert!(lock.lock().unwrap_err().is_server_gone());
    }
    assert!(!manager.is_alive());
}

#[task]
fn wait_for_event(event: Event) -> Result<(), ppool::RemoteError> {
    Ok(event.wait()?)
}

#[test]
fn workers_that_wait_are_told_of_the_server_s_death() {
    let _watchdog = watchdog();
    let manager = manager();
    let event = manager.event().unwrap();
    let open = || connections(&manager);
    let before = open();
    let pool = pool_of(1);
    let waiting = pool.submit(wait_for_event, &event);
    until(|| open() > before);
    assert!(manager.kill());
    let error = waiting.wait().unwrap().unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("the manager's server has ended"),
        "{message}"
    );
}

#[test]
fn a_server_ends_with_its_parent() {
    let _watchdog = watchdog();
    let mut program = Program::start("deaths::program_with_a_manager");
    let server = program.numbers("server");
    assert!(is_alive(server[0]));
    program.kill();
    wait_until_gone(&server);
    // And when the parent ends by itself.
    let mut program = Program::start("deaths::program_with_a_manager");
    let server = program.numbers("server");
    program.must_succeed();
    wait_until_gone(&server);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_a_manager() {
    let Some(program) = program::inside() else {
        return;
    };
    let manager = manager();
    let list = manager.list_of([1_u32]).unwrap();
    program.say("server", manager.pid());
    program.wait();
    list.push(2).unwrap();
}

/// Has the manager's handles; its parent is another than the one that started the server.
#[test]
fn a_server_serves_no_longer_than_its_parent_lives_whoever_has_handles() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let list = pool.apply(start_and_give, ()).unwrap();
    list.push(1).unwrap();
    pool.terminate();
    drop(pool);
    until(|| list.push(2).is_err_and(|error| error.is_server_gone()));
}

#[task]
fn start_and_give() -> ppool::manager::List<u32> {
    let manager = manager();
    let list = manager.list().expect("it lives");
    // So that it isn't dropped before the worker ends.
    ppool::worker::set_state(manager);
    list
}

#[test]
fn a_client_that_is_stopped_holds_up_nobody_else() {
    let _watchdog = watchdog();
    let manager = manager();
    let lock = manager.lock().unwrap();
    let pool = pool_of(2);
    let guard = lock.lock().unwrap();
    let open = || connections(&manager);
    let before = open();
    let stopped = pool.submit(wait_for_lock, &lock);
    until(|| open() > before);
    let worker = pool.worker_pids()[0];
    for pid in pool.worker_pids() {
        signal(pid, Signal::SIGSTOP);
    }
    let dict = manager.dict::<u32, u32>().unwrap();
    dict.insert(1, 2).unwrap();
    assert_eq!(dict.get(1).unwrap(), Some(2));
    for pid in pool.worker_pids() {
        signal(pid, Signal::SIGCONT);
    }
    drop(guard);
    stopped.wait().unwrap();
    assert!(is_alive(worker));
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid is small"));
    kill(pid, signal).expect("the process is there");
}

#[test]
fn processes_that_are_killed_at_random_under_a_lock_stop_nobody() {
    let _watchdog = watchdog();
    let manager = manager();
    let lock = manager.lock().unwrap();
    let value = manager.value((0_u64, 0_u64)).unwrap();
    let pool = pool_of(3);
    let calls: Vec<_> = (0..60)
        .map(|n| pool.submit(both_or_die, (&lock, &value, n)))
        .collect();
    let mut died = 0;
    for call in calls {
        died += u32::from(call.wait().is_err());
    }
    assert_eq!(died, 20);
    let _guard = lock.lock().unwrap();
    let (one, other) = value.get().unwrap();
    assert!(one >= 40, "{one}");
    assert!(other <= one && one - other <= 1, "{one} {other}");
}

/// Changes both halves under the lock; every third call dies in between. Who is told mends it.
#[task]
fn both_or_die(lock: Lock, value: ppool::manager::Value<(u64, u64)>, n: u64) {
    let guard = lock.lock().expect("the manager lives");
    if guard.recovered().is_some() {
        value
            .update(|(one, other)| *other = *one)
            .expect("it lives");
    }
    value.update(|(one, _)| *one += 1).expect("it lives");
    if n.is_multiple_of(3) {
        End::Kill.come();
    }
    value.update(|(_, other)| *other += 1).expect("it lives");
}

#[test]
fn without_descriptors_left_there_is_a_clear_error_and_life_goes_on() {
    let _watchdog = watchdog();
    Program::start("deaths::program_with_few_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_few_descriptors() {
    let Some(_program) = program::inside() else {
        return;
    };
    // Those of the server too, which inherits it.
    setrlimit(Resource::RLIMIT_NOFILE, 50, 50).expect("a lower limit");
    let manager = manager();
    for _ in 0..3 {
        let mut lists = Vec::new();
        let error = loop {
            match manager.list::<u32>() {
                Ok(list) => lists.push(list),
                Err(error) => break error,
            }
        };
        assert!(lists.len() > 20, "{}: {error}", lists.len());
        let ManagerErrorKind::System(system) = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(system.raw_os_error(), Some(nix::libc::EMFILE));
        for list in &lists {
            list.push(1).expect("what is there works on");
        }
    }
}

#[test]
fn clients_for_whom_there_is_no_room_are_told() {
    let _watchdog = watchdog();
    Program::start("deaths::program_with_too_many_clients").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_too_many_clients() {
    let Some(_program) = program::inside() else {
        return;
    };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let soft = |limit| setrlimit(Resource::RLIMIT_NOFILE, limit, hard).expect("a limit");
    // Each guard has a connection of its own; a semaphore takes as many as there are.
    let manager = manager();
    let semaphore = manager.semaphore(1 << 20).unwrap();
    limit_process(manager.pid(), 40);
    soft(hard.min(200));
    let mut permits = Vec::new();
    let error = loop {
        match semaphore.acquire() {
            Ok(permit) => permits.push(permit),
            Err(error) => break error,
        }
    };
    assert!(permits.len() > 20, "{error}");
    assert!(
        matches!(error.kind(), ManagerErrorKind::System(_)),
        "{error}"
    );
    permits.clear();
    until(|| semaphore.acquire().is_ok());
}

/// Lets a process have that many descriptors.
fn limit_process(pid: u32, limit: u64) {
    let limited = Command::new("prlimit")
        .args([format!("--pid={pid}"), format!("--nofile={limit}:{limit}")])
        .status();
    assert!(limited.expect("util-linux is there").success());
}

#[test]
fn nothing_is_left_in_the_file_system() {
    let _watchdog = watchdog();
    let manager = manager();
    let list = manager.list_of([1_u32]).unwrap();
    let _lock = manager.lock().unwrap();
    for directory in [
        "/proc/self/fd".to_owned(),
        format!("/proc/{}/fd", manager.pid()),
    ] {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let Ok(target) = std::fs::read_link(entry.path()) else {
                continue;
            };
            let target = target.to_string_lossy().into_owned();
            assert!(!target.starts_with("/dev/shm"), "{target}");
        }
    }
    // Its sockets have no names.
    let sockets = std::fs::read_to_string("/proc/self/net/unix").unwrap();
    assert!(!sockets.contains("ppool"));
    drop((manager, list));
}

#[test]
fn an_idle_server_uses_no_processor() {
    let _watchdog = watchdog();
    let manager = manager();
    let event = manager.event().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| event.wait());
        let switches = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", manager.pid()));
            let status = status.unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary"));
            line.unwrap().to_owned()
        };
        let idle = Instant::now();
        // Somebody else's quiet moment.
        until(|| {
            let before = switches();
            std::thread::sleep(Duration::from_millis(50));
            before == switches() || idle.elapsed() > Duration::from_secs(30)
        });
        assert!(idle.elapsed() < Duration::from_secs(30));
        event.set().unwrap();
        waiting.join().unwrap().unwrap();
    });
}
