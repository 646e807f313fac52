//! Whole folders of a project: looked through, and copied.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cap_std::fs::{Dir, FileType, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};

use super::{Folder, join};
use crate::process;

/// Far more than a project has; looking through them must not take long.
const MOST: usize = 20_000;

/// Visits the files at and below some names of a project. Folders behind links count too, as long as they are the
/// project's own; each is visited once, so that links in a circle end. False: there are too many, or the user
/// interrupted.
pub fn walk(root: &Path, starts: &[&str], skipped: &[&str], visit: &mut Visit<'_>) -> bool {
    walk_until(&mut |count| count > MOST || process::interrupted(), root, starts, skipped, visit)
}

/// Gets the folder, the file's name in it without links, and what it is.
type Visit<'v> = dyn FnMut(&Folder, &str, &Metadata) + 'v;

/// `is_over` is asked before each name, with their number.
fn walk_until(
    is_over: &mut dyn FnMut(usize) -> bool,
    root: &Path,
    starts: &[&str],
    skipped: &[&str],
    visit: &mut Visit<'_>,
) -> bool {
    // What vanishes while we look has no files.
    let Ok(folder) = Folder::open(root) else { return true };
    let mut left: Vec<String> = starts.iter().rev().map(|name| (*name).to_owned()).collect();
    let (mut count, mut seen) = (0, BTreeSet::new());
    while let Some(name) = left.pop() {
        count += 1;
        if is_over(count) {
            return false;
        }
        let Ok(Some(found)) = folder.metadata(&name) else { continue };
        let (name, found) = match found.is_symlink() {
            // One that leads elsewhere can change all the same.
            true => behind(&folder, &name).unwrap_or((name, found)),
            false => (name, found),
        };
        if skipped.contains(&name.as_str()) {
            continue;
        }
        if !found.is_dir() {
            visit(&folder, &name, &found);
        } else if seen.insert((found.dev(), found.ino()))
            && let Ok(entries) = folder.dir.read_dir(&name)
        {
            let files = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            left.extend(files.map(|file| join(&name, &file)));
        }
    }
    true
}

/// What a link leads to, by its own name, if the project's author wrote it: packages and what tools keep are not looked
/// through.
fn behind(folder: &Folder, link: &str) -> Option<(String, Metadata)> {
    let path = folder.dir.canonicalize(link).ok()?;
    let foreign = |part: &OsStr| part == "node_modules" || part.as_encoded_bytes().starts_with(b".");
    if path.iter().any(foreign) {
        return None;
    }
    let found = folder.dir.symlink_metadata(&path).ok()?;
    Some((path.to_str()?.to_owned(), found))
}

/// Makes the folder `to` of `home` a copy of everything else in it, without the entries of its top level named in
/// `without`. What `to` has more at its top level (packages, build output) stays. Links stay links, to the same place.
pub fn mirror(home: &Path, to: &str, without: &[&str]) -> Result<()> {
    let failed = || format!("cannot copy the project to `{}`", home.join(to).display());
    let from = Folder::open(home).with_context(failed)?;
    let target = from.below(to).with_context(failed)?;
    let copy = Copy { home, from: &from.dir, without };
    copy.entries(&from.dir, &target, Path::new("")).with_context(failed)
}

struct Copy<'a> {
    home: &'a Path,
    from: &'a Dir,
    /// Entries of the top level.
    without: &'a [&'a str],
}

impl Copy<'_> {
    fn entries(&self, from: &Dir, to: &Dir, path: &Path) -> Result<()> {
        for entry in from.entries()? {
            if process::interrupted() {
                bail!(process::Interrupted);
            }
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            let path = path.join(&name);
            if self.is_left_out(&path) {
                continue;
            }
            clear(to, &name).with_context(|| format!("cannot replace `{}`", path.display()))?;
            self.entry(from, to, &path, &name, kind).with_context(|| format!("cannot copy `{}`", path.display()))?;
        }
        Ok(())
    }

    fn entry(&self, from: &Dir, to: &Dir, path: &Path, name: &OsStr, kind: FileType) -> Result<()> {
        if kind.is_dir() {
            to.create_dir(name)?;
            return self.entries(&from.open_dir(name)?, &to.open_dir(name)?, path);
        }
        if kind.is_symlink() {
            to.symlink_contents(self.same_place(path, &from.read_link_contents(name)?), name)?;
        }
        // Pipes, sockets and devices are not part of a build.
        if kind.is_file() {
            let mut options = OpenOptions::new();
            let mut source = from.open(name)?.into_std();
            options.write(true).create_new(true).mode(source.metadata()?.permissions().mode() & 0o777);
            io::copy(&mut source, &mut to.open_with(name, &options)?.into_std())?;
        }
        Ok(())
    }

    /// What a link has to say in the copy to lead where it leads in the project.
    fn same_place(&self, link: &Path, says: &Path) -> PathBuf {
        match self.from.canonicalize(link) {
            // The copy has it too.
            Ok(inside) if says.is_relative() && !self.is_left_out(&inside) => says.to_owned(),
            _ => std::fs::canonicalize(self.home.join(link)).unwrap_or_else(|_| says.to_owned()),
        }
    }

    fn is_left_out(&self, path: &Path) -> bool {
        path.iter().next().is_some_and(|first| self.without.iter().any(|name| first == *name))
    }
}

/// Removes what is where the copy goes; of a link only the link.
fn clear(dir: &Dir, name: &OsStr) -> io::Result<()> {
    match dir.symlink_metadata(name) {
        Ok(found) if found.is_dir() => dir.remove_dir_all(name),
        Ok(_) => dir.remove_file(name),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_walk_visits_each_folder_once_and_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for file in
            ["src/a.ts", "src/deep/b.ts", "src/generated/c.ts", "lib/d.ts", "node_modules/e.ts", ".git/f", "other/g.ts"]
        {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        let links = [
            ("round", "."),
            ("up", ".."),
            ("lib", "../lib"),
            ("lib2", "../lib"),
            ("packages", "../node_modules"),
            ("git", "../.git"),
            ("out", "/usr"),
            ("h.ts", "../lib/d.ts"),
        ];
        links.iter().for_each(|(name, to)| symlink(to, root.join("src").join(name)).unwrap());
        fs::remove_file(root.join("src/up")).unwrap();
        let mut found = Vec::new();
        assert!(walk(root, &["src", "missing"], &["src/generated"], &mut |_, name, _| found.push(name.to_owned())));
        found.sort();
        let expected = ["lib/d.ts", "lib/d.ts", "src/a.ts", "src/deep/b.ts", "src/git", "src/out", "src/packages"];
        assert_eq!(found, expected);
    }

    /// Be it that there are too many, or that the user interrupts.
    #[test]
    fn a_walk_that_is_to_end_visits_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        (0..9).for_each(|n| fs::write(root.join(n.to_string()), "").unwrap());
        let (mut asked, mut visited) = (0, 0);
        let mut is_over = |count| {
            asked = count;
            count > 5
        };
        // The folder itself is the first.
        assert!(!walk_until(&mut is_over, root, &["."], &[], &mut |_, _, _| visited += 1));
        assert_eq!((asked, visited), (6, 4));
    }
}
