//! The one generated file that a build fills in: while a command runs it holds answers, otherwise it is as it was rendered.

use std::path::{Path, PathBuf};

use super::replace;
use crate::files;
use crate::process::watchdog;

pub const FILE: &str = "src/generated/recorded.ts";

/// The first words of what `src/generated/record.ts` writes.
const MARK: &str = "// Recorded by record.ts";

/// Puts the file back as it was rendered when this is dropped.
pub struct Stub {
    root: PathBuf,
    text: String,
}

impl Stub {
    /// `text`: what was rendered.
    pub fn back(root: &Path, text: &str) -> Stub {
        // Should we be killed, nothing here is dropped. A link is not followed, here as elsewhere.
        if let Some(path) = root.canonicalize().ok().map(|root| root.join(FILE))
            && path.canonicalize().is_ok_and(|real| real == path)
        {
            watchdog::put_back(&path, text);
        }
        Stub { root: root.to_owned(), text: text.to_owned() }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if files::read(&self.root, FILE, files::ANY).is_ok_and(|text| text.starts_with(MARK)) {
            // What cannot be put back does no harm: the server compares it with the files it was made with.
            let _ = replace(&self.root, FILE, &self.text);
        }
        watchdog::is_back();
    }
}

/// The hash that a recording stands for: a run that was killed leaves one, and that is no edit.
pub(super) fn as_rendered(path: &str, text: &str, known: &[String]) -> Option<String> {
    known.first().filter(|_| path == FILE && text.starts_with(MARK)).cloned()
}
