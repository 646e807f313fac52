//! Stacks: what a change set makes of the resources of a template.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::function::{Config, Function, Surroundings};
use super::gateway;
use super::state::{Region, Secret};
use super::template::{Scope, parameters, text};

#[derive(Clone, Debug, Default)]
pub struct Stack {
    pub name: String,
    pub id: String,
    pub status: String,
    pub reason: String,
    /// As it was submitted.
    pub source: String,
    /// After the transform.
    pub template: Value,
    pub parameters: BTreeMap<String, String>,
    pub tags: Vec<(String, String)>,
    pub outputs: Vec<Output>,
    pub resources: BTreeMap<String, Resource>,
    /// The newest first.
    pub events: Vec<Event>,
    pub created: String,
}

#[derive(Clone, Debug, Default)]
pub struct Output {
    pub key: String,
    pub value: String,
    pub description: String,
}

#[derive(Clone, Debug, Default)]
pub struct Resource {
    pub kind: String,
    pub physical: String,
    pub attributes: BTreeMap<String, String>,
    pub properties: Value,
}

#[derive(Clone, Debug, Default)]
pub struct Event {
    pub id: String,
    pub resource: String,
    pub kind: String,
    pub physical: String,
    pub status: String,
    pub reason: String,
    pub time: String,
}

#[derive(Clone, Default)]
pub struct ChangeSet {
    pub name: String,
    pub id: String,
    pub stack: String,
    pub status: String,
    pub reason: String,
    pub source: String,
    pub template: Value,
    pub parameters: BTreeMap<String, String>,
    pub tags: Vec<(String, String)>,
    pub created: String,
    /// Action, logical id, type.
    pub changes: Vec<(&'static str, String, String)>,
    /// Of what the stack has already: whether it is replaced, and what becomes of it.
    pub fates: BTreeMap<String, (&'static str, String)>,
}

/// Properties that no resource can change and stay the same.
const IDENTITY: [&str; 4] = ["TableName", "KeySchema", "BucketName", "LogGroupName"];

/// What becomes of a resource that a change set removes or changes.
pub fn fate(old: &Value, new: &Value) -> (&'static str, String) {
    let policy = |name: &str| match old[name].as_str() {
        Some("Retain" | "RetainExceptOnCreate") => "Retain",
        Some("Snapshot") => "Snapshot",
        _ => "Delete",
    };
    if new.is_null() {
        return ("", policy("DeletionPolicy").to_owned());
    }
    match IDENTITY.iter().any(|name| old["Properties"][name] != new["Properties"][name]) {
        true => ("True", format!("ReplaceAnd{}", policy("UpdateReplacePolicy"))),
        false => ("False", String::new()),
    }
}

/// Resources come to be in this order: what others refer to first.
const ORDER: [&str; 13] = [
    "AWS::Lambda::Function",
    "AWS::Lambda::Version",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Url",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::Stage",
    "AWS::Lambda::Permission",
    "AWS::Lambda::EventSourceMapping",
    "AWS::WAFv2::WebACLAssociation",
    "AWS::ApiGateway::BasePathMapping",
    "AWS::Route53::HealthCheck",
    "AWS::Route53::RecordSet",
];

fn rank(kind: &str) -> usize {
    // Roles and policies may refer to secrets, log groups and tables, and functions to all of them.
    match ORDER.iter().position(|known| *known == kind) {
        Some(position) => 2 + position,
        None => usize::from(kind.starts_with("AWS::IAM::")),
    }
}

pub fn pseudo((account, region): (&str, &str), stack: &Stack) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("AWS::Region", region.to_owned()),
        ("AWS::Partition", "aws".to_owned()),
        ("AWS::AccountId", account.to_owned()),
        ("AWS::StackName", stack.name.clone()),
        ("AWS::StackId", stack.id.clone()),
        ("AWS::URLSuffix", "amazonaws.com".to_owned()),
    ])
}

/// Makes `stack` what the change set says. An error names the resource that could not be made.
pub fn execute(
    region: &mut Region,
    stack: &mut Stack,
    change: &ChangeSet,
    broken: bool,
    surroundings: &Surroundings<'_>,
) -> Result<(), (String, String)> {
    let before = stack.resources.clone();
    let values = parameters(&change.template, &change.parameters);
    let pseudo = pseudo((&region.account, &region.name), stack);
    let wanted = wanted(&change.template, &values, &pseudo);
    let mut made: BTreeMap<String, Resource> = BTreeMap::new();
    for (logical, kind, properties) in &wanted {
        let properties = {
            let look = |name: &str, attribute: Option<&str>| look_up(&made, name, attribute);
            Scope { template: &change.template, parameters: &values, pseudo: &pseudo, resource: &look }
                .resolve(properties)
        };
        let known = before.get(logical).filter(|known| known.kind == *kind);
        let resource = make(region, stack, logical, kind, properties, known, broken, surroundings)
            .map_err(|reason| (logical.clone(), reason))?;
        made.insert(logical.clone(), resource);
    }
    for (logical, resource) in &before {
        let is_kept = change.fates.get(logical).is_some_and(|(_, policy)| policy == "Retain");
        if !made.contains_key(logical) && !is_kept {
            remove(region, resource);
        }
    }
    let functions = made.values().filter(|resource| resource.kind == "AWS::Lambda::Function");
    for resource in functions {
        function(region, &resource.physical)
            .map(|function| function.refresh(surroundings))
            .map_err(|reason| (resource.physical.clone(), reason))?;
    }
    let look = |name: &str, attribute: Option<&str>| look_up(&made, name, attribute);
    let scope = Scope { template: &change.template, parameters: &values, pseudo: &pseudo, resource: &look };
    let outputs = change.template["Outputs"].as_object().into_iter().flatten();
    let outputs = outputs.filter(|(_, output)| output["Condition"].as_str().is_none_or(|name| scope.condition(name)));
    stack.outputs = outputs
        .map(|(key, output)| Output {
            key: key.clone(),
            value: text(&scope.resolve(&output["Value"])),
            description: text(&output["Description"]),
        })
        .collect();
    stack.resources = made;
    stack.source.clone_from(&change.source);
    stack.template = change.template.clone();
    stack.parameters.clone_from(&change.parameters);
    stack.tags.clone_from(&change.tags);
    Ok(())
}

/// The resources whose condition holds, in the order in which they can be made.
fn wanted(
    template: &Value,
    values: &Map<String, Value>,
    pseudo: &BTreeMap<&'static str, String>,
) -> Vec<(String, String, Value)> {
    let nothing = |_: &str, _: Option<&str>| None;
    let scope = Scope { template, parameters: values, pseudo, resource: &nothing };
    let resources = template["Resources"].as_object().into_iter().flatten();
    let holds = |resource: &Value| resource["Condition"].as_str().is_none_or(|name| scope.condition(name));
    let mut wanted: Vec<_> = resources
        .filter(|(_, resource)| holds(resource))
        .map(|(logical, resource)| (logical.clone(), text(&resource["Type"]), resource["Properties"].clone()))
        .collect();
    wanted.sort_by_key(|(_, kind, _)| rank(kind));
    wanted
}

fn look_up(made: &BTreeMap<String, Resource>, name: &str, attribute: Option<&str>) -> Option<String> {
    let resource = made.get(name)?;
    match attribute {
        None => Some(resource.physical.clone()),
        Some(attribute) => resource.attributes.get(attribute).cloned(),
    }
}

#[expect(clippy::too_many_arguments, reason = "one resource meets all of its surroundings")]
fn make(
    region: &mut Region,
    stack: &Stack,
    logical: &str,
    kind: &str,
    properties: Value,
    known: Option<&Resource>,
    broken: bool,
    surroundings: &Surroundings<'_>,
) -> Result<Resource, String> {
    if let Some(reason) = region.refuse.remove(logical) {
        return Err(reason);
    }
    let property = |name: &str| text(&properties[name]);
    let named = |name: &str| {
        let own = property(name);
        let known = known.map(|known| known.physical.clone()).filter(|_| own.is_empty());
        let made =
            || if own.is_empty() { format!("{}-{logical}-{}", stack.name, suffix(&stack.id)) } else { own.clone() };
        known.unwrap_or_else(made)
    };
    let arn = |service: &str, rest: String| format!("arn:aws:{service}:{}:{}:{rest}", region.name, region.account);
    let mut attributes = BTreeMap::new();
    let physical = match kind {
        "AWS::S3::Bucket" => {
            let name = named("BucketName").to_lowercase();
            region.buckets.entry(name.clone()).or_default();
            attributes.insert("Arn".to_owned(), format!("arn:aws:s3:::{name}"));
            name
        }
        "AWS::Logs::LogGroup" => {
            let name = named("LogGroupName");
            attributes.insert("Arn".to_owned(), arn("logs", format!("log-group:{name}:*")));
            region.logs.entry(name.clone()).or_default();
            name
        }
        "AWS::SecretsManager::Secret" => {
            let name = named("Name");
            let id = arn("secretsmanager", format!("secret:{name}-AbCdEf"));
            let secret = region.secrets.entry(name).or_insert_with(|| Secret::new(id, None));
            if let Some(value) = properties["SecretString"].as_str() {
                secret.value = Some(value.to_owned());
            }
            secret.arn.clone()
        }
        "AWS::IAM::Role" => {
            let name = named("RoleName");
            let id = format!("arn:aws:iam::{}:role/{name}", region.account);
            attributes.insert("Arn".to_owned(), id.clone());
            region.roles.insert(id, properties["Policies"].clone());
            name
        }
        "AWS::Lambda::Function" => {
            let name = named("FunctionName");
            let (bucket, key) = (text(&properties["Code"]["S3Bucket"]), text(&properties["Code"]["S3Key"]));
            let code = region.buckets.get(&bucket).and_then(|objects| objects.get(&key));
            let code = code.ok_or_else(|| {
                format!("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: {bucket}/{key}")
            })?;
            let latest = Config { properties: properties.clone(), code: Arc::new(code.clone()), broken };
            let (account, name_of_region) = (region.account.clone(), region.name.clone());
            let function = region.functions.entry(name.clone());
            let function = function.or_insert_with(|| Function::new(&name, &account, &name_of_region, latest.clone()));
            function.latest = latest;
            attributes.insert("Arn".to_owned(), function.arn());
            name
        }
        "AWS::Lambda::Version" => {
            // A version never changes: another one has another logical id.
            if let Some(known) = known {
                return Ok(known.clone());
            }
            let function = function(region, &property("FunctionName"))?;
            let number = function.publish();
            attributes.insert("Version".to_owned(), number.to_string());
            format!("{}:{number}", function.arn())
        }
        "AWS::Lambda::Alias" => {
            let changed = known.is_none_or(|known| known.properties != properties);
            let function = function(region, &property("FunctionName"))?;
            let version = property("FunctionVersion").parse().map_err(|_| "no such version".to_owned())?;
            // What somebody moved since then stays moved, until the template asks for something else.
            if changed {
                function.aliases.insert(property("Name"), version);
            }
            format!("{}:{}", function.arn(), property("Name"))
        }
        "AWS::Lambda::Url" => {
            let target = property("TargetFunctionArn");
            let alias = qualifier(&target);
            let function = function(region, &target)?;
            match &mut function.url {
                Some(url) => (url.alias, url.auth_type) = (alias, property("AuthType")),
                None => function.create_url(&alias, &property("AuthType"), surroundings.outage),
            }
            let front = function.url.as_ref().map(|url| url.front.url()).unwrap_or_default();
            attributes.insert("FunctionUrl".to_owned(), format!("{front}/"));
            target
        }
        "AWS::Lambda::Permission" => {
            let target = property("FunctionName");
            let function = function(region, &target)?;
            function.public.extend(permission(&properties));
            format!("{}-{logical}", stack.name)
        }
        kind if gateway::KINDS.contains(&kind) => {
            gateway::make(region, stack, kind, &properties, known, &mut attributes, surroundings)?
        }
        _ => {
            let name = known.map_or_else(
                || format!("{}-{logical}-{}", stack.name, suffix(&stack.id)),
                |known| known.physical.clone(),
            );
            attributes.insert("Arn".to_owned(), format!("arn:aws:any:{}:{}:{name}", region.name, region.account));
            name
        }
    };
    Ok(Resource { kind: kind.to_owned(), physical, attributes, properties })
}

/// What a resource leaves behind is kept where the template says `Retain`: versions always are.
pub fn remove(region: &mut Region, resource: &Resource) {
    match resource.kind.as_str() {
        "AWS::Lambda::Function" => drop(region.functions.remove(&resource.physical)),
        "AWS::Logs::LogGroup" => drop(region.logs.remove(&resource.physical)),
        "AWS::SecretsManager::Secret" => region.secrets.retain(|_, secret| secret.arn != resource.physical),
        "AWS::S3::Bucket" => drop(region.buckets.remove(&resource.physical)),
        "AWS::Lambda::Permission" => {
            let target = text(&resource.properties["FunctionName"]);
            if let Ok(function) = function(region, &target) {
                function.public.retain(|known| Some(known) != permission(&resource.properties).as_ref());
            }
        }
        "AWS::Lambda::Url" => {
            if let Ok(function) = function(region, &resource.physical) {
                function.url = None;
            }
        }
        kind if gateway::KINDS.contains(&kind) => gateway::remove(region, kind, resource),
        _ => {}
    }
}

/// What differs, by the text of the resolved properties.
pub fn changes(stack: &Stack, change: &ChangeSet, place: (&str, &str)) -> Vec<(&'static str, String, String)> {
    let resources = |template: &Value, given: &BTreeMap<String, String>| {
        let values = parameters(template, given);
        let pseudo = pseudo(place, stack);
        let symbolic = |name: &str, attribute: Option<&str>| Some(format!("{name}.{attribute:?}"));
        let scope = Scope { template, parameters: &values, pseudo: &pseudo, resource: &symbolic };
        let wanted = wanted(template, &values, &pseudo);
        let resolved =
            wanted.into_iter().map(|(logical, kind, properties)| (logical, (kind, scope.resolve(&properties))));
        let outputs = scope.resolve(&template["Outputs"]);
        (resolved.collect::<BTreeMap<_, _>>(), outputs)
    };
    let (old, old_outputs) = resources(&stack.template, &stack.parameters);
    let (new, new_outputs) = resources(&change.template, &change.parameters);
    let mut changes: Vec<(&'static str, String, String)> = Vec::new();
    for (logical, resource) in &new {
        match old.get(logical) {
            None => changes.push(("Add", logical.clone(), resource.0.clone())),
            Some(known) if known != resource => changes.push(("Modify", logical.clone(), resource.0.clone())),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|(logical, _)| !new.contains_key(*logical));
    changes.extend(gone.map(|(logical, (kind, _))| ("Remove", logical.clone(), kind.clone())));
    let same_tags = stack.tags == change.tags;
    if changes.is_empty() && (old_outputs != new_outputs || !same_tags) {
        changes.push(("Modify", stack.name.clone(), "AWS::CloudFormation::Stack".to_owned()));
    }
    changes
}

/// As [`Function::public`] keeps it, when it is everybody's or API Gateway's.
fn permission(properties: &Value) -> Option<String> {
    let whose = match text(&properties["Principal"]).as_str() {
        "*" => "",
        "apigateway.amazonaws.com" => "apigateway ",
        _ => return None,
    };
    Some(format!("{} {whose}{}", qualifier(&text(&properties["FunctionName"])), text(&properties["Action"])))
}

pub fn function<'a>(region: &'a mut Region, reference: &str) -> Result<&'a mut Function, String> {
    let name = super::lambda::name_of(reference);
    region.functions.get_mut(name).ok_or_else(|| format!("Function not found: {reference}"))
}

/// `…:function:NAME:live` → `live`
pub fn qualifier(reference: &str) -> String {
    reference.split(':').nth(7).unwrap_or("$LATEST").to_owned()
}

fn suffix(id: &str) -> String {
    id.rsplit('-').next().unwrap_or_default().to_uppercase()
}

/// Everything a rule says of actions and resources.
pub fn allows(policies: &Value, action: &str, resource: &str) -> bool {
    let list = |value: &Value| match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => vec![text(other)],
    };
    let statements = policies.as_array().into_iter().flatten().flat_map(|policy| {
        let statements = policy["PolicyDocument"]["Statement"].clone();
        if statements.is_array() { statements } else { json!([statements]) }.as_array().cloned().unwrap_or_default()
    });
    statements.into_iter().any(|statement| {
        statement["Effect"] == "Allow"
            && list(&statement["Action"]).iter().any(|known| matches(known, action))
            && list(&statement["Resource"]).iter().any(|known| matches(known, resource))
    })
}

/// `*` stands for anything, `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern_rest, mut text_rest) = (pattern.chars(), text.chars());
    match pattern_rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = pattern_rest.as_str();
            matches(rest, text) || text_rest.next().is_some() && matches(pattern, text_rest.as_str())
        }
        Some('?') => text_rest.next().is_some() && matches(pattern_rest.as_str(), text_rest.as_str()),
        Some(plain) => text_rest.next() == Some(plain) && matches(pattern_rest.as_str(), text_rest.as_str()),
    }
}

#[test]
fn rules_match_by_their_wildcards() {
    let secret = "arn:aws:secretsmanager:us-east-1:1:secret:mcp/weather-AbCdEf";
    for (pattern, meant) in [
        (secret, true),
        ("arn:aws:secretsmanager:us-east-1:1:secret:mcp/weather-??????", true),
        ("arn:aws:secretsmanager:*:secret:mcp/*", true),
        ("*", true),
        ("arn:aws:secretsmanager:us-east-1:1:secret:mcp/weather-?????", false),
        ("arn:aws:secretsmanager:us-east-1:1:secret:mcp/other-??????", false),
    ] {
        assert_eq!(matches(pattern, secret), meant, "{pattern}");
    }
}
