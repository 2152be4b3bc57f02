#!/usr/bin/env bash
# Checks REG-1: a program that would get two versions of ppool-core, and so two registries of
# tasks, must be refused by cargo. Nothing is built; cargo says so when it resolves the versions.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
links=$(sed -n 's/^links = "\(.*\)"$/\1/p' "$root/ppool-core/Cargo.toml")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# A stand-in for another version of the core: what counts is that it `links` the same name.
mkdir -p "$dir/src" "$dir/other/src"
touch "$dir/src/lib.rs" "$dir/other/src/lib.rs"
echo 'fn main() {}' > "$dir/other/build.rs"
cat > "$dir/other/Cargo.toml" <<TOML
[package]
name = "other-core"
version = "0.0.0"
edition = "2024"
links = "$links"
TOML
cat > "$dir/Cargo.toml" <<TOML
[package]
name = "two-cores"
version = "0.0.0"
edition = "2024"
[dependencies]
ppool-core = { path = "$root/ppool-core" }
other-core = { path = "other" }
[workspace]
members = ["other"]
TOML

if cargo generate-lockfile --manifest-path "$dir/Cargo.toml" > "$dir/said" 2>&1; then
    echo "cargo accepts two crates that link \`$links\` in one program"
    exit 1
fi
if ! grep -q "links to the native library \`$links\`" "$dir/said"; then
    echo "cargo refused for another reason:"
    cat "$dir/said"
    exit 1
fi
echo "cargo refuses two cores in one program"
