//! What a function on Lambda may do: SAM policy templates by name, policies of AWS, statements.

use serde_json::Value;

use crate::manifest::names::shown;
use crate::manifest::reader::{Fields, nearest, span_at, to_json};

/// Each is `"NAME"` or `"arn:…"` of a policy, `{ TEMPLATE = { PARAMETER = "value" } }`, or `{ Statement = [{ … }] }`.
pub fn policies(fields: &Fields<'_, '_>) -> Option<Vec<Value>> {
    let item = fields.item("policies")?;
    let Value::Array(policies) = to_json(fields.reader(), item)? else {
        fields.error("policies", "`policies` must be an array of SAM policy templates", Some(POLICY.into()));
        return None;
    };
    for (index, policy) in policies.iter().enumerate() {
        if let Some((message, hint)) = fault(policy) {
            let span = span_at(item, &format!("/{index}")).or_else(|| fields.value_span("policies"));
            fields.reader().error(span, message, hint);
        }
    }
    Some(policies)
}

fn fault(policy: &Value) -> Option<(String, Option<String>)> {
    let shape = || {
        let message = "a policy must be a name, or a table of one SAM policy template and its parameters".to_owned();
        Some((message, Some(POLICY.to_owned())))
    };
    match policy {
        Value::String(name) if name.is_empty() => shape(),
        Value::String(name) if SAM_TEMPLATES.contains(&name.as_str()) => {
            let message = format!("`{name}` is a SAM policy template, which needs its parameters");
            Some((message, Some(format!("write `{{ {name} = {{ … }} }}`; `{{}}` where it has none"))))
        }
        Value::String(_) => None,
        Value::Object(map) => match map.iter().next().filter(|_| map.len() == 1) {
            Some((name, Value::Object(_))) if SAM_TEMPLATES.contains(&name.as_str()) => None,
            Some((name, Value::Object(_))) if name != "Statement" => {
                let message = format!("SAM has no policy template `{}`", shown(name));
                let hint = nearest(name, SAM_TEMPLATES.into_iter());
                Some((message, hint.or_else(|| Some("use `{ Statement = [{ … }] }` for anything else".to_owned()))))
            }
            Some((name, Value::Object(_) | Value::Array(_))) if name == "Statement" => None,
            _ => shape(),
        },
        _ => shape(),
    }
}

const POLICY: &str = "write `policies = [{ DynamoDBReadPolicy = { TableName = \"items\" } }]`";

/// All that the pinned SAM knows; a test compares them.
pub const SAM_TEMPLATES: [&str; 81] = [
    "AMIDescribePolicy",
    "AWSSecretsManagerGetSecretValuePolicy",
    "AWSSecretsManagerRotationPolicy",
    "AcmGetCertificatePolicy",
    "AthenaQueryPolicy",
    "CloudFormationDescribeStacksPolicy",
    "CloudWatchDashboardPolicy",
    "CloudWatchDescribeAlarmHistoryPolicy",
    "CloudWatchPutMetricPolicy",
    "CodeCommitCrudPolicy",
    "CodeCommitReadPolicy",
    "CodePipelineLambdaExecutionPolicy",
    "CodePipelineReadOnlyPolicy",
    "ComprehendBasicAccessPolicy",
    "CostExplorerReadOnlyPolicy",
    "DynamoDBBackupFullAccessPolicy",
    "DynamoDBCrudPolicy",
    "DynamoDBReadPolicy",
    "DynamoDBReconfigurePolicy",
    "DynamoDBRestoreFromBackupPolicy",
    "DynamoDBStreamReadPolicy",
    "DynamoDBWritePolicy",
    "EC2CopyImagePolicy",
    "EC2DescribePolicy",
    "EFSWriteAccessPolicy",
    "EKSDescribePolicy",
    "EcsRunTaskPolicy",
    "ElasticMapReduceAddJobFlowStepsPolicy",
    "ElasticMapReduceCancelStepsPolicy",
    "ElasticMapReduceModifyInstanceFleetPolicy",
    "ElasticMapReduceModifyInstanceGroupsPolicy",
    "ElasticMapReduceSetTerminationProtectionPolicy",
    "ElasticMapReduceTerminateJobFlowsPolicy",
    "ElasticsearchHttpPostPolicy",
    "EventBridgePutEventsPolicy",
    "FilterLogEventsPolicy",
    "FirehoseCrudPolicy",
    "FirehoseWritePolicy",
    "KMSDecryptPolicy",
    "KMSEncryptPolicy",
    "KMSEncryptPolicy_v2",
    "KinesisCrudPolicy",
    "KinesisStreamReadPolicy",
    "LambdaInvokePolicy",
    "MobileAnalyticsWriteOnlyAccessPolicy",
    "OrganizationsListAccountsPolicy",
    "PinpointEndpointAccessPolicy",
    "PollyFullAccessPolicy",
    "RekognitionDetectOnlyPolicy",
    "RekognitionFacesManagementPolicy",
    "RekognitionFacesPolicy",
    "RekognitionLabelsPolicy",
    "RekognitionNoDataAccessPolicy",
    "RekognitionReadPolicy",
    "RekognitionWriteOnlyAccessPolicy",
    "Route53ChangeResourceRecordSetsPolicy",
    "S3CrudPolicy",
    "S3FullAccessPolicy",
    "S3ReadPolicy",
    "S3WritePolicy",
    "SESBulkTemplatedCrudPolicy",
    "SESBulkTemplatedCrudPolicy_v2",
    "SESCrudPolicy",
    "SESEmailTemplateCrudPolicy",
    "SESSendBouncePolicy",
    "SNSCrudPolicy",
    "SNSPublishMessagePolicy",
    "SQSPollerPolicy",
    "SQSSendMessagePolicy",
    "SSMParameterReadPolicy",
    "SSMParameterWithSlashPrefixReadPolicy",
    "SageMakerCreateEndpointConfigPolicy",
    "SageMakerCreateEndpointPolicy",
    "ServerlessRepoReadWriteAccessPolicy",
    "StepFunctionsCallbackPolicy",
    "StepFunctionsExecutionPolicy",
    "StepFunctionsExecutionPolicy_v2",
    "TextractDetectAnalyzePolicy",
    "TextractGetResultPolicy",
    "TextractPolicy",
    "VPCAccessPolicy",
];
