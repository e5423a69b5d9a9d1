//! The rules of a stage.

use std::sync::Arc;

use tenon_contract::transform::{
    RequestRule as RequestConfig, ResponseRule as ResponseConfig, Stages, Transforms,
};

use super::matcher::{HeaderMatchers, RequestMatcher};
use super::{Invalid, Place, Transformation};
use crate::host::{Attributes, Headers, Side};

/// What is wrong with transformations, if anything; paths begin at the stage. For who writes them.
pub fn check(stages: &Stages) -> Vec<Invalid> {
    let mut found = Vec::new();
    let all = [&stages.early, &stages.regular, &stages.post_routing];
    StageRules::compile(all, &mut Place::root(&mut found));
    found
}

/// The rules of a route, by stage.
#[derive(Debug, Default)]
pub(super) struct StageRules {
    pub(super) early: Option<Arc<Rules>>,
    pub(super) regular: Option<Arc<Rules>>,
    pub(super) post_routing: Option<Arc<Rules>>,
}

impl StageRules {
    /// Compiles early, regular and post-routing rules.
    pub(super) fn compile(
        [early, regular, post_routing]: [&Option<Transforms>; 3],
        place: &mut Place<'_>,
    ) -> Self {
        let mut compile = |field: &str, rules: &Option<Transforms>| {
            let rules = rules.as_ref()?;
            Some(Arc::new(Rules::compile(
                &rules.request_transforms,
                &rules.response_transforms,
                &mut place.at(field),
            )))
        };
        Self {
            early: compile("early", early),
            regular: compile("regular", regular),
            post_routing: compile("postRouting", post_routing),
        }
    }
}

/// The rules of a stage, compiled.
#[derive(Debug, Default)]
pub(super) struct Rules {
    requests: Vec<RequestRule>,
    responses: Vec<ResponseRule>,
}

#[derive(Debug)]
struct RequestRule {
    matcher: Option<RequestMatcher>,
    clear_route_cache: bool,
    request: Option<Transformation>,
    response: Option<Transformation>,
}

#[derive(Debug)]
struct ResponseRule {
    headers: HeaderMatchers,
    details: String,
    response: Transformation,
}

/// Which transformation of some rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Request(usize),
    ResponseOfRequest(usize),
    Response(usize),
}

impl Rules {
    /// Compiles what can be; what is wrong with the rest is left at `place`.
    pub(super) fn compile(
        requests: &[RequestConfig],
        responses: &[ResponseConfig],
        place: &mut Place<'_>,
    ) -> Self {
        let mut rules = Self::default();
        for (index, rule) in requests.iter().enumerate() {
            let mut place = place.item("requestTransforms", index);
            rules
                .requests
                .extend(RequestRule::compile(rule, &mut place));
        }
        for (index, rule) in responses.iter().enumerate() {
            let mut place = place.item("responseTransforms", index);
            let headers = HeaderMatchers::compile(&rule.matchers, "matchers", &mut place);
            let mut place = place.at("responseTransformation");
            let response = Transformation::compile(&rule.response_transformation, &mut place);
            if let (Some(headers), Some(response)) = (headers, response) {
                rules.responses.push(ResponseRule {
                    headers,
                    details: rule.response_code_details.clone(),
                    response,
                });
            }
        }
        rules
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.responses.is_empty()
    }

    /// The first rule that fits the request.
    pub(super) fn of_request(&self, host: &impl Headers) -> Option<usize> {
        let fits = |rule: &RequestRule| rule.matcher.as_ref().is_none_or(|it| it.matches(host));
        self.requests.iter().position(fits)
    }

    /// What is done with the response to a request that `rule` fits.
    pub(super) fn of_response(
        &self,
        rule: Option<usize>,
        host: &(impl Headers + Attributes),
    ) -> Option<Choice> {
        let own = rule.and_then(|rule| self.requests.get(rule));
        if own.is_some_and(|rule| rule.response.is_some()) {
            return rule.map(Choice::ResponseOfRequest);
        }
        let fits = |rule: &ResponseRule| {
            let has_details = || {
                let details = host.response_details().unwrap_or_default();
                rule.details.as_bytes() == &*details
            };
            (rule.details.is_empty() || has_details())
                && rule.headers.match_all(host, Side::Response)
        };
        self.responses.iter().position(fits).map(Choice::Response)
    }

    pub(super) fn transformation(&self, choice: Choice) -> Option<&Transformation> {
        match choice {
            Choice::Request(index) => self.requests.get(index)?.request.as_ref(),
            Choice::ResponseOfRequest(index) => self.requests.get(index)?.response.as_ref(),
            Choice::Response(index) => Some(&self.responses.get(index)?.response),
        }
    }

    pub(super) fn clears_route_cache(&self, rule: usize) -> bool {
        let rule = self.requests.get(rule);
        rule.is_some_and(|rule| rule.clear_route_cache)
    }

    /// Whether a response's transformation may read the request, where `rule` fits it.
    pub(super) fn reads_request(&self, rule: Option<usize>) -> bool {
        let own = rule.and_then(|rule| self.requests.get(rule)?.response.as_ref());
        match own {
            Some(own) => own.reads_request(),
            None => self.responses.iter().any(|it| it.response.reads_request()),
        }
    }

    /// Whether responses may be transformed, where `rule` fits the request.
    pub(super) fn looks_at_responses(&self, rule: Option<usize>) -> bool {
        let own = rule.and_then(|rule| self.requests.get(rule));
        !self.responses.is_empty() || own.is_some_and(|rule| rule.response.is_some())
    }
}

impl RequestRule {
    /// `None` too for a rule that does nothing: as with Gloo, it is not there, and so fits no request.
    fn compile(config: &RequestConfig, place: &mut Place<'_>) -> Option<Self> {
        let matcher = match &config.matcher {
            None => Some(None),
            Some(matcher) => RequestMatcher::compile(matcher, &mut place.at("matcher")).map(Some),
        };
        let mut compile = |field: &str, it: &Option<_>| {
            let config = it.as_ref()?;
            Transformation::compile(config, &mut place.at(field))
        };
        let request = compile("requestTransformation", &config.request_transformation);
        let response = compile("responseTransformation", &config.response_transformation);
        if request.is_none() && response.is_none() {
            return None;
        }
        Some(Self {
            matcher: matcher?,
            clear_route_cache: config.clear_route_cache,
            request,
            response,
        })
    }
}
