//! Links at a fixed address: loading a position-independent binary of this size dirties several MB of relocations in every pod,
//! and a pod of mybnb is this binary. (Packed relative relocations would do as well, but ask for glibc 2.36.)
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-no-pie");
}
