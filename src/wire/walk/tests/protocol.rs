//! The protocol's own definition, as shipped with the messages: what the tables are held against,
//! and what messages are made from.

use std::{collections::HashMap, sync::LazyLock};

use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Definition>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Definition {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) fields: Vec<Field>,
    #[prost(message, repeated, tag = "3")]
    nested: Vec<Self>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Field {
    #[prost(int32, tag = "3")]
    pub(super) number: i32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, tag = "6")]
    type_name: String,
    #[prost(int32, optional, tag = "9")]
    pub(super) oneof: Option<i32>,
}

/// How a field's values lie on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Varint,
    Fixed32,
    Fixed64,
    Bytes,
    Text,
    Message,
}

impl Field {
    pub(super) fn is_repeated(&self) -> bool {
        self.label == 3
    }

    /// The message that the field holds.
    pub(super) fn message(&self) -> &str {
        self.type_name.trim_start_matches('.')
    }

    /// - Source: the numbers of `FieldDescriptorProto.Type`.
    pub(super) fn shape(&self) -> Shape {
        match self.kind {
            3 | 4 | 5 | 8 | 13 | 14 | 17 | 18 => Shape::Varint,
            7 | 2 | 15 => Shape::Fixed32,
            1 | 6 | 16 => Shape::Fixed64,
            12 => Shape::Bytes,
            9 => Shape::Text,
            11 => Shape::Message,
            other => panic!("field type {other}"),
        }
    }
}

/// Every message of the protocol, by its full name.
pub(super) static PROTOCOL: LazyLock<HashMap<String, Definition>> = LazyLock::new(|| {
    fn add(all: &mut HashMap<String, Definition>, prefix: &str, message: &Definition) {
        let name = format!("{prefix}.{}", message.name);
        for nested in &message.nested {
            add(all, &name, nested);
        }
        let mut message = message.clone();
        message.fields.sort_by_key(|field| field.number);
        all.insert(name, message);
    }
    let set = FileSet::decode(opentelemetry_proto::DESCRIPTORS).unwrap();
    let mut all = HashMap::new();
    for file in &set.files {
        for message in &file.messages {
            add(&mut all, &file.package, message);
        }
    }
    all
});
