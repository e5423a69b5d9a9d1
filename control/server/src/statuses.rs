//! Statuses as they are shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tenon_model::{ObjectKey, ProblemLevel};
use tenon_translate::{CONTROLLER, Condition, Conditions, State, Status, StatusMessage};

#[derive(Serialize)]
struct Shown<'a> {
    kind: String,
    namespace: &'a str,
    name: &'a str,
    state: &'static str,
    messages: Vec<ShownMessage<'a>>,
    proxies: BTreeMap<&'a str, ShownProxy<'a>>,
    /// What Kubernetes' `status` is of an object of the Gateway API.
    #[serde(flatten)]
    conditions: Option<ShownConditions<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownConditions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    attached_listener_sets: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<ShownCondition<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parents: Vec<ShownParent<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listeners: Vec<ShownListener<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownCondition<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_generation: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownParent<'a> {
    parent_ref: ShownParentRef<'a>,
    controller_name: &'a str,
    conditions: Vec<ShownCondition<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownParentRef<'a> {
    group: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    section_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownListener<'a> {
    name: &'a str,
    supported_kinds: Vec<ShownKind<'a>>,
    attached_routes: usize,
    conditions: Vec<ShownCondition<'a>>,
}

#[derive(Serialize)]
struct ShownKind<'a> {
    group: &'a str,
    kind: &'a str,
}

#[derive(Serialize)]
struct ShownProxy<'a> {
    state: &'static str,
    messages: Vec<ShownMessage<'a>>,
}

#[derive(Serialize)]
struct ShownMessage<'a> {
    level: &'static str,
    field: &'a str,
    text: &'a str,
}

/// The JSON of `/status` and `tenon check -o json`.
pub(crate) fn to_json(statuses: &BTreeMap<ObjectKey, Arc<Status>>) -> serde_json::Result<String> {
    let mut shown: Vec<_> = statuses
        .iter()
        .map(|(key, status)| Shown {
            kind: key.kind.to_string(),
            namespace: &key.namespace,
            name: &key.name,
            state: state(status.state),
            messages: messages(&status.messages),
            proxies: status
                .proxies
                .iter()
                .map(|(proxy, (of_proxy, lines))| {
                    let shown = ShownProxy {
                        state: state(*of_proxy),
                        messages: messages(lines),
                    };
                    (&**proxy, shown)
                })
                .collect(),
            conditions: status.conditions.as_deref().map(shown_conditions),
        })
        .collect();
    // Their names are not in the order of the kinds within.
    shown.sort_by(|a, b| (&a.kind, a.namespace, a.name).cmp(&(&b.kind, b.namespace, b.name)));
    serde_json::to_string_pretty(&shown)
}

fn shown_conditions(of: &Conditions) -> ShownConditions<'_> {
    let parents = of.parents.iter().map(|it| ShownParent {
        parent_ref: ShownParentRef {
            group: &it.parent.group,
            kind: &it.parent.kind,
            namespace: it.parent.namespace.as_deref(),
            name: &it.parent.name,
            section_name: it.parent.section_name.as_deref(),
            port: it.parent.port,
        },
        controller_name: CONTROLLER,
        conditions: conditions(&it.conditions),
    });
    let listeners = of.listeners.iter().map(|it| ShownListener {
        name: &it.name,
        supported_kinds: it
            .supported_kinds
            .iter()
            .map(|it| ShownKind {
                group: &it.group,
                kind: &it.kind,
            })
            .collect(),
        attached_routes: it.attached_routes,
        conditions: conditions(&it.conditions),
    });
    ShownConditions {
        attached_listener_sets: of.attached_sets,
        conditions: conditions(&of.own),
        parents: parents.collect(),
        listeners: listeners.collect(),
    }
}

fn conditions(of: &[Condition]) -> Vec<ShownCondition<'_>> {
    let shown = of.iter().map(|it| ShownCondition {
        kind: it.kind,
        status: it.status(),
        reason: it.reason,
        message: &it.message,
        observed_generation: it.observed_generation,
    });
    shown.collect()
}

/// The conditions of an object of the Gateway API, a line for each of those that have some.
fn lines(of: &Conditions) -> String {
    let line = |who: &str, conditions: &[Condition]| {
        let shown = conditions
            .iter()
            .map(|it| format!("{}={} ({})", it.kind, it.status(), it.reason));
        let shown: Vec<_> = shown.collect();
        format!("          {who}{}\n", shown.join(", "))
    };
    let mut text = String::new();
    if !of.own.is_empty() {
        text += &line("", &of.own);
    }
    for it in &of.parents {
        let section = it.parent.section_name.iter();
        let section: String = section.map(|name| format!(" listener {name}")).collect();
        let who = format!("{} {}{section}: ", it.parent.kind, it.parent.name);
        text += &line(&who, &it.conditions);
    }
    for it in &of.listeners {
        let who = format!("listener {} ({} routes): ", it.name, it.attached_routes);
        text += &line(&who, &it.conditions);
    }
    text
}

/// The same for people: a line for each resource, and one for each message.
pub(crate) fn to_text(statuses: &BTreeMap<ObjectKey, Arc<Status>>) -> String {
    let mut text = String::new();
    for (key, status) in statuses {
        let state = state(status.state);
        text += &format!("{state:<9} {key}\n");
        text += &status.conditions.as_deref().map(lines).unwrap_or_default();
        for message in messages(&status.messages) {
            let ShownMessage {
                level,
                field,
                text: what,
            } = message;
            let at = if field.is_empty() {
                String::new()
            } else {
                format!("{field}: ")
            };
            text += &format!("          {level}: {at}{what}\n");
        }
    }
    text
}

pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Accepted => "Accepted",
        State::Warning => "Warning",
        State::Rejected => "Rejected",
        State::Pending => "Pending",
    }
}

fn messages(messages: &[StatusMessage]) -> Vec<ShownMessage<'_>> {
    messages
        .iter()
        .map(|message| ShownMessage {
            level: match message.level {
                ProblemLevel::Error => "error",
                ProblemLevel::Warning => "warning",
            },
            field: &message.field,
            text: &message.text,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use tenon_model::{Kind, Problem};

    #[test]
    fn statuses_have_the_documented_shape() {
        let key = ObjectKey {
            kind: Kind::Upstream,
            namespace: "default".into(),
            name: "a".into(),
        };
        let messages = vec![Problem {
            level: ProblemLevel::Error,
            field: "spec.aws.region".into(),
            text: "missing".into(),
        }];
        let status = Status {
            state: State::Rejected,
            messages: messages.clone(),
            proxies: BTreeMap::from([("edge".into(), (State::Rejected, messages))]).into(),
            conditions: None,
        };
        let statuses = BTreeMap::from([(key, Arc::new(status))]);
        let shown: Value = serde_json::from_str(&to_json(&statuses).unwrap()).unwrap();
        let messages = json!([{"level": "error", "field": "spec.aws.region", "text": "missing"}]);
        assert_eq!(
            shown,
            json!([{
                "kind": "Upstream", "namespace": "default", "name": "a", "state": "Rejected",
                "messages": messages,
                "proxies": {"edge": {"state": "Rejected", "messages": messages}},
            }])
        );
        assert_eq!(
            to_text(&statuses),
            "Rejected  Upstream default/a\n          error: spec.aws.region: missing\n"
        );
    }
}
