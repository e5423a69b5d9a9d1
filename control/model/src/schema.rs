//! What users may write, as data: of which JSON Schemas, CRDs and reference pages are made.
//!
//! `#[derive(Read)]` makes it of the same declaration by which a type is read.

use crate::Kind;
use crate::read::{Read, ReadFields};

/// What is expected of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// Any value.
    Any,
    /// An object whose fields are not Tenon's to know.
    OpenObject,
    /// True or false.
    Flag,
    /// A text.
    Text,
    /// A time, as `1.5s`.
    Duration,
    /// A number.
    Number(Number),
    /// One of several names.
    Choice(Choice),
    /// A list.
    List {
        /// Of what.
        of: Box<Schema>,
        /// Whether there has to be one at least.
        some: bool,
    },
    /// A map by names.
    Map(Box<Schema>),
    /// An object.
    Object(Object),
    /// The object with this path, in which this stands.
    Within(&'static str),
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// Whether it has to be a whole one.
    pub whole: bool,
    /// Whether it may be a text, as protobuf's JSON writes numbers of 64 bits.
    pub text: bool,
    /// The least and the most, both included.
    pub bounds: Option<(f64, f64)>,
}

/// Several names.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The type that stands for it, as `tenon_model::aws::Payload`.
    pub path: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// The names, and what each means.
    pub names: Vec<(&'static str, &'static str)>,
    /// Whether their places, from 0, do as well.
    pub places: bool,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    /// The type that stands for it, as `tenon_model::aws::AwsUpstream`.
    pub path: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Whether other fields may be there, too.
    pub open: bool,
    /// Fields of which at most one may be there.
    pub exclusive: Vec<&'static [&'static str]>,
    /// Fields of which exactly one has to be there.
    pub needed: Vec<&'static [&'static str]>,
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub doc: String,
    /// What is expected.
    pub schema: Schema,
    /// Whether it has to be there.
    pub required: bool,
    /// What becomes of it.
    pub standing: Standing,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is read.
    Read,
    /// It may be there, and means nothing here.
    Ignored,
    /// It may be there, and is warned about: it changes nothing.
    WithoutEffect,
    /// It may say protobuf's default only, for now.
    Later,
    /// It may say protobuf's default only.
    Refused,
}

/// A kind of resource that users write, as a Kubernetes API server knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// Which one.
    pub kind: Kind,
    /// Its group.
    pub group: &'static str,
    /// Its versions, which are read alike; the first is the one to write.
    pub versions: &'static [&'static str],
    /// Its plural, which is its folder, too.
    pub plural: &'static str,
    /// Its other names.
    pub short: &'static [&'static str],
}

/// The kinds of resources that users write. Version, plural and short names are Gloo's and the Gateway API's.
pub const APIS: [Api; 25] = [
    api(Kind::Gateway, GATEWAY, "gateways", &["gw", "ggw"]),
    api(
        Kind::HttpListenerOption,
        GATEWAY,
        "httplisteneroptions",
        &["hlisopts", "ghlisopts"],
    ),
    api(
        Kind::ListenerOption,
        GATEWAY,
        "listeneroptions",
        &["lisopts", "glisopts"],
    ),
    api(
        Kind::MatchableHttpGateway,
        GATEWAY,
        "httpgateways",
        &["hgw", "ghgw"],
    ),
    api(
        Kind::MatchableTcpGateway,
        GATEWAY,
        "tcpgateways",
        &["tgw", "gtgw"],
    ),
    api(
        Kind::RouteOption,
        GATEWAY,
        "routeoptions",
        &["rto", "rtopts", "grto"],
    ),
    api(Kind::RouteTable, GATEWAY, "routetables", &["rt", "grt"]),
    api(Kind::Secret, GLOO, "secrets", &["sec"]),
    api(Kind::Settings, GLOO, "settings", &["st", "gst"]),
    api(Kind::Upstream, GLOO, "upstreams", &["us", "gus"]),
    api(Kind::UpstreamGroup, GLOO, "upstreamgroups", &["ug", "gug"]),
    api(
        Kind::VirtualHostOption,
        GATEWAY,
        "virtualhostoptions",
        &["vho", "vhopts", "gvho"],
    ),
    api(
        Kind::VirtualService,
        GATEWAY,
        "virtualservices",
        &["vs", "gvs"],
    ),
    of_gateway_api(
        Kind::BackendTlsPolicy,
        NETWORKING,
        &["v1", "v1alpha3"],
        "backendtlspolicies",
        &["btlspolicy"],
    ),
    of_gateway_api(
        Kind::DirectResponse,
        GLOO_GATEWAY,
        V1_ALPHA,
        "directresponses",
        &["dr"],
    ),
    of_gateway_api(
        Kind::FunctionCall,
        TENON,
        V1_ALPHA,
        "functioncalls",
        &["fc"],
    ),
    of_gateway_api(
        Kind::GatewayClass,
        NETWORKING,
        V1_BETA,
        "gatewayclasses",
        &["gc"],
    ),
    of_gateway_api(
        Kind::GatewayParameters,
        GLOO_GATEWAY,
        V1_ALPHA,
        "gatewayparameters",
        &["gwp"],
    ),
    of_gateway_api(
        Kind::GrpcRoute,
        NETWORKING,
        &["v1", "v1alpha2"],
        "grpcroutes",
        &[],
    ),
    of_gateway_api(Kind::HttpRoute, NETWORKING, V1_BETA, "httproutes", &[]),
    of_gateway_api(
        Kind::KubernetesGateway,
        NETWORKING,
        V1_BETA,
        "gateways",
        &["gtw"],
    ),
    of_gateway_api(
        Kind::ListenerSet,
        NETWORKING,
        &["v1"],
        "listenersets",
        &["lset"],
    ),
    of_gateway_api(
        Kind::ReferenceGrant,
        NETWORKING,
        &["v1", "v1beta1", "v1alpha2"],
        "referencegrants",
        &["refgrant"],
    ),
    of_gateway_api(
        Kind::TcpRoute,
        NETWORKING,
        &["v1alpha2", "v1"],
        "tcproutes",
        &[],
    ),
    of_gateway_api(
        Kind::TlsRoute,
        NETWORKING,
        &["v1", "v1alpha3", "v1alpha2"],
        "tlsroutes",
        &[],
    ),
];

const V1_BETA: &[&str] = &["v1", "v1beta1"];
const V1_ALPHA: &[&str] = &["v1alpha1"];

/// The Gateway API's own group.
const NETWORKING: &str = "gateway.networking.k8s.io";
/// Gloo's kinds beside it.
const GLOO_GATEWAY: &str = "gateway.gloo.solo.io";
/// Tenon's own.
const TENON: &str = "tenon.dev";
const GATEWAY: &str = "gateway.solo.io";
const GLOO: &str = "gloo.solo.io";

const fn api(
    kind: Kind,
    group: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
) -> Api {
    Api {
        kind,
        group,
        versions: &["v1"],
        plural,
        short,
    }
}

const fn of_gateway_api(
    kind: Kind,
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    short: &'static [&'static str],
) -> Api {
    Api {
        kind,
        group,
        versions,
        plural,
        short,
    }
}

impl Api {
    /// What its files are called. Two kinds of different groups have the same name.
    pub fn file(&self) -> String {
        format!("{:?}", self.kind).to_ascii_lowercase()
    }

    /// Whether Gloo's directory form has a folder for it.
    pub fn has_folder(&self) -> bool {
        [GATEWAY, GLOO].contains(&self.group)
    }

    /// Whether its definition for Kubernetes is made here: not that of Kubernetes' own kinds, and not the Gateway API's,
    /// which comes with it.
    pub fn has_definition(&self) -> bool {
        self.kind != Kind::Secret && self.group != NETWORKING
    }
}

/// What a kind of resource says: in `spec`, but of a Secret beside `metadata`.
pub fn schema(kind: Kind) -> Schema {
    match kind {
        Kind::Upstream => crate::Upstream::schema(),
        Kind::UpstreamGroup => crate::MultiDestination::schema(),
        Kind::Gateway => crate::Gateway::schema(),
        Kind::Secret => crate::secret::GlooSecret::schema(),
        Kind::Settings => crate::Settings::schema(),
        Kind::VirtualService => crate::VirtualService::schema(),
        Kind::HttpListenerOption => crate::HttpListenerOption::schema(),
        Kind::ListenerOption => crate::ListenerOption::schema(),
        Kind::RouteOption => crate::RouteOption::schema(),
        Kind::VirtualHostOption => crate::VirtualHostOption::schema(),
        Kind::RouteTable => crate::RouteTable::schema(),
        Kind::MatchableHttpGateway => crate::MatchableHttpGateway::schema(),
        Kind::MatchableTcpGateway => crate::MatchableTcpGateway::schema(),
        Kind::BackendTlsPolicy => crate::gateway_api::BackendTlsPolicy::schema(),
        Kind::DirectResponse => crate::gateway_api::DirectResponseSpec::schema(),
        Kind::FunctionCall => crate::gateway_api::FunctionCall::schema(),
        Kind::GatewayClass => crate::gateway_api::GatewayClass::schema(),
        Kind::GatewayParameters => crate::gateway_api::GatewayParameters::schema(),
        Kind::GrpcRoute => crate::gateway_api::GrpcRoute::schema(),
        Kind::HttpRoute => crate::gateway_api::HttpRoute::schema(),
        Kind::KubernetesGateway => crate::gateway_api::KubernetesGateway::schema(),
        Kind::ListenerSet => crate::gateway_api::ListenerSet::schema(),
        Kind::ReferenceGrant => crate::gateway_api::ReferenceGrant::schema(),
        Kind::TcpRoute => crate::gateway_api::TcpRoute::schema(),
        Kind::TlsRoute => crate::gateway_api::TlsRoute::schema(),
        Kind::ConfigMap
        | Kind::EndpointSlice
        | Kind::Endpoints
        | Kind::Namespace
        | Kind::Pod
        | Kind::Service => Schema::OpenObject,
    }
}

impl Schema {
    /// A number that need not be whole.
    pub(crate) fn number() -> Self {
        Self::Number(Number {
            whole: false,
            text: false,
            bounds: None,
        })
    }

    pub(crate) fn integer() -> Self {
        Self::Number(Number {
            whole: true,
            text: false,
            bounds: None,
        })
    }

    /// A number of 64 bits, which protobuf's JSON writes as a text.
    pub(crate) fn long() -> Self {
        Self::Number(Number {
            whole: true,
            text: true,
            bounds: None,
        })
    }

    /// A text.
    pub(crate) fn text() -> Self {
        Self::Text
    }

    /// An object whose fields are not Tenon's to know.
    pub(crate) fn open_object() -> Self {
        Self::OpenObject
    }

    pub(crate) fn empty_object() -> Self {
        Self::Object(Object::default())
    }

    pub(crate) fn list(of: Self, some: bool) -> Self {
        Self::List {
            of: Box::new(of),
            some,
        }
    }

    pub(crate) fn map(of: Self) -> Self {
        Self::Map(Box::new(of))
    }

    /// Numbers from the least to the most.
    pub(crate) fn bounded(self, least: f64, most: f64) -> Self {
        match self {
            Self::Number(number) => Self::Number(Number {
                bounds: Some((least, most)),
                ..number
            }),
            other => other,
        }
    }
}

impl Object {
    /// The fields of a type.
    pub(crate) fn of<T: ReadFields>(path: &'static str, doc: &'static str) -> Schema {
        let mut object = Self {
            path,
            doc,
            ..Self::default()
        };
        T::describe(&mut object);
        Schema::Object(object)
    }

    /// The names of a type's fields.
    pub(crate) fn names<T: ReadFields>() -> Vec<&'static str> {
        let mut object = Self::default();
        T::describe(&mut object);
        object.fields.iter().map(|field| field.name).collect()
    }

    /// Whether a type has a field of that name.
    pub(crate) fn has<T: ReadFields>(name: &str) -> bool {
        Self::names::<T>().contains(&name)
    }

    pub(crate) fn field(
        &mut self,
        name: &'static str,
        doc: &str,
        schema: Schema,
        required: bool,
    ) -> &mut Self {
        self.fields.push(Field {
            name,
            doc: doc.to_owned(),
            schema,
            required,
            standing: Standing::Read,
        });
        self
    }

    /// Fields that are let pass, or refused.
    pub(crate) fn beside(&mut self, names: &[&'static str], standing: Standing, doc: &str) {
        self.fields.extend(names.iter().map(|name| Field {
            name,
            doc: doc.to_owned(),
            schema: Schema::Any,
            required: false,
            standing,
        }));
    }

    /// Fields of another type that stand beside these.
    pub(crate) fn flatten<T: ReadFields>(&mut self, required: bool) {
        let before = self.exclusive.len();
        T::describe(self);
        if required {
            self.needed.extend(self.exclusive.drain(before..));
        }
    }

    /// Fields of which at most one may be there.
    pub(crate) fn one_of(&mut self, names: &'static [&'static str]) {
        self.exclusive.push(names);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tenon_model_derive::Read;

    use super::*;
    use crate::read::{Fields, Node, Path, Report};

    /// A colour.
    #[derive(Debug, Clone, Copy, PartialEq, Read)]
    enum Colour {
        /// Like grass.
        Green,
        /// Like the sky.
        #[read(name = "sky-blue")]
        Blue,
    }

    #[derive(Debug, PartialEq, Read)]
    enum Shape {
        /// All around.
        Circle,
        /// So many corners.
        #[read(range(3, 12))]
        Corners(u32),
    }

    #[derive(Debug, PartialEq, Read)]
    #[read(
        ignored("comment"),
        later("texture"),
        refused(taste = "nobody eats it"),
        finish = coloured
    )]
    struct Tile {
        /// What it looks like.
        colour: Option<Colour>,
        #[read(flatten)]
        shape: Shape,
        #[read(default = 1u32)]
        layers: u32,
        #[read(required, with = Node::non_empty)]
        tags: Vec<String>,
        is_glazed: bool,
    }

    fn coloured(tile: Tile, fields: &Fields<'_>) -> Option<Tile> {
        if tile.is_glazed && tile.colour.is_none() {
            fields.error_at("colour", "is required of what is glazed");
        }
        Some(tile)
    }

    fn read(value: Value) -> (Option<Tile>, Vec<String>) {
        let report = Report::new("default");
        let tile = Tile::read(&Node::new(&value, Path::Root("spec"), &report));
        let problems = report.into_problems().into_iter();
        let told = problems.map(|it| format!("{} {}", it.field, it.text));
        (tile, told.collect())
    }

    #[test]
    fn a_declaration_says_how_it_is_read() {
        let tile = |colour, shape, layers| {
            Some(Tile {
                colour,
                shape,
                layers,
                tags: vec!["a".into()],
                is_glazed: false,
            })
        };
        for (value, expected) in [
            (
                json!({"corners": 4, "tags": ["a"], "comment": 1}),
                tile(None, Shape::Corners(4), 1),
            ),
            (
                json!({"circle": {}, "colour": "GREEN", "layers": 2, "tags": ["a"], "taste": ""}),
                tile(Some(Colour::Green), Shape::Circle, 2),
            ),
            (
                json!({"circle": {}, "colour": 1, "tags": ["a"], "is_glazed": false}),
                tile(Some(Colour::Blue), Shape::Circle, 1),
            ),
            // Whole numbers as protobuf's JSON has them.
            (
                json!({"corners": "4", "layers": 2e1, "tags": ["a"]}),
                tile(None, Shape::Corners(4), 20),
            ),
        ] {
            assert_eq!(read(value.clone()), (expected, vec![]), "{value}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        for (value, expected) in [
            (
                json!({"tags": ["a"]}),
                &["spec expected one of circle, corners"][..],
            ),
            (
                json!({"circle": {}, "corners": 2, "tags": []}),
                &[
                    "spec circle and corners exclude each other",
                    "spec.corners 2 is not a whole number from 3 to 12",
                    "spec.tags must not be empty",
                ],
            ),
            (
                json!({"circle": {"x": 1}, "colour": "red", "tags": [""], "tint": 1}),
                &[
                    "spec.colour \"red\" is not one of GREEN, sky-blue",
                    "spec.circle.x unknown field",
                    "spec.tags[0] must not be empty",
                    "spec.tint unknown field",
                ],
            ),
            (
                json!({"circle": {}, "layers": 1.5, "tags": ["a"]}),
                &["spec.layers 1.5 is not a whole number from 0 to 4294967295"],
            ),
            (
                json!({"corners": "many", "layers": true, "tags": ["a"]}),
                &[
                    "spec.corners expected a whole number from 3 to 12, found a text",
                    "spec.layers expected a whole number from 0 to 4294967295, found a boolean",
                ],
            ),
            (
                json!({"circle": {}, "texture": 1, "taste": "sweet", "tags": ["a"], "isGlazed": true, "is_glazed": true}),
                &[
                    "spec.texture is not supported yet",
                    "spec.taste is not supported: nobody eats it",
                    "spec.colour is required of what is glazed",
                    "spec.is_glazed is the same as isGlazed",
                ],
            ),
        ] {
            let mut expected = expected.to_vec();
            let mut told = read(value.clone()).1;
            told.sort();
            expected.sort_unstable();
            assert_eq!(told, expected, "{value}");
        }
    }

    #[test]
    fn a_declaration_says_what_the_schema_is() {
        let field = |name, doc: &str, schema, standing| Field {
            name,
            doc: doc.to_owned(),
            schema,
            required: name == "tags",
            standing,
        };
        let whole = |least, most| Schema::integer().bounded(least, most);
        let colour = Schema::Choice(Choice {
            path: "tenon_model::schema::tests::Colour",
            doc: "A colour.",
            names: vec![("GREEN", "Like grass."), ("sky-blue", "Like the sky.")],
            places: true,
        });
        let read = |name, doc: &str, schema| field(name, doc, schema, Standing::Read);
        let expected = Object {
            path: "tenon_model::schema::tests::Tile",
            doc: "",
            fields: vec![
                read("colour", "What it looks like.", colour),
                read("circle", "All around.", Schema::empty_object()),
                read("corners", "So many corners.", whole(3.0, 12.0)),
                read("layers", "", whole(0.0, 4_294_967_295.0)),
                read("tags", "", Schema::list(Schema::Text, true)),
                read("isGlazed", "", Schema::Flag),
                field("comment", "", Schema::Any, Standing::Ignored),
                field("texture", "", Schema::Any, Standing::Later),
                field("taste", "nobody eats it", Schema::Any, Standing::Refused),
            ],
            open: false,
            exclusive: vec![],
            needed: vec![&["circle", "corners"]],
        };
        assert_eq!(Tile::schema(), Schema::Object(expected));
    }

    #[test]
    fn every_kind_is_read_under_its_names() {
        for api in APIS {
            let Api {
                kind,
                group,
                plural,
                ..
            } = api;
            let bare = format!("{plural}/default/a.yaml");
            let mut forms = Vec::new();
            for version in api.versions {
                let text = format!(
                    "{{apiVersion: {group}/{version}, kind: {kind}, metadata: {{name: a}}}}"
                );
                forms.push(("a.yaml", text));
            }
            if api.has_folder() {
                forms.push((bare.as_str(), "{other: 1}".to_owned()));
            }
            for (path, text) in &forms {
                let read = crate::parse(path, text).remove(0);
                let crate::Parsed::Rejected { key, .. } = read else {
                    panic!("{path} {text}: {read:?}");
                };
                assert_eq!(key.kind, kind, "{path}");
            }
        }
    }
}
