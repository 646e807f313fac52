//! What the templates see of Vercel.

use serde::Serialize;

use super::TARGET;
use crate::manifest::Manifest;

/// `vercel` in the templates.
#[derive(Serialize)]
pub struct VercelData<'m> {
    /// Seconds.
    max_duration: u64,
    memory: Option<u64>,
    regions: &'m [String],
    mcp_handler: bool,
}

/// `None` where the manifest does not name the target.
pub fn data(manifest: &Manifest) -> Option<VercelData<'_>> {
    let table = manifest.targets.vercel.as_ref()?;
    Some(VercelData {
        max_duration: table.max_duration.unwrap_or_else(|| TARGET.function_timeout(manifest)),
        memory: table.memory,
        regions: &table.regions,
        mcp_handler: table.mcp_handler,
    })
}
