//! `.mcp-deploy/deployments.json`: what was deployed where. Safe to commit; no secrets.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fault::Position;
use crate::files::{self, Exclusive};
use crate::manifest::PRODUCTION;
use crate::plan;
use crate::process;

pub const FILE: &str = ".mcp-deploy/deployments.json";

/// The oldest entries of a place go when there are more.
const KEPT: usize = 20;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// Oldest first.
    pub deployments: Vec<Deployment>,
    /// Begun, and their end was not seen: the cloud may serve what it served before, or the new version.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unfinished: Vec<Unfinished>,
}

/// A deployment that was under way when it was last heard of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unfinished {
    pub target: String,
    pub stage: String,
    /// When it began; RFC 3339, UTC.
    pub time: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<Commit>,
    /// It was to go back, not forward.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub rollback: bool,
}

/// One deployment of one cloud, stage and region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub target: String,
    pub stage: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
    /// The AWS account, where a stack set deploys to others.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<String>,
    /// The MCP endpoint.
    pub url: String,
    /// Where this region alone answers, when `url` is that of several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub direct: Option<String>,
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
    /// What is needed to change it again, when it is a stack of a stack set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stack_set: Option<Member>,
    pub state: DeploymentState,
}

/// One stack of a CloudFormation StackSet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The region that the stack set itself is in.
    pub home: String,
    /// The stack's ARN.
    pub stack: String,
    /// By which its account is entered; none in the account that ships.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    /// Whether the account that ships is a delegated administrator.
    pub delegated_admin: bool,
}

impl Member {
    /// The stack's name: `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`.
    pub fn name(&self) -> Result<&str> {
        self.stack.split('/').nth(1).with_context(|| format!("`{}` is not the ARN of a stack", self.stack))
    }
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
pub enum DeploymentState {
    /// Deployed; whether it works was not yet asked.
    Deployed,
    Verified,
    /// Deployed, but the live checks failed.
    Failed,
    /// Was served again by `rollback`.
    RestoredByRollback,
    /// Was left by `rollback`, which does not come back to it by itself.
    RolledBack,
}

impl DeploymentState {
    pub fn words(self) -> &'static str {
        match self {
            DeploymentState::Deployed => "not verified",
            DeploymentState::Verified => "verified",
            DeploymentState::Failed => "failed its live checks",
            DeploymentState::RestoredByRollback => "restored by a rollback",
            DeploymentState::RolledBack => "left by a rollback",
        }
    }
}

impl Deployment {
    pub fn same_place(&self, other: &Deployment) -> bool {
        (&self.target, &self.stage, &self.account, &self.region)
            == (&other.target, &other.stage, &other.account, &other.region)
    }

    fn worked(&self) -> bool {
        matches!(self.state, DeploymentState::Verified | DeploymentState::RestoredByRollback)
    }

    /// The address that nothing else answers at.
    pub fn own_url(&self) -> &str {
        self.direct.as_ref().unwrap_or(&self.url)
    }

    /// `lambda eu-west-1 (staging)`, or `lambda 111122223333 eu-west-1`: for people.
    pub fn place(&self) -> String {
        let parts = [Some(&self.target), self.account.as_ref(), self.region.as_ref()];
        named(&parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" "), &self.stage)
    }
}

impl Record {
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        match files::read(root, FILE, files::ANY) {
            Ok(text) => serde_json::from_str(&text).map_err(|why| {
                let at = Position { line: why.line(), column: why.column() };
                let error = Error::new(format!("`{}` is not what mcp-deploy wrote", path.display()));
                error.at(FILE, at).hint("restore it with git").because(why).into()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Record { version: 1, ..Record::default() })
            }
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// The newest entry of each place of a cloud and stage; `None` for every cloud or stage.
    pub fn current(&self, target: Option<&str>, stage: Option<&str>) -> Vec<Deployment> {
        let mut newest: Vec<&Deployment> = Vec::new();
        for deployment in self.deployments.iter().rev() {
            let wanted = target.is_none_or(|target| deployment.target == target)
                && stage.is_none_or(|stage| deployment.stage == stage);
            if wanted && !newest.iter().any(|known| known.same_place(deployment)) {
                newest.push(deployment);
            }
        }
        newest.into_iter().rev().cloned().collect()
    }

    /// Where a place goes back to that serves `served`: the newest entry before it that is another version and worked.
    /// What the record does not know was served after all that it knows.
    pub fn before(&self, place: &Deployment, served: Option<&str>) -> Option<&Deployment> {
        let here: Vec<&Deployment> = self.deployments.iter().filter(|one| one.same_place(place)).collect();
        let known = here.iter().rposition(|one| one.version.as_deref() == served);
        let earlier = here[..known.unwrap_or(here.len())].iter().rev();
        earlier.copied().filter(|one| one.version.as_deref() != served).find(|one| one.worked())
    }

    /// The newest entry of a place that worked.
    pub fn last_good(&self, place: &Deployment) -> Option<&Deployment> {
        self.deployments.iter().rev().find(|one| one.same_place(place) && one.worked())
    }

    /// What was begun of a cloud's stage, and whose end was not seen.
    pub fn unfinished_of(&self, target: &str, stage: &str) -> Option<&Unfinished> {
        self.unfinished.iter().find(|one| one.is_of(target, stage))
    }

    /// Adds or, for the same version of the same place, replaces an entry, and writes the file.
    pub fn put(root: &Path, deployment: Deployment) -> Result<()> {
        Self::change(root, |record| {
            let place = deployment.clone();
            record.deployments.retain(|known| !(known.same_place(&place) && known.version == place.version));
            record.deployments.push(deployment);
            let count = record.deployments.iter().filter(|known| known.same_place(&place)).count();
            let mut surplus = count.saturating_sub(KEPT);
            record.deployments.retain(|known| {
                let drop = surplus > 0 && known.same_place(&place);
                surplus -= usize::from(drop);
                !drop
            });
        })
    }

    /// The same code under another version, which new values of its secrets made.
    pub fn renumber(root: &Path, place: &Deployment, version: String) -> Result<()> {
        Self::change(root, |record| {
            let is_meant = |one: &&mut Deployment| one.same_place(place) && one.version == place.version;
            if let Some(one) = record.deployments.iter_mut().rfind(is_meant) {
                one.version = Some(version);
            }
        })
    }

    /// What `rollback` leaves: marked, in its place.
    pub fn leave(root: &Path, place: &Deployment, version: Option<&str>) -> Result<()> {
        Self::change(root, |record| {
            let is_left = |one: &&mut Deployment| one.same_place(place) && one.version.as_deref() == version;
            let worked = |one: &&mut Deployment| one.state != DeploymentState::Failed;
            let marked = record.deployments.iter_mut().filter(is_left).filter(worked);
            marked.for_each(|one| one.state = DeploymentState::RolledBack);
        })
    }

    /// Forgets every deployment of a place.
    pub fn forget(root: &Path, place: &Deployment) -> Result<()> {
        Self::change(root, |record| {
            record.deployments.retain(|known| !known.same_place(place));
            record.unfinished.retain(|one| !one.is_of(&place.target, &place.stage));
        })
    }

    /// Before a cloud is touched: whatever happens then, the record does not claim to know what is served.
    pub fn begin(root: &Path, begun: Unfinished) -> Result<()> {
        Self::change(root, |record| {
            record.unfinished.retain(|one| !one.is_of(&begun.target, &begun.stage));
            record.unfinished.push(begun);
        })
    }

    /// The end of what was begun was seen, whether it was good or bad.
    pub fn finish(root: &Path, target: &str, stage: &str) -> Result<()> {
        Self::change(root, |record| record.unfinished.retain(|one| !one.is_of(target, stage)))
    }

    fn change(root: &Path, change: impl FnOnce(&mut Record)) -> Result<()> {
        let _alone = (alone(), Exclusive::to_write(root)?);
        let mut record = Self::read(root)?;
        change(&mut record);
        plan::replace(root, FILE, &(serde_json::to_string_pretty(&record)? + "\n"))
    }
}

impl Unfinished {
    /// For people, as [`Deployment::place`].
    pub fn place(&self) -> String {
        named(&self.target, &self.stage)
    }

    fn is_of(&self, target: &str, stage: &str) -> bool {
        self.target == target && self.stage == stage
    }
}

fn named(place: &str, stage: &str) -> String {
    if stage == PRODUCTION { place.to_owned() } else { format!("{place} ({stage})") }
}

/// Several targets end at the same time; one file records them all.
fn alone() -> MutexGuard<'static, ()> {
    static WRITING: Mutex<()> = Mutex::new(());
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now, as the record writes it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The commit that is being deployed; `None` outside a git repository.
pub fn commit(root: &Path) -> Option<Commit> {
    let git = |args: &[&str]| process::git(root, args).ok();
    let hash = git(&["rev-parse", "HEAD"])?.trim().to_owned();
    // The record itself changes with every deployment.
    let dirty = git(&["status", "--porcelain", "--", ".", ":(exclude).mcp-deploy"])
        .is_none_or(|status| !status.trim().is_empty());
    Some(Commit { hash, dirty })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(version: &str, state: DeploymentState) -> Deployment {
        Deployment {
            target: "lambda".into(),
            stage: "production".into(),
            account: None,
            stack_set: None,
            region: Some("eu-west-1".into()),
            url: "https://x/mcp".into(),
            direct: None,
            version: Some(version.into()),
            server_version: "0.1.0".into(),
            time: now(),
            commit: None,
            bundle_bytes: None,
            state,
        }
    }

    #[test]
    fn one_goes_back_to_what_worked_and_never_forward_to_what_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let put = |version: &str, state| Record::put(root, deployment(version, state)).unwrap();
        let before = |version: &str| {
            let record = Record::read(root).unwrap();
            record
                .before(&deployment(version, DeploymentState::Verified), Some(version))
                .and_then(|one| one.version.clone())
        };
        put("1", DeploymentState::Verified);
        assert_eq!(before("1"), None);
        put("2", DeploymentState::Failed);
        put("3", DeploymentState::Deployed);
        put("4", DeploymentState::Verified);
        put("5", DeploymentState::Verified);
        assert_eq!(before("5").as_deref(), Some("4"));
        // What the record does not know came after all of it.
        assert_eq!(before("9").as_deref(), Some("5"));
        Record::leave(root, &deployment("5", DeploymentState::Verified), Some("5")).unwrap();
        put("4", DeploymentState::RestoredByRollback);
        assert_eq!(before("4").as_deref(), Some("1"));
        Record::leave(root, &deployment("2", DeploymentState::Verified), Some("2")).unwrap();
        let record = Record::read(root).unwrap();
        assert_eq!(
            record.deployments.iter().filter(|one| one.state == DeploymentState::Failed).count(),
            1,
            "still failed"
        );
    }

    #[test]
    fn old_entries_go_and_other_places_stay() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let elsewhere = Deployment { region: None, ..deployment("0", DeploymentState::Verified) };
        Record::put(root, elsewhere.clone()).unwrap();
        (0..KEPT + 5).for_each(|n| Record::put(root, deployment(&n.to_string(), DeploymentState::Verified)).unwrap());
        let record = Record::read(root).unwrap();
        assert_eq!(record.deployments.len(), KEPT + 1);
        assert_eq!(record.deployments[0], elsewhere);
        assert_eq!(record.current(None, None).len(), 2);
        Record::forget(root, &elsewhere).unwrap();
        assert_eq!(Record::read(root).unwrap().deployments.len(), KEPT);
    }

    #[test]
    fn what_was_begun_stays_until_its_end_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let begun = |target: &str| Unfinished {
            target: target.into(),
            stage: "production".into(),
            time: now(),
            commit: None,
            rollback: false,
        };
        Record::begin(folder.path(), begun("lambda")).unwrap();
        Record::begin(folder.path(), begun("lambda")).unwrap();
        Record::begin(folder.path(), begun("vercel")).unwrap();
        Record::finish(folder.path(), "lambda", "staging").unwrap();
        assert_eq!(Record::read(folder.path()).unwrap().unfinished.len(), 2);
        Record::finish(folder.path(), "lambda", "production").unwrap();
        assert_eq!(Record::read(folder.path()).unwrap().unfinished[0].target, "vercel");
    }
}
