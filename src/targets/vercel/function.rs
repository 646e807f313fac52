//! The function that `vercel build` makes.

use std::fs;
use std::path::{Component, Path};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::plan;

/// Copies a function of the build output to `to`, with the files that its `filePathMap` takes from the project: what
/// lies there afterwards is exactly what would be uploaded.
pub fn copy(function: &Path, root: &Path, to: &Path) -> Result<()> {
    plan::copy_folder(function, to)?;
    let config = to.join(".vc-config.json");
    let text = fs::read_to_string(&config).with_context(|| format!("cannot read `{}`", config.display()))?;
    let parsed: Value =
        serde_json::from_str(&text).with_context(|| format!("`{}` is not valid JSON", config.display()))?;
    let mut pairs = Vec::new();
    for (path, source) in parsed["filePathMap"].as_object().into_iter().flatten() {
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            bail!("`{}` puts a file outside of the function: `{path}`", config.display());
        }
        pairs.push((root.join(source.as_str().unwrap_or(path)), to.join(path)));
    }
    plan::copy_each(&pairs)
}

/// Makes a function of a bundle, as `vercel build` does.
pub fn of_bundle(bundle: &Path, to: &Path) -> Result<()> {
    plan::copy_folder(bundle, to)?;
    let config = json!({ "handler": "server.mjs", "runtime": "nodejs24.x", "environment": {} });
    plan::write_scratch(&to.join(".vc-config.json"), &config.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_copied_into_its_folder_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (root, function, to) = (dir.path(), dir.path().join("f.func"), dir.path().join("to/function"));
        fs::create_dir(&function).unwrap();
        fs::write(root.join("a.js"), "a").unwrap();
        let copied = |map: &str| {
            fs::write(function.join(".vc-config.json"), format!("{{\"filePathMap\":{map}}}")).unwrap();
            copy(&function, root, &to)
        };
        copied(r#"{"lib/a.js":"a.js"}"#).unwrap();
        assert_eq!(fs::read_to_string(to.join("lib/a.js")).unwrap(), "a");
        let absolute = format!("{{\"{}\":\"a.js\"}}", root.join("b.js").display());
        for map in [r#"{"../../b.js":"a.js"}"#, absolute.as_str()] {
            let error = copied(map).unwrap_err().to_string();
            assert!(error.contains("puts a file outside of the function"), "{error}");
            assert!(!root.join("b.js").exists());
        }
        std::os::unix::fs::symlink("/dev/zero", root.join("zeros")).unwrap();
        assert!(copied(r#"{"z":"zeros"}"#).unwrap_err().to_string().contains("not a regular file"));
    }
}
