//! What the templates see of the image.

use serde::Serialize;

use super::{is_arm, keeps_a_file};
use crate::manifest::Manifest;
use crate::toolchain::ToolId;

/// `container` in the templates.
#[derive(Serialize)]
pub struct ContainerData<'m> {
    port: u64,
    /// As Docker calls it.
    platform: &'static str,
    client_address: Option<&'m str>,
    /// The version of Node.js in the image: the one that runs it here.
    node: &'static str,
    /// Upstash keeps state and counts.
    upstash: bool,
    /// A file on a volume keeps something.
    volume: bool,
}

/// `None` where the manifest does not name the target.
pub fn data(manifest: &Manifest) -> Option<ContainerData<'_>> {
    let table = manifest.targets.container.as_ref()?;
    Some(ContainerData {
        port: table.port,
        platform: if is_arm(manifest) { "linux/arm64" } else { "linux/amd64" },
        client_address: table.client_address.as_deref(),
        node: ToolId::Node.requirement().version,
        upstash: table.upstash,
        volume: keeps_a_file(manifest),
    })
}
