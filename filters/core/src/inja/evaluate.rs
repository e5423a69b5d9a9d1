//! Values of expressions.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::{Number, Value};
use tenon_contract::Sorted;

use super::function::Function;
use super::local::{Local, Loop};
use super::number;
use super::scope::Scope;
use super::tree::{Expression, Operator, Place, Term, Variable};
use super::value::{self, Datum};
use super::{MAX_DEPTH, MAX_STEPS, RenderError};

pub(super) type Result<T> = std::result::Result<T, RenderError>;

/// The variable that tells of the innermost loop.
pub(super) const LOOP: &str = "loop";

/// What expressions are evaluated with: the message and the variables that the template has set.
pub(super) struct Evaluator<'a> {
    pub(super) scope: &'a dyn Scope,
    pub(super) locals: Sorted<&'a str, Local<'a>>,
    /// The innermost is the last.
    pub(super) loops: Vec<Loop>,
    /// Steps that are left.
    steps: Cell<u64>,
}

impl Place {
    pub(super) fn error(self, message: impl Into<String>) -> RenderError {
        RenderError {
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(scope: &'a dyn Scope) -> Self {
        Self {
            scope,
            locals: Sorted::new(),
            loops: Vec::new(),
            steps: Cell::new(MAX_STEPS),
        }
    }

    /// Counts steps.
    pub(super) fn spend(&self, steps: u64, place: Place) -> Result<()> {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or_default());
        match left {
            Some(_) => Ok(()),
            None => Err(place.error(format!("template takes more than {MAX_STEPS} steps"))),
        }
    }

    /// Counts the steps that it takes to go through a value.
    pub(super) fn spend_on(&self, datum: &Datum<'_, '_>, place: Place) -> Result<()> {
        let weight = match (datum.text(), datum.value()) {
            (Some(text), _) => value::steps(text.len()),
            (None, Some(value)) => value::weight(value).ok_or_else(|| {
                place.error(format!("value is nested more than {MAX_DEPTH} deep"))
            })?,
            (None, None) => 0,
        };
        self.spend(weight, place)
    }

    pub(super) fn evaluate(&self, expression: &'a Expression) -> Result<Datum<'_, 'a>> {
        let place = expression.place;
        self.spend(1, place)?;
        match &expression.term {
            Term::Literal(value) => Ok(Datum::Message(value)),
            Term::Variable(variable) => self
                .lookup(variable)
                .ok_or_else(|| not_found(variable, place)),
            Term::Not(operand) => Ok((!self.evaluate(operand)?.truthy()).into()),
            Term::Chain(first, rest) => self.chain(first, rest),
            Term::Power(operands) => self.power(operands, place),
            Term::Member(of, names) => self.member(of, names)?.ok_or_else(|| {
                let written: Vec<_> = names.iter().map(|name| name.name.as_str()).collect();
                place.error(format!("'.{}' not found", written.join(".")))
            }),
            Term::Call(function, arguments) => self.call(*function, arguments, place),
        }
    }

    /// The value of an expression, if it names something that is there.
    pub(super) fn evaluate_if_found(
        &self,
        expression: &'a Expression,
    ) -> Result<Option<Datum<'_, 'a>>> {
        self.spend(1, expression.place)?;
        match &expression.term {
            Term::Variable(variable) => Ok(self.lookup(variable)),
            Term::Member(of, names) => self.member(of, names),
            Term::Call(Function::At, arguments) => self.at(arguments, expression.place),
            _ => self.evaluate(expression).map(Some),
        }
    }

    fn lookup(&self, variable: &'a Variable) -> Option<Datum<'_, 'a>> {
        let (first, rest) = variable.path.split_first()?;
        if first == LOOP
            && let Some(found) = Loop::find(&self.loops, rest)
        {
            return Some(Datum::New(found));
        }
        if let Some(local) = self.locals.get(first.as_str())
            && let Some(found) = local.find(rest)
        {
            return Some(found);
        }
        let context = self.scope.context();
        if context.is_object()
            && let Some(found) = value::find(context, &variable.path)
        {
            return Some(Datum::Message(found));
        }
        Some(match Function::bare(&variable.name)? {
            Function::Body => Datum::Text(self.scope.body()),
            _ => Datum::Message(context),
        })
    }

    fn member(&self, of: &'a Expression, names: &'a [Variable]) -> Result<Option<Datum<'_, 'a>>> {
        let mut found = self.evaluate_if_found(of)?;
        for name in names {
            found = found.and_then(|of| {
                // Inja knows no path here, only one name.
                of.part(|value| {
                    value::member(value, &name.name).or_else(|| value::find(value, &name.path))
                })
            });
        }
        Ok(found)
    }

    fn chain(
        &self,
        first: &'a Expression,
        rest: &'a [(Operator, Expression)],
    ) -> Result<Datum<'_, 'a>> {
        let mut left = self.evaluate(first)?;
        for (operator, right) in rest {
            let place = right.place;
            left = match operator {
                Operator::And => (left.truthy() && self.evaluate(right)?.truthy()).into(),
                Operator::Or => (left.truthy() || self.evaluate(right)?.truthy()).into(),
                operator => {
                    let right = self.evaluate(right)?;
                    self.operate(*operator, left, right, place)?
                }
            };
        }
        Ok(left)
    }

    fn operate<'s>(
        &self,
        operator: Operator,
        left: Datum<'s, 'a>,
        right: Datum<'s, 'a>,
        place: Place,
    ) -> Result<Datum<'s, 'a>>
    where
        'a: 's,
    {
        let holds: fn(Ordering) -> bool = match operator {
            Operator::Equal => Ordering::is_eq,
            Operator::NotEqual => Ordering::is_ne,
            Operator::Less => Ordering::is_lt,
            Operator::LessEqual => Ordering::is_le,
            Operator::Greater => Ordering::is_gt,
            Operator::GreaterEqual => Ordering::is_ge,
            Operator::In => {
                self.spend_on(&right, place)?;
                let found = match right.value() {
                    Some(value) => value::items(value).any(|item| left.equals_value(item)),
                    None => left.order(&right).is_eq(),
                };
                return Ok(found.into());
            }
            _ => return self.calculate(operator, left, right, place),
        };
        self.spend_on(&left, place)?;
        Ok(holds(left.order(&right)).into())
    }

    fn calculate<'s>(
        &self,
        operator: Operator,
        left: Datum<'s, 'a>,
        right: Datum<'s, 'a>,
        place: Place,
    ) -> Result<Datum<'s, 'a>>
    where
        'a: 's,
    {
        if operator == Operator::Add
            && left.text().is_some()
            && let Some(text) = right.text()
        {
            self.spend(value::steps(text.len()), place)?;
            if !matches!(left, Datum::New(_) | Datum::Text(Cow::Owned(_))) {
                self.spend_on(&left, place)?;
            }
            let mut joined = left.into_text().unwrap_or_default().into_owned();
            joined.extend_from_slice(text);
            return Ok(joined.into());
        }
        let result = number::calculate(operator, number(&left, place)?, number(&right, place)?);
        let result = result.map_err(|message| place.error(message))?;
        Ok(Datum::New(Value::Number(result)))
    }

    fn power(&self, operands: &'a [Expression], place: Place) -> Result<Datum<'_, 'a>> {
        let mut values = Vec::with_capacity(operands.len());
        for operand in operands {
            let value = self.evaluate(operand)?;
            values.push(number(&value, operand.place)?.clone());
        }
        let mut result = values.pop().unwrap_or(Number::from(1));
        while let Some(base) = values.pop() {
            result = number::power(&base, &result).map_err(|message| place.error(message))?;
        }
        Ok(Datum::New(Value::Number(result)))
    }
}

pub(super) fn number<'d>(datum: &'d Datum<'_, '_>, place: Place) -> Result<&'d Number> {
    match datum.value() {
        Some(Value::Number(number)) => Ok(number),
        _ => Err(unexpected("a number", datum, place)),
    }
}

pub(super) fn unexpected(what: &str, datum: &Datum<'_, '_>, place: Place) -> RenderError {
    place.error(format!("expected {what}, got {}", datum.kind()))
}

fn not_found(variable: &Variable, place: Place) -> RenderError {
    place.error(format!("variable '{}' not found", variable.name))
}
