//! Git, in a repository that somebody else may have set up.

use std::path::Path;
use std::time::Duration;

use super::{Cmd, Io, run};

/// What git says of the folder's repository.
pub fn git(root: &Path, args: &[&str]) -> anyhow::Result<String> {
    // A repository names programs in its configuration, too.
    let cmd = Cmd::new("git").args(["-c", "core.fsmonitor=false"]).args(args).current_dir(root);
    run(&cmd, Io::Answer, Some(Duration::from_secs(10))).map(|outcome| outcome.stdout)
}
