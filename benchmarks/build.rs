//! Notes which compiler builds the benchmarks; the report says so.

use std::{env, process::Command};

fn main() {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    let text = version.map_or_else(|_| Vec::new(), |output| output.stdout);
    let line = String::from_utf8_lossy(&text);
    println!("cargo::rustc-env=RUSTC_VERSION={}", line.trim());
    let profile = env::var("PROFILE").unwrap_or_default();
    println!("cargo::rustc-env=BUILD_PROFILE={profile}");
    println!("cargo::rerun-if-changed=build.rs");
}
