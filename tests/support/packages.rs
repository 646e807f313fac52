//! Installed packages, shared by projects: an installation takes longer than most tests.

use std::path::Path;

/// npm's own note of what it installed: its age tells whether the packages count as installed.
const NOTE: &str = ".package-lock.json";

/// The same files below another folder, without copying their bytes. Programs replace them; the one that npm writes in place is
/// copied.
pub fn link_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a kind of file");
        if kind.is_dir() {
            link_tree(&from, &to);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from).expect("a link"), &to).expect("a link");
        } else if entry.file_name() == NOTE {
            std::fs::copy(&from, &to).expect("a copy");
        } else {
            std::fs::hard_link(&from, &to).expect("a link");
        }
    }
}
