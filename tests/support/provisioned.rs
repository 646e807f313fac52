//! The tools of every target, as a user gets them.

use std::time::Duration;

use mcp_deploy::process::{self, Cmd, Io};
use mcp_deploy::targets;
use mcp_deploy::toolchain::{Purpose, Search, ToolId, Toolchain};

/// Compiling the adapter takes minutes.
pub const FIRST_TIME: Duration = Duration::from_secs(3600);

/// Found, or installed once by `doctor --fix`.
pub fn tools() -> (Search, Toolchain) {
    let search = Search::from_env().expect("there is a cache");
    let needs = targets::tools(&targets::ALL.iter().collect::<Vec<_>>());
    let look = || Toolchain::resolve(&needs, Purpose::Deploy, &search);
    let tools = look().ok().filter(|tools| tools.found(ToolId::LambdaAdapter).is_some()).unwrap_or_else(|| {
        let doctor = Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).args(["doctor", "--fix", "--with-adapter", "--json"]);
        process::run(&doctor, Io::Answer, Some(FIRST_TIME)).unwrap_or_else(|error| panic!("{error:#}"));
        look().unwrap_or_else(|missing| panic!("{missing}"))
    });
    (search, tools)
}
