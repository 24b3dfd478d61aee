//! A configuration file as a tree of texts, lists and tables that remember their places.

use super::source::Origin;

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Tree,
    /// Where it came from.
    pub origin: Origin,
}

impl Node {
    /// One scalar, as a variable or a flag gives it.
    pub fn text(text: impl Into<String>, origin: Origin) -> Self {
        Self {
            value: Tree::Scalar(text.into()),
            origin,
        }
    }
}

/// A value of a file. Scalars stay text: the schema says what each of them has to be.
#[derive(Clone, Debug)]
pub enum Tree {
    /// Nothing: YAML's null. The key counts as not set.
    Nothing,
    /// A string, number or boolean, as written.
    Scalar(String),
    /// Values in order.
    List(Vec<Node>),
    /// Named values in order. A name may occur twice; the reader of the tree judges that.
    Table(Vec<Entry>),
}

impl Tree {
    /// What this is, in a sentence.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Nothing => "empty",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A named value of a table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub origin: Origin,
    /// The value.
    pub node: Node,
}
