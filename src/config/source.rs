//! Where a value came from, and how that place is shown to a person.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A configuration file as it was read.
pub struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    /// The text of the file at `path`.
    #[must_use]
    pub const fn new(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

// Without the text: it may hold secrets.
impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A stretch of one line of a file.
#[derive(Clone, Debug)]
pub struct Place {
    file: Arc<SourceFile>,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// The stretch's length in characters; at least 1.
    pub width: usize,
}

impl Place {
    /// The stretch of `width` characters from `line` and `column`, both from 1.
    #[must_use]
    pub fn new(file: &Arc<SourceFile>, line: usize, column: usize, width: usize) -> Self {
        Self {
            file: Arc::clone(file),
            line,
            column,
            width: width.max(1),
        }
    }

    /// The stretch between two byte offsets of the text.
    #[must_use]
    pub fn from_bytes(file: &Arc<SourceFile>, start: usize, end: usize) -> Self {
        let text = file.text();
        let before = text.get(..start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before
            .get(line_start..)
            .map_or(0, |head| head.chars().count())
            + 1;
        let width = text
            .get(start..end)
            .map_or(1, |stretch| stretch.chars().count());
        Self::new(file, line, column, width)
    }

    /// The line with a mark under the stretch; cut after the stretch where `cut` asks for it,
    /// because what follows may be a secret.
    fn write_snippet(&self, f: &mut fmt::Formatter<'_>, cut: bool) -> fmt::Result {
        let Some(line) = self.file.text().lines().nth(self.line.saturating_sub(1)) else {
            return Ok(());
        };
        let before = self.column.saturating_sub(1);
        let left = line.chars().count().saturating_sub(before);
        let width = self.width.min(left).max(1);
        let gutter = self.line.to_string();
        let blank = " ".repeat(gutter.len());
        let (shown, dots) = if cut && width < left {
            (line.chars().take(before + width).collect::<String>(), " …")
        } else {
            (line.to_owned(), "")
        };
        // A tab stays a tab, so that the mark stands under its stretch.
        let pad: String = line
            .chars()
            .take(before)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, " {blank} |")?;
        writeln!(f, " {gutter} | {shown}{dots}")?;
        writeln!(f, " {blank} | {pad}{}", "^".repeat(width))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.file.path().display(),
            self.line,
            self.column
        )
    }
}

/// Where a value came from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A place in the configuration file.
    File(Place),
    /// An environment variable.
    Variable(String),
    /// `--set` of this key.
    Flag(String),
    /// The configuration file as a whole, or the lack of it.
    Path(PathBuf),
}

impl Origin {
    /// Writes the place below an error, with the source line where there is one to show.
    pub(super) fn write_below(
        &self,
        f: &mut fmt::Formatter<'_>,
        cut: bool,
        secret: bool,
    ) -> fmt::Result {
        writeln!(f, "  --> {self}")?;
        match self {
            Self::File(place) if !secret => place.write_snippet(f, cut),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => write!(f, "{place}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(key) => write!(f, "--set {key}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}
