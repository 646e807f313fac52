//! Installed packages, shared by projects: an installation takes longer than most tests.

use std::path::Path;

/// What programs write in place: npm's own note of what it installed, whose age tells whether the packages count as
/// installed; and what the compiler remembers of the last type check.
const WRITTEN: [&str; 2] = [".package-lock.json", "types.tsbuildinfo"];

/// The same files below another folder. The bytes of installed packages are not copied: programs replace these files. A
/// project's own files are copied, since tests write them in place.
pub fn link_tree(from: &Path, to: &Path) {
    let installed = from.components().any(|part| part.as_os_str() == "node_modules");
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a kind of file");
        if kind.is_dir() {
            link_tree(&from, &to);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from).expect("a link"), &to).expect("a link");
        } else if !installed || WRITTEN.iter().any(|name| entry.file_name() == *name) {
            std::fs::copy(&from, &to).expect("a copy");
        } else {
            std::fs::hard_link(&from, &to).expect("a link");
        }
    }
}
