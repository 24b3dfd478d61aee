//! Reads a behaviour from its line of text. Pure.

use std::{fmt, str::FromStr, time::Duration};

use super::{Act, Phase, RetryAfter, Script, Share, Size, act, units::duration};
use crate::rpc::Code;

/// Why a line of text is no behaviour: what is wrong, and what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(String);

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "behaviour: {}", self.0)
    }
}

impl std::error::Error for SpecError {}

impl From<String> for SpecError {
    fn from(message: String) -> Self {
        Self(message)
    }
}

/// Words that say more about an act.
const OPTIONS: [&str; 7] = [
    "slow",
    "read",
    "share",
    "for",
    "every",
    "retry-info",
    "retry-after",
];

/// Acts that have a value.
const VALUED: [&str; 5] = ["status", "http", "partial", "content-type", "oversize"];

/// The longest that a phase may last: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a whole script.
pub(super) fn script(text: &str) -> Result<Script, SpecError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some((&"flap", steps)) = words.split_first() {
        return flap(steps);
    }
    let mut parts: Vec<&[&str]> = words.split(|it| *it == "then").collect();
    let repeats = parts.len() > 1 && parts.last() == Some(&["repeat"].as_slice());
    if repeats {
        parts.pop();
    }
    let phases = parts.into_iter().map(phase);
    let phases = phases.collect::<Result<Vec<_>, _>>()?;
    let followed = if repeats {
        phases.len()
    } else {
        phases.len() - 1
    };
    if let Some(endless) = phases.iter().take(followed).find(|it| it.lasts.is_none()) {
        let message = format!("`{endless}` is followed by another phase: say for=DURATION");
        return Err(SpecError(message));
    }
    Ok(Script { phases, repeats })
}

/// `ok=5s hang=2s`: acts without arguments, in turn, for ever.
fn flap(steps: &[&str]) -> Result<Script, SpecError> {
    let phases = steps.iter().map(|step| {
        let (name, time) = step.split_once('=').ok_or_else(|| {
            format!("flap takes steps like ok=5s hang=2s, each with its time, and not `{step}`")
        })?;
        let act = Act::plain(name).ok_or_else(|| {
            format!(
                "flap knows acts of one word, and not `{name}`: write \
                 `ok for=5s then status=UNAVAILABLE for=2s then repeat` for the others"
            )
        })?;
        Ok(Phase {
            lasts: Some(length("flap", time)?),
            ..Phase::of(act)
        })
    });
    let phases = phases.collect::<Result<Vec<_>, SpecError>>()?;
    if phases.len() < 2 {
        let message = "flap takes two steps or more, like ok=5s hang=2s";
        return Err(SpecError(message.to_owned()));
    }
    Ok(Script {
        phases,
        repeats: true,
    })
}

/// The words of one phase, as they were given.
#[derive(Default)]
struct Words<'a> {
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    /// Takes the value of a word that has one.
    fn take(&mut self, name: &str) -> Option<&'a str> {
        let found = self.given.iter().position(|it| it.0 == name)?;
        Some(self.given.remove(found).1)
    }

    fn take_parsed<T: FromStr<Err = String>>(&mut self, name: &str) -> Result<Option<T>, String> {
        let value = self.take(name).map(str::parse).transpose();
        value.map_err(|why| format!("{name}: {why}"))
    }
}

fn phase(words: &[&str]) -> Result<Phase, SpecError> {
    if words.is_empty() {
        let message = format!("an act is missing: known are {}", act::KNOWN);
        return Err(SpecError(message));
    }
    let mut acts = Vec::new();
    let mut rest = Words::default();
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let has_value = word.contains('=');
        if rest.given.iter().any(|it| it.0 == name) {
            return Err(SpecError(format!("{name}= is there twice: give it once")));
        }
        if has_value && OPTIONS.contains(&name) {
            rest.given.push((name, value));
        } else if has_value && VALUED.contains(&name) {
            acts.push((name, value));
        } else if !has_value && (name == "goaway" || Act::plain(name).is_some()) {
            acts.push((name, ""));
        } else {
            let known = act::KNOWN;
            let message = format!(
                "`{word}` is not known: known are {known}; with slow=DURATION, read=SIZE/s, \
                 share=FRACTION, for=DURATION; flap ok=5s hang=2s"
            );
            return Err(SpecError(message));
        }
    }
    let act = match acts.as_slice() {
        [] => Act::Ok,
        [(name, value)] => one_act(name, value, &mut rest)?,
        [(one, _), (two, _), ..] => {
            let message =
                format!("`{one}` and `{two}` cannot both be done: put `then` between phases");
            return Err(SpecError(message));
        }
    };
    options(act, rest)
}

fn options(act: Act, mut rest: Words<'_>) -> Result<Phase, SpecError> {
    let slow = rest.take("slow").map(duration).transpose();
    let slow = slow.map_err(|why| format!("slow: {why}"))?;
    let read = match rest.take("read") {
        None => None,
        Some(rate) => {
            let size = rate.strip_suffix("/s").ok_or_else(|| {
                format!("read: `{rate}` is no rate: give a size a second, like 10KB/s")
            })?;
            let size: Size = size.parse().map_err(|why| format!("read: {why}"))?;
            if size.0 == 0 {
                let message = "read: 0 bytes a second never end: give 1B/s or more, or hang";
                return Err(SpecError(message.to_owned()));
            }
            Some(size)
        }
    };
    let share = rest.take_parsed("share")?;
    let lasts = rest.take("for").map(|it| length("for", it)).transpose()?;
    if let Some((name, _)) = rest.given.first() {
        let message = format!("{name}= does not go with `{act}`: leave it out");
        return Err(SpecError(message));
    }
    let whole = !act.takes_share() || act == Act::Ok && slow.is_none();
    if share.is_some() && whole {
        let message = format!("share= is about requests and does not go with `{act}` alone");
        return Err(SpecError(message));
    }
    Ok(Phase {
        act,
        slow,
        read,
        share: share.unwrap_or(Share::ALL),
        lasts,
    })
}

/// The act of a word, with the words that belong to it.
fn one_act(name: &str, value: &str, rest: &mut Words<'_>) -> Result<Act, String> {
    let number = |what: &str, text: &str| -> Result<u64, String> {
        let number = text.parse().ok().filter(|it| *it > 0);
        number.ok_or_else(|| format!("{what}: `{text}` is no number from 1 up"))
    };
    Ok(match name {
        "goaway" => Act::GoAway {
            every: match rest.take("every") {
                Some(every) => number("every", every)?,
                None => return Err("goaway needs every=N, requests a connection".to_owned()),
            },
        },
        "status" => {
            let code = Code::find(value).filter(|it| *it != Code::OK);
            let code = code.ok_or_else(|| {
                let known: Vec<&str> = Code::all().skip(1).map(Code::name).collect();
                format!(
                    "status: `{value}` is not known: known are {} or 1 to 16; \
                     ok accepts, discard acknowledges without accepting",
                    known.join(", ")
                )
            })?;
            let retry_info = rest.take("retry-info").map(duration).transpose();
            Act::Status {
                code,
                retry_info: retry_info.map_err(|why| format!("retry-info: {why}"))?,
            }
        }
        "http" => {
            let status = value.parse().ok().filter(|it| (200..=599).contains(it));
            Act::Http {
                status: status
                    .ok_or_else(|| format!("http: `{value}` is not within 200 to 599"))?,
                retry_after: rest.take("retry-after").map(retry_after).transpose()?,
            }
        }
        "partial" => Act::Partial {
            rejected: number(name, value)?,
        },
        "content-type" => {
            let printable = |it: u8| it.is_ascii_graphic();
            if value.is_empty() || !value.bytes().all(printable) {
                return Err("content-type: give a type, like text/html".to_owned());
            }
            Act::ContentType(value.to_owned())
        }
        "oversize" => {
            let size = value.parse().map_err(|why| format!("oversize: {why}"))?;
            let bound = Size(1 << 30);
            if size > bound {
                return Err(format!("oversize: {size} is more than {bound}: give less"));
            }
            Act::Oversize(size)
        }
        plain => Act::plain(plain).ok_or_else(|| format!("`{plain}` is not known"))?,
    })
}

fn retry_after(text: &str) -> Result<RetryAfter, String> {
    let (seconds, form): (_, fn(u64) -> RetryAfter) = match text.strip_prefix("date:") {
        Some(seconds) => (seconds, RetryAfter::Date),
        None => (text, RetryAfter::Seconds),
    };
    // A century at most, so that every date can be written.
    let seconds = seconds.parse().ok().filter(|it| *it <= 3_155_760_000);
    let seconds = seconds.ok_or_else(|| {
        format!("retry-after: `{text}` is neither seconds, like 2, nor a date, like date:2")
    })?;
    Ok(form(seconds))
}

/// How long a phase lasts.
fn length(name: &str, text: &str) -> Result<Duration, String> {
    let time = duration(text).map_err(|why| format!("{name}: {why}"))?;
    if (Duration::from_millis(1)..=LONGEST).contains(&time) {
        Ok(time)
    } else {
        Err(format!("{name}: `{text}` is not within 1ms to 365days"))
    }
}

#[cfg(test)]
mod tests;
