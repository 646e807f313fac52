//! Lambda's API, as far as going back to an older version needs it.

use serde_json::{Value, json};

use super::super::http::{Request, Response, lock};
use super::Shared;
use super::function::{Config, Function};

pub fn handle(shared: &Shared, region: &str, request: &Request) -> Response {
    let mut state = lock(&shared.state);
    let region = state.region(region);
    let parts = request.parts();
    let Some(function) = parts.get(2).and_then(|name| region.functions.get_mut(name_of(name))) else {
        return missing(&format!("Function not found: {}", parts.get(2).unwrap_or(&"")));
    };
    match (request.method.as_str(), &parts[3..]) {
        ("GET", []) => {
            let latest = configuration(function, "$LATEST", &function.latest);
            Response::json(200, &json!({ "Configuration": latest, "Code": {} }))
        }
        ("GET", ["configuration"]) => {
            let qualifier = request.query("Qualifier").unwrap_or("$LATEST");
            let number = function.aliases.get(qualifier).copied().or_else(|| qualifier.parse().ok());
            let config = number.map_or(Some(&function.latest), |number| function.versions.get(&number));
            match config {
                Some(config) => Response::json(200, &configuration(function, qualifier, config)),
                None => missing("Function not found"),
            }
        }
        ("GET", ["versions"]) => {
            let numbered = function.versions.iter().map(|(number, config)| (number.to_string(), config));
            let all = std::iter::once(("$LATEST".to_owned(), &function.latest)).chain(numbered);
            let versions: Vec<Value> = all.map(|(version, config)| configuration(function, &version, config)).collect();
            Response::json(200, &json!({ "Versions": versions }))
        }
        ("GET", ["aliases"]) => {
            let aliases: Vec<Value> = function.aliases.keys().map(|name| alias(function, name)).collect();
            Response::json(200, &json!({ "Aliases": aliases }))
        }
        ("GET", ["aliases", name]) if function.aliases.contains_key(*name) => {
            Response::json(200, &alias(function, name))
        }
        ("PUT", ["aliases", name]) if function.aliases.contains_key(*name) => {
            let wanted = request.json()["FunctionVersion"].as_str().unwrap_or_default().to_owned();
            match wanted.parse().ok().filter(|number| function.versions.contains_key(number)) {
                Some(number) => function.aliases.insert((*name).to_owned(), number),
                None => return missing(&format!("Function not found: {}:{wanted}", function.arn())),
            };
            function.refresh(&shared.surroundings());
            Response::json(200, &alias(function, name))
        }
        ("GET", ["url"]) => match &function.url {
            Some(url) => {
                let url = json!({ "FunctionUrl": format!("{}/", url.front.url()), "AuthType": url.auth_type });
                Response::json(200, &url)
            }
            None => missing("The resource you requested does not exist."),
        },
        (_, ["aliases", name]) => missing(&format!("Alias not found: {}:{name}", function.arn())),
        _ => Response::json(404, &json!({ "message": "the stand-in does not know this call" })),
    }
}

/// A function's own name, whatever it was called by: name, ARN, with or without a qualifier.
pub fn name_of(reference: &str) -> &str {
    let name = reference.split(":function:").nth(1).unwrap_or(reference);
    name.split(':').next().unwrap_or(name)
}

fn alias(function: &Function, name: &str) -> Value {
    let version = function.aliases.get(name).map(u32::to_string);
    let arn = format!("{}:{name}", function.arn());
    json!({ "AliasArn": arn, "Name": name, "FunctionVersion": version, "Description": "", "RevisionId": "0" })
}

fn configuration(function: &Function, version: &str, config: &Config) -> Value {
    let properties = &config.properties;
    json!({
        "FunctionName": function.name,
        "FunctionArn": function.arn(),
        "Version": version,
        "Runtime": properties["Runtime"],
        "Handler": properties["Handler"],
        "MemorySize": properties["MemorySize"],
        "Timeout": properties["Timeout"],
        "CodeSize": config.code.len(),
        "Environment": properties["Environment"],
        "LoggingConfig": { "LogFormat": "JSON", "LogGroup": function.log_group() },
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "LastModified": "2026-11-23T06:00:00.000+0000",
    })
}

fn missing(message: &str) -> Response {
    Response::json(404, &json!({ "Type": "User", "Message": message }))
        .with("x-amzn-errortype", "ResourceNotFoundException")
}
