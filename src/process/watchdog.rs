//! A shell beside us that outlives us by a moment: nothing in us hears SIGKILL, and what we started would go on.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

const SCRIPT: &str = include_str!("watchdog.sh");

enum Watchdog {
    NotStarted,
    /// It hears what we write, and our end when the pipe closes.
    Hears(ChildStdin),
    /// There is no shell: all goes on without it.
    Absent,
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog::NotStarted);

/// From now on this process ends with us; a group is the negative number of its leader, as for kill(1).
pub fn watch(process: i32) {
    tell(&format!("+{process}\n"));
}

/// It has ended, and its number may soon be somebody else's.
pub fn forget(process: i32) {
    tell(&format!("-{process}\n"));
}

/// This temporary folder of ours goes away after our end, with all that is in it.
pub fn remove(folder: &Path) {
    tell_of(folder, '@');
}

/// We have removed it ourselves.
pub fn is_removed(folder: &Path) {
    tell_of(folder, '~');
}

fn tell_of(folder: &Path, sign: char) {
    if let Some(path) = folder.to_str().filter(|path| !path.contains('\n')) {
        tell(&format!("{sign}{path}\n"));
    }
}

fn tell(message: &str) {
    let mut watchdog = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*watchdog, Watchdog::NotStarted) {
        *watchdog = start();
    }
    if let Watchdog::Hears(pipe) = &mut *watchdog
        && pipe.write_all(message.as_bytes()).is_err()
    {
        *watchdog = Watchdog::Absent;
    }
}

fn start() -> Watchdog {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", SCRIPT]).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    // In a separate group: whoever kills ours does not kill it.
    shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let pipe = shell.spawn().ok().and_then(|mut child| child.stdin.take());
    pipe.map_or(Watchdog::Absent, Watchdog::Hears)
}
