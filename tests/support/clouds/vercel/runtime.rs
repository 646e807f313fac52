//! Runs the function of one deployment: unpacked from the upload, made whole as Vercel does, started with our launcher.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use mcp_deploy::process::{ServerProcess, free_port};
use mcp_deploy::toolchain::{ToolId, Toolchain};

use super::state::{Deployment, State};

pub struct Running {
    pub address: SocketAddr,
    _server: ServerProcess,
    _folder: tempfile::TempDir,
}

const READY: Duration = Duration::from_secs(60);
const ARCHIVE: &str = ".vercel/source.tgz.part";

/// The uploaded files of a deployment, an archive unpacked.
pub fn unpack(state: &State, deployment: &Deployment) -> Result<tempfile::TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let content = |sha: &str| state.files.get(sha).map(Vec::as_slice).unwrap_or_default();
    let (mut parts, files): (Vec<_>, Vec<_>) =
        deployment.files.iter().partition(|(path, ..)| path.starts_with(ARCHIVE));
    for (path, sha, mode) in files {
        write(&folder.path().join(path), content(sha), *mode).map_err(|error| format!("{path}: {error}"))?;
    }
    parts.sort_by_key(|(path, ..)| path[ARCHIVE.len()..].parse::<usize>().unwrap_or(0));
    let archive: Vec<u8> = parts.iter().flat_map(|(_, sha, _)| content(sha)).copied().collect();
    if !archive.is_empty() {
        let mut unpacked = Vec::new();
        let read = flate2::read::GzDecoder::new(archive.as_slice()).read_to_end(&mut unpacked);
        read.map_err(|error| format!("the archive: {error}"))?;
        tar::Archive::new(unpacked.as_slice())
            .unpack(folder.path())
            .map_err(|error| format!("the archive: {error}"))?;
    }
    Ok(folder)
}

/// The path of the function in an unpacked upload.
pub const FUNCTION: &str = ".vercel/output/functions/index.func";

pub fn start(
    folder: tempfile::TempDir,
    deployment: &Deployment,
    production: &str,
    tools: &Toolchain,
) -> Result<Running, String> {
    let root = folder.path();
    let function = root.join("function");
    mcp_deploy::targets::vercel::copy_function(&root.join(FUNCTION), root, &function)
        .map_err(|error| format!("{error:#}"))?;
    let launcher = root.join("launcher.mjs");
    std::fs::write(&launcher, mcp_deploy::targets::vercel::LAUNCHER).map_err(|error| error.to_string())?;
    let port = free_port().map_err(|error| error.to_string())?;
    let cmd = tools.cmd(ToolId::Node).arg(&launcher).arg(&function).arg(port.to_string()).current_dir(&function);
    let cmd = deployment.environment.iter().fold(cmd, |cmd, (name, value)| cmd.env_noise(name, value));
    let cmd = cmd.env_noise("VERCEL_DEPLOYMENT_ID", &deployment.id);
    let cmd = cmd.env_noise("VERCEL_URL", &deployment.url).env_noise("VERCEL_PROJECT_PRODUCTION_URL", production);
    // The account of whoever deploys is hidden from the function.
    let cmd = ["VERCEL_TOKEN", "VERCEL_ORG_ID", "VERCEL_PROJECT_ID"].iter().fold(cmd, |cmd, name| cmd.env_remove(name));
    let mut server = ServerProcess::spawn(&cmd).map_err(|error| error.to_string())?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let ready = server.wait_ready(&mut || TcpStream::connect(address).is_ok(), READY);
    ready.map_err(|error| format!("{error:#}: {}", server.log()))?;
    Ok(Running { address, _server: server, _folder: folder })
}

fn write(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, content)?;
    let permissions = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(permissions))
}
