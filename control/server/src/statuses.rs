//! Statuses as they are shown.

use std::collections::BTreeMap;

use serde::Serialize;
use tenon_model::{ObjectKey, ProblemLevel};
use tenon_translate::{State, Status, StatusMessage};

#[derive(Serialize)]
struct Shown<'a> {
    kind: String,
    namespace: &'a str,
    name: &'a str,
    state: &'static str,
    messages: Vec<ShownMessage<'a>>,
    proxies: BTreeMap<&'a str, ShownProxy<'a>>,
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
pub(crate) fn to_json(statuses: &BTreeMap<ObjectKey, Status>) -> serde_json::Result<String> {
    let shown: Vec<_> = statuses
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
        })
        .collect();
    serde_json::to_string_pretty(&shown)
}

/// The same for people: a line for each resource, and one for each message.
pub(crate) fn to_text(statuses: &BTreeMap<ObjectKey, Status>) -> String {
    let mut text = String::new();
    for (key, status) in statuses {
        let state = state(status.state);
        text += &format!("{state:<9} {} {}/{}\n", key.kind, key.namespace, key.name);
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
        };
        let statuses = BTreeMap::from([(key, status)]);
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
