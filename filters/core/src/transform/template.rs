//! Templates for headers, body, metadata and span (Gloo's `transformationTemplate`; `inja_transformer.cc` of envoy-gloo).

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::{Map, Value};
use tenon_contract::Sorted;
use tenon_contract::transform::{
    InjaTemplate, ParseBodyBehavior, TRANSFORM_NAMESPACE, TransformationTemplate as Config,
};

use super::extractor::Extractor;
use super::transformation::Message;
use super::{Place, body, headers};
use crate::host::{Side, TransformHost};
use crate::inja::{self, Lookup, MAX_NESTING, MAX_OUTPUT, Scope, Syntax};

/// A `transformationTemplate`, compiled.
#[derive(Debug)]
pub(super) struct Template {
    advanced: bool,
    extractors: Vec<(String, Extractor)>,
    headers: Vec<(String, inja::Template)>,
    append: Vec<(String, inja::Template)>,
    remove: Vec<String>,
    body: NewBody,
    metadata: Vec<MetadataValue>,
    span: Option<inja::Template>,
    ignores_parse_errors: bool,
    /// Some template or merge needs the values of the JSON body.
    parses: bool,
    needs_body: bool,
    reads_request: bool,
}

/// What becomes of the body.
#[derive(Debug)]
enum NewBody {
    /// It stays.
    Same,
    /// It stays, and nothing looks at it.
    Passthrough,
    Rendered(inja::Template),
    /// The JSON body with the extractions in it.
    Extractions,
    /// The JSON body with these values in it.
    Keys(Vec<MergedKey>),
}

#[derive(Debug)]
struct MergedKey {
    name: String,
    value: inja::Template,
    override_empty: bool,
}

#[derive(Debug)]
struct MetadataValue {
    namespace: String,
    key: String,
    value: inja::Template,
    is_json: bool,
}

impl Template {
    pub(super) fn compile(config: &Config, place: &mut Place<'_>) -> Option<Self> {
        let faults = place.faults();
        let mut compiler = Compiler::new(config);
        let extractors = compile_extractors(config, &mut place.at("extractors"));
        let headers = compiler.headers(&mut place.at("headers"));
        let append = compiler.append(place);
        let remove = config.headers_to_remove.iter().enumerate();
        let remove = remove.filter_map(|(index, name)| {
            headers::removed_name(name, &mut place.item("headersToRemove", index))
        });
        let remove = remove.collect();
        let body = compiler.body(place);
        let metadata = compiler.metadata(place);
        let span = config.span_transformer.as_ref();
        let span = span
            .and_then(|it| it.name.as_ref())
            .and_then(|name| compiler.template(name, &mut place.at("spanTransformer").at("name")));
        if place.faults() > faults {
            return None;
        }
        let body = body?;
        let passes = matches!(body, NewBody::Passthrough);
        let merges = matches!(body, NewBody::Extractions | NewBody::Keys(_));
        let is_json = config.parse_body_behavior == ParseBodyBehavior::ParseAsJson;
        let parses = is_json && !passes && (merges || compiler.uses.values);
        let needs_body = !passes
            && (parses
                || merges
                || compiler.uses.body
                || matches!(body, NewBody::Rendered(_))
                || extractors.iter().any(|(_, it)| it.needs_body()));
        Some(Self {
            advanced: config.advanced_templates,
            extractors,
            headers,
            append,
            remove,
            body,
            metadata,
            span,
            ignores_parse_errors: config.ignore_error_on_parse,
            parses,
            needs_body,
            reads_request: compiler.uses.request,
        })
    }

    pub(super) fn needs_body(&self) -> bool {
        self.needs_body
    }

    pub(super) fn reads_request(&self) -> bool {
        self.reads_request
    }

    /// In Gloo's order: what is rendered sees the original body, and the headers as they are by then.
    pub(super) fn apply(
        &self,
        host: &mut impl TransformHost,
        message: &Message<'_>,
    ) -> Result<(), String> {
        let side = message.side;
        let mut values = self.values(host, message)?;
        let new_body = self.new_body(host, &mut values)?;
        for it in &self.metadata {
            let value = values.render(host, &it.value)?;
            if !value.is_empty() {
                host.set_metadata(&it.namespace, &it.key, &it.read(&value));
            }
        }
        for (name, template) in &self.headers {
            let rendered = values.render(host, template)?;
            if rendered.is_empty() && !name.starts_with(':') {
                host.remove_header(side, name);
            } else {
                set(host, side, name, &rendered)?;
            }
        }
        for name in &self.remove {
            host.remove_header(side, name);
        }
        for (name, template) in &self.append {
            let rendered = values.render(host, template)?;
            if name.starts_with(':') && !rendered.is_empty() {
                // There is one of these only.
                set(host, side, name, &rendered)?;
            } else if !rendered.is_empty() {
                let value = headers::value(name, &rendered)?;
                if !value.is_empty() {
                    host.add_header(side, name, value);
                }
            }
        }
        if let Some(template) = &self.span {
            let name = values.render(host, template)?;
            host.name_span(&String::from_utf8_lossy(&name));
        }
        self.finish(host, message, new_body);
        Ok(())
    }

    fn finish(
        &self,
        host: &mut impl TransformHost,
        message: &Message<'_>,
        new_body: Option<Vec<u8>>,
    ) {
        let side = message.side;
        let bodiless = body::is_bodiless(host, side, message.head);
        match new_body {
            Some(bytes) => body::replace(host, side, bodiless, &bytes),
            // As Gloo: a message without a body says nothing of what it is, but for one whose body is only left out.
            None if message.body.is_some_and(<[u8]>::is_empty)
                && !bodiless
                && !matches!(self.body, NewBody::Passthrough) =>
            {
                host.remove_header(side, "content-type");
            }
            None => {}
        }
    }

    /// What templates read of the message.
    fn values<'a>(
        &'a self,
        host: &impl TransformHost,
        message: &Message<'a>,
    ) -> Result<Values<'a>, String> {
        let body = message.body.unwrap_or_default();
        let mut context = Value::Null;
        if self.parses {
            let encoding = host.header(message.side, "content-encoding");
            context = match body::parse(body, encoding.as_deref()) {
                Err(_) if self.ignores_parse_errors => Value::Null,
                parsed => parsed?,
            };
        }
        let mut extractions = Sorted::new();
        for (name, extractor) in &self.extractors {
            let found = extractor
                .extract(host, message.side, body)
                .ok_or_else(|| format!("extractor {name:?} makes more than {MAX_OUTPUT} bytes"))?;
            if self.advanced {
                extractions.insert(name.as_str(), found);
            } else {
                nest(&mut context, name, found)?;
            }
        }
        Ok(Values {
            side: message.side,
            context,
            body,
            extractions,
            random: OnceCell::new(),
        })
    }

    /// What takes the body's place; `None`: it stays.
    fn new_body(
        &self,
        host: &impl TransformHost,
        values: &mut Values<'_>,
    ) -> Result<Option<Vec<u8>>, String> {
        match &self.body {
            NewBody::Same | NewBody::Passthrough => Ok(None),
            NewBody::Rendered(template) => values.render(host, template).map(Some),
            NewBody::Extractions => Ok(Some(values.context.to_string().into_bytes())),
            NewBody::Keys(keys) => {
                for key in keys {
                    let rendered = values.render(host, &key.value)?;
                    if rendered.is_empty() && !key.override_empty {
                        continue;
                    }
                    let value = serde_json::from_slice(&rendered).map_err(|error| {
                        format!("the value for {} is not JSON: {error}", key.name)
                    })?;
                    *member(&mut values.context, &key.name)? = value;
                }
                Ok(Some(values.context.to_string().into_bytes()))
            }
        }
    }
}

fn set(
    host: &mut impl TransformHost,
    side: Side,
    name: &str,
    rendered: &[u8],
) -> Result<(), String> {
    match headers::value(name, rendered)? {
        b"" => host.remove_header(side, name),
        value => host.set_header(side, name, value),
    }
    Ok(())
}

impl MetadataValue {
    fn read(&self, rendered: &[u8]) -> Value {
        let text = || Value::String(String::from_utf8_lossy(rendered).into_owned());
        match self.is_json {
            true => serde_json::from_slice(rendered).unwrap_or_else(|_| text()),
            false => text(),
        }
    }
}

/// Puts an extraction where the dots in its name say.
fn nest(context: &mut Value, name: &str, found: String) -> Result<(), String> {
    let mut place = context;
    for part in name.split('.') {
        place = member(place, part)?;
    }
    *place = Value::String(found);
    Ok(())
}

/// A member of an object, which nothing becomes as soon as it is asked for one.
fn member<'a>(value: &'a mut Value, name: &str) -> Result<&'a mut Value, String> {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(members) => Ok(members.entry(name).or_insert(Value::Null)),
        _ => Err(format!(
            "there can be no {name:?} in what is not a JSON object"
        )),
    }
}

/// What templates read of a message, but for what they ask of the host.
struct Values<'a> {
    side: Side,
    context: Value,
    body: &'a [u8],
    extractions: Sorted<&'a str, String>,
    random: OnceCell<u128>,
}

impl Values<'_> {
    fn render(
        &self,
        host: &impl TransformHost,
        template: &inja::Template,
    ) -> Result<Vec<u8>, String> {
        if let Some(literal) = template.literal() {
            return Ok(literal.as_bytes().to_vec());
        }
        let view = View { values: self, host };
        template.render(&view).map_err(|error| error.to_string())
    }
}

struct View<'a, H> {
    values: &'a Values<'a>,
    host: &'a H,
}

impl<H: TransformHost> Scope for View<'_, H> {
    fn context(&self) -> &Value {
        &self.values.context
    }

    fn body(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.values.body)
    }

    fn lookup(&self, of: Lookup, name: &str) -> Option<Cow<'_, [u8]>> {
        match of {
            Lookup::Header => self.host.header(self.values.side, name),
            Lookup::RequestHeader => self.host.header(Side::Request, name),
            Lookup::Extraction => {
                let found = self.values.extractions.get(name)?;
                Some(Cow::Borrowed(found.as_bytes()))
            }
            // Not in Gloo's API.
            Lookup::DataSource => None,
            Lookup::Env => self.host.environment(name),
        }
    }

    fn metadata(&self, of: inja::Metadata, namespace: &str, path: &[&str]) -> Option<Value> {
        self.host.metadata(of, namespace, path)
    }

    fn random(&self) -> u128 {
        *self.values.random.get_or_init(|| self.host.random())
    }
}

fn compile_extractors(config: &Config, place: &mut Place<'_>) -> Vec<(String, Extractor)> {
    let all = config.extractors.iter();
    all.filter_map(|(name, extraction)| {
        if name.split('.').count() > MAX_NESTING {
            return place.refuse(format!(
                "an extractor has a name of more than {MAX_NESTING} parts"
            ));
        }
        let compiled = Extractor::compile(extraction, &mut place.at(name))?;
        Some((name.clone(), compiled))
    })
    .collect()
}

/// Compiles the templates of one transformation, and remembers what they use.
struct Compiler<'a> {
    config: &'a Config,
    syntax: Syntax,
    uses: Uses,
}

#[derive(Default)]
struct Uses {
    body: bool,
    values: bool,
    request: bool,
}

impl<'a> Compiler<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            config,
            syntax: Syntax {
                advanced: config.advanced_templates,
                escape_characters: config.escape_characters.unwrap_or_default(),
            },
            uses: Uses::default(),
        }
    }

    fn template(
        &mut self,
        template: &InjaTemplate,
        place: &mut Place<'_>,
    ) -> Option<inja::Template> {
        let compiled = inja::Template::compile(&template.text, &self.syntax);
        let compiled = place.at("text").accept(compiled)?;
        let uses = compiled.uses();
        self.uses.body |= uses.body;
        self.uses.values |= uses.context || uses.variables.iter().any(|it| !self.is_extraction(it));
        self.uses.request |= template.text.contains("request_header");
        Some(compiled)
    }

    /// Whether a variable is an extraction, whatever the body has there.
    fn is_extraction(&self, variable: &str) -> bool {
        !self.config.advanced_templates && self.config.extractors.contains_key(variable)
    }

    fn headers(&mut self, place: &mut Place<'_>) -> Vec<(String, inja::Template)> {
        let mut all = Vec::new();
        for (name, template) in &self.config.headers {
            let mut place = place.at(name);
            let name = headers::written_name(name, &mut place);
            let template = self.template(template, &mut place);
            all.extend(name.zip(template));
        }
        all
    }

    fn append(&mut self, place: &mut Place<'_>) -> Vec<(String, inja::Template)> {
        let mut all = Vec::new();
        for (index, header) in self.config.headers_to_append.iter().enumerate() {
            let mut place = place.item("headersToAppend", index);
            let name = headers::written_name(&header.key, &mut place.at("key"));
            let template = self.template(&header.value, &mut place.at("value"));
            all.extend(name.zip(template));
        }
        all
    }

    fn body(&mut self, place: &mut Place<'_>) -> Option<NewBody> {
        let config = self.config;
        let given = [
            ("body", config.body.is_some()),
            ("passthrough", config.passthrough.is_some()),
            (
                "mergeExtractorsToBody",
                config.merge_extractors_to_body.is_some(),
            ),
            ("mergeJsonKeys", config.merge_json_keys.is_some()),
        ];
        let mut given = given.iter().filter(|(_, is_given)| *is_given);
        match (given.next(), given.next()) {
            (Some((one, _)), Some((other, _))) => {
                place.refuse(format!("{one} and {other} exclude each other"))
            }
            (None, _) => Some(NewBody::Same),
            (Some(("passthrough", _)), _) => Some(NewBody::Passthrough),
            (Some(("mergeExtractorsToBody", _)), _) => Some(NewBody::Extractions),
            (Some(("body", _)), _) => {
                let template = config.body.clone().unwrap_or_default();
                self.template(&template, &mut place.at("body"))
                    .map(NewBody::Rendered)
            }
            _ => self.merged_keys(&mut place.at("mergeJsonKeys")),
        }
    }

    fn merged_keys(&mut self, place: &mut Place<'_>) -> Option<NewBody> {
        if self.config.parse_body_behavior != ParseBodyBehavior::ParseAsJson {
            return place.refuse("needs parseBodyBehavior: ParseAsJson");
        }
        if self.config.advanced_templates {
            return place.refuse("is not possible with advancedTemplates");
        }
        let mut all = Vec::new();
        let merge = self.config.merge_json_keys.clone().unwrap_or_default();
        for (name, key) in merge.json_keys {
            let mut place = place.at("jsonKeys");
            let mut place = place.at(&name);
            if name.contains('.') {
                return place.refuse("a key must not have dots");
            }
            let value = self.template(&key.tmpl, &mut place.at("tmpl"))?;
            all.push(MergedKey {
                name,
                value,
                override_empty: key.override_empty,
            });
        }
        Some(NewBody::Keys(all))
    }

    fn metadata(&mut self, place: &mut Place<'_>) -> Vec<MetadataValue> {
        let mut all = Vec::new();
        for (index, config) in self.config.dynamic_metadata_values.iter().enumerate() {
            let mut place = place.item("dynamicMetadataValues", index);
            if config.key.is_empty() {
                let _: Option<()> = place.at("key").refuse("must not be empty");
            }
            let namespace = match config.metadata_namespace.as_str() {
                "" => TRANSFORM_NAMESPACE,
                namespace => namespace,
            };
            let Some(value) = self.template(&config.value, &mut place.at("value")) else {
                continue;
            };
            all.push(MetadataValue {
                namespace: namespace.to_owned(),
                key: config.key.clone(),
                value,
                is_json: config.json_to_proto,
            });
        }
        all
    }
}
