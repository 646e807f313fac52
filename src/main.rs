//! Parse, dispatch, print one error, choose the exit code.
fn main() -> std::process::ExitCode {
    mcp_deploy::main()
}
