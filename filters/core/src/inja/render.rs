//! From a tree and a message to text.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::evaluate::{Evaluator, Result};
use super::local::{Local, Loop};
use super::scope::Scope;
use super::text::{escaped, print_value};
use super::tree::{Expression, Node, Place};
use super::value::{self, Datum};
use super::{MAX_DEPTH, MAX_OUTPUT, RenderError};

/// Renders a template's nodes.
pub(super) fn render<'a>(
    nodes: &'a [Node],
    escapes: bool,
    scope: &'a dyn Scope,
) -> Result<Vec<u8>> {
    let mut renderer = Renderer {
        escapes,
        evaluator: Evaluator::new(scope),
        out: Vec::new(),
    };
    renderer.nodes(nodes)?;
    Ok(renderer.out)
}

struct Renderer<'a> {
    escapes: bool,
    evaluator: Evaluator<'a>,
    out: Vec<u8>,
}

impl<'a> Renderer<'a> {
    fn nodes(&mut self, nodes: &'a [Node]) -> Result<()> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &'a Node) -> Result<()> {
        match node {
            Node::Text(text) => self.text(text),
            Node::Print(expression) => self.print(expression),
            Node::Set { path, value } => self.set(path, value),
            Node::If { branches, rest } => {
                for (condition, branch) in branches {
                    if self.evaluator.evaluate(condition)?.truthy() {
                        return self.nodes(branch);
                    }
                }
                self.nodes(rest)
            }
            Node::For {
                key,
                value,
                over,
                body,
            } => self.repeat(key.as_deref(), value, over, body),
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        let place = Place { line: 1, column: 1 };
        self.evaluator.spend(1 + value::steps(text.len()), place)?;
        self.out.extend_from_slice(text.as_bytes());
        self.limit(place)
    }

    fn print(&mut self, expression: &'a Expression) -> Result<()> {
        let place = expression.place;
        let datum = self.evaluator.evaluate(expression)?;
        self.evaluator.spend_on(&datum, place)?;
        let escapes = self.escapes;
        match (datum.value(), datum.text()) {
            (Some(value), _) => print_value(value, escapes, &mut self.out),
            (None, Some(text)) if escapes => {
                let text = std::str::from_utf8(text);
                let text = text.map_err(|_| place.error("the string is not UTF-8"))?;
                self.out.append(&mut escaped(text));
            }
            (None, text) => self.out.extend_from_slice(text.unwrap_or_default()),
        }
        self.limit(place)
    }

    fn limit(&self, place: Place) -> Result<()> {
        if self.out.len() > MAX_OUTPUT {
            let message = format!("template renders more than {MAX_OUTPUT} bytes");
            return Err(place.error(message));
        }
        Ok(())
    }

    fn set(&mut self, path: &'a [String], expression: &'a Expression) -> Result<()> {
        let place = expression.place;
        let Some((name, path)) = path.split_first() else {
            return Ok(());
        };
        let datum = self.evaluator.evaluate(expression)?;
        if path.is_empty() {
            let local = self.local(datum, place)?;
            self.evaluator.locals.insert(name, local);
            return Ok(());
        }
        self.evaluator.spend_on(&datum, place)?;
        let Some(new) = datum.into_value() else {
            return Err(place.error("the string is not UTF-8"));
        };
        // What is set into itself again and again gets deeper each time.
        if !value::fits(&new, MAX_DEPTH.saturating_sub(path.len())) {
            return Err(place.error(format!("value is nested more than {MAX_DEPTH} deep")));
        }
        let mut root = match self.evaluator.locals.remove(name.as_str()) {
            None => Value::Null,
            Some(Local::Value(value)) => value,
            Some(Local::Message(value)) => {
                self.evaluator.spend_on(&Datum::Message(value), place)?;
                value.clone()
            }
            Some(Local::Text(_)) => return Err(cannot_set(name, place)),
        };
        *self.slot(&mut root, path, place)? = new;
        self.evaluator.locals.insert(name, Local::Value(root));
        Ok(())
    }

    /// Where in a value a path leads, which is made on the way.
    fn slot<'v>(
        &self,
        root: &'v mut Value,
        path: &[String],
        place: Place,
    ) -> Result<&'v mut Value> {
        let mut at = root;
        for part in path {
            let index = value::index(part);
            if at.is_null() && !part.is_empty() {
                *at = match index.is_some() || part == "-" {
                    true => Value::Array(Vec::new()),
                    false => Value::Object(Map::new()),
                };
            }
            at = match at {
                Value::Object(members) => members.entry(part.as_str()).or_insert(Value::Null),
                Value::Array(items) => {
                    let index = match part.as_str() {
                        "-" => items.len(),
                        _ => index.ok_or_else(|| cannot_set(part, place))?,
                    };
                    if index >= items.len() {
                        let new = index - items.len();
                        self.evaluator.spend(new as u64, place)?;
                        items.resize(index + 1, Value::Null);
                    }
                    let item = items.get_mut(index);
                    item.ok_or_else(|| cannot_set(part, place))?
                }
                _ => return Err(cannot_set(part, place)),
            };
        }
        Ok(at)
    }

    /// Keeps a value beyond the expression that it is of.
    fn local(&self, datum: Datum<'_, 'a>, place: Place) -> Result<Local<'a>> {
        Ok(match datum {
            Datum::Message(value) => Local::Message(value),
            Datum::New(value) => Local::Value(value),
            Datum::Local(value) => {
                self.evaluator.spend_on(&Datum::Message(value), place)?;
                Local::Value(value.clone())
            }
            Datum::Text(text) => {
                self.evaluator.spend(value::steps(text.len()), place)?;
                Local::Text(Cow::Owned(text.into_owned()))
            }
        })
    }

    fn repeat(
        &mut self,
        key: Option<&'a str>,
        name: &'a str,
        over: &'a Expression,
        body: &'a [Node],
    ) -> Result<()> {
        let place = over.place;
        let datum = self.evaluator.evaluate(over)?;
        let kind = datum.kind();
        let all = self.local(datum, place)?;
        let Some((length, items)) = items(all, key.is_some()) else {
            return Err(place.error(match key {
                Some(_) => format!("'for' with two variables goes through an object, not {kind}"),
                None => format!("'for' with one variable goes through an array, not {kind}"),
            }));
        };
        self.evaluator.loops.push(Loop::over(length));
        for (index, (item_key, item)) in items.enumerate() {
            self.evaluator.spend(1, place)?;
            if let Some(current) = self.evaluator.loops.last_mut() {
                current.index = Some(index);
            }
            let locals = &mut self.evaluator.locals;
            if let (Some(key), Some(item_key)) = (key, item_key) {
                locals.insert(key, item_key);
            }
            locals.insert(name, item);
            self.nodes(body)?;
        }
        // Inja empties the variables, which then hide the message's of the same name.
        for name in key.into_iter().chain([name]) {
            let local = self.evaluator.locals.remove(name);
            let mut local = local.unwrap_or(Local::Value(Value::Null));
            local.clear();
            self.evaluator.locals.insert(name, local);
        }
        self.leave_loop();
        Ok(())
    }

    /// Inja keeps what the first loop was: it is the `loop` of what follows, and its loops' parent.
    fn leave_loop(&mut self) {
        let loops = &mut self.evaluator.loops;
        if loops.len() > 1 {
            loops.pop();
        } else if let Some(first) = loops.last_mut() {
            first.over = true;
        }
    }
}

/// What a loop goes through: keys, if it is an object's, and values.
type Items<'a> = Box<dyn Iterator<Item = (Option<Local<'a>>, Local<'a>)> + 'a>;

/// How many items there are, and which.
fn items(all: Local<'_>, object: bool) -> Option<(usize, Items<'_>)> {
    match (all, object) {
        (Local::Message(Value::Array(items)), false) => {
            let each = items.iter().map(|item| (None, Local::Message(item)));
            Some((items.len(), Box::new(each)))
        }
        (Local::Value(Value::Array(items)), false) => {
            let length = items.len();
            let each = items.into_iter().map(|item| (None, Local::Value(item)));
            Some((length, Box::new(each)))
        }
        (Local::Message(Value::Object(members)), true) => {
            let each = members.iter().map(|(name, member)| {
                let name = Local::Text(Cow::Borrowed(name.as_bytes()));
                (Some(name), Local::Message(member))
            });
            Some((members.len(), Box::new(each)))
        }
        (Local::Value(Value::Object(members)), true) => {
            let length = members.len();
            let each = members.into_iter().map(|(name, member)| {
                let name = Local::Text(Cow::Owned(name.into_bytes()));
                (Some(name), Local::Value(member))
            });
            Some((length, Box::new(each)))
        }
        _ => None,
    }
}

fn cannot_set(part: &str, place: Place) -> RenderError {
    place.error(format!("cannot set '{part}' of a value that is no object"))
}
