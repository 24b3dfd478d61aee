//! TOML text into the generic tree.

use std::{ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    problem::{Complaint, Errors, Problem},
    source::{Origin, Place, SourceFile},
    tree::{Entry, Node, Tree},
};

/// Parses a whole file into a table.
///
/// # Errors
///
/// The first place that is not TOML; a name given twice is one.
pub fn parse(file: &Arc<SourceFile>) -> Result<Node, Errors> {
    match DeTable::parse(file.text()) {
        Ok(table) => {
            let origin = origin(file, table.span());
            Ok(Node {
                value: entries(&|span| self::origin(file, span), table.get_ref()),
                origin,
            })
        }
        Err(error) => {
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let place = error.span().unwrap_or(0..0);
            Err(Problem::about_key(
                "",
                &origin(file, place),
                Complaint::new(
                    format!("this is not TOML: {message}"),
                    "correct the syntax at the mark",
                ),
            )
            .into())
        }
    }
}

fn origin(file: &Arc<SourceFile>, span: Range<usize>) -> Origin {
    Origin::File(Place::from_bytes(file, span.start, span.end))
}

/// A list as TOML writes it, of a text that stands elsewhere; `None` where it is none.
pub fn list(text: &str, origin: &Origin) -> Option<Node> {
    let text = format!("list = {text}");
    let table = DeTable::parse(&text).ok()?;
    let value = table.get_ref().get("list")?;
    let is_list = matches!(value.get_ref(), DeValue::Array(_)) && table.get_ref().len() == 1;
    is_list.then(|| node(&|_| origin.clone(), value))
}

fn entries(origin: &dyn Fn(Range<usize>) -> Origin, table: &DeTable<'_>) -> Tree {
    let entry = |(name, value): (&Spanned<_>, &Spanned<_>)| Entry {
        name: String::from(AsRef::<str>::as_ref(name.get_ref())),
        origin: origin(name.span()),
        node: node(origin, value),
    };
    Tree::Table(table.iter().map(entry).collect())
}

// The depth of the recursion is bounded by the parser, which refuses more than 80 levels.
fn node(origin: &dyn Fn(Range<usize>) -> Origin, value: &Spanned<DeValue<'_>>) -> Node {
    let tree = match value.get_ref() {
        DeValue::String(text) => Tree::Scalar(text.to_string()),
        DeValue::Integer(number) => {
            // 0x, 0o and 0b forms become decimal; what does not fit stays as written.
            let decimal = i128::from_str_radix(number.as_str(), number.radix());
            Tree::Scalar(decimal.map_or_else(|_| number.to_string(), |decimal| decimal.to_string()))
        }
        DeValue::Float(number) => Tree::Scalar(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Tree::Scalar(flag.to_string()),
        DeValue::Datetime(time) => Tree::Scalar(time.to_string()),
        DeValue::Array(values) => {
            Tree::List(values.iter().map(|value| node(origin, value)).collect())
        }
        DeValue::Table(table) => entries(origin, table),
    };
    Node {
        value: tree,
        origin: origin(value.span()),
    }
}
