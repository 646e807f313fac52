//! What can be read of TypeScript without a compiler: what it imports, and where.

/// Whether a character belongs to a name.
pub fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The same text with blanks in the places of comments and strings, byte for byte.
pub fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'', '`']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else if rest.starts_with('/') {
            1
        } else {
            string_length(rest)
        };
        code.push_str(&" ".repeat(skipped));
        rest = &rest[skipped..];
    }
    code + rest
}

/// Bytes of the string literal that `text` begins with, its quotes included.
pub fn string_length(text: &str) -> usize {
    let quote = text.chars().next().unwrap_or('"');
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if quote != '`' => return at,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A text between quotes, and where its first quote stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Literal<'t> {
    pub text: &'t str,
    pub at: usize,
}

impl Literal<'_> {
    /// Behind its last quote.
    pub fn end(&self) -> usize {
        self.at + self.text.len() + 2
    }
}

/// The literal that comes next at `at`, behind nothing but blanks and, where `open` says so, one parenthesis.
pub fn literal<'t>(text: &'t str, at: usize, open: bool) -> Option<Literal<'t>> {
    let skipped = |rest: &'t str| rest.trim_start();
    let mut rest = skipped(text.get(at..)?);
    if open && let Some(inside) = rest.strip_prefix('(') {
        rest = skipped(inside);
    }
    let length = rest.starts_with(['"', '\'', '`']).then(|| string_length(rest))?;
    let inside = rest.get(1..length.checked_sub(1)?)?;
    (!inside.contains("${")).then_some(Literal { text: inside, at: text.len() - rest.len() })
}

/// The places of a word in code, each behind the word.
pub fn words<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = usize> + 'c {
    let ends = |c: Option<char>| c.is_none_or(|c| !is_of_word(c));
    let places = code.match_indices(word).map(|(at, word)| (at, at + word.len()));
    places
        .filter(move |(at, end)| ends(code[..*at].chars().next_back()) && ends(code[*end..].chars().next()))
        .map(|(_, end)| end)
}

/// What a module names that it needs when it runs: `import`, `export … from`, `import()`, `require()`. Types do not
/// count.
pub fn imports(text: &str) -> Vec<Literal<'_>> {
    let code = without_comments_and_strings(text);
    let is_method = |end: usize, word: &str| code[..end - word.len()].trim_end().ends_with('.');
    let mut found = Vec::new();
    for (word, open) in [("import", true), ("require", true), ("from", false)] {
        for end in words(&code, word) {
            let calls = code[end..].trim_start().starts_with('(');
            if is_method(end, word) || (word == "require" && !calls) || (word == "from" && is_of_types(&code[..end])) {
                continue;
            }
            found.extend(literal(text, end, open));
        }
    }
    found.sort_by_key(|literal| literal.at);
    found
}

/// Whether what ends with `from` is `import type` or `export type`.
fn is_of_types(before: &str) -> bool {
    let begin = ["import", "export"].iter().filter_map(|word| words(before, word).last()).max();
    let Some(clause) = begin.map(|begin| before[begin..].trim_start()) else { return false };
    let Some(rest) = clause.strip_prefix("type") else { return false };
    // `import type from "x"` imports something that is called so.
    rest.starts_with(|c: char| !is_of_word(c)) && !rest.trim().starts_with(',') && rest.trim() != "from"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_module_imports_when_it_runs() {
        let text = r#"
import a from "a";
import * as b from 'b/c';
import "side-effect";
import { type T, v } from "mixed";
import type { U } from "types-only";
import type from "called-type";
export type { V } from "types-too";
export { w } from "exported";
export * from "all";
// import x from "comment";
const s = 'import y from "string"';
const lazy = await import("lazy");
const cjs = require( "cjs" );
const other = object.import("method");
const built = await import(`./${s}.ts`);
const plain = await import(`template`);
"#;
        let found: Vec<&str> = imports(text).into_iter().map(|literal| literal.text).collect();
        let expected =
            ["a", "b/c", "side-effect", "mixed", "called-type", "exported", "all", "lazy", "cjs", "template"];
        assert_eq!(found, expected);
        for literal in imports(text) {
            assert_eq!(&text[literal.at + 1..literal.end() - 1], literal.text);
        }
    }
}
