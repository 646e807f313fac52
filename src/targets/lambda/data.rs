//! Which types of resources hold data that is gone with them.

/// Whole types, and families of types that end with `::`.
const DATA: &[&str] = &[
    "AWS::AmazonMQ::Broker",
    "AWS::Athena::WorkGroup",
    "AWS::Backup::BackupVault",
    "AWS::Bedrock::KnowledgeBase",
    "AWS::Cassandra::",
    "AWS::CloudTrail::EventDataStore",
    "AWS::CodeCommit::Repository",
    "AWS::Cognito::IdentityPool",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolUser",
    "AWS::DAX::Cluster",
    "AWS::DMS::ReplicationInstance",
    "AWS::DSQL::Cluster",
    "AWS::DocDB::",
    "AWS::DocDBElastic::Cluster",
    "AWS::DynamoDB::",
    "AWS::EC2::Instance",
    "AWS::EC2::Snapshot",
    "AWS::EC2::Volume",
    "AWS::ECR::PublicRepository",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::",
    "AWS::Elasticsearch::Domain",
    "AWS::EMR::Cluster",
    "AWS::FSx::",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::HealthLake::FHIRDatastore",
    "AWS::IoTAnalytics::Datastore",
    "AWS::Keyspaces::",
    "AWS::Kinesis::Stream",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
    "AWS::LakeFormation::",
    "AWS::Logs::LogGroup",
    "AWS::Logs::LogStream",
    "AWS::Lightsail::",
    "AWS::MSK::Cluster",
    "AWS::MSK::ServerlessCluster",
    "AWS::MemoryDB::",
    "AWS::Neptune::",
    "AWS::NeptuneGraph::Graph",
    "AWS::OpenSearchServerless::Collection",
    "AWS::OpenSearchService::Domain",
    "AWS::QLDB::Ledger",
    "AWS::RDS::",
    "AWS::Redshift::Cluster",
    "AWS::RedshiftServerless::Namespace",
    "AWS::S3::Bucket",
    "AWS::S3Express::DirectoryBucket",
    "AWS::S3Tables::",
    "AWS::S3Vectors::",
    "AWS::SDB::Domain",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
    "AWS::SSM::Parameter",
    "AWS::Serverless::SimpleTable",
    "AWS::Timestream::",
    "AWS::WorkSpaces::Workspace",
    // Nobody knows what is in them.
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Stack",
    "AWS::Serverless::Application",
    "Custom::",
];

/// Whether a resource of this type may hold data.
pub fn is_data(kind: &str) -> bool {
    DATA.iter().any(|known| *known == kind || known.ends_with("::") && kind.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_with_data() {
        for kind in [
            "AWS::DynamoDB::Table",
            "AWS::DynamoDB::GlobalTable",
            "AWS::S3::Bucket",
            "AWS::Logs::LogGroup",
            "AWS::SecretsManager::Secret",
            "AWS::RDS::DBInstance",
            "AWS::EFS::FileSystem",
            "AWS::Cognito::UserPool",
            "AWS::SQS::Queue",
            "AWS::Kinesis::Stream",
            "AWS::OpenSearchService::Domain",
            "AWS::ElastiCache::ReplicationGroup",
            "Custom::Table",
        ] {
            assert!(is_data(kind), "{kind}");
        }
        for kind in ["AWS::Lambda::Function", "AWS::IAM::Role", "AWS::S3::BucketPolicy", "AWS::Lambda::Version"] {
            assert!(!is_data(kind), "{kind}");
        }
    }
}
