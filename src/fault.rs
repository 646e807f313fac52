//! One fault of the manifest or a handler: where, what, and what to do.

use std::fmt;

use serde::Serialize;

/// A place in a file; both numbers count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The place of a byte offset in `text`; [`Lines`] finds many places in one text.
    pub fn of(text: &str, offset: usize) -> Self {
        Lines::of(text).position(offset)
    }
}

/// A text and where each of its lines begins, so that a place is found without reading all the text before it.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, starts }
    }

    /// The place of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.starts.partition_point(|start| *start <= offset);
        let before = &self.text[self.starts[line - 1]..offset];
        Position { line, column: before.chars().count() + 1 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The server would not work; nothing is rendered.
    Error,
    /// It works, but not as somebody would expect.
    Warning,
}

/// What `check` reports, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub severity: Severity,
    pub file: String,
    #[serde(flatten)]
    pub at: Position,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Fault {
    /// As it is printed: where and what, and below it what to do.
    pub fn lines(&self) -> (String, Option<String>) {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let told = format!("{}:{}:{}: {kind}: {}", self.file, self.at.line, self.at.column, self.message);
        (told, self.hint.as_ref().map(|hint| format!("  hint: {hint}")))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines() {
            (told, Some(hint)) => write!(f, "{told}\n{hint}"),
            (told, None) => f.write_str(&told),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_characters() {
        let text = "a\n\nüx\nend";
        let at = |offset| {
            let Position { line, column } = Position::of(text, offset);
            (line, column)
        };
        // The third character is two bytes long; what is past the end is the end.
        let expected = [(1, 1), (1, 2), (2, 1), (3, 1), (3, 1), (3, 2), (3, 3), (4, 1)];
        assert_eq!((0..expected.len()).map(at).collect::<Vec<_>>(), expected);
        assert_eq!(at(100), (4, 4));
    }
}
