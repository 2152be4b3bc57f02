#!/usr/bin/env bash
# Checks that every test and every public item that docs/parity.md names is there.
#
# The last column of a row names tests, `FILE::NAME`: NAME is a test function in tests/FILE.rs, in
# tests/FILE/, or in the folder src/FILE or tests/FILE of one of the crates. The column before it
# names items: `Type::item`, `module::item`, or `item`, which must be public (or a variant) in one of
# the crates. `-` stands for none, and a row without a test must say `not yet` or why it has none.
# `ci/parity.sh DIR` checks another tree; its own test does that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cd "${1:-.}"
page=docs/parity.md
said=$(mktemp)
trap 'rm -f "$said"' EXIT

complain() { echo "$page: $1" >> "$said"; }

# Every public thing by its name, and every variant of an enum.
declare -A names
while read -r name; do names[$name]=1; done < <(find src ppool-*/src -name '*.rs' -exec cat {} + |
    sed -nE \
        -e 's/^ *pub (const |unsafe |async |extern "C" )*(fn|struct|enum|trait|mod|type|const) ([A-Za-z_0-9]+).*/\3/p' \
        -e 's/^ *pub ([a-z_0-9]+):.*/\1/p' \
        -e 's/^    ([A-Z][A-Za-z0-9]*)[,({].*/\1/p' |
    LC_ALL=C sort -u)

has_item() {
    local part
    for part in ${1//::/ }; do
        part=${part%%[!A-Za-z_0-9]*}
        [ -n "${names[$part]:-}" ] || return 1
    done
}

has_test() {
    local file=${1%%::*} name=${1##*::} places=() place
    for place in "tests/$file.rs" "tests/$file" ppool-*/src/"$file".rs ppool-*/src/"$file" ppool-*/tests/"$file"; do
        if [ -e "$place" ]; then places+=("$place"); fi
    done
    [ "${#places[@]}" -gt 0 ] && grep -rqE "fn $name(\(|<)" "${places[@]}"
}

rows=0
while IFS='|' read -r _ row what items tests _; do
    row=${row// /}
    rows=$((rows + 1))
    while read -r item; do
        if [ -n "$item" ]; then has_item "$item" || complain "$row: there is no \`$item\`"; fi
    done < <(grep -oE '`[^`]+`' <<< "$items" | tr -d '`')
    count=0
    while read -r test; do
        if [ -n "$test" ]; then
            count=$((count + 1))
            has_test "$test" || complain "$row: there is no test \`$test\`"
        fi
    done < <(grep -oE '`[^`]+`' <<< "$tests" | tr -d '`')
    if [ "$count" = 0 ] && ! grep -qE '[a-z]{2}' <<< "$tests"; then
        complain "$row: names no test and does not say why"
    fi
done < <(grep -E '^\| [A-F][0-9]+ \|' "$page")

if [ "$rows" = 0 ]; then complain "has no rows"; fi
cat "$said"
if [ -s "$said" ]; then exit 1; fi
echo "$rows rows of $page name tests and items that are there"
