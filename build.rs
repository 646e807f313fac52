//! Rebuild when a template or a page is added: `include_dir!` alone does not notice a new file.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    if env::var_os("CARGO_CFG_WINDOWS").is_some() {
        println!("cargo::error=mcp-deploy runs on Linux and macOS; on Windows, build and run it inside WSL 2");
    }
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=docs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("manual");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    copy_pages(Path::new("docs"), &out)
}

/// The pages of the manual without the pictures beside them, which nobody reads on a terminal.
fn copy_pages(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy_pages(&path, &to.join(name))?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
