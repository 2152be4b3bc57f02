use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use super::support::watchdog;
use crate::sync::{BoundedSemaphore, Semaphore, TooManyReleases};

#[test]
fn never_more_than_so_many_at_a_time() {
    let _watchdog = watchdog();
    let semaphore = Semaphore::new(3);
    let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let _permit = semaphore.acquire();
                    most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                    std::hint::spin_loop();
                    now.fetch_sub(1, Relaxed);
                }
            });
        }
    });
    assert!(most.load(Relaxed) <= 3);
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn permits_run_out_and_come_back() {
    let _watchdog = watchdog();
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    assert!(semaphore.try_acquire().is_none());
    assert!(
        semaphore
            .acquire_timeout(Duration::from_millis(2))
            .is_none()
    );
    drop(permit);
    drop(semaphore.acquire_timeout(Duration::MAX).unwrap());
}

#[test]
fn a_release_without_an_acquire_is_one_more() {
    let _watchdog = watchdog();
    let semaphore = Semaphore::new(0);
    thread::scope(|scope| {
        scope.spawn(|| semaphore.acquire().forget());
        semaphore.release();
    });
    assert_eq!(semaphore.available(), 0);
}

#[test]
fn a_bounded_semaphore_refuses_too_many_releases() {
    let semaphore = BoundedSemaphore::new(2);
    assert_eq!(semaphore.release(), Err(TooManyReleases));
    let permit = semaphore.acquire();
    semaphore.release().unwrap();
    // One too many now; what comes back beyond the bound vanishes.
    drop(permit);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_number_of_permits_that_cant_be_is_refused() {
    assert!(Semaphore::try_new(1 << 24).is_err());
    assert!(BoundedSemaphore::try_new(usize::MAX).is_err());
}
