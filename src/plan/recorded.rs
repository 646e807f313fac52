//! The one generated file that a build fills in: while a command runs it holds answers, otherwise it is as it was rendered.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::replace;

pub const FILE: &str = "src/generated/recorded.ts";

/// The first words of what `src/generated/record.ts` writes.
const MARK: &str = "// Recorded by record.ts";

/// Puts the file back as it was rendered when this is dropped.
pub struct Stub {
    path: PathBuf,
    text: String,
}

impl Stub {
    /// `text`: what was rendered.
    pub fn back(root: &Path, text: &str) -> Stub {
        Stub { path: root.join(FILE), text: text.to_owned() }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if is_recording(&self.path) {
            // What cannot be put back does no harm: the server compares it with the files it was made with.
            let _ = replace(&self.path, &self.text);
        }
    }
}

/// The hash that a recording stands for: a run that was killed leaves one, and that is no edit.
pub(super) fn as_rendered(root: &Path, path: &str, known: &[String]) -> Result<Option<String>> {
    Ok(if path == FILE && is_recording(&root.join(path)) { known.first().cloned() } else { None })
}

fn is_recording(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.starts_with(MARK))
}
