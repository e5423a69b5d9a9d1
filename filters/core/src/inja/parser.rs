//! From tokens to statements.

use tenon_contract::Sorted;

use super::evaluate::LOOP;
use super::lexer::{Kind, Lexer, Piece, Token};
use super::text::print_value;
use super::tree::{Expression, Node, Place, Term};
use super::uses::Reads;
use super::{CompileError, MAX_NESTING, Syntax, Uses};

/// Parses a template.
pub(super) fn parse(text: &str, syntax: Syntax) -> Result<(Vec<Node>, Uses), CompileError> {
    let mut parser = Parser::new(text, syntax);
    while let Some(piece) = parser.lexer.piece()? {
        match piece {
            Piece::Text(text) => parser.push_text(text),
            Piece::Expression => parser.print()?,
            Piece::Statement | Piece::Line => parser.statement(piece)?,
        }
    }
    match parser.open.last() {
        Some(block) => Err(block.place.compile_error(format!(
            "'{}' is never closed: expected '{}'",
            block.opened_by(),
            block.closed_by()
        ))),
        None => Ok((parser.nodes, parser.reads.into_uses())),
    }
}

pub(super) struct Parser<'t> {
    pub(super) lexer: Lexer<'t>,
    pub(super) token: Token<'t>,
    pub(super) syntax: Syntax,
    /// How many brackets are open.
    pub(super) nesting: usize,
    pub(super) reads: Reads,
    /// Of the innermost open block, or of the template.
    nodes: Vec<Node>,
    open: Vec<Open>,
    block_names: Sorted<&'t str, ()>,
}

/// A statement that waits for its end.
struct Open {
    place: Place,
    block: Block,
    /// What had come before it in the block around it.
    before: Vec<Node>,
}

enum Block {
    If {
        branches: Vec<(Expression, Vec<Node>)>,
        /// Of the branch that is being read. None after `else`.
        condition: Option<Expression>,
    },
    For {
        key: Option<String>,
        value: String,
        over: Expression,
    },
    /// A `block`: its nodes are those of the block around it.
    Named,
}

impl Open {
    fn opened_by(&self) -> &'static str {
        match self.block {
            Block::If { .. } => "if",
            Block::For { .. } => "for",
            Block::Named => "block",
        }
    }

    fn closed_by(&self) -> &'static str {
        match self.block {
            Block::If { .. } => "endif",
            Block::For { .. } => "endfor",
            Block::Named => "endblock",
        }
    }
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, syntax: Syntax) -> Self {
        Self {
            lexer: Lexer::new(text, syntax),
            token: Token {
                kind: Kind::End,
                text: "",
                start: 0,
            },
            syntax,
            nesting: 0,
            reads: Reads::default(),
            nodes: Vec::new(),
            open: Vec::new(),
            block_names: Sorted::new(),
        }
    }

    pub(super) fn next(&mut self) {
        self.token = self.lexer.token();
    }

    pub(super) fn here(&self) -> Place {
        self.lexer.place(self.token.start)
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T, CompileError> {
        Err(self.here().compile_error(message))
    }

    pub(super) fn expected<T>(&self, what: &str) -> Result<T, CompileError> {
        self.error(format!("expected {what}, got '{}'", self.token.describe()))
    }

    /// Texts that follow each other become one, so that a template that only prints literals is a literal.
    fn push_text(&mut self, text: &str) {
        match self.nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }

    fn print(&mut self) -> Result<(), CompileError> {
        self.next();
        let expression = self.expression()?;
        self.close("'}}'")?;
        let Term::Literal(value) = &expression.term else {
            self.nodes.push(Node::Print(expression));
            return Ok(());
        };
        let mut text = Vec::new();
        print_value(value, self.syntax.escape_characters, &mut text);
        self.push_text(&String::from_utf8_lossy(&text));
        Ok(())
    }

    fn statement(&mut self, piece: Piece<'t>) -> Result<(), CompileError> {
        self.next();
        let place = self.here();
        let keyword = self.token;
        if keyword.kind != Kind::Name {
            return self.expected("a statement");
        }
        self.lexer.expect_operand();
        self.next();
        match keyword.text {
            "if" => {
                let condition = self.expression()?;
                self.open_block(
                    place,
                    Block::If {
                        branches: Vec::new(),
                        condition: Some(condition),
                    },
                )?;
            }
            "else" => self.otherwise(place)?,
            "for" => self.open_for(place)?,
            "block" => self.open_named(place)?,
            "set" => self.set()?,
            "endif" | "endfor" | "endblock" => self.close_block(place, keyword.text)?,
            "include" | "extends" => {
                return Err(place.compile_error(format!(
                    "'{}' is not possible here: a transformation has one template",
                    keyword.text
                )));
            }
            other => {
                return Err(place.compile_error(format!("expected a statement, got '{other}'")));
            }
        }
        if piece == Piece::Line && self.token.kind == Kind::End {
            return Ok(());
        }
        self.close(if piece == Piece::Line {
            "the end of the line"
        } else {
            "'%}'"
        })
    }

    fn close(&self, what: &str) -> Result<(), CompileError> {
        if self.token.kind == Kind::Close {
            return Ok(());
        }
        if self.token.is_name("not") {
            return self.error("'not' stands before its operand: write 'not (a in b)'");
        }
        self.expected(what)
    }

    fn open_block(&mut self, place: Place, block: Block) -> Result<(), CompileError> {
        if self.open.len() >= MAX_NESTING {
            return Err(too_deep(place));
        }
        let before = std::mem::take(&mut self.nodes);
        self.reads.open();
        self.open.push(Open {
            place,
            block,
            before,
        });
        Ok(())
    }

    fn open_for(&mut self, place: Place) -> Result<(), CompileError> {
        let mut value = self.name("the name of a variable")?;
        let mut key = None;
        if self.token.is(",") {
            self.next();
            key = Some(std::mem::replace(
                &mut value,
                self.name("the name of a variable")?,
            ));
        }
        if value == LOOP || key.as_deref() == Some(LOOP) {
            return Err(cannot_set_loop(place));
        }
        if !self.token.is_name("in") {
            return self.expected("'in'");
        }
        self.next();
        let over = self.expression()?;
        let names = [Some(value.clone()), key.clone(), Some(LOOP.to_owned())];
        self.open_block(place, Block::For { key, value, over })?;
        names
            .into_iter()
            .flatten()
            .for_each(|name| self.reads.bind(name));
        Ok(())
    }

    fn open_named(&mut self, place: Place) -> Result<(), CompileError> {
        if self.token.kind != Kind::Name {
            return self.expected("a block's name");
        }
        let name = self.token.text;
        if self.block_names.insert(name, ()).is_some() {
            return self.error(format!("there already is a block '{name}'"));
        }
        self.next();
        self.open_block(place, Block::Named)
    }

    fn otherwise(&mut self, place: Place) -> Result<(), CompileError> {
        let Some(Open {
            block: Block::If {
                branches,
                condition,
            },
            ..
        }) = self.open.last_mut()
        else {
            return Err(place.compile_error("'else' is not in an 'if'"));
        };
        let Some(before) = condition.take() else {
            return Err(place.compile_error("this 'if' already has an 'else'"));
        };
        branches.push((before, std::mem::take(&mut self.nodes)));
        self.reads.next_branch();
        if !self.token.is_name("if") {
            return Ok(());
        }
        self.lexer.expect_operand();
        self.next();
        let next = self.expression()?;
        if let Some(Open {
            block: Block::If { condition, .. },
            ..
        }) = self.open.last_mut()
        {
            *condition = Some(next);
        }
        Ok(())
    }

    fn set(&mut self) -> Result<(), CompileError> {
        let place = self.here();
        let name = self.name("the name of a variable")?;
        // A path in both notations, as in Inja.
        let path = self.path(&name, &['.', '/'], place)?;
        if path.first().is_some_and(|first| first == LOOP) {
            return Err(cannot_set_loop(place));
        }
        if !self.token.is("=") {
            return self.expected("'='");
        }
        self.next();
        let value = self.expression()?;
        if let [name] = path.as_slice() {
            self.reads.bind(name.clone());
        }
        self.nodes.push(Node::Set { path, value });
        Ok(())
    }

    fn close_block(&mut self, place: Place, keyword: &str) -> Result<(), CompileError> {
        let opened_by = keyword.trim_start_matches("end");
        let Some(open) = self.open.pop_if(|open| open.closed_by() == keyword) else {
            return Err(place.compile_error(match self.open.last() {
                None => format!("'{keyword}' without '{opened_by}'"),
                Some(open) => format!(
                    "'{keyword}' within '{}' of line {}: expected '{}'",
                    open.opened_by(),
                    open.place.line,
                    open.closed_by()
                ),
            }));
        };
        let body = std::mem::replace(&mut self.nodes, open.before);
        self.reads.close(matches!(open.block, Block::Named));
        match open.block {
            Block::If {
                mut branches,
                condition,
            } => {
                let mut rest = Vec::new();
                match condition {
                    Some(condition) => branches.push((condition, body)),
                    None => rest = body,
                }
                self.nodes.push(Node::If { branches, rest });
            }
            Block::For { key, value, over } => {
                // They stay after the loop, emptied.
                self.reads.bind(value.clone());
                key.iter().for_each(|key| self.reads.bind(key.clone()));
                self.nodes.push(Node::For {
                    key,
                    value,
                    over,
                    body,
                });
            }
            Block::Named => body.into_iter().for_each(|node| match node {
                Node::Text(text) => self.push_text(&text),
                node => self.nodes.push(node),
            }),
        }
        Ok(())
    }

    fn name(&mut self, what: &str) -> Result<String, CompileError> {
        if self.token.kind != Kind::Name {
            return self.expected(what);
        }
        let name = self.token.text.to_owned();
        self.next();
        Ok(name)
    }

    /// A name's path. `~1` is a `/` in a part of it and `~0` a `~`, as in a JSON pointer.
    pub(super) fn path(
        &self,
        name: &str,
        separators: &[char],
        place: Place,
    ) -> Result<Vec<String>, CompileError> {
        let path: Option<Vec<_>> = name.split(separators).map(unescape).collect();
        let path = path.ok_or_else(|| {
            place.compile_error(format!("'~' in '{name}' is not followed by 0 or 1"))
        })?;
        if path.len() > MAX_NESTING {
            return Err(too_deep(place));
        }
        Ok(path)
    }
}

fn cannot_set_loop(place: Place) -> CompileError {
    place.compile_error("'loop' is not a variable that can be set")
}

pub(super) fn too_deep(place: Place) -> CompileError {
    place.compile_error(format!("nested more than {MAX_NESTING} deep"))
}

/// A part of a JSON pointer, if it is one.
pub(super) fn unescape(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escape, rest) = piece.split_at_checked(1)?;
        plain.push(match escape {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        plain.push_str(rest);
    }
    Some(plain)
}
