//! YAML text to a tree, with bounds on depth and on what aliases unfold to.

use super::node::{Key, Kind, Node, Place};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;

/// How deep a document may nest: a job nests 8 deep, its parameters a little more.
const DEPTH_MAX: usize = 32;

/// What the tree may hold once every alias is unfolded, in bytes as counted by [`cost`]: four times the largest file.
const UNFOLDED_MAX: usize = 4 << 20;

/// What a node costs beside its text: about what it takes in memory, and more than the shortest way to write it.
const NODE_COST: usize = 16;

/// A document that was not read: where, and why.
type Refused = (Option<Place>, String);

/// A list or mapping that is not closed yet.
struct Open {
    at: Place,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

/// Where a finished node comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Text,
    Alias,
}

struct Reader {
    open: Vec<Open>,
    /// Finished nodes by the number of their anchor; 0 is none.
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    spent: usize,
}

/// The one document in `text`.
pub(super) fn parse(text: &str) -> Result<Node, Refused> {
    let mut reader = Reader {
        open: Vec::new(),
        anchors: BTreeMap::new(),
        root: None,
        spent: 0,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let mark = error.marker();
            let at = Place {
                line: mark.line(),
                column: mark.col() + 1,
            };
            (Some(at), error.info().to_owned())
        })?;
        reader.take(event, span)?;
    }
    reader
        .root
        .ok_or_else(|| (None, "the file holds no job".to_owned()))
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Refused> {
        let at = Place {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err((
                Some(at),
                "a second document begins; a file holds one job".to_owned(),
            )),
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let kind = match style {
                    ScalarStyle::Plain if is_null && tag.is_none() => Kind::Null,
                    ScalarStyle::Plain if tag.is_none() => Kind::Plain(text.into_owned()),
                    _ => Kind::Text(text.into_owned()),
                };
                let at = Some(at);
                self.put(Node { at, kind }, anchor, From::Text)
            }
            Event::SequenceStart(anchor, _) => self.begin(at, anchor, OpenKind::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.begin(at, anchor, OpenKind::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { at, anchor, kind }) => {
                    let kind = match kind {
                        OpenKind::List(items) => Kind::List(items),
                        OpenKind::Map(fields, _) => Kind::Map(fields),
                    };
                    self.put(Node { at: Some(at), kind }, anchor, From::Text)
                }
                None => Ok(()),
            },
            // An alias inside its own anchor finds nothing: that node is not finished.
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.put(
                    Node {
                        at: Some(at),
                        ..node
                    },
                    0,
                    From::Alias,
                ),
                None => Err((
                    Some(at),
                    "this alias stands for what it is part of".to_owned(),
                )),
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: Place, anchor: usize, kind: OpenKind) -> Result<(), Refused> {
        if self.open.len() >= DEPTH_MAX {
            return Err((Some(at), format!("it nests deeper than {DEPTH_MAX} levels")));
        }
        self.open.push(Open { at, anchor, kind });
        Ok(())
    }

    fn pay(&mut self, bytes: usize, at: Option<Place>) -> Result<(), Refused> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > UNFOLDED_MAX {
            return Err((
                at,
                format!("it grows beyond {UNFOLDED_MAX} bytes when it is read"),
            ));
        }
        Ok(())
    }

    /// A finished node goes where it belongs.
    fn put(&mut self, node: Node, anchor: usize, from: From) -> Result<(), Refused> {
        // The parts of a list or mapping were paid for when they were put; an alias pays for a whole copy, and so does
        // what is kept for aliases to come.
        match &node.kind {
            Kind::List(_) | Kind::Map(_) if from == From::Text => self.pay(NODE_COST, node.at)?,
            _ => self.pay(cost(&node), node.at)?,
        }
        if anchor > 0 {
            self.pay(cost(&node), node.at)?;
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map(fields, key)) => match key.take() {
                Some(key) => fields.push((key, node)),
                None => *key = Some(as_key(node)?),
            },
        }
        Ok(())
    }
}

fn as_key(node: Node) -> Result<Key, Refused> {
    match node.kind {
        Kind::Plain(name) | Kind::Text(name) => Ok(Key { at: node.at, name }),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            Err((node.at, "a key must be a word".to_owned()))
        }
    }
}

/// Depth is bounded, so this may call itself.
fn cost(node: &Node) -> usize {
    let held: usize = match &node.kind {
        Kind::Null => 0,
        Kind::Plain(text) | Kind::Text(text) => text.len(),
        Kind::List(items) => items.iter().map(cost).sum(),
        Kind::Map(fields) => fields
            .iter()
            .map(|(key, value)| NODE_COST + key.name.len() + cost(value))
            .sum(),
    };
    NODE_COST + held
}
