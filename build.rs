//! Puts the functions that a node runs beside each other in the binary, so that the rest of it takes no memory.
//!
//! The kernel maps a program in pieces of 64 KiB. With its functions in the order of their crates a node had nearly all of
//! its 3.4 MB of code in memory; what it runs until it is idle is 1.5 MB. `scripts/order` lists those functions, and the
//! linker puts them first. A list that does not fit (another compiler, another target) is no harm: it orders nothing.

use std::env;

const LIST: &str = "scripts/order.txt";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={LIST}");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // There rustc brings its own linker, which takes such a list, and keeps one of functions that are the same in all but
    // name: 65 kB. A backtrace may show one by the name of another.
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        for argument in [
            format!("--symbol-ordering-file={root}/{LIST}"),
            "--no-warn-symbol-ordering".to_owned(),
            "--icf=all".to_owned(),
        ] {
            println!("cargo:rustc-link-arg-bin=codling=-Wl,{argument}");
        }
    }
}
