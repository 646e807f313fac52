//! API Gateway and Route 53: REST APIs that call a function, and the names that lead to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::function::Surroundings;
use super::stack::{Resource, Stack, function, qualifier};
use super::state::Region;
use super::template::text;

pub const KINDS: [&str; 5] = [
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::BasePathMapping",
    "AWS::Route53::RecordSet",
];

/// Makes one of [`KINDS`]; its physical id.
pub fn make(
    region: &mut Region,
    stack: &Stack,
    kind: &str,
    properties: &Value,
    known: Option<&Resource>,
    attributes: &mut BTreeMap<String, String>,
    surroundings: &Surroundings<'_>,
) -> Result<String, String> {
    let property = |name: &str| text(&properties[name]);
    let id = stack.id.rsplit('-').next().unwrap_or_default().to_lowercase();
    match kind {
        "AWS::ApiGateway::RestApi" => {
            if properties["EndpointConfiguration"]["Types"] != json!(["REGIONAL"]) {
                return Err("the stand-in knows regional endpoints only".to_owned());
            }
            let id = known.map_or(id, |known| known.physical.clone());
            attributes.insert("RootResourceId".to_owned(), "root".to_owned());
            region.apis.insert(id.clone(), properties["Body"].clone());
            Ok(id)
        }
        "AWS::ApiGateway::Stage" => {
            let api = property("RestApiId");
            let stage = property("StageName");
            let body = region.apis.get(&api).ok_or("Invalid API identifier specified")?;
            let target = streamed_to(body)?;
            let alias = qualifier(&target);
            let name = format!("{api}.execute-api.{}.amazonaws.com", region.name);
            let function = function(region, &target)?;
            match &mut function.gateway {
                Some(gateway) if gateway.api == api => gateway.alias = alias,
                _ => function.create_gateway(&api, &alias, known_stage(&stage)?, surroundings).publish(&name),
            }
            Ok(stage)
        }
        "AWS::ApiGateway::DomainName" => {
            let name = property("DomainName");
            if property("RegionalCertificateArn").is_empty() {
                return Err("a regional domain needs a certificate of its region".to_owned());
            }
            let regional = format!("d-{id}.execute-api.{}.amazonaws.com", region.name);
            attributes.insert("RegionalDomainName".to_owned(), regional.clone());
            attributes.insert("RegionalHostedZoneId".to_owned(), "Z000000REGIONAL".to_owned());
            region.domains.entry(name.clone()).or_insert((regional, None));
            Ok(name)
        }
        "AWS::ApiGateway::BasePathMapping" => {
            let name = property("DomainName");
            let (api, _stage) = (property("RestApiId"), known_stage(&property("Stage"))?);
            region.domains.get_mut(&name).ok_or("Invalid domain name identifier specified")?.1 = Some(api);
            Ok(format!("{name}|(none)"))
        }
        _ => {
            let name = property("Name");
            if [&properties["SetIdentifier"], &properties["Region"]] != [&json!(region.name); 2] {
                return Err(format!("the record of {name} is not that of {}", region.name));
            }
            let mapped =
                region.domains.get(&name).filter(|(regional, _)| properties["AliasTarget"]["DNSName"] == **regional);
            let api = mapped.and_then(|(_, api)| api.clone());
            let api = api.ok_or_else(|| format!("nothing answers for {name} where its record leads"))?;
            let gateways = region.functions.values_mut().filter_map(|function| function.gateway.as_mut());
            gateways.filter(|gateway| gateway.api == api).for_each(|gateway| gateway.publish(&name));
            Ok(name)
        }
    }
}

pub fn remove(region: &mut Region, kind: &str, resource: &Resource) {
    match kind {
        "AWS::ApiGateway::RestApi" => {
            region.apis.remove(&resource.physical);
            let behind = |api: &str| api == resource.physical;
            for function in region.functions.values_mut() {
                function.gateway.take_if(|gateway| behind(&gateway.api));
            }
        }
        "AWS::ApiGateway::DomainName" => drop(region.domains.remove(&resource.physical)),
        _ => {}
    }
}

/// The function that an API's only route calls. Anything but a stream would hold our server's answers back, or break
/// them.
fn streamed_to(body: &Value) -> Result<String, String> {
    let integration = &body["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"];
    let uri = text(&integration["uri"]);
    let streams = integration["type"] == "aws_proxy" && integration["responseTransferMode"] == "STREAM";
    let target =
        uri.split_once("/functions/").and_then(|(_, rest)| rest.strip_suffix("/response-streaming-invocations"));
    target
        .filter(|_| streams)
        .map(str::to_owned)
        .ok_or_else(|| format!("no streaming Lambda proxy integration: {integration}"))
}

/// The stand-in's server has the name for as long as it runs.
fn known_stage(stage: &str) -> Result<&'static str, String> {
    (stage == "live").then_some("live").ok_or_else(|| format!("the stand-in does not know the stage {stage}"))
}
