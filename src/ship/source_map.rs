//! From a place in a bundle to the one in the source. The maps are made when something failed, and are part of no
//! bundle.

use std::cell::OnceCell;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::process::{self, Io, Scratch};
use crate::targets::{self, Build, Target};

/// What maps the places of one local run.
pub struct SourceMaps<'a> {
    target: &'a Target,
    build: &'a Build<'a>,
    /// The same bundle once more, with maps beside it.
    again: OnceCell<Option<Scratch>>,
}

/// A place in a file of the project, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlace {
    /// Relative to the project.
    pub file: String,
    pub line: usize,
    pub column: usize,
}

/// A line of a stack, `at f (src/tools/a.ts:3:14)`, with the place in the user's own code for that in a bundle with its
/// map beside it; `None` for a frame of anything else.
pub fn own_frame(root: &Path, line: &str) -> Option<String> {
    let (path, at, column) = frame(line)?;
    let map = beside(&path);
    let place = source(&map, root, at, column).filter(is_own)?;
    let name = line.trim_start().strip_prefix("at ").and_then(|frame| Some(frame.rsplit_once(" (")?.0));
    let place = format!("{}:{}:{}", place.file, place.line, place.column);
    Some(name.map_or_else(|| format!("at {place}"), |name| format!("at {name} ({place})")))
}

/// Whether a line is one of a stack.
pub fn is_frame(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("at ") && (line.ends_with(')') || line.ends_with(|last: char| last.is_ascii_digit()))
}

fn beside(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.map", path.display()))
}

fn is_own(place: &SourcePlace) -> bool {
    !place.file.starts_with("src/generated/") && !place.file.contains("node_modules/")
}

/// What a map says of a place, where that is in the project.
fn source(map: &Path, root: &Path, line: usize, column: usize) -> Option<SourcePlace> {
    let root = fs::canonicalize(root).ok()?;
    let text = fs::read_to_string(map).ok()?;
    let parsed: Map = serde_json::from_str(&text).ok()?;
    let (source, line, column) = parsed.find(line, column)?;
    let folder = match &parsed.source_root {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => fs::canonicalize(map.parent()?).ok()?,
    };
    let file = normal(&folder.join(source.strip_prefix("file://").unwrap_or(&source)));
    let file = file.strip_prefix(&root).ok()?.to_str()?.to_owned();
    Some(SourcePlace { file, line, column })
}

impl<'a> SourceMaps<'a> {
    pub fn new(target: &'a Target, build: &'a Build<'a>) -> Self {
        SourceMaps { target, build, again: OnceCell::new() }
    }

    /// The first place in the user's own code that an error's stack names.
    pub fn place(&self, stack: &str) -> Option<SourcePlace> {
        stack.lines().filter_map(frame).find_map(|(path, line, column)| self.source(&path, line, column).filter(is_own))
    }

    fn source(&self, path: &Path, line: usize, column: usize) -> Option<SourcePlace> {
        let beside = beside(path);
        let map = if beside.is_file() { beside } else { self.of_twin(path)? };
        source(&map, self.build.root, line, column)
    }

    /// The map of the file of the second bundle that is this one.
    fn of_twin(&self, path: &Path) -> Option<PathBuf> {
        let text = nameless(&fs::read_to_string(path).ok()?);
        let again = self.again.get_or_init(|| self.bundle_again()).as_ref()?;
        let files = fs::read_dir(again.path()).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let is_twin = |file: &PathBuf| {
            file.extension() == path.extension() && fs::read_to_string(file).is_ok_and(|twin| nameless(&twin) == text)
        };
        let twin = files.into_iter().find(is_twin)?;
        Some(PathBuf::from(format!("{}.map", twin.display())))
    }

    fn bundle_again(&self) -> Option<Scratch> {
        self.target.bundle.as_ref()?;
        let folder = Scratch::new().ok()?;
        let cmd = targets::bundle(self.build, self.target.name).arg("--sourcemap").arg("--outdir").arg(folder.path());
        process::run(&cmd, Io::Quiet, None).ok()?;
        Some(folder)
    }
}

/// Without what esbuild makes of the content in the names of files: with maps it makes something else.
fn nameless(text: &str) -> String {
    let parts: Vec<&str> = text.split(".mjs").collect();
    let Some((last, names)) = parts.split_last() else { return String::new() };
    // `-` and eight characters.
    let bare = |part: &&str| part.len().checked_sub(9).and_then(|at| part.get(..at)).unwrap_or(part).to_owned();
    names.iter().map(bare).chain([(*last).to_owned()]).collect::<Vec<_>>().join(".mjs")
}

/// `    at f (file:///a/b.mjs:2:112)`: the file, its line and its column.
fn frame(line: &str) -> Option<(PathBuf, usize, usize)> {
    let frame = line.trim_start().strip_prefix("at ")?;
    let place = frame.rsplit_once('(').map_or(frame, |(_, place)| place).trim_end_matches(')');
    let place = place.strip_prefix("async ").unwrap_or(place);
    let (rest, column) = place.rsplit_once(':')?;
    let (path, line) = rest.rsplit_once(':')?;
    let path = match path.strip_prefix("file://") {
        Some(path) => percent_encoding::percent_decode_str(path).decode_utf8().ok()?.into_owned(),
        None => path.to_owned(),
    };
    Path::new(&path).is_absolute().then_some((PathBuf::from(path), line.parse().ok()?, column.parse().ok()?))
}

/// Without `.` and `..`, and without asking the disk: the source may be gone.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
        path
    })
}

/// A source map of version 3.
#[derive(Deserialize)]
struct Map {
    sources: Vec<String>,
    /// The folder that they are relative to, in place of that of the map.
    #[serde(rename = "sourceRoot")]
    source_root: Option<String>,
    mappings: String,
}

impl Map {
    /// What stands at a place: the source, its line and column.
    fn find(&self, line: usize, column: usize) -> Option<(String, usize, usize)> {
        let (mut source, mut source_line, mut source_column) = (0, 0, 0);
        let mut found = None;
        for (at, segments) in self.mappings.split(';').enumerate().take(line) {
            let mut generated = 0;
            for segment in segments.split(',').filter(|segment| !segment.is_empty()) {
                let numbers = numbers(segment)?;
                generated += numbers.first()?;
                if let [_, by_source, by_line, by_column, ..] = numbers[..] {
                    (source, source_line, source_column) =
                        (source + by_source, source_line + by_line, source_column + by_column);
                    if at + 1 == line && usize::try_from(generated).ok()? < column {
                        found = Some((source, source_line, source_column));
                    }
                }
            }
        }
        let (source, line, column) = found?;
        let number = |number: i64| usize::try_from(number).ok().map(|number| number + 1);
        Some((self.sources.get(usize::try_from(source).ok()?)?.clone(), number(line)?, number(column)?))
    }
}

/// The numbers of a segment: variable-length quantities in base64.
fn numbers(segment: &str) -> Option<Vec<i64>> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut numbers, mut value, mut shift) = (Vec::new(), 0_i64, 0_u32);
    for digit in segment.chars() {
        let digit = i64::try_from(DIGITS.find(digit)?).ok()?;
        value |= (digit & 31).checked_shl(shift)?;
        shift += 5;
        if digit & 32 == 0 {
            numbers.push(if value & 1 == 1 { -(value >> 1) } else { value >> 1 });
            (value, shift) = (0, 0);
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_node_and_of_workers() {
        let table = [
            ("    at e (file:///var/t%20x/a.mjs:2:112)", Some(("/var/t x/a.mjs", 2, 112))),
            ("    at file:///a/b.mjs:1:2", Some(("/a/b.mjs", 1, 2))),
            ("    at async Object.load (file:///a/b.mjs:11:3052)", Some(("/a/b.mjs", 11, 3052))),
            ("    at async file:///a/b.mjs:13:3164", Some(("/a/b.mjs", 13, 3164))),
            ("    at readFileSync (node:fs:484:20)", None),
            ("    at async Promise.all (index 0)", None),
            ("Error: at a:1:2", None),
        ];
        for (line, expected) in table {
            let found = frame(line);
            let found = found.as_ref().map(|(path, line, column)| (path.to_str().unwrap(), *line, *column));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn a_place_is_that_of_the_last_segment_before_it() {
        // As esbuild writes it for `;` and three segments: columns 0, 4 and 9 of line 2.
        let map = Map {
            sources: vec!["../a.ts".into(), "../b.ts".into()],
            mappings: ";AAAA,IACE,KCAF".into(),
            source_root: None,
        };
        assert_eq!(map.find(2, 1), Some(("../a.ts".into(), 1, 1)));
        assert_eq!(map.find(2, 5), Some(("../a.ts".into(), 2, 3)));
        assert_eq!(map.find(2, 100), Some(("../b.ts".into(), 2, 1)));
        assert_eq!(map.find(1, 1), None);
        assert_eq!(map.find(3, 1), None);
    }

    #[test]
    fn names_that_hashes_make_do_not_count() {
        let one = "import\"./chunk-E4CADLED.mjs\";import(\"./é-43QCCB7B.mjs\");x";
        let other = "import\"./chunk-AAAAAAAA.mjs\";import(\"./é-BBBBBBBB.mjs\");x";
        assert_eq!(nameless(one), nameless(other));
        assert_ne!(nameless(one), nameless(&other.replace("x", "y")));
    }
}
