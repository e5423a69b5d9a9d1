//! Methods of gRPC that requests in JSON call: Envoy's transcoder, configured by the routes that lead to them.
//!
//! Envoy has no such filter in a cluster, so it is among the listener's, off, and each route (or weight of one) to such an
//! upstream configures it.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::filters::http::grpc_json_transcoder::v3::grpc_json_transcoder::{
    DescriptorSet as EnvoySet, PrintOptions as EnvoyPrint,
};
use envoy_types::pb::envoy::extensions::filters::http::grpc_json_transcoder::v3::GrpcJsonTranscoder as Envoy;
use prost_reflect::DescriptorPool;
use tenon_model::{
    ConfigMap, DescriptorConfigMap, DescriptorSet, GrpcDestination, GrpcJsonTranscoder, GrpcSpec,
    Kind, ObjectKey, ObjectRef, Problem, ServiceFunctions, Upstream,
};

use crate::cluster::{ClusterForm, Secrets};
use crate::proto::Any;
use crate::wire::any;

mod rules;

/// Has requests pass as they are.
pub(crate) fn nothing() -> Any {
    any(&Envoy {
        descriptor_set: Some(EnvoySet::ProtoDescriptorBin(Vec::new())),
        ..Envoy::default()
    })
}

/// What methods of gRPC an upstream has for requests in JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Transcoder {
    /// Each request finds its own, by what this says.
    Mapped(Any),
    /// Each route says which.
    Named {
        /// What the services are.
        descriptors: Vec<u8>,
        /// Their methods.
        methods: Vec<(String, String)>,
    },
}

/// What an upstream has of them; what is wrong is told.
pub(crate) fn of_upstream(
    upstream: &Upstream,
    objects: &impl Secrets,
    form: &mut ClusterForm,
) -> Option<Transcoder> {
    let at = format!("spec.{}.serviceSpec", upstream.kind.field());
    match upstream.service_spec()?.functions.as_ref()? {
        ServiceFunctions::Rest(_) => None,
        ServiceFunctions::GrpcJsonTranscoder(spec) => {
            mapped(spec, &format!("{at}.grpcJsonTranscoder"), objects, form)
        }
        ServiceFunctions::Grpc(spec) => {
            let found = named(spec);
            found
                .map_err(|(field, text)| {
                    let field = format!("{at}.grpc.{field}");
                    form.problems.push(Problem::error(field, text));
                })
                .ok()?
        }
    }
}

fn mapped(
    spec: &GrpcJsonTranscoder,
    at: &str,
    objects: &impl Secrets,
    form: &mut ClusterForm,
) -> Option<Transcoder> {
    match config(spec, objects, &mut form.reads) {
        Ok(config) => config.map(Transcoder::Mapped),
        Err((field, text)) => {
            form.problems
                .push(Problem::error(format!("{at}.{field}"), text));
            None
        }
    }
}

/// The filter's configuration; nothing if there are no descriptors. Or what is wrong: the field, and why.
pub(crate) fn config(
    spec: &GrpcJsonTranscoder,
    objects: &impl Secrets,
    reads: &mut BTreeSet<ObjectKey>,
) -> Result<Option<Any>, (&'static str, String)> {
    let print = spec.print_options;
    let Some(set) = &spec.descriptor_set else {
        return Ok(None);
    };
    let (field, set) = match set {
        DescriptorSet::ProtoDescriptor(path) => {
            // On Envoy's machine: nobody here knows what is in it.
            let set = Ok(EnvoySet::ProtoDescriptor(path.clone()));
            ("protoDescriptor", set)
        }
        DescriptorSet::ProtoDescriptorBin(bytes) => {
            let set = check(bytes, &spec.services);
            let set = set.map(|()| EnvoySet::ProtoDescriptorBin(bytes.clone()));
            ("protoDescriptorBin", set)
        }
        DescriptorSet::ProtoDescriptorConfigMap(of) => {
            let key = of.config_map_ref.key(Kind::ConfigMap);
            let found = objects.config_map(&key);
            reads.insert(key);
            let set = in_config_map(of, found).and_then(|bytes| {
                check(&bytes, &spec.services)?;
                Ok(EnvoySet::ProtoDescriptorBin(bytes))
            });
            ("protoDescriptorConfigMap", set)
        }
    };
    match set {
        Ok(set) => Ok(Some(any(&Envoy {
            descriptor_set: Some(set),
            services: spec.services.clone(),
            print_options: Some(EnvoyPrint {
                add_whitespace: print.add_whitespace,
                always_print_primitive_fields: print.always_print_primitive_fields,
                always_print_enums_as_ints: print.always_print_enums_as_ints,
                preserve_proto_field_names: print.preserve_proto_field_names,
                ..EnvoyPrint::default()
            })
            .filter(|print| *print != EnvoyPrint::default()),
            match_incoming_request_route: spec.match_incoming_request_route,
            ignored_query_parameters: spec.ignored_query_parameters.clone(),
            auto_mapping: spec.auto_mapping,
            ignore_unknown_query_parameters: spec.ignore_unknown_query_parameters,
            convert_grpc_status: spec.convert_grpc_status,
            ..Envoy::default()
        }))),
        Err(text) => Err((field, text)),
    }
}

/// The descriptor set in a ConfigMap, as Gloo finds it.
fn in_config_map(of: &DescriptorConfigMap, found: Option<&ConfigMap>) -> Result<Vec<u8>, String> {
    let name = &of.config_map_ref;
    let map = found.ok_or_else(|| format!("config map {name} does not exist"))?;
    let mut keys: Vec<&String> = map.data.keys().chain(map.binary_data.keys()).collect();
    keys.sort();
    let key = match (of.key.as_deref().unwrap_or_default(), &keys[..]) {
        ("", [only]) => only.as_str(),
        ("", []) => return Err(format!("config map {name} is empty")),
        ("", _) => {
            let keys: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
            return Err(format!(
                "config map {name} has more than one key, so key is required: {}",
                keys.join(", ")
            ));
        }
        (key, _) => key,
    };
    map.bytes(key)
        .map_err(|reason| format!("{key:?} of config map {name} {reason}"))
}

/// Whether Envoy finds services in a descriptor set.
fn check(bytes: &[u8], services: &[String]) -> Result<(), String> {
    let pool = pool(bytes)?;
    for service in services {
        if pool.get_service_by_name(service).is_none() {
            let known: Vec<_> = pool
                .services()
                .map(|it| it.full_name().to_owned())
                .collect();
            return Err(format!(
                "has no service {service:?}; known: {}",
                known.join(", ")
            ));
        }
    }
    Ok(())
}

fn pool(bytes: &[u8]) -> Result<DescriptorPool, String> {
    DescriptorPool::decode(bytes).map_err(|error| {
        format!(
            "is not a complete descriptor set, as protoc --include_imports -o writes it: {error}"
        )
    })
}

fn named(spec: &GrpcSpec) -> Result<Option<Transcoder>, (&'static str, String)> {
    let Some(bytes) = &spec.descriptors else {
        return Ok(None);
    };
    let names: Vec<_> = spec.grpc_services.iter().map(|it| it.full_name()).collect();
    let pool = pool(bytes).map_err(|text| ("descriptors", text))?;
    check(bytes, &names).map_err(|text| ("grpcServices", text))?;
    let services = names
        .iter()
        .filter_map(|name| pool.get_service_by_name(name));
    let methods = services.flat_map(|service| {
        let name = service.full_name().to_owned();
        let methods: Vec<_> = service
            .methods()
            .map(|method| (name.clone(), method.name().to_owned()))
            .collect();
        methods
    });
    Ok(Some(Transcoder::Named {
        methods: methods.collect(),
        descriptors: bytes.clone(),
    }))
}

/// What a route to an upstream configures, or why it cannot: the field below the destination, and the reason.
pub(crate) fn resolve(
    reference: &ObjectRef,
    transcoder: Option<&Transcoder>,
    asked: Option<&GrpcDestination>,
) -> Result<Option<Any>, (&'static str, String)> {
    match (transcoder, asked) {
        (None, Some(_)) => Err((
            ".destinationSpec.grpc",
            format!("{reference} does not have a grpc service spec"),
        )),
        // As Gloo: what the upstream says is enough, and each request finds its method.
        (Some(Transcoder::Mapped(config)), _) => Ok(Some(config.clone())),
        (None, None) | (Some(Transcoder::Named { .. }), None) => Ok(None),
        (
            Some(Transcoder::Named {
                descriptors,
                methods,
            }),
            Some(asked),
        ) => {
            let method = (asked.full_name(), asked.function.clone());
            if !methods.contains(&method) {
                let known: Vec<_> = methods
                    .iter()
                    .map(|(service, method)| format!("{service}/{method}"))
                    .collect();
                return Err((
                    ".destinationSpec.grpc.function",
                    format!(
                        "unknown method {}/{} on upstream {reference}; known: {}",
                        method.0,
                        method.1,
                        known.join(", ")
                    ),
                ));
            }
            let path = asked.parameters.path.as_deref().unwrap_or("/**");
            let set = rules::with_rule(descriptors, (&method.0, &method.1), path);
            Ok(Some(any(&Envoy {
                descriptor_set: Some(EnvoySet::ProtoDescriptorBin(set)),
                services: vec![method.0],
                match_incoming_request_route: true,
                // Gloo gives the whole query to the method; what it has no field for is no error there either.
                ignore_unknown_query_parameters: true,
                ..Envoy::default()
            })))
        }
    }
}
