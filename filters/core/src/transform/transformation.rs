//! What is done with one message.

use tenon_contract::transform::{Transformation as Config, TransformationTemplate};

use super::template::Template;
use super::{Invalid, Place, header_body};
use crate::host::{Headers, Level, Side, TransformHost};

/// A transformation, compiled.
#[derive(Debug)]
pub struct Transformation {
    kind: Kind,
    log: bool,
}

#[derive(Debug)]
enum Kind {
    Nothing,
    Template(Box<Template>),
    HeaderBody { add_request_metadata: bool },
}

/// The message that is transformed.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Which of the two.
    pub side: Side,
    /// All of its body, which may be empty. `None`: it goes by unseen.
    pub body: Option<&'a [u8]>,
    /// Of a response: whether only its head was asked for.
    pub head: bool,
    /// What templates read as if it had been extracted, by name.
    pub given: &'a [(String, String)],
}

impl Transformation {
    /// Compiles it; what is wrong with it is left at `place`.
    pub(crate) fn compile(config: &Config, place: &mut Place<'_>) -> Option<Self> {
        let kind = match (
            &config.transformation_template,
            &config.header_body_transform,
        ) {
            (None, None) => Kind::Nothing,
            (Some(template), None) => {
                let mut place = place.at("transformationTemplate");
                Kind::Template(Box::new(Template::compile(template, &[], &mut place)?))
            }
            (None, Some(transform)) => Kind::HeaderBody {
                add_request_metadata: transform.add_request_metadata,
            },
            _ => {
                return place
                    .refuse("transformationTemplate and headerBodyTransform exclude each other");
            }
        };
        Some(Self {
            kind,
            log: config.log_request_response_info,
        })
    }

    /// Compiles one that stands by itself.
    ///
    /// # Errors
    /// All that is wrong with it; paths begin within the transformation.
    pub fn new(config: &Config) -> Result<Self, Vec<Invalid>> {
        let mut found = Vec::new();
        match Self::compile(config, &mut Place::root(&mut found)) {
            Some(compiled) if found.is_empty() => Ok(compiled),
            _ => Err(found),
        }
    }

    /// Compiles templates that stand by themselves; [`Message::given`] will have these names.
    ///
    /// # Errors
    /// All that is wrong with them; paths begin within the template.
    pub fn of_template(
        config: &TransformationTemplate,
        given: &[String],
    ) -> Result<Self, Vec<Invalid>> {
        let mut found = Vec::new();
        match Template::compile(config, given, &mut Place::root(&mut found)) {
            Some(template) if found.is_empty() => Ok(Self {
                kind: Kind::Template(Box::new(template)),
                log: false,
            }),
            _ => Err(found),
        }
    }

    /// The headers that it may write or remove.
    pub fn writes(&self) -> Vec<String> {
        let mut all = match &self.kind {
            Kind::Nothing => return Vec::new(),
            Kind::Template(template) => template.writes(),
            Kind::HeaderBody { .. } => Vec::new(),
        };
        // Of the body.
        all.extend(["content-type", "content-length"].map(str::to_owned));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether it looks at the body, which then has to be there as a whole.
    pub fn needs_body(&self) -> bool {
        match &self.kind {
            Kind::Nothing => false,
            Kind::Template(template) => template.needs_body(),
            Kind::HeaderBody { .. } => true,
        }
    }

    /// Whether one of a response may read the request's headers.
    pub fn reads_request(&self) -> bool {
        match &self.kind {
            Kind::Template(template) => template.reads_request(),
            Kind::Nothing | Kind::HeaderBody { .. } => false,
        }
    }

    /// Transforms the message.
    ///
    /// # Errors
    /// Why it cannot be done, for who sent the message. Some of the headers may have been changed by then.
    pub fn apply(
        &self,
        host: &mut impl TransformHost,
        message: &Message<'_>,
    ) -> Result<(), String> {
        self.tell("before", host, message);
        match &self.kind {
            Kind::Nothing => {}
            Kind::Template(template) => template.apply(host, message)?,
            Kind::HeaderBody {
                add_request_metadata,
            } => header_body::apply(host, message, *add_request_metadata)?,
        }
        if self.log {
            let mut body = Vec::new();
            host.each_chunk(message.side, &mut |chunk| body.extend_from_slice(chunk));
            let after = Message {
                body: message.body.map(|_| &*body),
                ..*message
            };
            self.tell("after", host, &after);
        }
        Ok(())
    }

    fn tell(&self, when: &str, host: &mut impl TransformHost, message: &Message<'_>) {
        if !self.log {
            return;
        }
        let headers = shown(host, message.side);
        let body = message.body.map(String::from_utf8_lossy);
        let body = body.as_deref().unwrap_or("(goes by)");
        let side = match message.side {
            Side::Request => "request",
            Side::Response => "response",
        };
        host.log(
            Level::Debug,
            &format!("{side} {when} transformation: headers [{headers}], body {body:?}"),
        );
    }
}

fn shown(host: &impl Headers, side: Side) -> String {
    let mut shown = String::new();
    host.each_header(side, &mut |name, value| {
        let (name, value) = (
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value),
        );
        let comma = if shown.is_empty() { "" } else { ", " };
        shown.push_str(&format!("{comma}{name}: {value:?}"));
    });
    shown
}
