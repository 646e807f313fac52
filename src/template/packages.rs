//! The npm packages that a project needs, each in the version that was run.

use serde::Serialize;

use crate::manifest::{Auth, Manifest};
use crate::targets;

/// An npm package that the generated code imports or a cloud's build runs, in the version that was run.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    /// For people: `AWS Lambda`.
    #[serde(skip)]
    pub needed_by: &'static str,
}

/// Every package that generated code of any version needed, by name: what a project may list and need no more.
pub const EVER: [&str; 6] =
    ["@cfworker/json-schema", "@modelcontextprotocol/server", "aws4fetch", "esbuild", "jose", "mcp-handler"];

/// What the type check runs.
pub const COMPILER: Package = Package { name: "typescript", version: "7.0.2", needed_by: "the type check" };

/// The `devDependencies` that a new project is written with.
pub const WRITTEN: [Package; 2] =
    [Package { name: "@types/node", version: "24.19.4", needed_by: "the types of Node.js" }, COMPILER];

/// Every package of a project, each once, by name; with those that its handlers bring.
pub fn needed(manifest: &Manifest, own: &[Package]) -> Vec<Package> {
    let mut all = own.to_vec();
    if let Auth::OAuth(_) = manifest.access.auth {
        all.push(Package { name: "jose", version: "6.2.18", needed_by: "`auth = \"oauth\"`" });
    }
    for target in targets::chosen(&manifest.targets) {
        let packages = (target.packages)(manifest);
        all.extend(packages.iter().map(|(name, version)| Package { name, version, needed_by: target.title }));
    }
    all.sort_by_key(|package| package.name);
    all.dedup_by_key(|package| package.name);
    all
}
