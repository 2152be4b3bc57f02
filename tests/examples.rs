//! The built examples, run as a user runs them: as programs of their own.
#![forbid(unsafe_code)]

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use common::{
    example::{fresh_dir, run, succeed},
    watchdog,
};

/// For an example without arguments.
const NONE: &[&str] = &[];

/// The words of a text and how often each is in it, as `wordcount` should count them.
fn count(texts: &[&str]) -> BTreeMap<String, u64> {
    let mut words = BTreeMap::new();
    for text in texts {
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            if !word.is_empty() {
                *words.entry(word.to_lowercase()).or_default() += 1;
            }
        }
    }
    words
}

/// The list that `wordcount` should print for these words.
fn top(words: &BTreeMap<String, u64>) -> Vec<String> {
    let mut words: Vec<_> = words.iter().collect();
    words.sort_by(|(a, a_times), (b, b_times)| b_times.cmp(a_times).then(a.cmp(b)));
    words.truncate(20);
    words
        .iter()
        .map(|(word, times)| format!("{times:>10}  {word}"))
        .collect()
}

#[test]
fn quickstart_prints_the_squares() {
    let _watchdog = watchdog();
    assert_eq!(
        succeed("quickstart", NONE),
        "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]\n"
    );
}

#[test]
fn wordcount_of_a_known_tree_is_right() {
    let _watchdog = watchdog();
    let dir = fresh_dir("known_tree");
    let long = "many words, one after the other; ".repeat(40_000);
    let texts = [
        ("one.txt", "The cat and the dog. THE END"),
        ("deep/er/two.md", "Käse, käse & 42 cats: don't"),
        ("deep/empty", ""),
        ("long", long.as_str()),
    ];
    for (path, text) in texts {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    // None of these count: build output, version control, a file that is not text, a link.
    for (path, bytes) in [
        ("target/skipped.txt", &b"skipped"[..]),
        (".git/skipped.txt", b"skipped"),
        ("binary", b"skipped \0 skipped"),
    ] {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    std::os::unix::fs::symlink("one.txt", dir.join("link")).unwrap();
    // What is not UTF-8 separates words, and so does what follows the first 8 KiB.
    fs::write(dir.join("latin1"), b"caf\xe9 cat").unwrap();

    let mut all: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
    all.push("caf cat");
    let words = count(&all);
    let printed = succeed("wordcount", &[&dir]);
    let lines: Vec<&str> = printed.lines().collect();
    let (last, list) = lines.split_last().unwrap();
    assert_eq!(list, top(&words));
    let total: u64 = words.values().sum();
    assert!(
        last.starts_with(&format!("5 files, {total} words, ")),
        "{last}"
    );
}

#[test]
fn wordcount_agrees_with_one_thread_over_the_repository() {
    let _watchdog = watchdog();
    let printed = succeed("wordcount", &[Path::new("--check")]);
    assert!(
        printed.contains("check: one thread counts the same"),
        "{printed}"
    );
    assert_eq!(
        printed.lines().count(),
        22,
        "twenty words, throughput, check:\n{printed}"
    );
}

#[test]
fn wordcount_names_what_it_could_not_read() {
    let _watchdog = watchdog();
    let dir = fresh_dir("missing");
    fs::write(dir.join("there"), "a word").unwrap();
    let ended = run("wordcount", &[&dir.join("there"), &dir.join("not_there")]);
    assert!(!ended.status.success());
    assert!(
        ended.stdout.contains("1 files, 2 words"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stderr.contains("not_there: No such file"),
        "{}",
        ended.stderr
    );
}

#[test]
fn every_line_of_crash_proof_is_true_and_the_readme_shows_them() {
    let _watchdog = watchdog();
    // It checks each line itself; here: that all of them are there, as the README says.
    let printed = succeed("crash_proof", NONE);
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, shown) = readme
        .split_once("<!-- crash_proof -->\n```text\n")
        .expect("the README marks the output of crash_proof");
    let (shown, _) = shown.split_once("```").unwrap();
    assert_eq!(without_pids(shown), without_pids(&printed));
}

/// The text with the numbers that end a line made equal: in the table, they are process ids.
fn without_pids(text: &str) -> Vec<String> {
    let is_number = |word: &&str| word.parse::<u32>().is_ok();
    text.lines()
        .map(
            |line| match line.split_whitespace().next_back().filter(is_number) {
                Some(pid) => line.trim_end_matches(pid).trim_end().to_owned() + " PID",
                None => line.to_owned(),
            },
        )
        .collect()
}

#[test]
fn manager_dict_prints_what_ten_workers_wrote() {
    let _watchdog = watchdog();
    assert_eq!(
        succeed("manager_dict", NONE),
        "Results: {0: 0, 1: 2, 2: 4, 3: 6, 4: 8, 5: 10, 6: 12, 7: 14, 8: 16, 9: 18}\n"
    );
}

#[test]
fn manager_namespace_prints_what_the_article_shows() {
    let _watchdog = watchdog();
    assert_eq!(
        succeed("manager_namespace", NONE),
        "Before event, consumer got: 'Namespace' object has no attribute 'value'\n\
         After event, consumer got: This is the value\n"
    );
}

#[test]
fn manager_namespace_mutable_prints_what_the_article_shows_and_what_an_update_does() {
    let _watchdog = watchdog();
    assert_eq!(
        succeed("manager_namespace_mutable", NONE),
        "Before event, consumer got: []\n\
         After event, consumer got: []\n\
         With an update:\n\
         Before event, consumer got: []\n\
         After event, consumer got: [\"This is the value\"]\n"
    );
}

#[test]
fn manager_semaphore_lets_three_at_a_time_run() {
    let _watchdog = watchdog();
    let printed = succeed("manager_semaphore", NONE);
    let lines: Vec<&str> = printed.lines().collect();
    // One of each worker, one of each that has been waited for.
    assert_eq!(lines.len(), 20, "{printed}");
    for line in &lines {
        let names = line
            .strip_prefix("Now running: [")
            .expect("as in the article");
        let names = names.strip_suffix(']').expect("a list");
        assert!(names.split_terminator(", ").count() <= 3, "{line}");
    }
    assert_eq!(lines.last(), Some(&"Now running: []"));
}

#[test]
fn a_program_without_a_task_has_a_manager_too() {
    let _watchdog = watchdog();
    assert_eq!(succeed("taskless", NONE), "");
}
