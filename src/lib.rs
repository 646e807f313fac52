//! One tool manifest, three clouds: renders, builds, runs and proves MCP servers.
pub mod manifest;
pub mod plan;
pub mod process;
pub mod targets;
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
