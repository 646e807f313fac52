//! Rebuild when a template is added: `include_dir!` alone does not notice a new file.
fn main() {
    if std::env::var_os("CARGO_CFG_WINDOWS").is_some() {
        println!("cargo::error=mcp-deploy runs on Linux and macOS; on Windows, build and run it inside WSL 2");
    }
    println!("cargo:rerun-if-changed=templates");
}
