//! Keys that are set and on which the program does not act: warned of, or refused.

use super::{
    load::Setting,
    problem::{Complaint, Problem},
    schema::State,
    shown::Shown,
    source::Origin,
};

/// Warns of what is set and not in effect, and refuses what is refused: once for each group.
pub fn judge(settings: &[Setting], problems: &mut Vec<Problem>, warnings: &mut Vec<String>) {
    let is_off = |setting: &Setting| setting.value == Some(Shown::Bool(false));
    let mut idle: Vec<(&str, Vec<&Setting>)> = Vec::new();
    let mut refused: Vec<&str> = Vec::new();
    for setting in settings {
        // A switch that is off asks for nothing.
        if matches!(setting.origin, Origin::Default) || is_off(setting) {
            continue;
        }
        let key = setting.key;
        match key.state {
            State::InEffect => {}
            State::NotInEffect(instead) => {
                match idle.iter_mut().find(|(reason, _)| *reason == instead) {
                    Some((_, settings)) => settings.push(setting),
                    None => idle.push((instead, vec![setting])),
                }
            }
            State::Refused(why, fix) => {
                let switch = format!("{}.enabled", key.group());
                let off = settings.iter().any(|other| {
                    other.key.path == switch
                        && is_off(other)
                        && !matches!(other.origin, Origin::Default)
                });
                if !off && !refused.contains(&key.group()) {
                    refused.push(key.group());
                    let complaint = Complaint::new(why, fix).secret();
                    problems.push(Problem::new(key.path, &setting.origin, complaint));
                }
            }
        }
    }
    for (instead, settings) in idle {
        let keys: Vec<&str> = settings.iter().map(|setting| setting.key.path).collect();
        let from = settings
            .first()
            .map_or(&Origin::Default, |setting| &setting.origin);
        warnings.push(format!(
            "{} ({from}): not in effect in this version: {instead}",
            keys.join(", ")
        ));
    }
}
