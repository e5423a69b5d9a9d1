//! What is measured: groups of rows, each row the same requests on another way through Envoy.

/// Rows that are compared with each other.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// The first is what the others are compared with.
    pub(crate) variants: &'static [&'static str],
    pub(crate) shapes: &'static [Shape],
    /// Measured only where its name is given.
    on_request: bool,
}

/// Requests of one kind.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Bytes of the request's body; none: a GET.
    pub(crate) body: usize,
    /// How many are sent in one round.
    pub(crate) requests: usize,
    /// Variants that do nothing of the kind.
    without: &'static [&'static str],
}

impl Shape {
    const fn new(name: &'static str, body: usize, requests: usize) -> Self {
        Self {
            name,
            body,
            requests,
            without: &[],
        }
    }
}

const LARGE: usize = 256 << 10;

/// In the order of the report.
pub(crate) const GROUPS: &[Group] = &[
    // A signed call with the body as it is. The guard is there where a listener's access logs may show the client's request.
    Group {
        name: "lambda",
        variants: &[PLAIN, BUILTIN, "so", "so+guard", "wasm"],
        shapes: &[
            Shape::new("0B", 0, 1_500),
            Shape::new("1KiB", 1 << 10, 1_500),
            Shape::new("256KiB", LARGE, 320),
        ],
        on_request: false,
    },
    // The same with the event and the answer of an HTTP API, both ways of this size; of the built-in, with its own event.
    Group {
        name: "api_gateway_v2",
        variants: &[PLAIN, BUILTIN, "so", "wasm"],
        shapes: &[
            Shape::new("1KiB", 1 << 10, 800),
            Shape::new("256KiB", LARGE, 112),
        ],
        on_request: false,
    },
    // An answer of this size as an event stream; of plain, as it is.
    Group {
        name: "stream",
        variants: &[PLAIN, "so", "wasm"],
        shapes: &[Shape::new("10MB", 0, 16)],
        on_request: false,
    },
    // `tenon.transform` on a route to a service, switched on but for `idle`, as the control plane does it. `builtin` is Envoy's own `transform`, but for headers, which that filter
    // leaves alone where there is no body: there it is `header_mutation`.
    Group {
        name: "transform",
        variants: &[PLAIN, BUILTIN, "lua", "so", "wasm"],
        shapes: &[
            Shape {
                without: &["lua"],
                ..Shape::new(IDLE, 0, 2_000)
            },
            Shape {
                without: &[BUILTIN, "lua"],
                ..Shape::new("nothing", 0, 2_000)
            },
            Shape::new(HEADERS, 0, 1_500),
            Shape::new(JSON, 4 << 10, 800),
        ],
        on_request: false,
    },
    // A REST function: a path and a header are made of two parameters.
    Group {
        name: REST,
        variants: &[PLAIN, "so", "wasm"],
        shapes: &[Shape::new("parameters", 0, 1_500)],
        on_request: false,
    },
    // Where the time of a call goes: each variant is a part of it.
    Group {
        name: "anatomy",
        variants: &[
            PLAIN,
            "long-headers",
            "codec-only",
            "native",
            "native-writes",
            "noop",
            BUILTIN,
            "so",
            "wasm-body",
            "wasm-secret",
            "wasm-idle",
            "wasm",
        ],
        shapes: &[Shape::new("0B", 0, 2_000)],
        on_request: true,
    },
];

/// Functions that are requests made by templates.
pub(crate) const REST: &str = "rest";
/// Proxying, and no more.
pub(crate) const PLAIN: &str = "plain";
/// Envoy's own filter.
pub(crate) const BUILTIN: &str = "builtin";
/// The route does not switch the filter on.
pub(crate) const IDLE: &str = "idle";
/// A header is set from another one, and one removed.
pub(crate) const HEADERS: &str = "headers";
/// A body of JSON becomes another one with three of its values.
pub(crate) const JSON: &str = "json-4KiB";

/// A row: one shape of a group on one way.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) group: &'static Group,
    pub(crate) variant: &'static str,
    pub(crate) shape: &'static Shape,
}

impl Row {
    /// As in the report: `<group>/<variant>/<shape>`.
    pub(crate) fn name(&self) -> String {
        self.of(self.variant)
    }

    /// The name of the row beside it.
    pub(crate) fn of(&self, variant: &str) -> String {
        format!("{}/{variant}/{}", self.group.name, self.shape.name)
    }

    /// As in paths, and as a function's name.
    pub(crate) fn id(&self) -> String {
        // A plus would be encoded in a path.
        let variant = self.variant.replace('+', "-");
        format!("{}-{variant}-{}", self.group.name, self.shape.name)
    }

    pub(crate) fn is_baseline(&self) -> bool {
        self.group.variants.first() == Some(&self.variant)
    }
}

/// The rows that names select, with those that they are compared with. A name selects what it is the beginning of, or, with
/// a `=` in front, the row of this name alone, as for a profile. None selects all.
pub(crate) fn select(names: &[String]) -> Vec<Row> {
    let alone = |row: &Row| {
        names
            .iter()
            .any(|name| name.strip_prefix('=') == Some(&*row.name()))
    };
    let mut selected = Vec::new();
    for group in GROUPS {
        for shape in group.shapes {
            let rows = group.variants.iter().filter_map(|variant| {
                let there = !shape.without.contains(variant);
                there.then_some(Row {
                    group,
                    variant,
                    shape,
                })
            });
            let is_named = |row: &Row| match names {
                [] => !group.on_request,
                _ => names.iter().any(|name| row.name().starts_with(&**name)),
            };
            let rows: Vec<Row> = rows.collect();
            if rows.iter().any(alone) {
                selected.extend(rows.iter().filter(|row| alone(row)));
            } else if rows.iter().any(is_named) {
                let compared = |row: &&Row| row.is_baseline() || row.variant == BUILTIN;
                selected.extend(rows.iter().filter(|row| is_named(row) || compared(row)));
            }
        }
    }
    selected
}

/// What a row is to reach: the most that it may add to the plain proxy, as a share of what the built-in adds; or the most
/// that it may take, as a share of what the plain proxy takes.
pub(crate) enum Target {
    Added(f64),
    All(f64),
}

/// The target of a row, where it has one.
pub(crate) fn target(row: &Row) -> Option<Target> {
    match (row.group.name, row.variant, row.shape.name) {
        ("lambda", "so", "0B" | "1KiB") => Some(Target::Added(1.0 / 3.0)),
        ("lambda", "so", "256KiB") | ("lambda", "wasm", "0B" | "1KiB") => Some(Target::Added(1.0)),
        ("transform", "so" | "wasm", IDLE) => Some(Target::All(1.02)),
        _ => None,
    }
}
