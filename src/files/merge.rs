//! The lines that git writes into a file of which a merge has two versions.

/// One place that a merge left open; its lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeConflict {
    /// The line that begins with `<<<<<<<`.
    pub first: usize,
    /// The line that begins with `>>>>>>>`.
    pub last: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeSide {
    Ours,
    Theirs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    Begin,
    /// Between ours and what both began with; only in some styles.
    Base,
    Middle,
    End,
}

/// Whether a line is one that git writes between two versions.
pub fn is_marker(line: &str) -> bool {
    marker(line).is_some()
}

fn marker(line: &str) -> Option<Marker> {
    let line = line.trim_end_matches(['\n', '\r']);
    let (sign, rest) = line.split_at_checked(7)?;
    let marker = match sign {
        "<<<<<<<" => Marker::Begin,
        "|||||||" => Marker::Base,
        "=======" => Marker::Middle,
        ">>>>>>>" => Marker::End,
        _ => return None,
    };
    (rest.is_empty() || rest.starts_with(' ')).then_some(marker)
}

/// Every place with all of its markers, in the order of the file.
pub fn conflicts(text: &str) -> Vec<MergeConflict> {
    let (mut found, mut open, mut has_middle) = (Vec::new(), None, false);
    for (line, number) in text.lines().zip(1..) {
        match marker(line) {
            Some(Marker::Begin) => (open, has_middle) = (Some(number), false),
            Some(Marker::Middle) => has_middle = open.is_some(),
            Some(Marker::End) if has_middle => {
                found.extend(open.take().map(|first| MergeConflict { first, last: number }));
                has_middle = false;
            }
            _ => {}
        }
    }
    found
}

/// The text with one side of every conflict.
pub fn one_side(text: &str, side: MergeSide) -> String {
    let (mut kept, mut now) = (String::new(), None);
    for line in text.split_inclusive('\n') {
        match marker(line) {
            Some(Marker::End) => now = None,
            Some(at) => now = Some(at),
            None => {
                let is_kept = match now {
                    None => true,
                    Some(Marker::Begin) => side == MergeSide::Ours,
                    Some(Marker::Middle) => side == MergeSide::Theirs,
                    Some(Marker::Base | Marker::End) => false,
                };
                if is_kept {
                    kept.push_str(line);
                }
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const MERGED: &str = "a\r\n<<<<<<< HEAD\r\nb\r\n||||||| base\r\nx\r\n=======\r\nc\r\n>>>>>>> other\r\nd\r\n";

    #[test]
    fn a_conflict_has_its_lines_and_both_sides() {
        assert_eq!(conflicts(MERGED), [MergeConflict { first: 2, last: 8 }]);
        assert_eq!(one_side(MERGED, MergeSide::Ours), "a\r\nb\r\nd\r\n");
        assert_eq!(one_side(MERGED, MergeSide::Theirs), "a\r\nc\r\nd\r\n");
        assert_eq!(conflicts(&MERGED.repeat(2)).len(), 2);
    }

    #[test]
    fn other_lines_are_left_alone() {
        for text in [
            "",
            "=======\n",
            "Title\n=======\n>>>>>>> quoted\n",
            "<<<<<<< a\n>>>>>>> b\n",
            "<<<<<<<<\n========\n>>>>>>>>\n",
            " <<<<<<< a\n=======\n>>>>>>> b\n",
        ] {
            assert!(conflicts(text).is_empty(), "{text:?}");
        }
        assert!(is_marker("=======") && is_marker("<<<<<<< HEAD\n"));
        assert!(!is_marker("======é") && !is_marker("====="));
    }
}
