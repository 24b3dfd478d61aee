//! What happens during a run, on its own clock.

use std::time::Duration;

use serde::Deserialize;

use super::units::duration_field;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, from the beginning of the measurement.
    #[serde(deserialize_with = "duration_field")]
    pub at: Duration,
    /// What.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Action {
    /// The collector behaves differently from now on: `collector behave SPEC`.
    Behave(String),
    /// The collector is gone: its port refuses connections: `collector stop`.
    CollectorStop,
    /// It is back, and behaves as at the start: `collector start`.
    CollectorStart,
    /// The system is asked to end, and may finish what it holds: `forwarder term`.
    Term,
    /// The system is killed: `forwarder kill`.
    Kill,
    /// The system is started again: `forwarder start`.
    Start,
}

impl TryFrom<String> for Action {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["collector", "behave", spec @ ..] if !spec.is_empty() => {
                Ok(Self::Behave(spec.join(" ")))
            }
            ["collector", "stop"] => Ok(Self::CollectorStop),
            ["collector", "start"] => Ok(Self::CollectorStart),
            ["forwarder", "term"] => Ok(Self::Term),
            ["forwarder", "kill"] => Ok(Self::Kill),
            ["forwarder", "start"] => Ok(Self::Start),
            _ => Err(format!(
                "{text:?} is not known: write \"collector behave SPEC\", \"collector stop\", \
                 \"collector start\", \"forwarder term\", \"forwarder kill\" or \"forwarder start\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_words() {
        let action = |text: &str| Action::try_from(text.to_owned());
        assert_eq!(action("collector stop"), Ok(Action::CollectorStop));
        assert_eq!(action(" forwarder  kill "), Ok(Action::Kill));
        let slow = Action::Behave("slow=50ms share=0.1".to_owned());
        assert_eq!(action("collector behave slow=50ms  share=0.1"), Ok(slow));
        for wrong in [
            "",
            "collector",
            "collector behave",
            "sender stop",
            "forwarder kill now",
        ] {
            let error = action(wrong).unwrap_err();
            assert!(error.contains("\"forwarder term\""), "{error}");
        }
    }
}
