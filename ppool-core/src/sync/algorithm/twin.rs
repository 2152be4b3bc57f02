//! Several words that change in one step.
//!
//! ```text
//!  version: 6        copies:  [0] what holds now     [1] what held before, or is being written
//! ```
//!
//! There are two copies of the words and a version, of which the last bit says which copy holds. Who
//! changes them writes the other copy and then advances the version. So one that is killed has changed
//! all of them or none. One at a time may change them (under a lock); any number may read, and read
//! again when the version has advanced meanwhile.

use crate::shm::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// The words in shared memory.
pub(crate) trait TwinWords<const N: usize> {
    /// How often they have changed.
    fn version(&self) -> &AtomicU64;
    /// A word of the first or the second copy.
    fn word(&self, copy: usize, index: usize) -> &AtomicU64;
}

/// What holds now, all of one moment.
#[inline]
pub(crate) fn read<const N: usize>(words: &impl TwinWords<N>) -> [u64; N] {
    loop {
        // Acquire: what was done before the change is seen after this.
        let version = words.version().load(Acquire);
        let values = copy_of(words, version);
        // Who has read a word that was written later sees the later version too. Partner: the fence in
        // `change`.
        fence(Acquire);
        if words.version().load(Relaxed) == version {
            return values;
        }
    }
}

/// What holds now, for the one who may change it.
#[inline]
pub(crate) fn own<const N: usize>(words: &impl TwinWords<N>) -> [u64; N] {
    copy_of(words, words.version().load(Acquire))
}

/// Changes all, for the one who may.
#[inline]
pub(crate) fn change<const N: usize>(words: &impl TwinWords<N>, values: [u64; N]) {
    let version = words.version().load(Relaxed).wrapping_add(1);
    // Partner: the fence in `read`. The version that was stored last comes before these words.
    fence(Release);
    for (index, value) in values.into_iter().enumerate() {
        words.word(copy(version), index).store(value, Relaxed);
    }
    words.version().store(version, Release);
}

#[inline]
fn copy_of<const N: usize>(words: &impl TwinWords<N>, version: u64) -> [u64; N] {
    std::array::from_fn(|index| words.word(copy(version), index).load(Relaxed))
}

fn copy(version: u64) -> usize {
    usize::from(version % 2 == 1)
}

#[cfg(all(test, loom))]
mod models {
    use loom::{model::Builder, sync::Arc, thread};

    use super::*;

    #[derive(Default)]
    struct Words {
        version: AtomicU64,
        words: [[AtomicU64; 2]; 2],
    }

    impl TwinWords<2> for Words {
        fn version(&self) -> &AtomicU64 {
            &self.version
        }

        fn word(&self, copy: usize, index: usize) -> &AtomicU64 {
            &self.words[copy][index]
        }
    }

    /// One who reads while another changes the words twice, and is then killed in a third change.
    #[test]
    fn what_is_read_is_of_one_moment_and_later_ones_come_later() {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let words = Arc::new(Words::default());
            let writer = thread::spawn({
                let words = Arc::clone(&words);
                move || {
                    change(&*words, [1, 10]);
                    change(&*words, [2, 20]);
                    // As far as `change` comes.
                    fence(Release);
                    words.word(1, 0).store(3, Relaxed);
                }
            });
            let [first, second] = [(); 2].map(|()| read(&*words));
            for [one, other] in [first, second] {
                assert_eq!(other, one * 10);
            }
            assert!(first[0] <= second[0]);
            writer.join().unwrap();
            assert_eq!(own(&*words), [2, 20]);
        });
    }
}
