//! What is wrong with a configuration: the key, the value, the bound, the fix and the place.

use std::fmt;

use super::source::Origin;

/// What is wrong with a value, before it is known which key it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong, with the value.
    pub what: String,
    /// What to write instead.
    pub fix: String,
    /// Whether the value must not be shown, not even as the line that it stands on.
    pub secret: bool,
}

impl Complaint {
    /// A complaint whose value may be shown.
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fix: fix.into(),
            secret: false,
        }
    }

    /// The same complaint about a value that must not be shown.
    #[must_use]
    pub fn secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The key, or empty where it is about the whole file.
    pub key: String,
    /// What is wrong and what to write instead.
    pub complaint: Complaint,
    /// Where the value came from.
    pub origin: Origin,
    /// Whether the source line is cut after the marked stretch.
    cut: bool,
}

impl Problem {
    /// A complaint about the value of `key` that came from `origin`.
    pub fn new(key: impl Into<String>, origin: &Origin, complaint: Complaint) -> Self {
        Self {
            key: key.into(),
            complaint,
            origin: origin.clone(),
            cut: false,
        }
    }

    /// A complaint about a key that is not known: its value, perhaps a secret, is not shown.
    pub fn about_key(key: impl Into<String>, origin: &Origin, complaint: Complaint) -> Self {
        Self {
            cut: true,
            ..Self::new(key, origin, complaint)
        }
    }

    /// The order of report: by place in the file, then everything else.
    fn order(&self) -> (usize, usize) {
        match &self.origin {
            Origin::File(place) => (place.line, place.column),
            _ => (usize::MAX, 0),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            writeln!(f, "error: {}", self.complaint.what)?;
        } else {
            writeln!(f, "error: {}: {}", self.key, self.complaint.what)?;
        }
        self.origin
            .write_below(f, self.cut, self.complaint.secret)?;
        writeln!(f, "   = fix: {}", self.complaint.fix)
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Clone, Debug)]
pub struct Errors {
    problems: Vec<Problem>,
}

impl Errors {
    /// The problems, in the order of the file.
    #[must_use]
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::order);
        Self { problems }
    }

    /// Each problem.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for Errors {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
