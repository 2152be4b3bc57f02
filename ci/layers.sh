#!/usr/bin/env bash
# Checks that the modules of ppool-core name only those that ci/layers.txt lets them name.
#
# It reads the text, not the syntax tree: every `crate::x`, every `crate::{x, y::z}` and every
# `super::` that climbs out of the module counts, comments and strings do not.
# `ci/layers.sh DIR TABLE` checks another tree against another table; its own test does that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=${1:-ppool-core/src}
table=${2:-ci/layers.txt}

find "$root" -name '*.rs' ! -name tests.rs ! -path '*/tests/*' ! -path "$root/lib.rs" | LC_ALL=C sort |
awk -v root="$root" -v table="$table" '
# The room of a path like queue_manager/reactor/step.rs: the longest line of the table that fits.
function room_of(path) {
    sub(/\.rs$/, "", path); sub(/\/mod$/, "", path)
    while (path != "" && !(path in allowed)) if (!sub(/\/[^\/]*$/, "", path)) path = ""
    return path
}
# How many `super::` lead from a file to the root of the crate.
function depth_of(path) {
    sub(/\.rs$/, "", path); sub(/\/mod$/, "", path)
    return gsub(/\//, "/", path) + 1
}
function complain(what) { print root "/" path ": " what; broken = 1 }
# One name that stands where a module of the crate root would.
function check(name, from_crate) {
    if (name == "self" || name == "") return
    if (name in module) {
        if (name == top || index(" " allowed[room] " ", " " name " ")) return
        complain("`" room "` must not name `" name "`")
    } else if (from_crate) {
        complain("`crate::" name "` is no module of " table "; name things by the module that has them")
    }
}
# What stands after `crate::`: one name, or a group in braces, of which the first names count.
function check_after(text, from_crate,    level, i, c, word, first) {
    if (substr(text, 1, 1) != "{") {
        match(text, /^[A-Za-z_][A-Za-z_0-9]*/)
        check(substr(text, 1, RLENGTH > 0 ? RLENGTH : 0), from_crate)
        return
    }
    first = 1; word = ""
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c ~ /[A-Za-z_0-9]/) { if (level == 1 && first) word = word c; continue }
        if (word != "") { check(word, from_crate); word = ""; first = 0 }
        if (c == "{") level++
        else if (c == "}") { if (--level == 0) return }
        else if (c == "," && level == 1) first = 1
    }
}
function check_all(text, pattern, from_crate,    at) {
    while (match(text, pattern)) {
        text = substr(text, RSTART + RLENGTH)
        check_after(text, from_crate)
    }
}
BEGIN {
    while ((getline line < table) > 0) {
        sub(/#.*/, "", line)
        gsub(/[ \t]+/, " ", line); sub(/^ /, "", line); sub(/ $/, "", line)
        if (line == "") continue
        if (line !~ /^[a-z_\/]+:( [a-z_]+)*$/) { print table ": `" line "` is no line of a table"; broken = 1; continue }
        name = line; sub(/:.*/, "", name)
        if (name in allowed) { print table ": `" name "` has two lines"; broken = 1 }
        sub(/^[^:]*:[ \t]*/, "", line)
        allowed[name] = line
        sub(/\/.*/, "", name); module[name] = 1
    }
}
{
    file = $0
    path = substr(file, length(root) + 2)
    top = path; sub(/\/.*/, "", top); sub(/\.rs$/, "", top)
    room = room_of(path); seen[room] = 1
    if (room == "") { complain("`" top "` has no line in " table); next }
    text = ""
    while ((getline line < file) > 0) {
        gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
        sub(/\/\/.*/, "", line)
        text = text " " line
    }
    close(file)
    gsub(/[ \t]*::[ \t]*/, "::", text); gsub(/[ \t]+/, " ", text)
    check_all(text, "(^|[^A-Za-z_0-9:])crate::", 1)
    pattern = "(^|[^A-Za-z_0-9:])"
    for (i = depth_of(path); i > 0; i--) pattern = pattern "super::"
    check_all(text, pattern, 0)
    if (index(" " allowed[room] " ", " pure ") && match(text, /(^|[^A-Za-z_0-9])(nix|libc)::/))
        complain("`" room "` is pure and names " substr(text, RSTART, RLENGTH))
    files++
}
END {
    for (name in allowed) if (!(name in seen)) { print table ": `" name "` names no file of " root; broken = 1 }
    if (files == 0) { print "no file in " root; broken = 1 }
    if (broken) exit 1
    print files " files keep the layers"
}'
