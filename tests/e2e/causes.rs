//! When the server's own code fails, that is one fault, at the user's own place.

use serde_json::Value;

use crate::support::child::{Ran, run};
use crate::support::site::WEATHER;
use crate::support::work::{clone, mcp_deploy, read, write};

const HELPER: &str = "interface Unused {\n  a: string;\n}\n\nexport function deep(n: number): string {\n  if (n < 3) return deep(n + 1);\n  throw new TypeError(`deep ${n}`);\n}\n";

/// A tool, its code after the first line, and what is said of it.
const TOOLS: [(&str, &str, &str); 4] = [
    (
        "throws",
        "import { deep } from \"../helper.ts\";\nexport default tool(\"throws\", () => deep(0));",
        "its handler fails: src/helper.ts:7:9: TypeError: deep 3",
    ),
    (
        "lacks",
        "export default tool(\"lacks\", (_, ctx) => ctx.env.NEEDED);",
        "its handler fails: src/tools/lacks.ts:2:50: Error: the secret NEEDED is not set",
    ),
    (
        "broken",
        "const settings = JSON.parse(\"{\") as string;\nexport default tool(\"broken\", () => settings);",
        "cannot import the handler of the tool broken: src/tools/broken.ts:2:23: SyntaxError: ",
    ),
    ("leaves", "export default tool(\"leaves\", () => process.exit(3));", "it ended (exit status: 3)"),
];

fn failed<'a>(ran: &Ran, answer: &'a Value) -> Vec<&'a Value> {
    let runs = answer["runs"].as_array().unwrap_or_else(|| panic!("{ran}"));
    let checks = runs.iter().flat_map(|run| run["report"]["checks"].as_array().into_iter().flatten());
    checks.filter(|check| check["outcome"] == "failed").collect()
}

#[test]
fn a_cause_is_told_once_with_its_place() {
    let project = clone(&WEATHER.root, "causes");
    let weather = read(project.join("mcp.toml")).replace("[targets.lambda]\nregions = [\"us-east-1\"]\n", "");
    let declared = TOOLS.map(|(name, ..)| format!("\n[tools.{name}]\ndescription = \"Fails.\"\n")).concat();
    write(project.join("mcp.toml"), weather + &declared + "\n[secrets]\nNEEDED = \"a key\"\n");
    write(project.join("src/helper.ts"), HELPER);
    for (name, code, _) in TOOLS {
        write(
            project.join(format!("src/tools/{name}.ts")),
            format!("import {{ tool }} from \"../generated/mcp.ts\";\n{code}\n"),
        );
    }
    let ship = [
        "ship",
        "--target",
        "vercel,cloudflare",
        "--local",
        "--json",
        "--call",
        "throws {}",
        "--call",
        "lacks {}",
        "--call",
        "broken {}",
    ];
    let ran = run(mcp_deploy(&project, ship)).expect(3);
    let answer = ran.json();
    let said: Vec<&str> = failed(&ran, &answer).iter().filter_map(|check| check["detail"].as_str()).collect();
    // That of the import first: its check comes first. Then the calls, on either target.
    for (at, (_, _, expected)) in [&TOOLS[2], &TOOLS[0], &TOOLS[1]].iter().cycle().take(6).enumerate() {
        assert!(said.get(at).is_some_and(|said| said.starts_with(expected)), "{expected}: {said:#?}");
    }
    assert_eq!(said.len(), 6, "{said:#?}");
    assert!(ran.stderr.contains("secrets set NEEDED") && ran.stderr.contains("checks could not be made"), "{ran}");
    assert!(!ran.stderr.contains("\"timestamp\""), "the log is explained: {ran}");

    let ran =
        run(mcp_deploy(&project, ["ship", "--target", "vercel", "--local", "--json", "--call", "leaves {}"])).expect(3);
    let answer = ran.json();
    let said = failed(&ran, &answer);
    // That one handler cannot be imported is another cause.
    assert_eq!(said.len(), 2, "{said:#?}");
    let detail = said[1]["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with(TOOLS[3].2) && detail.contains("`leaves` answers"), "{said:#?}");
}

/// Every form of a wrong handler, and a project whose compiler is set otherwise.
#[test]
fn what_the_compiler_says_of_generated_code_is_told_at_its_cause() {
    let project = clone(&WEATHER.root, "own-place");
    let wrong = [
        ("src/tools/get_weather.ts", "// a class\nexport default class Handler {\n  run() {}\n}\n", "2:1", "tool"),
        ("src/tools/wait_at.ts", "export default async (input: unknown) => input;\n", "1:1", "tool"),
        ("src/resources/forecast.ts", "export default { read: \"x\" };\n", "1:1", "resource"),
        ("src/prompts/plan_trip.ts", "function plan() {}\nexport { plan as default };\n", "2:18", "prompt"),
    ];
    let right = wrong.map(|(file, ..)| read(project.join(file)));
    for (file, text, ..) in wrong {
        write(project.join(file), text);
    }
    let said = run(mcp_deploy(&project, ["check"])).expect(1).stderr;
    for (file, _, place, kind) in wrong {
        let expected = format!("{file}:{place}: error: the default export is not the handler of the {kind} `");
        assert!(said.contains(&expected), "{expected}: {said}");
    }
    assert!(said.ends_with("\n4 errors\n") && !said.contains("src/generated"), "{said}");
    for ((file, ..), text) in wrong.iter().zip(right) {
        write(project.join(file), text);
    }
    let config = read(project.join("tsconfig.json"));
    let less =
        config.replace("    \"allowImportingTsExtensions\": true,\n", "").replace("    \"types\": [\"node\"],\n", "");
    write(project.join("tsconfig.json"), less);
    let said = run(mcp_deploy(&project, ["check"])).expect(1).stderr;
    let expected = "tsconfig.json:2:3: error: `compilerOptions` lacks options with which the generated code is written: `\"types\": [\"node\"], \"allowImportingTsExtensions\": true`\n";
    assert!(said.starts_with(expected) && said.ends_with("\n1 error\n"), "{said}");
}
