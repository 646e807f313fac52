//! `[limits] bundle_kb`: what an instance has to load before it can answer, weighed before anything runs or is
//! deployed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::error::Error;
use crate::process::{self, Io, Scratch};
use crate::targets::{Build, Target};

/// Bytes of the minified JavaScript that was built. Neither source maps nor configuration are loaded at a cold start;
/// and it is not compression that an instance has to parse.
pub fn weigh(target: &Target, root: &Path) -> Result<u64> {
    let folder = (target.scripts)(root);
    scripts(&folder).with_context(|| format!("cannot weigh what was built in `{}`", folder.display()))
}

fn scripts(path: &Path) -> std::io::Result<u64> {
    if path.symlink_metadata()?.is_dir() {
        return std::fs::read_dir(path)?.map(|entry| scripts(&entry?.path())).sum();
    }
    let script = path.extension().is_some_and(|extension| ["js", "mjs", "cjs"].iter().any(|js| extension == *js));
    if script || is_module(path) { Ok(std::fs::symlink_metadata(path)?.len()) } else { Ok(0) }
}

/// Whether wrangler put it beside a Worker: a file beside the code, by its SHA-1 and its name.
fn is_module(path: &Path) -> bool {
    let hash = path.file_name().and_then(|name| name.to_str()?.split_once('-')).map(|(hash, _)| hash);
    hash.is_some_and(|hash| hash.len() == 40 && hash.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Fails, naming what weighs most, when the build is above `budget` kB.
pub fn check(target: &Target, build: &Build<'_>, budget: u64) -> Result<()> {
    let bytes = weigh(target, build.root)?;
    if bytes <= budget * 1000 {
        return Ok(());
    }
    let mut message =
        format!("the bundle for {} has {} kB; `limits.bundle_kb` allows {budget}", target.title, kilobytes(bytes));
    // Refused either way: what cannot be listed does not change that.
    match heaviest(target, build) {
        Ok(modules) => {
            message.push_str("; the heaviest in it:");
            for (name, bytes) in modules {
                let _ = write!(message, "\n{:>8} kB  {name}", kilobytes(bytes));
            }
        }
        Err(error) => {
            let _ = write!(message, "; what is in it could not be listed: {error:#}");
        }
    }
    bail!(Error::new(message).hint("import less, or only where it is needed, or raise `bundle_kb` in `mcp.toml`"));
}

/// Above a budget by one byte is above it.
fn kilobytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1000, bytes % 1000 / 100)
}

const LISTED: usize = 8;
const LIMIT: Duration = Duration::from_secs(120);

/// Builds once more, elsewhere, with the bundler's own account of what went in.
fn heaviest(target: &Target, build: &Build<'_>) -> Result<Vec<(String, u64)>> {
    let scratch = Scratch::new()?;
    let metafile = scratch.path().join("meta.json");
    let cmd = (target.metafile)(build, &scratch.path().join("out"), &metafile)?;
    process::run(&cmd, Io::Quiet, Some(LIMIT))?;
    let text = std::fs::read_to_string(&metafile).context("the bundler wrote no metafile")?;
    let mut modules: Vec<_> = modules(&serde_json::from_str(&text)?).into_iter().collect();
    modules.sort_by_key(|(name, bytes)| (u64::MAX - bytes, name.clone()));
    modules.truncate(LISTED);
    Ok(modules)
}

/// Bytes by package, or by file for what is the project's own, of esbuild's metafile.
fn modules(metafile: &Value) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let outputs = metafile["outputs"].as_object().into_iter().flatten();
    for (path, input) in outputs.filter_map(|(_, output)| output["inputs"].as_object()).flatten() {
        *all.entry(package(path)).or_default() += input["bytesInOutput"].as_u64().unwrap_or(0);
    }
    all
}

/// `node_modules/@a/b/dist/c.mjs` → `@a/b`
fn package(path: &str) -> String {
    let Some((_, inside)) = path.rsplit_once("node_modules/") else { return path.to_owned() };
    let depth = if inside.starts_with('@') { 2 } else { 1 };
    inside.split('/').take(depth).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn adds_up_by_package() {
        let input = |bytes: u64| json!({ "bytesInOutput": bytes });
        let metafile = json!({ "outputs": {
            "a.mjs": { "inputs": {
                "node_modules/@a/b/dist/c.mjs": input(5), "node_modules/@a/b/d.mjs": input(6), "src/tools/e.ts": input(7),
                "../../node_modules/f/node_modules/g/index.js": input(8),
            } },
            "chunk.mjs": { "inputs": { "node_modules/@a/b/d.mjs": input(1) } },
            "a.mjs.map": {},
        } });
        let expected = [("@a/b", 12), ("g", 8), ("src/tools/e.ts", 7)];
        assert_eq!(modules(&metafile), expected.map(|(name, bytes)| (name.to_owned(), bytes)).into());
    }

    #[test]
    fn weighs_scripts_alone() {
        let dir = tempfile::tempdir().unwrap();
        let module = format!("{}-words.md", "0123456789abcdef".repeat(3).split_at(40).0);
        for (name, length) in [("a.mjs", 3), ("a.mjs.map", 100), ("package.json", 100), (&module, 20)] {
            std::fs::write(dir.path().join(name), vec![b'x'; length]).unwrap();
        }
        assert_eq!(scripts(dir.path()).unwrap(), 23, "with what a Worker imports beside its code");
    }
}
