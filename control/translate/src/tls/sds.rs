//! Secrets from a user's own discovery service.

use envoy_types::pb::envoy::config::grpc_credential::v3::FileBasedMetadataConfig;
use tenon_model::{FileCredentialSource, Sds, SdsBuilder};

use crate::proto::core::api_config_source::ApiType;
use crate::proto::core::config_source::ConfigSourceSpecifier;
use crate::proto::core::grpc_service::google_grpc::call_credentials::{
    CredentialSpecifier as CallSpecifier, MetadataCredentialsFromPlugin,
    metadata_credentials_from_plugin::ConfigType,
};
use crate::proto::core::grpc_service::google_grpc::channel_credentials::CredentialSpecifier;
use crate::proto::core::grpc_service::google_grpc::{
    CallCredentials, ChannelCredentials, GoogleLocalCredentials,
};
use crate::proto::core::grpc_service::{EnvoyGrpc, GoogleGrpc, TargetSpecifier};
use crate::proto::{core, file, tls};
use crate::wire::any;

/// The cluster of Envoy's bootstrap that Gloo asks where nothing else is said.
const DEFAULT_CLUSTER: &str = "gateway_proxy_sds";
/// Envoy's plugin that reads a token from a file.
const FILE_TOKEN: &str = "envoy.grpc_credentials.file_based_metadata";

/// A secret of that service.
pub(crate) fn of_users(sds: &Sds, name: &str) -> tls::SdsSecretConfig {
    let target = match (&sds.builder, &sds.target_uri) {
        (Some(SdsBuilder::CallCredentials(credentials)), Some(uri)) => {
            TargetSpecifier::GoogleGrpc(with_token(uri, &credentials.file_credential_source))
        }
        (Some(SdsBuilder::ClusterName(cluster)), _) => of_cluster(cluster),
        (_, Some(uri)) => TargetSpecifier::GoogleGrpc(GoogleGrpc {
            target_uri: uri.clone(),
            stat_prefix: name.to_owned(),
            ..GoogleGrpc::default()
        }),
        (_, None) => of_cluster(DEFAULT_CLUSTER),
    };
    let source = core::ApiConfigSource {
        api_type: ApiType::Grpc.into(),
        transport_api_version: core::ApiVersion::V3.into(),
        grpc_services: vec![core::GrpcService {
            target_specifier: Some(target),
            ..core::GrpcService::default()
        }],
        ..core::ApiConfigSource::default()
    };
    tls::SdsSecretConfig {
        name: name.to_owned(),
        sds_config: Some(core::ConfigSource {
            resource_api_version: core::ApiVersion::V3.into(),
            config_source_specifier: Some(ConfigSourceSpecifier::ApiConfigSource(source)),
            ..core::ConfigSource::default()
        }),
    }
}

fn of_cluster(name: &str) -> TargetSpecifier {
    TargetSpecifier::EnvoyGrpc(EnvoyGrpc {
        cluster_name: name.to_owned(),
        ..EnvoyGrpc::default()
    })
}

fn with_token(uri: &str, token: &FileCredentialSource) -> GoogleGrpc {
    let metadata = FileBasedMetadataConfig {
        secret_data: file(&token.token_file_name),
        header_key: token.header.clone(),
        ..FileBasedMetadataConfig::default()
    };
    GoogleGrpc {
        target_uri: uri.to_owned(),
        stat_prefix: "sds".to_owned(),
        channel_credentials: Some(ChannelCredentials {
            credential_specifier: Some(CredentialSpecifier::LocalCredentials(
                GoogleLocalCredentials::default(),
            )),
        }),
        credentials_factory_name: FILE_TOKEN.to_owned(),
        call_credentials: vec![CallCredentials {
            credential_specifier: Some(CallSpecifier::FromPlugin(MetadataCredentialsFromPlugin {
                name: FILE_TOKEN.to_owned(),
                config_type: Some(ConfigType::TypedConfig(any(&metadata))),
            })),
        }],
        ..GoogleGrpc::default()
    }
}
