//! The gRPC status codes by name and by number.

use std::fmt;

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u8);

/// Every name, at the place of its number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Code {
    /// 0.
    pub const OK: Self = Self(0);
    /// 3.
    pub const INVALID_ARGUMENT: Self = Self(3);
    /// 8.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// 12.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// 13.
    pub const INTERNAL: Self = Self(13);

    /// All of them, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(NAMES.len()).map(Self)
    }

    /// The code of that name, or of that number in decimal.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::all().find(|it| it.name().eq_ignore_ascii_case(text) || it.0.to_string() == text)
    }

    /// `UNAVAILABLE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// 14.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The HTTP status that says the same, as far as OTLP/HTTP has one: 429 and 503 where the
    /// sender may try again, 400 where it must not.
    #[must_use]
    pub fn http(self) -> u16 {
        match self.name() {
            "OK" => 200,
            "RESOURCE_EXHAUSTED" => 429,
            "UNAVAILABLE" | "CANCELLED" | "ABORTED" | "OUT_OF_RANGE" | "DATA_LOSS" => 503,
            "DEADLINE_EXCEEDED" => 504,
            "NOT_FOUND" | "UNIMPLEMENTED" => 404,
            "PERMISSION_DENIED" => 403,
            "UNAUTHENTICATED" => 401,
            "UNKNOWN" | "INTERNAL" => 500,
            _ => 400,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_by_name_and_by_number() {
        for code in Code::all() {
            assert_eq!(Code::find(code.name()), Some(code));
            assert_eq!(Code::find(&code.number().to_string()), Some(code));
        }
        assert_eq!(Code::find("unavailable").map(Code::number), Some(14));
        assert_eq!(Code::find("17"), None);
        assert_eq!(Code::find("GONE"), None);
    }
}
