//! `.mcp-deploy/deployments.json`: what was deployed where. Safe to commit; no secrets.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::plan;
use crate::process::{self, Cmd, Io};

pub const FILE: &str = ".mcp-deploy/deployments.json";

/// The oldest entries of a place go when there are more.
const KEPT: usize = 20;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// Oldest first.
    pub deployments: Vec<Deployment>,
}

/// One deployment of one cloud, stage and region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub target: String,
    pub stage: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
    /// The MCP endpoint.
    pub url: String,
    /// The cloud's own identifier of what is served.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// `server.version` of the manifest.
    pub server_version: String,
    /// RFC 3339, UTC.
    pub time: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<Commit>,
    /// Bytes of what was uploaded, uncompressed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bundle_bytes: Option<u64>,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub hash: String,
    /// The work tree held changes that no commit has.
    pub dirty: bool,
}

/// What became of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Deployed; whether it works was not yet asked.
    Deployed,
    Verified,
    /// Deployed, but the live checks failed.
    Failed,
    /// Was served again by `rollback`.
    RestoredByRollback,
}

impl Deployment {
    pub fn same_place(&self, other: &Deployment) -> bool {
        (&self.target, &self.stage, &self.region) == (&other.target, &other.stage, &other.region)
    }

    /// `lambda eu-west-1 (staging)`: for people.
    pub fn place(&self) -> String {
        let region = self.region.as_ref().map(|region| format!(" {region}")).unwrap_or_default();
        let stage =
            if self.stage == crate::manifest::PRODUCTION { String::new() } else { format!(" ({})", self.stage) };
        format!("{}{region}{stage}", self.target)
    }
}

impl Record {
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| {
                format!("`{}` is not what mcp-deploy wrote\nhint: restore it with git", path.display())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Record { version: 1, deployments: Vec::new() })
            }
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// The newest entry of each place of a cloud and stage; `None` for every cloud or stage.
    pub fn current(&self, target: Option<&str>, stage: Option<&str>) -> Vec<&Deployment> {
        let mut newest: Vec<&Deployment> = Vec::new();
        for deployment in self.deployments.iter().rev() {
            let wanted = target.is_none_or(|target| deployment.target == target)
                && stage.is_none_or(|stage| deployment.stage == stage);
            if wanted && !newest.iter().any(|known| known.same_place(deployment)) {
                newest.push(deployment);
            }
        }
        newest.reverse();
        newest
    }

    /// The newest entry of the same place that served something else and worked.
    pub fn before(&self, current: &Deployment) -> Option<&Deployment> {
        let earlier = self.deployments.iter().rev().filter(|one| one.same_place(current));
        let mut worked = earlier.filter(|one| one.version != current.version && one.state != State::Failed);
        worked.next()
    }

    /// Adds or, for the same version of the same place, replaces an entry, and writes the file.
    pub fn put(root: &Path, deployment: Deployment) -> Result<()> {
        let mut record = Self::read(root)?;
        record.deployments.retain(|known| !(known.same_place(&deployment) && known.version == deployment.version));
        record.deployments.push(deployment.clone());
        let surplus =
            record.deployments.iter().filter(|known| known.same_place(&deployment)).count().saturating_sub(KEPT);
        let mut dropped = 0;
        record.deployments.retain(|known| {
            let drop = dropped < surplus && known.same_place(&deployment);
            dropped += usize::from(drop);
            !drop
        });
        record.write(root)
    }

    /// Forgets every deployment of a place.
    pub fn forget(root: &Path, place: &Deployment) -> Result<()> {
        let mut record = Self::read(root)?;
        record.deployments.retain(|known| !known.same_place(place));
        record.write(root)
    }

    fn write(&self, root: &Path) -> Result<()> {
        plan::replace(&root.join(FILE), &(serde_json::to_string_pretty(self)? + "\n"))
    }
}

/// Now, as the record writes it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The commit that is being deployed; `None` outside a git repository.
pub fn commit(root: &Path) -> Option<Commit> {
    let git = |args: &[&str]| {
        let cmd = Cmd::new("git").args(args).current_dir(root);
        process::run(&cmd, Io::Answer, Some(std::time::Duration::from_secs(10))).ok().map(|outcome| outcome.stdout)
    };
    let hash = git(&["rev-parse", "HEAD"])?.trim().to_owned();
    // The record itself changes with every deployment.
    let dirty = git(&["status", "--porcelain", "--", ".", ":(exclude).mcp-deploy"])
        .is_none_or(|status| !status.trim().is_empty());
    Some(Commit { hash, dirty })
}
