//! Prose ends at 120 characters and avoids the phrases that the table in `docs/style.md` lists.

use std::fs;
use std::path::Path;

const MOST: usize = 120;

/// Files, and folders with everything below them.
const COVERED: &[&str] = &[
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.toml",
    "README.md",
    "benches",
    "build.rs",
    "docs",
    "src",
    "templates",
    "tests",
];

/// What other programs wrote, what the templates make, and this test, which quotes what it refuses.
const EXEMPT: &[&str] = &["tests/fast/style.rs", "tests/fixtures/", "tests/trees/"];

/// What the program prints: its lines are as long as they are, and its messages are complete only here.
const PRINTED: &[&str] = &["tests/cmd/", "tests/faults.txt"];

#[test]
fn prose_is_short_and_plain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let phrases = phrases(&fs::read_to_string(root.join("docs/style.md")).unwrap());
    assert!(phrases.len() > 20, "{phrases:?}");
    let mut faults = Vec::new();
    let mut paths = Vec::new();
    COVERED.iter().for_each(|place| files(root, place, &mut paths));
    assert!(paths.len() > 300, "{} files", paths.len());
    for path in paths {
        let Some(language) = Language::of(&path) else { continue };
        let text = fs::read_to_string(root.join(&path)).unwrap();
        faults.extend(faults_of(&text, language, &phrases).into_iter().map(|fault| format!("{path}:{fault}")));
    }
    assert!(faults.is_empty(), "{} lines (docs/style.md):\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_kind_of_prose_is_read() {
    let list = phrases("| `is no`, `are none`; but `there is no` | `is not a` |\n| `simply` | nothing |\n");
    let count = |text: &str, language| faults_of(text, language, &list).len();
    for (text, language) in [
        ("/// It is no\n/// name.", Language::Rust),
        ("bail!(\"`{x}` is no name\");", Language::Rust),
        ("f(); // simply", Language::Rust),
        ("/**\n * Where they are\n * none.\n */", Language::TypeScript),
        ("/** simply */", Language::TypeScript),
        ("a: b # simply", Language::Hash),
        ("def f():\n    \"\"\"Simply.\"\"\"\n", Language::Python),
        ("\"\"\"A text,\n\nsimply.\"\"\"\n", Language::Python),
        ("error: `x` is no name", Language::Printed),
        ("Simply:\n", Language::Markdown),
        ("- it is\n  no name\n", Language::Markdown),
        ("| a | simply |\n", Language::Markdown),
    ] {
        assert_eq!(count(text, language), 1, "{text}");
        assert_eq!(count(&text.replace("imply", "ample").replace("no", "a"), language), 0, "{text}");
    }
    for (text, language) in [
        ("// There is no name, and it is nothing.", Language::Rust),
        ("let simply = 1;", Language::Rust),
        ("\"\"\"A text.\"\"\"\nsimply = 1\n", Language::Python),
        ("`simply` is a word", Language::Markdown),
        ("```\nsimply\n```\n", Language::Markdown),
        ("| instead of | write |\n|---|---|\n| `is no` | x |\n", Language::Markdown),
    ] {
        assert_eq!(count(text, language), 0, "{text}");
    }
}

#[test]
fn a_long_line_of_prose_is_seen() {
    let long = "word ".repeat(30);
    let count = |text: &str, language| faults_of(text, language, &[]).len();
    for (text, language) in [
        (format!("// {long}"), Language::Rust),
        (format!("let a = 1; // {long}"), Language::TypeScript),
        (format!(" * {long}"), Language::TypeScript),
        (format!("# {long}"), Language::Hash),
        (format!("- {long}"), Language::Markdown),
        (format!("\"\"\"{long}\"\"\""), Language::Python),
    ] {
        assert_eq!(count(&text, language), 1, "{text}");
    }
    for (text, language) in [
        (format!("const TEXT = \"{long}\";"), Language::Rust),
        (format!("a: {long}"), Language::Hash),
        (format!("| {long} |"), Language::Markdown),
        (format!("error: {long}"), Language::Printed),
        (format!("```\n{long}\n```"), Language::Markdown),
        (format!("[{long}](https://example.com)"), Language::Markdown),
        (format!("// https://example.com/{}", "a".repeat(120)), Language::Rust),
    ] {
        assert_eq!(count(&text, language), 0, "{text}");
    }
}

/// What is prose in a file.
#[derive(Clone, Copy, PartialEq)]
enum Language {
    Rust,
    TypeScript,
    /// `#` begins a comment.
    Hash,
    /// The same, and docstrings.
    Python,
    Markdown,
    Printed,
}

impl Language {
    /// `None` for a file without prose.
    fn of(path: &str) -> Option<Self> {
        if PRINTED.iter().any(|printed| path.starts_with(printed)) {
            return Some(Language::Printed);
        }
        let name = path.strip_suffix(".hbs").unwrap_or(path);
        match name.rsplit(['.', '/']).next()? {
            "rs" => Some(Language::Rust),
            "ts" | "mts" | "js" | "mjs" | "jsonc" => Some(Language::TypeScript),
            "md" => Some(Language::Markdown),
            "py" => Some(Language::Python),
            "toml" | "yml" | "yaml" | "sh" | "run" | "txt" | "example" => Some(Language::Hash),
            "gitignore" | "vercelignore" | "Dockerfile" | "dockerignore" => Some(Language::Hash),
            _ => None,
        }
    }

    /// The prose of a line without the mark of a comment; whether it is the whole line.
    fn prose(self, line: &str) -> Option<(&str, bool)> {
        let start = line.trim_start();
        let whole: &[&str] = match self {
            Language::Markdown | Language::Printed => return Some((start, true)),
            Language::Rust => &["///", "//!", "//"],
            Language::TypeScript => &["///", "//", "/**", "/*", "*/", "* "],
            Language::Hash | Language::Python => &["#"],
        };
        if let Some(text) = whole.iter().find_map(|mark| start.strip_prefix(mark)) {
            return Some((text, true));
        }
        let mark = if matches!(self, Language::Hash | Language::Python) { " # " } else { " // " };
        let (at, _) = line.match_indices(mark).find(|(at, _)| {
            // Not inside of a string.
            let before = line[..*at].replace("\\\"", "");
            before.matches('"').count().is_multiple_of(2)
        })?;
        Some((&line[at + mark.len()..], false))
    }
}

/// A phrase that is refused, the longer ones that are not, and what to write.
#[derive(Debug)]
struct Phrase {
    words: String,
    allowed: Vec<String>,
    instead: String,
}

/// The rows of the table in the style guide whose first column has phrases in backticks.
fn phrases(guide: &str) -> Vec<Phrase> {
    let table = guide.split_once("| instead of | write |").map_or(guide, |(_, table)| table);
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once(" | "));
    rows.flat_map(|(refused, instead)| {
        let refused = format!("`{refused}");
        let (refused, allowed) = refused.split_once("; but ").unwrap_or((&refused, ""));
        let (allowed, instead) = (quoted(allowed), instead.to_owned());
        quoted(refused).into_iter().map(move |words| Phrase {
            words,
            allowed: allowed.clone(),
            instead: instead.clone(),
        })
    })
    .collect()
}

/// `LINE: what is wrong` for each.
fn faults_of(text: &str, language: Language, phrases: &[Phrase]) -> Vec<String> {
    let mut faults = Vec::new();
    // All prose in one text, so that a phrase is found across the end of a line; and where each line begins in it.
    let (mut all, mut starts) = (String::new(), Vec::new());
    let (mut fenced, mut listing, mut documents) = (false, false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let row = line.trim_start().starts_with('|');
        if language == Language::Markdown {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            listing = row && (listing || line.starts_with("| instead of |"));
            if fenced || fence || listing {
                continue;
            }
        }
        let ends = line.matches("\"\"\"").count();
        let is_docstring = language == Language::Python && (documents || line.trim_start().starts_with("\"\"\""));
        documents = is_docstring && documents == ends.is_multiple_of(2);
        let prose = if is_docstring { Some((line.trim().trim_matches('"'), true)) } else { language.prose(line) };
        let is_link = |text: &str| {
            let text = text.trim_start_matches(['-', ' ', '!']);
            !text.trim().contains(' ') || (text.starts_with('[') && text.ends_with(')'))
        };
        if let Some((text, _)) = prose
            && line.chars().count() > MOST
            && !(language == Language::Markdown && row)
            && language != Language::Printed
            && !is_link(text)
        {
            faults.push(format!("{number}: {} characters; a line of prose ends at {MOST}", line.chars().count()));
        }
        let words = match prose {
            Some((text, true)) => without_code(text),
            // A message may be anywhere in a line of code; a single word may be a name there.
            _ => line.split(' ').map(|word| word.trim_start_matches('"')).collect::<Vec<_>>().join(" "),
        };
        let is_code = !matches!(prose, Some((_, true)));
        starts.push((all.len(), number, is_code, prose.map(|(text, _)| text.to_lowercase())));
        // Messages begin with small letters; `is None` is code.
        all.push_str(&if is_code { words.trim().to_owned() } else { words.trim().to_lowercase() });
        all.push(' ');
    }
    for phrase in phrases {
        for (at, _) in all.match_indices(&phrase.words) {
            let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
            let end = at + phrase.words.len();
            if !edge(all[..at].chars().next_back()) || !edge(all[end..].chars().next()) {
                continue;
            }
            let covers = |longer: &String| {
                longer.match_indices(&phrase.words).any(|(inside, _)| {
                    at.checked_sub(inside)
                        .is_some_and(|from| all.get(from..).is_some_and(|all| all.starts_with(longer)))
                })
            };
            let (_, number, is_code, comment) = &starts[starts.partition_point(|(start, ..)| *start <= at) - 1];
            let is_name = !phrase.words.contains(' ') && *is_code;
            let in_comment = comment.as_ref().is_some_and(|text| text.contains(&phrase.words));
            if !phrase.allowed.iter().any(covers) && (!is_name || in_comment) {
                faults.push(format!("{number}: `{}`; write {}", phrase.words, phrase.instead));
            }
        }
    }
    faults
}

/// Without what stands in backticks, which is quoted as it is.
fn without_code(text: &str) -> String {
    text.split('`').enumerate().map(|(n, part)| if n.is_multiple_of(2) { part } else { "``" }).collect()
}

/// The files at `path` and below it, from the root of the repository.
fn files(root: &Path, path: &str, found: &mut Vec<String>) {
    if root.join(path).is_dir() {
        for entry in fs::read_dir(root.join(path)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name != "node_modules" {
                files(root, &format!("{}/{name}", path.trim_end_matches('/')), found);
            }
        }
    } else if !EXEMPT.iter().any(|exempt| path.starts_with(exempt)) {
        found.push(path.to_owned());
    }
}
