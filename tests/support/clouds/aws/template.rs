//! Templates: the SAM transform, parameters and the intrinsic functions.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use mcp_deploy::toolchain::{ToolId, Toolchain};
use serde_json::{Map, Value, json};

use super::super::http::lock;

const SCRIPT: &str = include_str!("transform.py");

/// What runs the script, until the tests end: then its stdin ends.
struct Translator {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Translator {
    fn start(tools: &Toolchain) -> Result<Self, String> {
        let sam = tools.found(ToolId::Sam).ok_or("`sam` was not resolved")?;
        let python = std::fs::canonicalize(&sam.path).map_err(|error| error.to_string())?.with_file_name("python");
        // `sam` on PATH may be a script of any kind; its first line names the interpreter that has the translator.
        let python = if python.exists() { python } else { interpreter(&sam.path)? };
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).env("SAM_CLI_TELEMETRY", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let pipes = child.stdin.take().zip(child.stdout.take()).expect("both are piped");
        Ok(Translator { stdin: pipes.0, stdout: BufReader::new(pipes.1) })
    }

    fn ask(&mut self, request: &Value) -> io::Result<Value> {
        writeln!(self.stdin, "{request}")?;
        let mut answer = String::new();
        self.stdout.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// The template as CloudFormation sees it after `Transform: AWS::Serverless-2016-10-31`, or why there is none.
pub fn transform(
    text: &str,
    region: &str,
    parameters: &BTreeMap<String, String>,
    tools: &Toolchain,
) -> Result<Value, String> {
    static TRANSLATOR: Mutex<Option<Translator>> = Mutex::new(None);
    let mut translator = lock(&TRANSLATOR);
    let mut running = translator.take().map_or_else(|| Translator::start(tools), Ok)?;
    let request = json!({ "text": text, "region": region, "parameters": parameters });
    let mut answer = running.ask(&request).map_err(|error| format!("the translator of SAM: {error}"))?;
    *translator = Some(running);
    match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer["template"].take()),
    }
}

fn interpreter(script: &std::path::Path) -> Result<std::path::PathBuf, String> {
    let text = std::fs::read_to_string(script).map_err(|error| error.to_string())?;
    let first = text.lines().next().and_then(|line| line.strip_prefix("#!"));
    first.map(|path| path.trim().into()).ok_or_else(|| "`sam` is not a script of Python".to_owned())
}

/// The values that a template's parameters have in one deployment.
pub fn parameters(template: &Value, given: &BTreeMap<String, String>) -> Map<String, Value> {
    let declared = template["Parameters"].as_object().into_iter().flatten();
    declared
        .map(|(name, declaration)| {
            let value = given.get(name).map_or_else(|| declaration["Default"].clone(), |value| json!(value));
            (name.clone(), value)
        })
        .collect()
}

/// What references in a template stand for.
pub struct Scope<'a> {
    pub template: &'a Value,
    pub parameters: &'a Map<String, Value>,
    pub pseudo: &'a BTreeMap<&'static str, String>,
    /// An attribute of a resource, or without a name what `Ref` gives.
    pub resource: &'a dyn Fn(&str, Option<&str>) -> Option<String>,
}

impl Scope<'_> {
    /// The value with every intrinsic function replaced.
    pub fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => {
                items.iter().map(|item| self.resolve(item)).filter(|item| !is_no_value(item)).collect()
            }
            Value::Object(fields) if fields.len() == 1 => {
                let (name, argument) = fields.iter().next().expect("there is one");
                self.function(name, argument).unwrap_or_else(|| self.fields(fields))
            }
            Value::Object(fields) => self.fields(fields),
            plain => plain.clone(),
        }
    }

    fn fields(&self, fields: &Map<String, Value>) -> Value {
        let resolved = fields.iter().map(|(name, value)| (name.clone(), self.resolve(value)));
        Value::Object(resolved.filter(|(_, value)| !is_no_value(value)).collect())
    }

    fn function(&self, name: &str, argument: &Value) -> Option<Value> {
        let at = |index: usize| self.resolve(&argument[index]);
        Some(match name {
            "Ref" => self.reference(argument.as_str()?),
            "Fn::GetAtt" => {
                let path = match argument {
                    Value::String(path) => path.clone(),
                    parts => format!("{}.{}", parts[0].as_str()?, text(&self.resolve(&parts[1]))),
                };
                let (resource, attribute) = path.split_once('.')?;
                json!((self.resource)(resource, Some(attribute)).unwrap_or_default())
            }
            "Fn::Sub" => match argument {
                Value::Array(parts) => json!(self.substitute(parts[0].as_str()?, parts.get(1))),
                template => json!(self.substitute(template.as_str()?, None)),
            },
            "Fn::Join" => {
                let parts: Vec<String> = at(1).as_array()?.iter().map(text).collect();
                json!(parts.join(argument[0].as_str()?))
            }
            "Fn::Split" => json!(text(&at(1)).split(argument[0].as_str()?).collect::<Vec<_>>()),
            "Fn::Select" => {
                let index: usize = text(&at(0)).parse().ok()?;
                at(1)[index].clone()
            }
            "Fn::If" => self.resolve(&argument[if self.condition(argument[0].as_str()?) { 1 } else { 2 }]),
            "Fn::Equals" => json!(text(&at(0)) == text(&at(1))),
            "Fn::Not" => json!(!at(0).as_bool()?),
            "Fn::And" => json!(argument.as_array()?.iter().all(|part| self.resolve(part) == true)),
            "Fn::Or" => json!(argument.as_array()?.iter().any(|part| self.resolve(part) == true)),
            "Condition" => json!(self.condition(argument.as_str()?)),
            _ => return None,
        })
    }

    pub fn condition(&self, name: &str) -> bool {
        self.resolve(&self.template["Conditions"][name]) == true
    }

    fn reference(&self, name: &str) -> Value {
        if let Some(value) = self.parameters.get(name) {
            return value.clone();
        }
        match self.pseudo.get(name) {
            Some(value) => json!(value),
            None if name == "AWS::NoValue" => json!({ "Ref": name }),
            None => json!((self.resource)(name, None).unwrap_or_default()),
        }
    }

    fn substitute(&self, template: &str, own: Option<&Value>) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(before);
            out.push_str(&match (name.strip_prefix('!'), own.and_then(|own| own.get(name)), name.split_once('.')) {
                (Some(literal), ..) => format!("${{{literal}}}"),
                (None, Some(value), _) => text(&self.resolve(value)),
                (None, None, Some((resource, attribute))) => {
                    (self.resource)(resource, Some(attribute)).unwrap_or_default()
                }
                (None, None, None) => text(&self.reference(name)),
            });
            rest = tail;
        }
        out + rest
    }
}

pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn is_no_value(value: &Value) -> bool {
    value.get("Ref").is_some_and(|name| name == "AWS::NoValue")
}
