//! Statuses from problems.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenon_model::{Problem, ProblemLevel};

use crate::output::{State, Status, StatusMessage};
use crate::shortened;

/// More would help nobody.
const MOST_MESSAGES: usize = 20;

/// The status of an object with those problems, and with those of each proxy.
pub(crate) fn status(problems: Vec<Problem>, proxies: BTreeMap<String, Vec<Problem>>) -> Status {
    let mut all = problems.clone();
    for of_proxy in proxies.values() {
        all.extend(of_proxy.iter().cloned());
    }
    let (state, messages) = summary(all);
    let proxies = proxies.into_iter().map(|(proxy, of_proxy)| {
        let mut all = problems.clone();
        all.extend(of_proxy);
        (proxy, summary(all))
    });
    Status {
        state,
        messages,
        proxies: Arc::new(proxies.collect()),
        conditions: None,
    }
}

fn summary(mut problems: Vec<Problem>) -> (State, Vec<StatusMessage>) {
    if problems.is_empty() {
        return (State::Accepted, Vec::new());
    }
    for problem in &mut problems {
        // It may quote what the user wrote, whatever that is.
        if problem.text.len() > shortened::LONGEST {
            problem.text = shortened::middle(&problem.text);
        }
    }
    problems.sort();
    problems.dedup();
    let state = match problems.iter().map(|problem| problem.level).min() {
        Some(ProblemLevel::Error) => State::Rejected,
        Some(ProblemLevel::Warning) => State::Warning,
        None => State::Accepted,
    };
    problems.truncate(MOST_MESSAGES);
    (state, problems)
}
