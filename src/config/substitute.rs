//! `${env:NAME}`, `${env:NAME:-default}`, `${file:PATH}` and `$$` inside a file's texts.

use std::path::Path;

use super::{
    environment::Environment,
    file::read_at_most,
    problem::{Complaint, Problem},
    schema::Key,
    tree::{Node, Tree},
};

/// Bytes of a file that a text takes in. Chosen: far over any token or certificate.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Expands every text of the value of `key`, in place. A text that expands to nothing counts as
/// not set. What comes out is not expanded again.
pub fn expand_node(key: &Key, node: &mut Node, env: &Environment, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Tree::Nothing => {}
        Tree::Scalar(text) if text.contains('$') => match expand(text, env) {
            Ok(expanded) if expanded.is_empty() => node.value = Tree::Nothing,
            Ok(expanded) => *text = expanded,
            Err(complaint) => {
                let complaint = if key.secret {
                    complaint.secret()
                } else {
                    complaint
                };
                problems.push(Problem::new(key.path, &node.origin, complaint));
                node.value = Tree::Nothing;
            }
        },
        Tree::Scalar(_) => {}
        Tree::List(nodes) => {
            for node in nodes {
                expand_node(key, node, env, problems);
            }
        }
        Tree::Table(entries) => {
            for entry in entries {
                expand_node(key, &mut entry.node, env, problems);
            }
        }
    }
}

fn expand(text: &str, env: &Environment) -> Result<String, Complaint> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some(inside) = from.strip_prefix("${") {
            let (expression, after) = inside.split_once('}').ok_or_else(|| {
                Complaint::new(
                    "a ${ is not closed",
                    "write ${env:NAME}, or $$ for a dollar sign",
                )
            })?;
            out.push_str(&value(expression, env)?);
            rest = after;
        } else {
            out.push('$');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn value(expression: &str, env: &Environment) -> Result<String, Complaint> {
    if let Some(variable) = expression.strip_prefix("env:") {
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        if !is_name(name) {
            return Err(Complaint::new(
                format!("${{{expression}}} does not name a variable"),
                "write a name of letters, digits and underscores: ${env:NAME}",
            ));
        }
        return env.get(name).or(default).map(str::to_owned).ok_or_else(|| {
            Complaint::new(
                format!("the variable {name} is not set"),
                format!("set it, or give a default: ${{env:{name}:-default}}"),
            )
        });
    }
    if let Some(path) = expression.strip_prefix("file:") {
        return read(path).map_err(|why| {
            Complaint::new(
                format!("${{file:{path}}} cannot be taken in: {why}"),
                format!("name a readable text file of at most {FILE_BYTES_MAX} bytes"),
            )
        });
    }
    Err(Complaint::new(
        format!("${{{expression}}} is not known"),
        "write ${env:NAME}, ${env:NAME:-default} or ${file:PATH}, or $$ for a dollar sign",
    ))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read(path: &str) -> Result<String, String> {
    let text = read_at_most(Path::new(path), FILE_BYTES_MAX)?
        .ok_or_else(|| format!("it is over {FILE_BYTES_MAX} bytes"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn env() -> Environment {
        [
            ("HOST", "collector"),
            ("EMPTY", ""),
            ("NEST", "${env:HOST}"),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn variables_defaults_and_dollars_are_expanded_once() {
        for (text, expanded) in [
            ("http://${env:HOST}:4317", "http://collector:4317"),
            ("${env:NONE:-http://a:1}", "http://a:1"),
            ("${env:EMPTY:-b}", "b"),
            ("${env:EMPTY:-}", ""),
            ("${env:NEST}", "${env:HOST}"),
            ("$${env:HOST} $$ $x $", "${env:HOST} $ $x $"),
        ] {
            assert_eq!(expand(text, &env()).unwrap(), expanded, "{text:?}");
        }
    }

    #[test]
    fn an_unset_variable_is_named() {
        assert_eq!(
            expand("${env:NONE}", &env()).unwrap_err().what,
            "the variable NONE is not set"
        );
        assert!(
            expand("${env:EMPTY}", &env()).is_err(),
            "empty counts as unset"
        );
    }

    #[test]
    fn what_is_no_substitution_is_refused() {
        for text in ["${env:HOST", "${HOST}", "${env:}", "${env:1A}", "${http:x}"] {
            assert!(expand(text, &env()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_is_taken_in_without_its_last_newline_and_within_its_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "a\nb\r\n").unwrap();
        let text = format!("${{file:{}}}", path.display());
        assert_eq!(expand(&text, &env()).unwrap(), "a\nb");
        std::fs::write(&path, "x".repeat(65_537)).unwrap();
        assert!(
            expand(&text, &env())
                .unwrap_err()
                .what
                .contains("over 65536 bytes")
        );
        std::fs::remove_file(&path).unwrap();
        assert!(expand(&text, &env()).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_expansion_panic(text in "[${}:envfil\\-A é]{0,24}") {
            drop(expand(&text, &env()));
        }
    }
}
