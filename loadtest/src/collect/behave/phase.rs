//! What is done, to which requests, for how long.

use std::{fmt, time::Duration};

use super::{Act, Share, Size, units::written};

/// One behaviour of a [`super::Script`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What is done.
    pub act: Act,
    /// How long a request waits before that.
    pub slow: Option<Duration>,
    /// How many bytes a second are read of each connection.
    pub read: Option<Size>,
    /// To which requests; the others are accepted at once.
    pub share: Share,
    /// How long; without an end if absent.
    pub lasts: Option<Duration>,
}

impl Phase {
    /// Good behaviour without an end.
    pub const OK: Self = Self::of(Act::Ok);

    /// The act, done to every request without an end.
    #[must_use]
    pub const fn of(act: Act) -> Self {
        Self {
            act,
            slow: None,
            read: None,
            share: Share::ALL,
            lasts: None,
        }
    }

    /// What a report calls it: `status=UNAVAILABLE`, `slow`, …; empty for good behaviour.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.act, self.slow, self.read) {
            (Act::Ok, None, None) => String::new(),
            (Act::Ok, Some(_), _) => "slow".to_owned(),
            (Act::Ok, None, Some(_)) => "read".to_owned(),
            (act, ..) => {
                let act = act.to_string();
                act.split(' ').next().unwrap_or_default().to_owned()
            }
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.act != Act::Ok || self.slow.is_none() && self.read.is_none() {
            words.push(self.act.to_string());
        }
        words.extend(self.slow.map(|it| format!("slow={}", written(it))));
        words.extend(self.read.map(|it| format!("read={it}/s")));
        if self.share != Share::ALL {
            words.push(format!("share={}", self.share));
        }
        words.extend(self.lasts.map(|it| format!("for={}", written(it))));
        f.write_str(&words.join(" "))
    }
}
