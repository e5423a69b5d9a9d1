//! Secrets of a discovery service of the user's own.

use envoy_types::pb::envoy::config::grpc_credential::v3::FileBasedMetadataConfig;
use tenon_model::{FileCredentialSource, Sds, SdsBuilder};

use crate::proto::core::api_config_source::ApiType;
use crate::proto::core::config_source::ConfigSourceSpecifier;
use crate::proto::core::grpc_service::google_grpc::call_credentials::{
    CredentialSpecifier, MetadataCredentialsFromPlugin,
    metadata_credentials_from_plugin::ConfigType,
};
use crate::proto::core::grpc_service::google_grpc::channel_credentials::CredentialSpecifier as Channel;
use crate::proto::core::grpc_service::google_grpc::{
    CallCredentials, ChannelCredentials, GoogleLocalCredentials,
};
use crate::proto::core::grpc_service::{EnvoyGrpc, GoogleGrpc, TargetSpecifier};
use crate::proto::{core, file, tls};
use crate::wire::any;

/// The cluster of Gloo's own bootstrap.
const CLUSTER: &str = "gateway_proxy_sds";
const FILE_BASED: &str = "envoy.grpc_credentials.file_based_metadata";

/// A secret, and where it is asked for.
pub(super) fn secret(sds: &Sds, name: &str) -> tls::SdsSecretConfig {
    let target = match (&sds.builder, &sds.target_uri) {
        (Some(SdsBuilder::ClusterName(cluster)), _) => through(cluster),
        (Some(SdsBuilder::CallCredentials(credentials)), Some(uri)) => {
            with_token(uri, &credentials.file_credential_source)
        }
        (None, Some(uri)) => TargetSpecifier::GoogleGrpc(GoogleGrpc {
            target_uri: uri.clone(),
            stat_prefix: name.to_owned(),
            ..GoogleGrpc::default()
        }),
        (_, None) => through(CLUSTER),
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

fn through(cluster: &str) -> TargetSpecifier {
    TargetSpecifier::EnvoyGrpc(EnvoyGrpc {
        cluster_name: cluster.to_owned(),
        ..EnvoyGrpc::default()
    })
}

fn with_token(uri: &str, token: &FileCredentialSource) -> TargetSpecifier {
    let config = FileBasedMetadataConfig {
        secret_data: file(&token.token_file_name),
        header_key: token.header.clone(),
        ..FileBasedMetadataConfig::default()
    };
    TargetSpecifier::GoogleGrpc(GoogleGrpc {
        target_uri: uri.to_owned(),
        stat_prefix: "sds".to_owned(),
        channel_credentials: Some(ChannelCredentials {
            credential_specifier: Some(Channel::LocalCredentials(GoogleLocalCredentials {})),
        }),
        credentials_factory_name: FILE_BASED.to_owned(),
        call_credentials: vec![CallCredentials {
            credential_specifier: Some(CredentialSpecifier::FromPlugin(
                MetadataCredentialsFromPlugin {
                    name: FILE_BASED.to_owned(),
                    config_type: Some(ConfigType::TypedConfig(any(&config))),
                },
            )),
        }],
        ..GoogleGrpc::default()
    })
}
