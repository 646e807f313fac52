//! `docs`: the manual of this very version, which is part of the program.

use anyhow::{Result, bail};
use include_dir::{Dir, include_dir};

use super::End;
use crate::cli::Docs;
use crate::error::Error;
use crate::manifest;
use crate::ui;

static PAGES: Dir<'static> = include_dir!("$OUT_DIR/manual");

const ENDING: &str = ".md";

/// Names and texts of all pages, in the order of their names.
fn pages() -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    let mut folders = vec![&PAGES];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        found.extend(folder.files().filter_map(|file| {
            let name = file.path().to_str()?.strip_suffix(ENDING)?;
            Some((name.to_owned(), file.contents_utf8()?))
        }));
    }
    found.sort();
    found
}

/// What the first line says.
fn title(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches("# ")
}

pub fn run(args: Docs) -> Result<End> {
    let pages = pages();
    let Some(wanted) = args.page else {
        let longest = pages.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, text) in &pages {
            ui::answer(format_args!("{name:<longest$}  {}", title(text)));
        }
        return Ok(End::Done);
    };
    ui::answer(page(&pages, &wanted)?.trim_end());
    Ok(End::Done)
}

/// By its name, with or without its ending; a command's and a target's page by the last part of it too.
fn page(pages: &[(String, &'static str)], wanted: &str) -> Result<&'static str> {
    let name = wanted.trim_start_matches("./").trim_start_matches("docs/");
    let name = name.strip_suffix(ENDING).unwrap_or(name);
    let exact = pages.iter().find(|(known, _)| known == name);
    let last = || pages.iter().find(|(known, _)| known.rsplit('/').next() == Some(name));
    if let Some((_, text)) = exact.or_else(last) {
        return Ok(text);
    }
    let names = || pages.iter().map(|(known, _)| known.as_str());
    let hint = manifest::nearest(name, names()).unwrap_or_else(|| "`mcp-deploy docs` lists the pages".to_owned());
    bail!(Error::usage(format!("the manual has no page `{wanted}`")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_is_found_by_its_names_and_begins_with_a_title() {
        let pages = pages();
        assert!(pages.len() > 30, "{}", pages.len());
        for (name, text) in &pages {
            assert!(text.starts_with("# ") && !title(text).is_empty(), "{name}");
            for wanted in [name.clone(), format!("docs/{name}.md")] {
                assert_eq!(page(&pages, &wanted).unwrap(), *text, "{wanted}");
            }
        }
        assert_eq!(page(&pages, "ship").unwrap(), page(&pages, "commands/ship").unwrap());
        let wrong = page(&pages, "maniefst").unwrap_err();
        assert_eq!(crate::error::hint(&wrong).as_deref(), Some("did you mean `manifest`?"));
    }
}
