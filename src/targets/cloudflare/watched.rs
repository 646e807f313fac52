//! What `wrangler dev` says while it watches the sources.

use std::fs;
use std::path::{Path, PathBuf};

use crate::targets::WatchNews;

/// The file that it makes of the sources.
pub const SCRIPT: &str = "cloudflare.js";

/// The newest of its folders in the project: each run has one.
pub fn made(root: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(root.join(".wrangler/tmp")).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let changed = |folder: &PathBuf| fs::metadata(folder.join(SCRIPT)).and_then(|script| script.modified()).ok();
    folders.filter_map(|folder| Some((changed(&folder)?, folder))).max().map(|(_, folder)| folder)
}

/// What a line says of a change.
pub fn news(line: &str) -> Option<WatchNews> {
    if line.contains("Local server updated and ready") {
        Some(WatchNews::Serves)
    } else if line.contains("[ERROR] Build failed with ") {
        Some(WatchNews::Broken)
    } else {
        None
    }
}

/// wrangler sends requests without a body once more by itself, and leaves the others to their client.
pub fn restarted(status: u16, body: &[u8]) -> bool {
    status == 503 && body.starts_with(b"Your worker restarted mid-request")
        || status == 500 && body.starts_with(b"Error: Network connection lost.")
}

pub fn is_chatter(line: &str) -> bool {
    let line = line.trim_start();
    CHATTER.iter().any(|start| line.starts_with(start))
}

/// How its own lines begin: the list of bindings, its requests, its reloads.
const CHATTER: [&str; 11] = [
    "Your Worker has access to the following bindings",
    "Binding  ",
    "env.",
    "[wrangler:info]",
    "[wrangler:warn] Unable to fetch the `Request.cf` object",
    "⎔ ",
    "⛅️ wrangler",
    "────",
    "Using secrets defined in",
    "Using vars defined in",
    "🪵  Logs were written to",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_lines_are_known() {
        assert_eq!(news("⎔ Local server updated and ready"), Some(WatchNews::Serves));
        assert_eq!(news("✘ [ERROR] Build failed with 1 error:"), Some(WatchNews::Broken));
        assert_eq!(news("hello"), None);
        assert!(is_chatter("[wrangler:info] POST /mcp 200 OK (21ms)") && is_chatter("⎔ Reloading local server..."));
        assert!(!is_chatter("hello from a handler") && !is_chatter("✘ [ERROR] Build failed with 1 error:"));
        assert!(restarted(503, b"Your worker restarted mid-request. Please try") && !restarted(503, b"{}"));
    }
}
