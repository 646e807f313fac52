//! One at a time in a project: locks that the kernel takes back when their owner ends, however it ends.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::error::Error;
use crate::process;
use crate::ui;

/// Held until it is dropped. A folder itself is locked, so that no file stays behind, and the descriptor is closed in
/// children. The process that holds it may take it again.
pub struct Exclusive {
    _file: Option<Arc<File>>,
}

/// The folder of records and stages.
const OURS: &str = ".mcp-deploy";

impl Exclusive {
    /// For as long as a plan is made and applied, or any other file of the project `root` is read and written anew.
    /// Waits for another process that does so.
    pub fn to_write(root: &Path) -> Result<Self> {
        Self::to_write_within(root, Duration::from_secs(30))
    }

    fn to_write_within(root: &Path, patience: Duration) -> Result<Self> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let deadline = Instant::now() + patience;
        let mut told = Some(Instant::now() + Duration::from_secs(1));
        let shown = root.display();
        loop {
            let folder = File::open(root).with_context(|| format!("cannot open `{shown}`"))?;
            if let Some(held) = take(folder).with_context(|| format!("cannot lock `{shown}`"))? {
                return Ok(held);
            }
            if process::interrupted() {
                bail!(process::Interrupted);
            }
            if Instant::now() >= deadline {
                let seconds = patience.as_secs();
                let error = Error::new(format!(
                    "another mcp-deploy is writing to `{shown}`, and has not ended within {seconds} s; nothing was written"
                ));
                bail!(error.hint("wait for it, or end it, then run the command again"));
            }
            if told.take_if(|then| Instant::now() >= *then).is_some() {
                ui::say(format_args!("waiting for another mcp-deploy that is writing to `{shown}`"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// For a whole `ship`, `rollback` or `destroy` of the project in `home`. Refuses at once while another process does
    /// one.
    pub fn to_deploy(home: &Path) -> Result<Self> {
        let failed = || format!("cannot open `{}`", home.join(OURS).display());
        let project = Dir::open_ambient_dir(home, ambient_authority()).with_context(failed)?;
        match project.create_dir(OURS) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error).with_context(failed),
            _ => {}
        }
        if !project.symlink_metadata(OURS).with_context(failed)?.is_dir() {
            let error = Error::new(format!("`{}` is not a folder, so nothing was done", home.join(OURS).display()));
            bail!(error.hint("records and stages are kept in that folder: move away what is there"));
        }
        // Not `open_dir`, whose descriptor cannot be locked.
        let folder = project.open(OURS).with_context(failed)?.into_std();
        match take(folder).with_context(failed)? {
            Some(held) => Ok(held),
            None => bail!(
                Error::new(
                    "another `ship`, `rollback`, `destroy` or `secrets` of this project is running, so nothing was done"
                )
                .hint("wait until it has ended, then run the command again")
            ),
        }
    }
}

/// What this process holds, by device and inode.
static HELD: Mutex<Vec<(Id, Weak<File>)>> = Mutex::new(Vec::new());

type Id = (u64, u64);

/// `None`: another process holds it.
fn take(folder: File) -> io::Result<Option<Exclusive>> {
    let metadata = folder.metadata()?;
    let id = (metadata.dev(), metadata.ino());
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.retain(|(_, file)| file.strong_count() > 0);
    if let Some(file) = held.iter().find(|(known, _)| *known == id).and_then(|(_, file)| file.upgrade()) {
        return Ok(Some(Exclusive { _file: Some(file) }));
    }
    match folder.try_lock() {
        Ok(()) => {
            let file = Arc::new(folder);
            held.push((id, Arc::downgrade(&file)));
            Ok(Some(Exclusive { _file: Some(file) }))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        // NFS, which locks only what is open for writing. What is committed is compared with what was read all the
        // same.
        Err(TryLockError::Error(error)) if cannot_lock(&error) => Ok(Some(Exclusive { _file: None })),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn cannot_lock(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::BADF, Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP]
        .iter()
        .any(|known| Some(known.raw_os_error()) == error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// `flock` of another process: its end is that of the lock.
    fn held_elsewhere(folder: &Path) -> std::process::Child {
        let mut command = Command::new("flock");
        let holder = command.arg(folder).args(["sh", "-c", "echo held; exec cat"]);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 5];
        io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
        holder
    }

    #[test]
    fn another_process_is_waited_for_and_its_death_is_the_end_of_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let mut holder = held_elsewhere(dir.path());
        let refused = Exclusive::to_write_within(dir.path(), Duration::from_millis(50)).err().unwrap().to_string();
        assert!(refused.contains("another mcp-deploy is writing"), "{refused}");
        let (waiter, root) = (dir.path().to_owned(), dir.path());
        let waiting = thread::spawn(move || Exclusive::to_write(&waiter).map(drop));
        // Its lock is that of `flock` and of the program it runs: both end with the input.
        drop(holder.stdin.take());
        holder.wait().unwrap();
        waiting.join().unwrap().unwrap();
        assert_eq!(std::fs::read_dir(root).unwrap().count(), 0, "no file stays");
    }

    #[test]
    fn one_deployment_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        drop(Exclusive::to_deploy(dir.path()).unwrap());
        let mut holder = held_elsewhere(&dir.path().join(OURS));
        let refused = Exclusive::to_deploy(dir.path()).err().unwrap().to_string();
        assert!(refused.ends_with("nothing was done"), "{refused}");
        // Files may be written meanwhile.
        drop(Exclusive::to_write(dir.path()).unwrap());
        drop(holder.stdin.take());
        holder.wait().unwrap();
        let held = Exclusive::to_deploy(dir.path()).unwrap();
        let again = Exclusive::to_deploy(dir.path()).unwrap();
        drop((held, again));
        assert!(take(File::open(dir.path().join(OURS)).unwrap()).unwrap().is_some());
    }

    #[test]
    fn a_link_is_no_folder_of_ours() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(OURS)).unwrap();
        assert!(Exclusive::to_deploy(dir.path()).is_err());
    }
}
