use serde_json::Value;

use super::function::Function;

/// Where in a template something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Print(Expression),
    Set {
        path: Vec<String>,
        value: Expression,
    },
    /// The first branch whose condition holds, or else the rest.
    If {
        branches: Vec<(Expression, Vec<Node>)>,
        rest: Vec<Node>,
    },
    For {
        /// For an object's members only.
        key: Option<String>,
        value: String,
        over: Expression,
        body: Vec<Node>,
    },
}

#[derive(Debug)]
pub(super) struct Expression {
    pub(super) place: Place,
    pub(super) term: Term,
}

/// Chains are flat, so that a template is as deep as its brackets and blocks, and no deeper.
#[derive(Debug)]
pub(super) enum Term {
    Literal(Value),
    Variable(Variable),
    Not(Box<Expression>),
    /// Operators of one precedence, from left to right.
    Chain(Box<Expression>, Vec<(Operator, Expression)>),
    /// `^`, from right to left.
    Power(Vec<Expression>),
    /// What follows a `.` after a bracket.
    Member(Box<Expression>, Vec<Variable>),
    Call(Function, Vec<Expression>),
}

/// A path of names. There is at least one.
#[derive(Debug)]
pub(super) struct Variable {
    /// As it was written.
    pub(super) name: String,
    pub(super) path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
    In,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}
