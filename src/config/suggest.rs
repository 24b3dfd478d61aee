//! The key or variable that was probably meant.

use super::{environment::variable_of, schema};

/// The name of `known` that `name` is a slip of the finger away from.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in every four letters, at least one.
    let slips_max = 1 + name.chars().count() / 4;
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// What was probably meant by a path that the schema does not have.
#[must_use]
pub fn key(path: &str) -> Option<&'static str> {
    let paths = || schema::all().map(|key| key.path);
    let groups = || schema::all().map(schema::Key::group);
    if path.contains('.') {
        let (_, last) = path.rsplit_once('.')?;
        return nearest(path, paths()).or_else(|| same_ending(last));
    }
    same_ending(path)
        .or_else(|| nearest(path, groups()))
        .or_else(|| nearest(path, paths()))
}

/// The key with this name in another table.
fn same_ending(name: &str) -> Option<&'static str> {
    schema::all()
        .map(|key| key.path)
        .find(|path| path.rsplit('.').next() == Some(name))
}

/// What was probably meant by a variable that is none of ours.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    let own: Vec<String> = schema::all().flat_map(schema::Key::own_variables).collect();
    nearest(name, own.iter().map(String::as_str))
        .map(str::to_owned)
        .or_else(|| {
            let ending = name.strip_prefix("OTLP_")?.to_ascii_lowercase();
            same_ending(&ending).map(variable_of)
        })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_slip_of_the_finger_finds_the_key() {
        for (path, meant) in [
            ("endpiont", Some("endpoint")),
            ("retry.base_dealy", Some("retry.base_delay")),
            ("retri", Some("retry")),
            ("operation_timeout", Some("timeout.operation_timeout")),
            ("retry.connect_timeout", Some("timeout.connect_timeout")),
            ("zzz", None),
        ] {
            assert_eq!(super::key(path), meant, "{path}");
        }
        assert_eq!(
            super::variable("OTLP_ENDPIONT").as_deref(),
            Some("OTLP_ENDPOINT")
        );
        assert_eq!(super::variable("OTLP_UNRELATED"), None);
    }
}
