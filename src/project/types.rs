//! What the compiler says, told at the user's own place: a fault in generated code has its cause in a handler or in
//! `tsconfig.json`.

use std::path::Path;

use serde_json::{Map, Value};

use super::code;
use super::reached::resolved;
use crate::fault::{Fault, Position, Severity};
use crate::files::{self, GENERATED};
use crate::process::{self, Cmd, Io};

const CONFIG: &str = "tsconfig.json";
/// As every project begins; it has no comments.
const TEMPLATE: &str = include_str!("../../templates/project/tsconfig.json.hbs");
/// Options that change what is written, and not what is accepted.
const OF_OUTPUT: [&str; 3] = ["noEmit", "incremental", "tsBuildInfoFile"];

/// The faults with their causes in place of those in generated code. `show` asks the compiler for the options that
/// count.
pub fn at_their_cause(root: &Path, faults: Vec<Fault>, show: impl FnOnce() -> Cmd) -> Vec<Fault> {
    let registry = format!("{GENERATED}/handlers.ts");
    let is_generated = |fault: &Fault| fault.file.starts_with(GENERATED);
    // A path that ends with `.ts` is refused wherever it stands.
    let is_of_options =
        |fault: &Fault| is_generated(fault) && fault.file != registry || fault.message.starts_with("TS5097");
    if faults.iter().any(is_of_options)
        && let Ok(said) = process::run(&show(), Io::Answer, Some(super::npm::TYPES_LIMIT))
        && let Some(fault) = options(root, &said.stdout)
    {
        return vec![fault];
    }
    let own = |fault: Fault| if fault.file == registry { of_handler(root, &fault).unwrap_or(fault) } else { fault };
    faults.into_iter().map(own).collect()
}

/// One fault for all options without which the generated code does not compile.
fn options(root: &Path, shown: &str) -> Option<Fault> {
    let wanted: Value = serde_json::from_str(TEMPLATE).ok()?;
    let found: Value = serde_json::from_str(shown.get(shown.find('{')?..)?).ok()?;
    let found = found["compilerOptions"].as_object().cloned().unwrap_or_default();
    let lacking = lacking(wanted["compilerOptions"].as_object()?, &found);
    let first = lacking.first()?;
    let text = files::read(root, CONFIG, files::ANY).unwrap_or_default();
    let place = [first.0.as_str(), "compilerOptions"].into_iter().find_map(|key| text.find(&format!("\"{key}\"")));
    let options: Vec<String> = lacking.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    let s = if options.len() == 1 { "an option" } else { "options" };
    Some(Fault {
        severity: Severity::Error,
        file: CONFIG.to_owned(),
        at: Position::of(&text, place.unwrap_or(0)),
        message: format!(
            "`compilerOptions` lacks {s} with which the generated code is written: `{}`",
            options.join(", ")
        ),
        hint: Some("set it there; a project of `mcp-deploy init` has all of them".to_owned()),
    })
}

/// Those of the wanted options that are not set so. Lists may have more.
fn lacking<'w>(wanted: &'w Map<String, Value>, found: &Map<String, Value>) -> Vec<(&'w String, &'w Value)> {
    let plain = |value: &Value| value.to_string().to_lowercase();
    let is_set = |(key, value): &(&String, &Value)| match (value, found.get(*key)) {
        (Value::Array(all), Some(Value::Array(there))) => {
            all.iter().all(|one| there.iter().any(|other| plain(one) == plain(other)))
        }
        (value, Some(there)) => plain(value) == plain(there),
        (_, None) => false,
    };
    wanted.iter().filter(|(key, _)| !OF_OUTPUT.contains(&key.as_str())).filter(|one| !is_set(one)).collect()
}

/// A line of the registry imports one handler: the fault is that of its default export.
fn of_handler(root: &Path, fault: &Fault) -> Option<Fault> {
    let registry = files::read(root, &fault.file, files::ANY).ok()?;
    let line = registry.lines().nth(fault.at.line.checked_sub(1)?)?;
    let import = code::imports(line).first().map(|literal| literal.text.to_owned())?;
    let file = resolved(&fault.file, &import)?;
    let mut parts = file.strip_prefix("src/")?.split('/');
    let (kind, name) = (parts.next()?.strip_suffix('s')?, parts.next()?.strip_suffix(".ts")?);
    let text = files::read(root, &file, files::ANY).ok()?;
    let bare = code::without_comments_and_strings(&text);
    let place = ["export default", "default"].into_iter().find_map(|words| bare.find(words)).unwrap_or(0);
    let why = fault.message.rsplit_once(". ").map_or(fault.message.as_str(), |(_, why)| why);
    Some(Fault {
        severity: Severity::Error,
        at: Position::of(&text, place),
        message: format!("the default export is not the handler of the {kind} `{name}`: {why}"),
        hint: Some(format!("write `export default {kind}(\"{name}\", …)`, with a function in place of `…`")),
        file,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_that_are_set_otherwise_are_named_in_one_fault() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(CONFIG),
            "{\n  // mine\n  \"compilerOptions\": {\n    \"strict\": false\n  }\n}\n",
        )
        .unwrap();
        let template: Value = serde_json::from_str(TEMPLATE).unwrap();
        let with = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut shown = template.clone();
            change(shown["compilerOptions"].as_object_mut().unwrap());
            options(dir.path(), &format!("> tsc\n{shown}"))
        };
        assert_eq!(with(&|_| {}), None);
        assert_eq!(with(&|all| drop(all.insert("lib".into(), json!(["dom", "es2024"])))), None);
        assert_eq!(with(&|all| drop(all.remove("noEmit"))), None);
        let fault = with(&|all| drop(all.remove("types"))).unwrap();
        assert!(fault.message.contains("an option") && fault.message.contains(r#"`"types": ["node"]`"#), "{fault}");
        assert_eq!(fault.at, Position { line: 3, column: 3 });
        let fault = with(&|all| {
            all.insert("strict".into(), json!(false));
            all.insert("module".into(), json!("commonjs"));
        });
        let fault = fault.unwrap();
        assert!(fault.message.contains(r#"`"module": "nodenext", "strict": true`"#), "{fault}");
    }
}
