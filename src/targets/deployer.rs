//! How what was built gets live: through the API of a cloud, or by hand.

use std::path::PathBuf;

use serde::Serialize;

use super::Build;
use super::deployment::Cloud;

/// Who brings it live.
pub enum Deployer {
    /// mcp-deploy, in an account of the owner's.
    Api(Cloud),
    /// The owner: mcp-deploy renders, builds and proves it here, and says how it goes on.
    ByHand(ByHand),
}

/// A target without an API.
pub struct ByHand {
    /// What is ready, and the commands that bring it live.
    pub hand_over: fn(&Build<'_>) -> HandOver,
    /// What its owner uses in place of a command that asks a cloud.
    pub instead: fn(Inquiry) -> &'static str,
}

/// What the commands ask of a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inquiry {
    Logs,
    Rollback,
    Destroy,
    Secrets,
    Status,
}

/// What `ship` ends with, where mcp-deploy does not deploy.
#[derive(Debug, Clone, Serialize)]
pub struct HandOver {
    pub target: &'static str,
    /// It has all that the commands need.
    pub folder: PathBuf,
    /// One is enough.
    pub ways: Vec<Way>,
}

/// One way to get live.
#[derive(Debug, Clone, Serialize)]
pub struct Way {
    /// Where it runs then.
    pub to: &'static str,
    /// One after the other.
    pub commands: Vec<String>,
    /// What its owner should know before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
