//! Errors are made of parts, and only `src/error.rs` puts them together or takes them apart.

use std::path::Path;

use crate::support::sources;

/// What is wrong with a source, and why.
fn faults(source: &str) -> Vec<&'static str> {
    let packed: String = source.split_whitespace().collect();
    let has = |words: &[&str]| words.iter().any(|word| packed.contains(word));
    let table: [(bool, &'static str); 3] = [
        (source.contains("\\nhint:"), "a hint is glued to a text: `Error::new(…).hint(…)`, `ui::hint`"),
        (has(&["context(Error::", "context(||Error::", "context(||{Error::"]), "`context` hides an `Error`: `because`"),
        (
            has(&[".downcast_ref::<", ".downcast::<", "error.is::<"]),
            "an error is taken apart: `error::carried`, `ToolFailed::of`",
        ),
    ];
    table.into_iter().filter(|(wrong, _)| *wrong).map(|(_, why)| why).collect()
}

#[test]
fn no_error_is_glued_or_hidden() {
    for (path, source) in sources().iter().filter(|(path, _)| *path != Path::new("error.rs")) {
        let faults = faults(source);
        assert!(faults.is_empty(), "{}: {faults:?}", path.display());
    }
}

#[test]
fn each_form_is_seen() {
    for wrong in [
        r#"bail!("no\nhint: do")"#,
        "x.context(Error::new(\"a\"))",
        "x.with_context(|| {\n    Error::new(\"a\")\n})",
        "x.with_context(|| Error::new(\"a\"))",
        "error.downcast_ref::<ToolFailed>()",
        "error.is::<ToolFailed>()",
    ] {
        assert_eq!(faults(wrong).len(), 1, "{wrong}");
    }
    assert_eq!(faults(r#"bail!(Error::new("no").hint("do")); x.context("a")"#), [""; 0]);
}
