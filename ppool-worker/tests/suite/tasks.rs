//! What the workers run, and what the program does before its `main`.

use std::{
    env, fs,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
};

use ppool_core::{
    codec::Lane,
    linkme::{self, distributed_slice},
    supervise::handover,
    sys::exit_hook::at_exit,
    task::{Invocation, InvokeError, TASKS, TaskEntry},
};

macro_rules! tasks {
    ($($name:ident = |$call:ident| $body:block)*) => { $(
        #[distributed_slice(TASKS)]
        #[linkme(crate = linkme)]
        #[expect(non_upper_case_globals, reason = "it is the name of a task")]
        static $name: TaskEntry = TaskEntry::new(
            stringify!($name),
            "fn()",
            concat!(file!(), ":", line!()),
            &["parameter"],
            |$call: &mut Invocation<'_>| -> Result<(), InvokeError> { $body },
            ppool_worker::hook,
        );
    )* };
}

tasks! {
    square = |call| {
        let number = call.argument(0, &Lane::<u64>::raw())?;
        call.run();
        call.result(&Lane::raw(), &(number * number))
    }
    panics = |call| {
        let text = call.argument(0, &Lane::<String>::raw())?;
        call.run();
        panic!("{text}")
    }
    panics_in_c = |call| {
        call.run();
        called_by_c();
        call.result(&Lane::raw(), &())
    }
    panics_while_it_panics = |call| {
        call.run();
        let _bomb = Bomb;
        panic!("first")
    }
    keeps_busy = |call| {
        call.run();
        // Neither returns nor looks at anything, as an endless loop of a C library.
        loop {
            std::hint::spin_loop();
        }
    }
    describes_its_process = |call| {
        call.run();
        call.result(&Lane::raw(), &description())
    }
    starts_this_program = |call| {
        call.run();
        let output = Command::new("/proc/self/exe").arg("--ordinary").output().unwrap();
        call.result(&Lane::raw(), &String::from_utf8(output.stdout).unwrap())
    }
    writes_at_exit = |call| {
        let path = call.argument(0, &Lane::<String>::raw())?;
        call.run();
        AT_EXIT.set(path).unwrap();
        at_exit(|| {
            fs::write(AT_EXIT.get().unwrap(), "exited").unwrap();
        }).unwrap();
        call.result(&Lane::raw(), &())
    }
    uses_stack = |call| {
        let depth = call.argument(0, &Lane::<u64>::raw())?;
        call.run();
        call.result(&Lane::raw(), &descend(depth))
    }
    was_initialised = |call| {
        call.run();
        call.result(&Lane::raw(), &u64::from(INITIALISED.load(SeqCst)))
    }
}

static AT_EXIT: OnceLock<String> = OnceLock::new();

extern "C" fn called_by_c() {
    panic!("out of C");
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("second");
    }
}

/// Uses a kibibyte of stack for each step.
fn descend(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 128]);
    match depth {
        0 => 0,
        _ => descend(depth - 1) + room[0].min(1),
    }
}

/// Facts of this process, one a line.
fn description() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let of_status = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim_start_matches(':').trim().to_string()
    };
    let mut descriptors: Vec<u32> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .file_name()
                .into_string()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    descriptors.sort_unstable();
    // The last one was the directory's, which is closed by now.
    descriptors.pop();
    let info = ppool_worker::current().unwrap();
    [
        format!("variable: {:?}", env::var_os(handover::VARIABLE)),
        format!("arguments: {:?}", env::args().collect::<Vec<_>>()),
        format!("process: {}", of_status("Name")),
        format!("thread: {}", thread::current().name().unwrap()),
        format!("ignored: {:?}", signals(&of_status("SigIgn"))),
        format!("blocked: {:?}", signals(&of_status("SigBlk"))),
        format!("descriptors: {descriptors:?}"),
        format!("slot: {}, generation: {}", info.slot, info.generation),
    ]
    .join("\n")
}

/// The numbers of the signals in a mask of `/proc`; without those from 32 on, of which some are the C
/// library's own.
fn signals(mask: &str) -> Vec<u32> {
    let mask = u64::from_str_radix(mask, 16).unwrap();
    (1..32)
        .filter(|number| mask >> (number - 1) & 1 == 1)
        .collect()
}

/// How often `initialiser` ran.
static INITIALISED: AtomicU32 = AtomicU32::new(0);

/// As a static of C++: runs before `main`, and before or after our own, as the linker likes.
#[used]
#[unsafe(link_section = ".init_array")]
#[expect(unsafe_code, reason = "runs something before main")]
static INITIALISER: extern "C" fn() = {
    extern "C" fn initialiser() {
        INITIALISED.fetch_add(1, SeqCst);
    }
    initialiser
};
