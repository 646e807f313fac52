//! `[limits] bundle_kb`: what is too heavy is neither started nor deployed, and the answer names what weighs.

use crate::support::child::run;
use crate::support::site::{Turn, WEATHER};
use crate::support::work::{clone, mcp_deploy, read, write};

fn a_bundle_above_its_budget_is_not_started(target: &str) {
    let project = clone(&WEATHER.root, "budget");
    let manifest = read(project.join("mcp.toml"));
    write(project.join("mcp.toml"), format!("{manifest}\n[limits]\nbundle_kb = 200\n"));
    let words = "lorem ipsum ".repeat(20_000);
    write(project.join("src/words.ts"), format!("export const words = {words:?};\n"));
    let tool = r#"import { tool } from "../generated/mcp.ts";
import { words } from "../words.ts";

export default tool("wait_at", ({ url }) => ({ text: words.slice(0, url.length) }));
"#;
    write(project.join("src/tools/wait_at.ts"), tool);
    let _turn = Turn::of(&project);
    let ship = run(mcp_deploy(&project, ["ship", "--target", target, "--local"])).expect(1);
    let title = mcp_deploy::targets::ALL.iter().find(|row| row.name == target).expect("a cloud").title;
    let said = &ship.stderr;
    assert!(said.contains(&format!("the bundle for {title} has ")), "{ship}");
    assert!(
        said.contains(" kB; `limits.bundle_kb` allows 200; the heaviest in it:\n   240.0 kB  src/words.ts\n"),
        "{ship}"
    );
    assert!(said.contains("hint: import less, or only where it is needed, or raise `bundle_kb`"), "{ship}");
    assert_eq!(ship.stdout, "", "{ship}");
    assert!(!said.contains("health"), "it was started: {ship}");
}

crate::support::on_every_runtime!(a_bundle_above_its_budget_is_not_started);
