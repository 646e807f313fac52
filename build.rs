//! Rebuild when a template is added: `include_dir!` alone does not notice a new file.
fn main() {
    println!("cargo:rerun-if-changed=templates");
}
