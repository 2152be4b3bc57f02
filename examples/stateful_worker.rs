//! Something that is slow to load, loaded once by each worker and used by all its calls.
//!
//! `stateful_worker TEXT WORD..` proposes corrections of misspelled words, by how often words are in
//! a text. The initializer reads the text and keeps the counts in the worker; the calls find them
//! there. A worker that replaces another loads them again, before its first call.
#![forbid(unsafe_code)]

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    fs,
    io::{self, Write as _},
    sync::atomic::{AtomicU32, Ordering},
};

use ppool::{Pool, RemoteError, task, worker};
use serde::{Deserialize, Serialize};

/// How often each word is in the text.
struct Model(HashMap<String, u32>);

/// How often this process has loaded the model.
static LOADS: AtomicU32 = AtomicU32::new(0);

/// Runs in each worker when it starts. What it returns as an error breaks the pool, which then says
/// so in the error of every call.
#[task]
fn load(text: &str) -> Result<(), RemoteError> {
    let text = fs::read_to_string(text)?;
    let mut words = HashMap::new();
    for word in text.split(|c: char| !c.is_alphabetic()) {
        if !word.is_empty() {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    worker::set_state(Model(words));
    LOADS.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// A word as it was probably meant.
#[derive(Serialize, Deserialize)]
struct Correction {
    word: String,
    /// The worker, and how often it had loaded the model.
    pid: u32,
    loads: u32,
}

#[task]
fn correct(word: &str) -> Correction {
    Correction {
        word: worker::with_state(|model: &mut Model| model.correct(word)),
        pid: std::process::id(),
        loads: LOADS.load(Ordering::Relaxed),
    }
}

impl Model {
    /// The most frequent known word that is no change, one change or two changes away.
    fn correct(&self, word: &str) -> String {
        let word = word.to_lowercase();
        let one: BTreeSet<String> = changes(&word).collect();
        self.best([word.clone()].into_iter())
            .or_else(|| self.best(one.iter().cloned()))
            .or_else(|| self.best(one.iter().flat_map(|word| changes(word))))
            .unwrap_or(word)
    }

    fn best(&self, words: impl Iterator<Item = String>) -> Option<String> {
        let known = words.filter_map(|word| Some((*self.0.get(&word)?, word)));
        // Of equally frequent ones the first of the alphabet.
        let best = known.max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| y.cmp(x)));
        best.map(|(_, word)| word)
    }
}

/// All words that one deletion, swap, replacement or insertion makes of this one.
fn changes(word: &str) -> impl Iterator<Item = String> + use<> {
    let letters: Vec<char> = word.chars().collect();
    (0..=letters.len()).flat_map(move |at| {
        let (before, after) = letters.split_at(at);
        let joined = |middle: &[char], after: &[char]| -> String {
            before.iter().chain(middle).chain(after).collect()
        };
        let mut words = Vec::new();
        if let [first, rest @ ..] = after {
            words.push(joined(&[], rest));
            words.extend(('a'..='z').map(|letter| joined(&[letter], rest)));
            if let [second, rest @ ..] = rest {
                words.push(joined(&[*second, *first], rest));
            }
        }
        words.extend(('a'..='z').map(|letter| joined(&[letter], after)));
        words
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = arguments
        .next()
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/README.md").to_owned());
    let mut words: Vec<String> = arguments.collect();
    if words.is_empty() {
        words = ["proces", "wroker", "calback", "taks", "libary", "pool"]
            .map(str::to_owned)
            .to_vec();
    }

    let pool = Pool::builder()
        .workers(2)
        .name("spelling")
        .initializer(load, text.as_str())
        .build()?;
    let mut out = io::stdout().lock();
    let mut workers = BTreeSet::new();
    let mut most_loads = 0;
    for (word, correction) in words.iter().zip(pool.imap(correct, &words)) {
        let correction = correction?;
        writeln!(out, "{word} -> {}", correction.word)?;
        workers.insert(correction.pid);
        most_loads = most_loads.max(correction.loads);
    }
    writeln!(
        out,
        "{} words, {} workers, {most_loads} load of the model in each",
        words.len(),
        workers.len()
    )?;
    Ok(())
}
