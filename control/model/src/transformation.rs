//! Transformations (Gloo's `stagedTransformations` and, as it was before, `transformations`), in the form that the
//! filter takes. What the filter would refuse when it loads them is refused here, with the path of the field.

use tenon_contract::transform::{Stages, Transformation, Transforms};
use tenon_core::transform::check;
use tenon_model_derive::Read;

use crate::read::{Fields, ReadFields};
use crate::schema::Object;
use crate::settings::TransformationSettings;

mod written;

use written::RouteTransformations;

/// What is transformed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transformations {
    /// By stage.
    pub stages: Stages,
    /// The parent's come after these (Gloo's `inheritTransformation`).
    pub inherit: bool,
    /// What holds for templates that do not say it themselves.
    pub escape_characters: Option<bool>,
    /// Whether all of them are logged.
    pub log: Option<bool>,
}

impl Transformations {
    /// What is in force below a parent: a child that says something hides it, unless it inherits.
    pub fn below(
        child: Option<&Self>,
        parent: Option<&Self>,
        settings: TransformationSettings,
    ) -> Option<Stages> {
        let own = child.or(parent)?;
        let stages = own.stages.clone();
        let stages = match (child, parent) {
            (Some(child), Some(parent)) if child.inherit => stages.inheriting(&parent.stages),
            _ => stages,
        };
        // As Gloo: what comes from the parent is under what the child says.
        Some(own.complete(stages, settings))
    }

    /// What a child says, over what its parent says; it inherits from above its parent if that does.
    pub(crate) fn over(child: Option<&Self>, parent: Option<&Self>) -> Option<Self> {
        match (child, parent) {
            (Some(child), Some(parent)) if child.inherit => Some(Self {
                stages: child.stages.clone().inheriting(&parent.stages),
                inherit: parent.inherit,
                ..child.clone()
            }),
            (child, parent) => child.or(parent).cloned(),
        }
    }

    /// Says in each transformation what only its surroundings say.
    fn complete(&self, mut stages: Stages, settings: TransformationSettings) -> Stages {
        let default = settings.escape_characters.then_some(true);
        let escape = self.escape_characters.or(default);
        let log = self.log.unwrap_or(settings.log);
        let all = [
            &mut stages.early,
            &mut stages.regular,
            &mut stages.post_routing,
        ];
        for transformation in all.into_iter().flatten().flat_map(every_transformation) {
            transformation.log_request_response_info |= log;
            if let Some(template) = &mut transformation.transformation_template {
                template.escape_characters = template.escape_characters.or(escape);
            }
        }
        stages
    }
}

impl ReadFields for Transformations {
    fn read_fields(fields: &mut Fields<'_>) -> Option<Self> {
        let Written {
            staged_transformations: staged,
            transformations: old,
        } = Written::read_fields(fields)?;
        let old = old.map(|rule| Stages {
            regular: Some(Transforms {
                request_transforms: vec![rule.into()],
                ..Transforms::default()
            }),
            ..Stages::default()
        });
        for it in old.iter().flat_map(check) {
            let field = it.field.strip_prefix("regular.requestTransforms[0].");
            let field = field.unwrap_or(&it.field);
            fields.error_at(&format!("transformations.{field}"), it.text);
        }
        let mut staged = staged.map(Self::from);
        for it in staged.iter().flat_map(|staged| check(&staged.stages)) {
            fields.error_at(&format!("stagedTransformations.{}", it.field), it.text);
        }
        if let (Some(old), Some(staged)) = (&old, &mut staged)
            && staged.stages.regular.is_none()
        {
            // As Gloo: the old field is the regular stage, where the new one does not say another.
            staged.stages.regular.clone_from(&old.regular);
        }
        staged.or(old.map(|stages| Self {
            stages,
            ..Self::default()
        }))
    }

    fn describe(object: &mut Object) {
        Written::describe(object);
    }
}

/// The two fields of options.
#[derive(Read)]
struct Written {
    /// What is changed of requests and responses, by stage.
    staged_transformations: Option<TransformationStages>,
    /// The same, of the regular stage, as it was said before; `stagedTransformations.regular` takes its place.
    transformations: Option<RouteTransformations>,
}

/// What is changed of requests and responses, by stage.
#[derive(Read)]
struct TransformationStages {
    /// Before authentication and rate limits.
    early: Option<Transforms>,
    /// After them.
    regular: Option<Transforms>,
    /// Last before the router.
    post_routing: Option<Transforms>,
    /// The parent's come after these.
    inherit_transformation: bool,
    /// Whether what templates print is escaped as in a JSON string, where they do not say it themselves.
    escape_characters: Option<bool>,
    /// Whether headers and bodies are logged before and after.
    log_request_response_info: Option<bool>,
}

impl From<TransformationStages> for Transformations {
    fn from(written: TransformationStages) -> Self {
        Self {
            stages: Stages {
                early: written.early,
                regular: written.regular,
                post_routing: written.post_routing,
            },
            inherit: written.inherit_transformation,
            escape_characters: written.escape_characters,
            log: written.log_request_response_info,
        }
    }
}

fn every_transformation(stage: &mut Transforms) -> impl Iterator<Item = &mut Transformation> {
    let requests = stage.request_transforms.iter_mut().flat_map(|rule| {
        let request = rule.request_transformation.iter_mut();
        request.chain(&mut rule.response_transformation)
    });
    let responses = stage.response_transforms.iter_mut();
    requests.chain(responses.map(|rule| &mut rule.response_transformation))
}
