//! One tool manifest, three clouds: renders, builds, runs and proves MCP servers.

pub mod runtime_api;

pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
