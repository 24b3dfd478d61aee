//! The date of an answer, written once a second.

use std::time::{Duration, Instant};

use crate::rt;

/// How long a written date is used.
///
/// - Source: its own resolution (RFC 9110, section 5.6.7).
const AGE_MAX: Duration = Duration::from_secs(1);

/// The date that was written last.
#[derive(Debug, Default)]
pub(super) struct Date {
    written: Option<(Instant, String)>,
}

impl Date {
    /// The date now.
    ///
    /// - Cost: a comparison; once a second the wall clock is read and written out.
    pub(super) fn at(&mut self, now: Instant) -> &str {
        let fresh = |(at, _): &(Instant, String)| now.saturating_duration_since(*at) < AGE_MAX;
        if !self.written.as_ref().is_some_and(fresh) {
            self.written = Some((now, httpdate::fmt_http_date(rt::unix_time())));
        }
        self.written.as_ref().map_or("", |(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_again_once_it_is_old() {
        let (mut date, now) = (Date::default(), rt::now());
        let first = date.at(now).to_owned();
        assert!(httpdate::parse_http_date(&first).is_ok(), "{first}");
        date.at(now + AGE_MAX / 2);
        assert_eq!(date.written.as_ref().unwrap().0, now);
        date.at(now + AGE_MAX);
        assert_eq!(date.written.unwrap().0, now + AGE_MAX);
    }
}
