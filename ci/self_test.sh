#!/usr/bin/env bash
# Tries the checks of this folder on small trees, each broken in one way: a check that can't fail
# checks nothing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# accepts CHECK TEXT: with TEXT as the changed file, the check passes. refuses: it does not, and
# says FRAGMENT.
accepts() {
    printf '%s\n' "$2" > "$changed"
    "$1" > "$tree/said" || { echo "$1 refuses: $2"; cat "$tree/said"; exit 1; }
}
refuses() {
    printf '%s\n' "$2" > "$changed"
    if "$1" > "$tree/said"; then echo "$1 accepts: $2"; exit 1; fi
    grep -qF -- "$3" "$tree/said" || { echo "$1 does not say '$3' of: $2"; cat "$tree/said"; exit 1; }
}

mkdir -p "$tree/src/high/pure" "$tree/src/low"
printf 'low: pure\nhigh: low\nhigh/pure: pure low\n' > "$tree/layers"
echo '//! Low.' | tee "$tree/src/low/mod.rs" "$tree/src/high/mod.rs" > "$tree/src/high/pure/mod.rs"
layers() { "$here/layers.sh" "$tree/src" "$tree/layers"; }
changed=$tree/src/low/ring.rs
accepts layers 'use crate::low::mod_a; use super::other; // use crate::high::x'
accepts layers 'const TEXT: &str = "crate::high::x";'
refuses layers 'use crate::high::x;' '`low` must not name `high`'
refuses layers 'pub use crate::{low::{a, b}, high::x};' '`low` must not name `high`'
refuses layers 'fn f() -> crate::high::X {}' '`low` must not name `high`'
refuses layers $'use crate::{\n    low::a,\n    high::{self, x},\n};' '`low` must not name `high`'
refuses layers 'use super::super::high::x;' '`low` must not name `high`'
refuses layers 'use crate::Reexported;' '`crate::Reexported` is no module'
refuses layers 'use nix::errno::Errno;' 'is pure'
refuses layers 'fn f() { libc::getpid() }' 'is pure'
accepts layers ''
changed=$tree/src/high/pure/state.rs
accepts layers 'use crate::{high::x, low::y};'
refuses layers 'use nix::errno::Errno;' '`high/pure` is pure'
accepts layers ''
changed=$tree/src/high/loop.rs
accepts layers 'use crate::low::x; use nix::errno::Errno;'
changed=$tree/src/new.rs
refuses layers '//! New.' '`new` has no line'
rm "$changed"
changed=$tree/layers
refuses layers $'low: pure\nhigh: low\n<<<<<<< one\nhigh/pure: pure low' 'is no line of a table'
refuses layers $'low: pure\nlow:\nhigh: low\nhigh/pure: pure low' '`low` has two lines'
refuses layers $'low: pure\nhigh: low\nhigh/pure: pure low\nlower: low' 'names no file'

rm -r "$tree/src"
mkdir -p "$tree/src" "$tree/core/src/sys" "$tree/tests/ui"
printf 'core/src/sys/*.rs\n' > "$tree/unsafe"
printf '#![forbid(unsafe_code)]\n' | tee "$tree/src/lib.rs" > "$tree/tests/a.rs"
printf '#![expect(unsafe_code, reason = "r")]\nunsafe { f() }\n' > "$tree/core/src/sys/a.rs"
printf 'unsafe fn refused() {}\n' > "$tree/tests/ui/a.rs"
unsafe_map() { "$here/unsafe_map.sh" "$tree" "$tree/unsafe"; }
changed=$tree/core/src/queue.rs
accepts unsafe_map '//! No unsafe { here }'
accepts unsafe_map 'const TEXT: &str = "unsafe { f() }"; let unsafe_count = 1;'
refuses unsafe_map 'fn f() { unsafe { g() } }' 'outside the files'
refuses unsafe_map 'unsafe impl Send for X {}' 'outside the files'
refuses unsafe_map $'let x = unsafe\n{ g() };' 'outside the files'
refuses unsafe_map '#![allow(unsafe_code, reason = "r")]' 'opens unsafe_code'
refuses unsafe_map $'#![expect(\n    unsafe_code,\n    reason = "r"\n)]' 'opens unsafe_code'
accepts unsafe_map ''
changed=$tree/core/src/sys/b.rs
accepts unsafe_map $'#![expect(\n    unsafe_code,\n    reason = "r"\n)]\nunsafe { g() }'
refuses unsafe_map 'unsafe { g() }' 'needs #![expect'
accepts unsafe_map ''
changed=$tree/tests/b.rs
refuses unsafe_map 'fn f() {}' 'needs #![forbid'
accepts unsafe_map '#![forbid(unsafe_code)]'
changed=$tree/unsafe
refuses unsafe_map $'core/src/sys/*.rs\ncore/src/gone.rs' 'fits no file'

rm -r "$tree"/*
mkdir -p "$tree/src" "$tree/docs" "$tree/tests/many" "$tree/a-core/src/room"
printf 'pub struct Pool;\n    pub fn join(&self) {}\n    Closed,\nfn hidden() {}\n' > "$tree/src/lib.rs"
printf '#[test]\nfn it_works() {}\n' | tee "$tree/tests/one.rs" "$tree/tests/many/main.rs" > "$tree/a-core/src/room/a.rs"
cp -r "$tree/a-core" "$tree/ppool-core"
parity() { "$here/parity.sh" "$tree"; }
changed=$tree/docs/parity.md
accepts parity '| A1 | what | `Pool::join`, `Pool::Closed`: how | `one::it_works`, `many::it_works`, `room::it_works` |'
accepts parity '| A1 | what | not yet | not yet |'
refuses parity '| A1 | what | `Pool::gone` | `one::it_works` |' 'A1: there is no `Pool::gone`'
refuses parity '| A1 | what | `Pool::hidden` | `one::it_works` |' 'A1: there is no `Pool::hidden`'
refuses parity '| A1 | what | `Pool` | `one::it_work` |' 'A1: there is no test `one::it_work`'
refuses parity '| A1 | what | `Pool` | `two::it_works` |' 'A1: there is no test `two::it_works`'
refuses parity '| A1 | what | `Pool` | - |' 'A1: names no test'
refuses parity '' 'has no rows'

echo "the checks refuse what they should"
