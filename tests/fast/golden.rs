//! Files that say what the program must give, byte for byte.

use std::fs;
use std::path::PathBuf;

/// How an intended change is taken over.
pub const UPDATE: &str = "UPDATE_GOLDEN=1 cargo test --test fast";

pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("cannot read `{name}`: {error}"))
}

#[track_caller]
pub fn compare(name: &str, found: String) {
    if updating() {
        return fs::write(path(name), found).unwrap();
    }
    let expected = read(name);
    assert!(found == expected, "{name}\n{}\nif this is intended: {UPDATE}", difference(&expected, &found));
}

/// The lines in which two texts differ first, with some before them.
pub fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same = expected.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let tail = expected.iter().rev().zip(found.iter().rev()).take_while(|(a, b)| a == b).count();
    let tail = tail.min(expected.len().min(found.len()) - same);
    let shown = |mark: &str, lines: &[&str]| -> String {
        lines[same..lines.len() - tail].iter().take(20).map(|line| format!("{mark} {line}\n")).collect()
    };
    let before: String = expected[same.saturating_sub(3)..same].iter().map(|line| format!("  {line}\n")).collect();
    let differs = format!("{}{}", shown("-", &expected), shown("+", &found));
    let differs = if differs.is_empty() { "(only line ends differ)\n".into() } else { differs };
    format!("line {}:\n{before}{differs}", same + 1)
}
