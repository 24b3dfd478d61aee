//! YAML text into the generic tree, within bounds on depth and size, without anchors and tags.

use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::{
    problem::{Complaint, Errors, Problem},
    source::{Origin, Place, SourceFile},
    tree::{Entry, Node, Tree},
};

/// Levels of lists and tables in one another. Chosen: four times what the schema needs.
const DEPTH_MAX: usize = 16;
/// Values in one file. Chosen: a hundred times what the schema needs.
const NODES_MAX: usize = 10_000;

/// Parses a whole file into a table; an empty file is an empty table.
///
/// # Errors
///
/// The first place that is not YAML, is over a bound, or uses a part of YAML that is not taken.
pub fn parse(file: &Arc<SourceFile>) -> Result<Node, Errors> {
    Reader {
        file,
        events: Parser::new_from_str(file.text()),
        nodes: 0,
    }
    .document()
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    events: Parser<'a, StrInput<'a>>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Errors> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_none() => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?);
                }
                Event::StreamEnd => break,
                _ => {
                    return Err(self.refuse(
                        span,
                        "the file holds a second document",
                        "keep one document in the file",
                    ));
                }
            }
        }
        Ok(match root {
            Some(Node {
                value: Tree::Nothing,
                origin,
            }) => Node {
                value: Tree::Table(Vec::new()),
                origin,
            },
            Some(root) => root,
            None => Node {
                value: Tree::Table(Vec::new()),
                origin: Origin::File(Place::new(self.file, 1, 1, 1)),
            },
        })
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Errors> {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            return Err(self.refuse(
                span,
                format!("the file is over {DEPTH_MAX} levels deep or {NODES_MAX} values long"),
                "make it smaller; the schema needs 4 levels",
            ));
        }
        let origin = self.origin(span);
        let value = match event {
            Event::Scalar(_, _, anchor, tag) if anchor != 0 || tag.is_some() => {
                return Err(self.refuse_sharing(span));
            }
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag)
                if anchor != 0 || tag.is_some() =>
            {
                return Err(self.refuse_sharing(span));
            }
            Event::Alias(_) => return Err(self.refuse_sharing(span)),
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.table(depth)?,
            _ => {
                return Err(self.refuse(span, "a value is missing here", "write one"));
            }
        };
        Ok(Node { value, origin })
    }

    fn list(&mut self, depth: usize) -> Result<Tree, Errors> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Tree::List(nodes)),
                (event, span) => nodes.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Tree, Errors> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(Tree::Table(entries)),
                Event::Scalar(name, _, 0, None) => name.into_owned(),
                _ => {
                    return Err(self.refuse(
                        span,
                        "a key has to be a plain name",
                        "write one of the keys of docs/configuration.md",
                    ));
                }
            };
            let origin = self.origin(span);
            let (event, span) = self.next()?;
            entries.push(Entry {
                name,
                origin,
                node: self.node(event, span, depth + 1)?,
            });
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Errors> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Err(error)) => {
                let mark = *error.marker();
                Err(self.refuse(
                    Span::empty(mark),
                    format!("this is not YAML: {}", error.info()),
                    "correct the syntax at the mark",
                ))
            }
        }
    }

    fn origin(&self, span: Span) -> Origin {
        let (start, end) = (span.start, span.end);
        let width = end.index().saturating_sub(start.index());
        Origin::File(Place::new(
            self.file,
            start.line().max(1),
            start.col() + 1,
            width,
        ))
    }

    fn refuse(&self, span: Span, what: impl Into<String>, fix: &str) -> Errors {
        Problem::about_key("", &self.origin(span), Complaint::new(what, fix)).into()
    }

    fn refuse_sharing(&self, span: Span) -> Errors {
        self.refuse(
            span,
            "anchors (&), aliases (*) and tags (!) are not taken",
            "write the value out",
        )
    }
}

// Source: YAML 1.2.2, "Core Schema": the plain forms of null.
fn scalar(text: &str, style: ScalarStyle) -> Tree {
    let plain = matches!(style, ScalarStyle::Plain);
    if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        Tree::Nothing
    } else {
        Tree::Scalar(text.to_owned())
    }
}
