//! The workspace that a project is a member of: npm, Yarn and Bun have it in `package.json`, pnpm in a separate file.

use std::path::{Path, PathBuf};

use fast_glob::glob_match;
use serde_json::Value;

use crate::files;

/// Where pnpm has a workspace's settings.
pub const PNPM_FILE: &str = "pnpm-workspace.yaml";

/// The nearest folder above `home` that says `home` is a member of its workspace.
pub fn root_of(home: &Path) -> Option<PathBuf> {
    home.ancestors().skip(1).find(|above| is_member(above, home)).map(Path::to_owned)
}

/// Whether a folder is the root of a workspace.
pub fn is_root(folder: &Path) -> bool {
    !members(folder).is_empty()
}

/// Most folders that are looked at for members, and how far down.
const MOST: usize = 2_000;
const DEEPEST: usize = 4;

/// The members of the workspace `root` that have a file of this name, by their path in it. In a very large workspace
/// these are some of them.
pub fn members_with(root: &Path, file: &str) -> Vec<String> {
    if !is_root(root) {
        return Vec::new();
    }
    let (mut left, mut looked_at, mut found) = (vec![(root.to_owned(), 0)], 0, Vec::new());
    while let Some((folder, depth)) = left.pop() {
        looked_at += 1;
        if looked_at > MOST {
            break;
        }
        if depth > 0 && folder.join(file).is_file() && is_member(root, &folder) {
            found.extend(folder.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned));
        }
        if depth == DEEPEST {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        // A link does not count as a folder, so that none leads out or in circles.
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let own = folders.filter(|entry| {
            let name = entry.file_name();
            name != "node_modules" && !name.as_encoded_bytes().starts_with(b".")
        });
        left.extend(own.map(|entry| (entry.path(), depth + 1)));
    }
    found.sort();
    found
}

fn is_member(root: &Path, home: &Path) -> bool {
    let Some(path) = home.strip_prefix(root).ok().and_then(Path::to_str) else { return false };
    // As in all of them: a later pattern takes back what an earlier one took in.
    members(root).iter().fold(false, |is_member, pattern| {
        let (excludes, pattern) = pattern.strip_prefix('!').map_or((false, pattern.as_str()), |rest| (true, rest));
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
        if glob_match(pattern, path) { !excludes } else { is_member }
    })
}

/// The patterns that a folder has for its workspace's members.
fn members(folder: &Path) -> Vec<String> {
    let mut found = files::read(folder, PNPM_FILE, files::PARSED).map_or_else(|_| Vec::new(), |text| packages(&text));
    let Ok(text) = files::read(folder, "package.json", files::PARSED) else { return found };
    let package: Value = serde_json::from_str(&text).unwrap_or_default();
    let listed = &package["workspaces"];
    let listed = if listed.is_object() { &listed["packages"] } else { listed };
    found.extend(listed.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    found
}

/// The list `packages` of a `pnpm-workspace.yaml`: in lines, or in brackets.
fn packages(yaml: &str) -> Vec<String> {
    let mut lines = yaml.lines().map(|line| line.split(" #").next().unwrap_or(line).trim_end());
    let Some(first) = lines.find_map(|line| line.strip_prefix("packages:")) else { return Vec::new() };
    let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    if first.trim_start().starts_with('[') {
        let rest: String = std::iter::once(first).chain(lines).collect();
        let list = rest.trim_start().trim_start_matches('[').split(']').next().unwrap_or_default();
        return list.split(',').map(bare).filter(|pattern| !pattern.is_empty()).collect();
    }
    let items = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    items.map_while(|line| line.trim_start().strip_prefix("- ").map(bare)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(file: &str, text: &str, path: &str) -> bool {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file), text).unwrap();
        root_of(&dir.path().join(path)).is_some()
    }

    #[test]
    fn members_are_those_that_the_patterns_name() {
        let table: [(&str, &str, bool); 15] = [
            (r#"["apps/*"]"#, "apps/a", true),
            (r#"["./apps/*/"]"#, "apps/a", true),
            (r#"["apps/*"]"#, "apps/a/b", false),
            (r#"["apps/*"]"#, "other/a", false),
            (r#"["apps/**"]"#, "apps/a/b", true),
            (r#"["**"]"#, "x", true),
            (r#"["{apps,packages}/*"]"#, "packages/a", true),
            (r#"["apps/mcp-*"]"#, "apps/mcp-one", true),
            (r#"["apps/mcp-*"]"#, "apps/web", false),
            (r#"["apps/*", "!apps/old"]"#, "apps/old", false),
            (r#"["!apps/old", "apps/*"]"#, "apps/old", true),
            (r#"{"packages": ["server"], "nohoist": ["x"]}"#, "server", true),
            (r#""apps/*""#, "apps/a", false),
            ("null", "apps/a", false),
            // Nobody's patterns take long.
            (r#"["a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "**/**/**/**/**/**/**/**/b"]"#, &"a".repeat(200), false),
        ];
        for (workspaces, path, expected) in table {
            assert_eq!(
                member("package.json", &format!("{{\"workspaces\":{workspaces}}}"), path),
                expected,
                "{workspaces} {path}"
            );
        }
    }

    #[test]
    fn pnpm_lists_its_packages_in_each_way_of_yaml() {
        let table = [
            ("packages:\n  - 'apps/*'\n  - \"packages/*\"\n", true),
            ("packages:\n- apps/*   # all of them\n\nallowBuilds:\n  esbuild: false\n", true),
            ("# one\ncatalog:\n  x: 1\npackages: [ 'apps/*', \"b\" ]\n", true),
            ("packages: [\n  apps/*,\n  b,\n]\n", true),
            ("packages:\n  # none yet\n  - apps/*\n", true),
            ("packages:\n  - 'apps/*'\n  - '!apps/a'\n", false),
            ("allowBuilds:\n  - apps/*\n", false),
            ("", false),
        ];
        for (yaml, expected) in table {
            assert_eq!(member(PNPM_FILE, yaml, "apps/a"), expected, "{yaml}");
        }
    }

    #[test]
    fn members_with_a_file_are_found() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["apps/b", "apps/a", "apps/without", "other/c", "apps/a/node_modules/x", "apps/.d"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
            if !folder.ends_with("without") {
                std::fs::write(dir.path().join(folder).join("mcp.toml"), "").unwrap();
            }
        }
        std::os::unix::fs::symlink(dir.path(), dir.path().join("apps/link")).unwrap();
        assert_eq!(members_with(dir.path(), "mcp.toml"), [""; 0]);
        std::fs::write(dir.path().join("package.json"), r#"{"workspaces":["apps/**"]}"#).unwrap();
        assert_eq!(members_with(dir.path(), "mcp.toml"), ["apps/a", "apps/b"]);
    }

    #[test]
    fn the_nearest_workspace_counts() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("apps/inner");
        std::fs::create_dir_all(inner.join("server")).unwrap();
        std::fs::write(dir.path().join("package.json"), r#"{"workspaces":["apps/**"]}"#).unwrap();
        assert_eq!(root_of(&inner.join("server")).as_deref(), Some(dir.path()));
        std::fs::write(inner.join("package.json"), r#"{"workspaces":["server"]}"#).unwrap();
        assert_eq!(root_of(&inner.join("server")), Some(inner.clone()));
        assert!(is_root(&inner) && !is_root(&inner.join("server")));
    }
}
