//! What passed once and would pass again, by a hash of all that the answer depends on: a file of hashes in the private
//! cache. When it cannot be read or written, the work is done again.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::plan;
use crate::toolchain::Search;

const FILE: &str = "passed";
/// Bytes; a file that has grown to more is begun anew. A hash has 65.
const MOST: u64 = 64 << 10;

/// Whether it passed before.
pub fn before(what: &str) -> bool {
    file().is_some_and(|file| knows(&file, what))
}

pub fn remember(what: &str) {
    // Nothing but time is lost without it.
    let _ = file().map(|file| add(&file, what));
}

fn file() -> Option<PathBuf> {
    Search::from_env().ok().map(|search| search.cache.join(FILE))
}

fn knows(file: &Path, what: &str) -> bool {
    let mut known = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MOST * 2).read_to_end(&mut known));
    let hash = plan::hash(what);
    read.is_ok() && known.split(|byte| *byte == b'\n').any(|line| line == hash.as_bytes())
}

fn add(file: &Path, what: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let full = std::fs::metadata(file).is_ok_and(|meta| meta.len() > MOST);
    let mut file = OpenOptions::new().create(true).append(!full).write(true).truncate(full).open(file)?;
    // One write, so that commands at the same time do not mix their lines; on a new line, whatever precedes it.
    file.write_all(format!("\n{}\n", plan::hash(what)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_what_passed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cache/passed");
        assert!(!knows(&file, "a"));
        add(&file, "a").unwrap();
        add(&file, "b").unwrap();
        assert!(knows(&file, "a") && knows(&file, "b") && !knows(&file, "c"));
    }

    #[test]
    fn a_file_that_is_broken_or_full_is_no_reason_to_believe() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passed");
        add(&file, "a").unwrap();
        let cut = std::fs::read(&file).unwrap();
        for broken in [&cut[..30], b"\xff\xfe\0", b""] {
            std::fs::write(&file, broken).unwrap();
            assert!(!knows(&file, "a"));
            add(&file, "a").unwrap();
            assert!(knows(&file, "a"));
        }
        std::fs::write(&file, vec![b'x'; MOST as usize + 1]).unwrap();
        add(&file, "a").unwrap();
        assert!(knows(&file, "a"));
        assert!(std::fs::metadata(&file).unwrap().len() < 100);
    }
}
