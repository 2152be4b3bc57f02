#!/usr/bin/env bash
# Checks that `unsafe` stands only in the files that ci/unsafe.txt lists, that each of these says
# why, and that the facade, the macros, the tests, the examples and the benches forbid it.
#
# The compiler denies unsafe code by the workspace's lints; this keeps the list of exceptions in one
# place, where a new one is seen. Comments and strings do not count. Left out are tests/ui, whose
# files show what the macros refuse.
# `ci/unsafe_map.sh DIR LIST` checks another tree against another list; its own test does that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
list=$(realpath "${2:-ci/unsafe.txt}")
cd "${1:-.}"

find . \( -name target -o -name '.*' ! -name . -o -path ./tests/ui \) -prune -o -name '*.rs' -print |
LC_ALL=C sort | sed 's|^\./||' | awk -v list="$list" '
function complain(what) { print file ": " what; broken = 1 }
BEGIN {
    while ((getline line < list) > 0) {
        sub(/#.*/, "", line); gsub(/[ \t]/, "", line)
        if (line == "") continue
        # A pattern as a regular expression: a star is anything inside one folder.
        pattern = line; gsub(/\./, "[.]", pattern); gsub(/\*/, "[^/]*", pattern)
        patterns[line] = "^" pattern "$"
    }
}
{
    file = $0; has_unsafe = 0; opened = 0; forbids = 0; listed = ""
    for (line in patterns) if (file ~ patterns[line]) { listed = line; used[line] = 1 }
    while ((getline line < file) > 0) {
        gsub(/"([^"\\]|\\.)*"/, "\"\"", line); sub(/\/\/.*/, "", line)
        if (line ~ /(^|[^A-Za-z_0-9#])unsafe([ \t]*[{(]|[ \t]+(fn|impl|trait|extern)([^A-Za-z_0-9]|$)|[ \t]*$)/) has_unsafe = 1
        if (line ~ /(expect|allow)\($/ || line ~ /(expect|allow)\([ \t]*unsafe_code/) opening = 1
        if (opening && line ~ /unsafe_code/) opened = 1
        if (line ~ /\)\]/) opening = 0
        if (line ~ /^#!\[forbid\(unsafe_code\)\]/) forbids = 1
    }
    close(file)
    if (listed == "") {
        if (has_unsafe) complain("`unsafe` outside the files of ci/unsafe.txt")
        if (opened) complain("opens unsafe_code outside the files of ci/unsafe.txt")
    } else if (has_unsafe && !opened) complain("needs #![expect(unsafe_code, reason = \"..\")]")
    if (!forbids && file ~ /^(src\/lib|ppool-macros\/src\/lib|(tests|examples|benches)\/([^\/]*|[^\/]*\/main|[^\/]*\/src\/lib))\.rs$/)
        complain("needs #![forbid(unsafe_code)]")
    files++; if (has_unsafe) unsafe_files++
}
END {
    for (line in patterns) if (!(line in used)) { print list ": `" line "` fits no file"; broken = 1 }
    if (files == 0) { print "no file"; broken = 1 }
    if (broken) exit 1
    print files " files, " unsafe_files + 0 " of them with unsafe code, all in ci/unsafe.txt"
}'
