//! The examples on real work: what they print is right, and Ctrl-C does what they say.
#![forbid(unsafe_code)]

mod common;

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use common::{
    example::{Example, fresh_dir, run, succeed},
    processes::{children_of, wait_until_gone},
    until, watchdog,
};
use nix::{libc::O_NONBLOCK, sys::stat::Mode, unistd::mkfifo};
use sha2::{Digest as _, Sha256};

/// For an example without arguments.
const NONE: &[&str] = &[];

// ---------------------------------------------------------------------- hash_tree

/// The line that `sha256sum` prints for a file.
fn line(path: &Path, contents: &[u8]) -> String {
    let hash = Sha256::digest(contents);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits}  {}", path.display())
}

/// Makes a tree of files; gives the lines for them.
fn tree(root: &Path) -> Vec<String> {
    let long = vec![7; 1 << 20];
    let files: [(&str, &[u8]); 4] = [
        ("a/deep/er/long", &long),
        ("a/empty", b""),
        ("b", b"abc"),
        ("c/text.txt", b"some text\n"),
    ];
    let write = |(name, contents): (&str, &[u8])| {
        let path = root.join(name);
        let made = fs::create_dir_all(path.parent().expect("it has a folder"));
        made.and_then(|()| fs::write(&path, contents))
            .expect("cargo's directory for tests can be written to");
        line(&path, contents)
    };
    files.into_iter().map(write).collect()
}

#[test]
fn hash_tree_prints_what_sha256sum_prints() {
    let _watchdog = watchdog();
    let root = fresh_dir("hash_tree");
    let expected = tree(&root);
    // Links inside a tree are not followed, and what is no file is not read.
    std::os::unix::fs::symlink("b", root.join("link")).unwrap();
    mkfifo(&root.join("pipe"), Mode::S_IRWXU).unwrap();
    let printed = succeed("hash_tree", &[&root]);
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    assert!(
        expected[2].starts_with("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    );
    let link = root.join("link");
    assert_eq!(
        succeed("hash_tree", &[&link]),
        format!("{}\n", line(&link, b"abc"))
    );
}

#[test]
fn hash_tree_names_what_it_could_not_read() {
    let _watchdog = watchdog();
    let root = fresh_dir("hash_tree_missing");
    let expected = tree(&root);
    let ended = run("hash_tree", &[root.clone(), root.join("not_there")]);
    assert!(!ended.status.success());
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), expected);
    assert!(
        ended.stderr.contains("not_there: No such file"),
        "{}",
        ended.stderr
    );
}

/// `hash_tree` at its first Ctrl-C, in the middle of a file.
struct Interrupted {
    example: Example,
    workers: Vec<u32>,
    /// The file that it reads: a pipe, which ends when its writer goes away.
    pipe: PathBuf,
    writer: File,
}

fn interrupted(name: &str) -> Interrupted {
    let root = fresh_dir(name);
    tree(&root);
    let pipe = root.join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).expect("cargo's directory for tests can be written to");
    let mut example = Example::start("hash_tree", &[&root, &pipe]);
    let writer = writer_to_a_reader(&pipe);
    let workers = children_of(example.pid());
    example.ctrl_c();
    example.hear("finishing what is being read");
    Interrupted {
        example,
        workers,
        pipe,
        writer,
    }
}

/// Waits until somebody reads the pipe: without a reader, this kind of opening fails.
fn writer_to_a_reader(pipe: &Path) -> File {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(O_NONBLOCK);
    let mut writer = None;
    until(|| {
        writer = options.open(pipe).ok();
        writer.is_some()
    });
    writer.expect("it has been waited for")
}

#[test]
fn hash_tree_finishes_what_is_being_read_when_it_is_interrupted() {
    let _watchdog = watchdog();
    let Interrupted {
        example,
        workers,
        pipe,
        mut writer,
    } = interrupted("hash_tree_once");
    writer.write_all(b"abc").unwrap();
    drop(writer);
    let ended = example.end();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert!(
        ended.stdout.contains(&line(&pipe, b"abc")),
        "{}",
        ended.stdout
    );
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    wait_until_gone(&workers);
}

#[test]
fn hash_tree_ends_at_once_when_it_is_interrupted_twice() {
    let _watchdog = watchdog();
    let Interrupted {
        example,
        workers,
        writer,
        ..
    } = interrupted("hash_tree_twice");
    // The file does not end, and still the program does.
    example.ctrl_c();
    let ended = example.end();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    wait_until_gone(&workers);
    drop(writer);
}

// ---------------------------------------------------------------------- the others

#[test]
fn crashing_library_answers_every_request() {
    let _watchdog = watchdog();
    let printed = succeed("crashing_library", NONE);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 9, "{printed}");
    let crashes = lines
        .iter()
        .filter(|line| line.ends_with("crashed the library (SIGSEGV)"));
    assert_eq!(crashes.count(), 2, "{printed}");
    assert_eq!(lines[8], "8 of 8 as expected");
}

#[test]
fn stateful_worker_corrects_words_and_loads_its_model_once() {
    let _watchdog = watchdog();
    let text = fresh_dir("stateful_worker").join("text");
    fs::write(&text, "The cat sat; the dog sat too. Käse! the THE hat").unwrap();
    let words = ["teh", "dgo", "cet", "sat", "xyzzyx", "káse"];
    let mut arguments = vec![text.to_str().unwrap()];
    arguments.extend(words);
    let printed = succeed("stateful_worker", &arguments);
    let lines: Vec<&str> = printed.lines().collect();
    let expected = [
        "teh -> the",
        "dgo -> dog",
        "cet -> cat",
        "sat -> sat",
        "xyzzyx -> xyzzyx",
        "káse -> káse",
    ];
    assert_eq!(lines[..6], expected);
    assert!(
        lines[6].ends_with("1 load of the model in each"),
        "{printed}"
    );
}

#[test]
fn stateful_worker_says_why_it_has_no_model() {
    let _watchdog = watchdog();
    let ended = run("stateful_worker", &["/not/there", "teh"]);
    assert!(!ended.status.success());
    assert!(
        ended.stderr.contains("`stateful_worker::load` failed"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("No such file"), "{}", ended.stderr);
}

#[test]
fn elastic_service_serves_good_requests_among_bad_ones() {
    let _watchdog = watchdog();
    let requests = fresh_dir("elastic_service").join("requests");
    let mut text = "crash\nfactor 12\npanic\nfactor x\n".to_owned();
    text += &"factor 97\n".repeat(50);
    fs::write(&requests, text).unwrap();
    let printed = succeed("elastic_service", &[&requests]);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 55, "{printed}");
    assert!(lines[0].contains("SIGABRT"), "{printed}");
    assert_eq!(lines[1], " 2 factor 12: 12 = 2 * 2 * 3");
    assert!(lines[2].contains("a request that panics"), "{printed}");
    assert!(lines[3].contains("invalid digit"), "{printed}");
    assert_eq!(lines[53], "54 factor 97: 97 = 97");
    assert_eq!(lines[54], "52 answered, 2 failed, 0 given up");
}
