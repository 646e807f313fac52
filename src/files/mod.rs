//! The one way in and out of a project folder, whose files somebody else may have written. Names are relative and have
//! no `..`, and a link that leads out of the folder is not followed.

mod exclusive;
pub mod merge;
mod tree;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _, ReadDir};
use ring::rand::{SecureRandom as _, SystemRandom};

pub use exclusive::Exclusive;
pub use tree::{mirror, walk};

/// Where stages that differ are rendered; git ignores it.
pub const STAGES: &str = ".mcp-deploy/stages";

/// The folder of generated code.
pub const GENERATED: &str = "src/generated";

/// Most bytes of a file that is parsed: the manifest, the lock, a schema.
pub const PARSED: u64 = 2 << 20;
/// Most bytes of any other file of a project that is read.
pub const ANY: u64 = 16 << 20;

/// Ends the name of a file that is being written.
const TEMPORARY: &str = ".mcp-deploy-tmp";

/// A folder, and everything below it that links do not lead out of.
pub struct Folder {
    dir: Dir,
}

/// What a link at the place of a file that is written means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// An error: nobody but a stranger puts a link there.
    Refused,
    /// The file behind it is written, and the link stays. It must not lead out of the folder.
    Kept,
}

/// Where the user's own files are: a stage's copy has only a link to its `.env`.
pub fn home_of(root: &Path) -> &Path {
    let stages = root.parent().filter(|stages| stages.ends_with(STAGES));
    stages.and_then(|stages| stages.parent()?.parent()).unwrap_or(root)
}

/// The root of the git repository that a folder is in: that of a worktree or a submodule has a file `.git`.
pub fn repository_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| above.join(".git").exists())
}

/// The text of one file of the project `root`.
pub fn read(root: &Path, name: &str, limit: u64) -> io::Result<String> {
    Folder::open(root)?.read(name, limit)
}

/// The same; `None` when it is not there.
pub fn read_if_there(root: &Path, name: &str, limit: u64) -> io::Result<Option<String>> {
    none_if_missing(read(root, name, limit))
}

/// Whether anything at all has this name, a link that leads nowhere or out included.
pub fn is_there(root: &Path, name: &str) -> bool {
    Folder::open(root).is_ok_and(|folder| folder.metadata(name).is_ok_and(|found| found.is_some()))
}

fn none_if_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Folder {
    /// `path` comes from the user, so links on the way to the folder itself are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Folder { dir: Dir::open_ambient_dir(path, ambient_authority())? })
    }

    /// The text of a regular file.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<String> {
        String::from_utf8(self.read_bytes(name, limit)?)
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
    }

    pub fn read_bytes(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        // Opening a pipe would otherwise wait until somebody writes to it.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        let file =
            self.dir.open_with(checked(name)?, options.read(true).custom_flags(nonblocking)).map_err(explained)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            let message = format!("it has more than {} MiB", limit >> 20);
            return Err(io::Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(bytes)
    }

    /// What has this name, a link being one; `None` when nothing has.
    pub fn metadata(&self, name: &str) -> io::Result<Option<Metadata>> {
        none_if_missing(self.dir.symlink_metadata(checked(name)?).map_err(explained))
    }

    /// What [`Folder::metadata`] finds where a file of ours may stand: nothing, or a regular file in real folders.
    pub fn own(&self, name: &str) -> io::Result<Option<Metadata>> {
        self.real_parents(name)?;
        match self.metadata(name)? {
            Some(found) if found.is_symlink() => {
                Err(refused("it is a symbolic link, and mcp-deploy writes through none; put a file in its place"))
            }
            Some(found) if !found.is_file() => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
            found => Ok(found),
        }
    }

    fn real_parents(&self, name: &str) -> io::Result<()> {
        let parents: Vec<&Path> = checked(name)?.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev().filter(|parent| !parent.as_os_str().is_empty()) {
            match none_if_missing(self.dir.symlink_metadata(parent).map_err(explained))? {
                None => break,
                Some(found) if found.is_dir() => {}
                Some(found) => {
                    let what = if found.is_symlink() { "a symbolic link" } else { "not a folder" };
                    return Err(refused(&format!(
                        "`{}` is {what}, and mcp-deploy writes to real folders only; put one in its place",
                        parent.display()
                    )));
                }
            }
        }
        Ok(())
    }

    /// The name of the file that is written for `name`.
    fn written(&self, name: &str, link: Link) -> io::Result<String> {
        let found = self.metadata(name)?;
        if link == Link::Kept && found.is_some_and(|found| found.is_symlink()) {
            let behind = self.dir.canonicalize(name).map_err(explained)?;
            let behind = behind.to_str().ok_or_else(|| refused("the name behind the link is not UTF-8"))?;
            self.own(behind)?;
            return Ok(behind.to_owned());
        }
        self.own(name)?;
        Ok(name.to_owned())
    }

    /// Begins to replace a file, or to make one. Its folders must be there. Who may read it stays as it is, unless
    /// `mode` says.
    pub fn begin(&self, name: &str, link: Link, mode: Option<u32>) -> io::Result<Replacement<'_>> {
        let name = self.written(name, link)?;
        let mode = mode.or(self.metadata(&name)?.map(|found| found.mode() & 0o777));
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("this machine gives no random numbers"))?;
        let random: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let temporary = beside(&name, &format!(".{}.{random}{TEMPORARY}", file_name(&name)));
        Ok(Replacement { folder: self, name, temporary, mode })
    }

    /// Half-written files of these names that a killed run left.
    pub fn leftovers<'a>(&self, names: impl Iterator<Item = &'a str>) -> io::Result<Vec<String>> {
        let mut names: BTreeSet<String> = names.map(str::to_owned).collect();
        // A file behind a link is written where it is.
        for link in self.links(&names)? {
            if let Ok(behind) = self.written(&link, Link::Kept) {
                names.remove(&link);
                names.insert(behind);
            }
        }
        let mut found = Vec::new();
        for folder in folders_of(&names) {
            for entry in self.entries(folder)?.into_iter().flatten() {
                let entry = entry?;
                let Ok(temporary) = entry.file_name().into_string() else { continue };
                let name = replaced_by(&temporary).map(|name| join(folder, name));
                if name.is_some_and(|name| names.contains(&name)) && entry.file_type()?.is_file() {
                    found.push(join(folder, &temporary));
                }
            }
        }
        Ok(found)
    }

    /// Which of the names are links.
    fn links(&self, names: &BTreeSet<String>) -> io::Result<Vec<String>> {
        let mut links = Vec::new();
        for folder in folders_of(names) {
            for entry in self.entries(folder)?.into_iter().flatten() {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let name = join(folder, &name);
                if names.contains(&name) && entry.file_type()?.is_symlink() {
                    links.push(name);
                }
            }
        }
        Ok(links)
    }

    /// What is in a folder; `None` when it is not there.
    fn entries(&self, folder: &str) -> io::Result<Option<ReadDir>> {
        let entries = if folder.is_empty() { self.dir.entries() } else { self.dir.read_dir(folder) };
        none_if_missing(entries.map_err(explained))
    }

    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        self.real_parents(name)?;
        self.dir.remove_file(name).map_err(explained)
    }

    pub fn remove_dir(&self, name: &str) -> io::Result<()> {
        self.real_parents(name)?;
        self.dir.remove_dir(name).map_err(explained)
    }

    /// A folder and all that is in it.
    pub fn remove_all(&self, name: &str) -> io::Result<()> {
        self.real_parents(name)?;
        self.dir.remove_dir_all(checked(name)?).map_err(explained)
    }

    pub fn create_dir(&self, name: &str) -> io::Result<()> {
        self.real_parents(name)?;
        self.dir.create_dir(name).map_err(explained)
    }

    /// The folders of `name`, outermost first, that are not there.
    pub fn missing_parents(&self, name: &str) -> io::Result<Vec<String>> {
        self.real_parents(name)?;
        let mut missing = Vec::new();
        for parent in Path::new(name).ancestors().skip(1).filter_map(Path::to_str).filter(|parent| !parent.is_empty()) {
            if self.metadata(parent)?.is_none() {
                missing.push(parent.to_owned());
            }
        }
        missing.reverse();
        Ok(missing)
    }

    /// Moves a file beside itself, to a name that nothing has.
    pub fn set_aside(&self, name: &str, to: &str) -> io::Result<()> {
        self.own(name)?;
        self.dir.rename(name, &self.dir, to).map_err(explained)
    }

    /// The folder `name`, made as needed, of real folders alone.
    fn below(&self, name: &str) -> io::Result<Dir> {
        let inside = format!("{name}/x");
        for missing in self.missing_parents(&inside)? {
            self.dir.create_dir(missing).map_err(explained)?;
        }
        self.dir.open_dir(name).map_err(explained)
    }
}

/// A file on its way: written beside the one that it replaces, under a name that nobody can know before.
pub struct Replacement<'f> {
    folder: &'f Folder,
    /// Of the file that is replaced, or made.
    pub name: String,
    pub temporary: String,
    /// `None`: that of any new file.
    mode: Option<u32>,
}

impl Replacement<'_> {
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        // A private file must not be readable for a moment either.
        options.write(true).create_new(true).mode(self.mode.unwrap_or(0o666));
        let mut file = self.folder.dir.open_with(&self.temporary, &options).map_err(explained)?.into_std();
        file.write_all(bytes)?;
        // The process's umask may have taken bits that the file had.
        self.mode.map_or(Ok(()), |mode| file.set_permissions(std::fs::Permissions::from_mode(mode)))
    }

    /// In one step: readers see the old or the new text, never a part.
    pub fn commit(&self) -> io::Result<()> {
        let dir = &self.folder.dir;
        dir.rename(&self.temporary, dir, &self.name).map_err(explained)
    }
}

/// The name as a path, if it cannot lead out of a folder by itself.
fn checked(name: &str) -> io::Result<&Path> {
    let path = Path::new(name);
    let plain =
        !name.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if plain { Ok(path) } else { Err(refused("a path of a project is relative to its folder, without `..`")) }
}

fn refused(message: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, message)
}

/// What the operating system would say of a link that leads out helps nobody.
fn explained(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => refused(
            "a link leads out of the project folder, and mcp-deploy follows none that does; put a copy in its place",
        ),
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            io::Error::new(error.kind(), "its links lead in a circle")
        }
        _ => error,
    }
}

/// Whether a file is one on its way, of whatever name.
pub fn is_temporary(name: &str) -> bool {
    replaced_by(file_name(name)).is_some()
}

/// `.NAME.0123456789abcdef.mcp-deploy-tmp` is on its way to `NAME`.
fn replaced_by(temporary: &str) -> Option<&str> {
    let (name, random) = temporary.strip_prefix('.')?.strip_suffix(TEMPORARY)?.rsplit_once('.')?;
    let is_random = random.len() == 16 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_random && !name.is_empty()).then_some(name)
}

fn folders_of(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().map(|name| parent(name)).collect()
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn file_name(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, file)| file)
}

fn join(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

/// The name of a file in the same folder.
pub fn beside(name: &str, file: &str) -> String {
    join(parent(name), file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_on_its_way_is_never_one_that_was_there() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = Folder::open(dir.path()).unwrap();
        for elsewhere in [outside.path().join("new"), dir.path().join("mine")] {
            let new = folder.begin("a", Link::Refused, None).unwrap();
            assert!(is_temporary(&new.temporary));
            symlink(&elsewhere, dir.path().join(&new.temporary)).unwrap();
            assert_eq!(new.write(b"x").unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert!(!elsewhere.exists());
        }
        let (one, other) = (folder.begin("a", Link::Refused, None), folder.begin("a", Link::Refused, None));
        assert_ne!(one.unwrap().temporary, other.unwrap().temporary);
        for name in [
            "a",
            ".a.mcp-deploy-tmp",
            ".a.0123.mcp-deploy-tmp",
            "..0123456789abcdef.mcp-deploy-tmp",
            "a.0123456789abcdef.mcp-deploy-tmp",
        ] {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn names_do_not_lead_out() {
        for name in ["", "..", "../a", "/a", "a/../b", "a/.."] {
            assert!(checked(name).is_err(), "{name}");
        }
        for name in ["a", "a/b", "./a", "a//b", "..a"] {
            assert!(checked(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_stage_belongs_to_its_project() {
        for (root, home) in [
            ("/p/.mcp-deploy/stages/s", "/p"),
            ("/p", "/p"),
            ("/p/stages/s", "/p/stages/s"),
            (".mcp-deploy/stages/s", ""),
        ] {
            assert_eq!(home_of(Path::new(root)), Path::new(home));
        }
    }
}
