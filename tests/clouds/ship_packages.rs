//! `ship` of a project with a package that has native code: uploaded beside the bundle, and served from what was
//! uploaded.

use mcp_deploy::process::Cmd;
use mcp_deploy::toolchain::ToolId;

use crate::setting::{Setting, VERCEL_URL};
use crate::support::run;

#[test]
fn native_code_is_uploaded_and_runs_there() {
    let setting = Setting::new();
    let root = setting.project.root();
    // The packages are shared with other tests up to here: npm writes new files, and none of the old ones.
    run(&setting.project.tool(ToolId::Npm, &["install", "--save-exact", "--no-audit", "--no-fund", "sharp@0.35.5"]))
        .expect("`npm install`");
    setting.project.replace("src/tools/get_weather.ts", "import { tool", "import sharp from \"sharp\";\nimport { tool");
    setting.project.replace("src/tools/get_weather.ts", "? celsius :", "? celsius + (await width()) :");
    let tool = std::fs::read_to_string(root.join("src/tools/get_weather.ts")).expect("the handler");
    let width = "\nasync function width() {\n  const picture = sharp({ create: { width: 400, height: 2, channels: 3, background: \"red\" } });\n  return (await picture.png().toBuffer({ resolveWithObject: true })).info.width;\n}\n";
    std::fs::write(root.join("src/tools/get_weather.ts"), tool + width).expect("the handler can be written");
    let (architecture, other) = if cfg!(target_arch = "aarch64") { ("arm64", "x86_64") } else { ("x86_64", "arm64") };
    let line = |architecture: &str| format!("[targets.lambda]\narchitecture = \"{architecture}\"");
    setting.project.replace("mcp.toml", "[targets.lambda]", &line(other));
    run(&Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).arg("render").current_dir(&root)).expect("`render`");

    // A Worker cannot: told at the import, before anything is built.
    let refused = setting.run("ship --target cloudflare");
    refused.ended(1).said_once("src/tools/get_weather.ts:").said("cannot run the package `sharp`: it has native code");
    assert!(!setting.cloudflare.exists("weather"));
    setting.project.replace("mcp.toml", "[targets.cloudflare]\n", "");
    run(&Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).arg("render").current_dir(&root)).expect("`render`");

    // For another processor: built in the project where the packages of this one are remembered, and not run.
    let foreign = setting.ok("ship --target lambda --local");
    foreign.said("native code of its packages is for Linux on ").said("it is built, and was not run here");
    setting.project.replace("mcp.toml", &line(other), &line(architecture));
    run(&Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).arg("render").current_dir(&root)).expect("`render`");

    let shipped = setting.ok("ship --target lambda");
    shipped.said("beside the bundle, in `node_modules`: sharp (it has native code)");
    let url = shipped.stdout.trim().to_owned();
    assert!(setting.temperature(&url) > 300, "400 degrees are the picture's");
    if cfg!(target_arch = "x86_64") {
        setting.ok("ship --target vercel").said("sharp (it has native code)");
        assert!(setting.temperature(VERCEL_URL) > 300);
    }
}
