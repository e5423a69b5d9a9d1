//! From tokens to expressions.

use serde_json::{Number, Value};

use super::function::Function;
use super::lexer::{Kind, Token};
use super::parser::{Parser, too_deep};
use super::tree::{Expression, Operator, Place, Term, Variable};
use super::{CompileError, MAX_NESTING};

/// Operators by precedence, the weakest first. `^` and `.` bind tighter, and so does `not` but for them.
const LEVELS: [&[(&str, Operator)]; 4] = [
    &[("and", Operator::And), ("or", Operator::Or)],
    &[
        ("in", Operator::In),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        ("<=", Operator::LessEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterEqual),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Modulo),
    ],
];

impl<'t> Parser<'t> {
    /// The expression that begins with the current token. The token after it becomes the current one.
    pub(super) fn expression(&mut self) -> Result<Expression, CompileError> {
        self.chain(&LEVELS)
    }

    fn chain(&mut self, levels: &[&[(&str, Operator)]]) -> Result<Expression, CompileError> {
        let Some((operators, tighter)) = levels.split_first() else {
            return self.power();
        };
        let place = self.here();
        let first = self.chain(tighter)?;
        let mut rest = Vec::new();
        while let Some(operator) = operator(&self.token, operators) {
            self.next();
            if tighter.is_empty() {
                self.refuse_not()?;
            }
            rest.push((operator, self.chain(tighter)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let term = Term::Chain(Box::new(first), rest);
        Ok(Expression { place, term })
    }

    fn power(&mut self) -> Result<Expression, CompileError> {
        let place = self.here();
        let first = self.member()?;
        if !self.token.is("^") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.token.is("^") {
            self.next();
            self.refuse_not()?;
            operands.push(self.member()?);
        }
        let term = Term::Power(operands);
        Ok(Expression { place, term })
    }

    fn member(&mut self) -> Result<Expression, CompileError> {
        let place = self.here();
        let of = self.operand()?;
        let mut names = Vec::new();
        while self.token.is(".") {
            self.next();
            if self.token.kind != Kind::Name {
                return self.expected("a name after '.'");
            }
            names.push(self.variable(self.token)?);
            self.next();
        }
        if names.is_empty() {
            return Ok(of);
        }
        let term = Term::Member(Box::new(of), names);
        Ok(Expression { place, term })
    }

    fn operand(&mut self) -> Result<Expression, CompileError> {
        let place = self.here();
        let token = self.token;
        let term = match (token.kind, token.text) {
            (Kind::Number, text) => self.literal(place, number(text), "a number")?,
            (Kind::String, text) => self.literal(
                place,
                serde_json::from_slice(text.as_bytes()).ok(),
                "a string",
            )?,
            (Kind::Name, "true") => self.literal(place, Some(true.into()), "")?,
            (Kind::Name, "false") => self.literal(place, Some(false.into()), "")?,
            (Kind::Name, "null") => self.literal(place, Some(Value::Null), "")?,
            (Kind::Name, "not") => self.nested(place, |parser| {
                parser.next();
                parser.refuse_not()?;
                Ok(Term::Not(Box::new(parser.power()?)))
            })?,
            (Kind::Name, "and" | "or" | "in") => {
                return self.error(format!("'{}' has nothing before it", token.text));
            }
            (Kind::Name, _) => self.name_or_call(place, token)?,
            (Kind::Sign, "(") => return self.bracket(place),
            (Kind::Sign, "[" | "{") => self.json(place)?,
            _ => return self.expected("an expression"),
        };
        Ok(Expression { place, term })
    }

    /// After an operator that binds as tight as `not`, where Inja would take the wrong operands.
    fn refuse_not(&self) -> Result<(), CompileError> {
        if self.token.is_name("not") {
            return self.error("'not' needs brackets here");
        }
        Ok(())
    }

    fn literal(
        &mut self,
        place: Place,
        value: Option<Value>,
        what: &str,
    ) -> Result<Term, CompileError> {
        let Some(value) = value else {
            let text = self.token.text;
            return Err(place.compile_error(format!("'{text}' is not {what} as in JSON")));
        };
        self.next();
        Ok(Term::Literal(value))
    }

    fn bracket(&mut self, place: Place) -> Result<Expression, CompileError> {
        self.nested(place, |parser| {
            parser.next();
            let inner = parser.expression()?;
            parser.closing_bracket()?;
            Ok(inner)
        })
    }

    fn closing_bracket(&mut self) -> Result<(), CompileError> {
        if !self.token.is(")") {
            return self.expected("')'");
        }
        self.next();
        Ok(())
    }

    fn nested<T>(
        &mut self,
        place: Place,
        parse: impl FnOnce(&mut Self) -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        if self.nesting >= MAX_NESTING {
            return Err(too_deep(place));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// An array or object, which has only literals in it, as in JSON.
    fn json(&mut self, place: Place) -> Result<Term, CompileError> {
        let start = self.token.start;
        let mut open = 0_usize;
        loop {
            match (self.token.kind, self.token.text) {
                (Kind::Sign, "[" | "{") => open += 1,
                (Kind::Sign, "]" | "}") => open -= 1,
                (Kind::Close, close) => {
                    return self.error(format!(
                        "'{close}' in an array or object ends the directive: write '}} }}' for two braces"
                    ));
                }
                (Kind::End, _) => return self.expected("']' or '}'"),
                _ => {}
            }
            if open == 0 {
                break;
            }
            self.next();
        }
        let text = self.lexer.slice(start, self.token.end());
        let value = serde_json::from_slice(text.as_bytes()).map_err(|error| {
            place.compile_error(format!("not an array or object as in JSON: {error}"))
        })?;
        self.next();
        Ok(Term::Literal(value))
    }

    fn name_or_call(&mut self, place: Place, name: Token<'t>) -> Result<Term, CompileError> {
        self.next();
        if self.token.is("(") {
            return self.nested(place, |parser| parser.call(place, name));
        }
        let variable = self.variable(name)?;
        if let Some(first) = variable.path.first() {
            self.reads.variable(first);
        }
        if let Some(function) = Function::bare(&variable.name) {
            self.note(function, &[]);
        }
        Ok(Term::Variable(variable))
    }

    fn variable(&self, name: Token<'t>) -> Result<Variable, CompileError> {
        let separators: &[char] = if self.syntax.advanced {
            &['/']
        } else {
            &['.', '/']
        };
        let place = self.lexer.place(name.start);
        // A dot at the end is not the beginning of an empty name.
        let path = match self.syntax.advanced {
            true => name.text,
            false => name.text.strip_suffix('.').unwrap_or(name.text),
        };
        Ok(Variable {
            name: name.text.to_owned(),
            path: self.path(path, separators, place)?,
        })
    }

    fn call(&mut self, place: Place, name: Token<'t>) -> Result<Term, CompileError> {
        self.next();
        let mut arguments = Vec::new();
        while !self.token.is(")") {
            arguments.push(self.expression()?);
            if !self.token.is(",") {
                break;
            }
            self.next();
        }
        self.closing_bracket()?;
        let function = Function::find(name.text, arguments.len())
            .map_err(|message| place.compile_error(message))?;
        self.note(function, &arguments);
        Ok(Term::Call(function, arguments))
    }

    /// Notes what a function reads.
    fn note(&mut self, function: Function, arguments: &[Expression]) {
        match (function, arguments.first().map(|first| &first.term)) {
            (Function::Body, _) => self.reads.body(),
            (Function::Context, _) => self.reads.context(),
            (Function::Exists, Some(Term::Literal(Value::String(name)))) => {
                let first = name.split(['.', '/']).next().unwrap_or_default();
                self.reads.variable_of_message(first);
            }
            (Function::Exists, _) => self.reads.context(),
            _ => {}
        }
    }
}

fn operator(token: &Token<'_>, operators: &[(&str, Operator)]) -> Option<Operator> {
    if !matches!(token.kind, Kind::Sign | Kind::Name) {
        return None;
    }
    let mut known = operators.iter();
    known
        .find(|(text, _)| *text == token.text)
        .map(|(_, operator)| *operator)
}

fn number(text: &str) -> Option<Value> {
    // The reader of JSON makes a float of it.
    if text == "-0" {
        return Some(0.into());
    }
    serde_json::from_slice::<Number>(text.as_bytes())
        .ok()
        .map(Value::Number)
}
