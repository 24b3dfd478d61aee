//! The same rules, written down a second time: over decoded items, in text, in the simplest way.

use std::ops::Range;

use opentelemetry_proto::tonic::{logs::v1::LogRecord, trace::v1::Span};
use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_varint, skip_field},
};

/// A field as it lies in a message: its number, all of it, and what follows key and length.
struct Field {
    number: u32,
    whole: Range<usize>,
    value: Range<usize>,
    is_delimited: bool,
}

fn fields(message: &[u8]) -> Vec<Field> {
    let mut rest = message;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let start = message.len() - rest.len();
        let (number, wire) = decode_key(&mut rest).unwrap();
        let is_delimited = wire == WireType::LengthDelimited;
        let mut value = message.len() - rest.len();
        if is_delimited {
            let length = usize::try_from(decode_varint(&mut rest).unwrap()).unwrap();
            value = message.len() - rest.len();
            rest = &rest[length..];
        } else {
            skip_field(wire, number, &mut rest, DecodeContext::default()).unwrap();
        }
        let end = message.len() - rest.len();
        found.push(Field {
            number,
            whole: start..end,
            value: value..end,
            is_delimited,
        });
    }
    found
}

/// Writes a field of bytes.
fn put(number: u32, value: &[u8], out: &mut Vec<u8>) {
    encode_varint(u64::from(number) << 3 | 2, out);
    encode_varint(u64::try_from(value.len()).unwrap(), out);
    out.extend(value);
}

/// Thins the message that leads to items by these field numbers: what is left of it, how many items
/// were kept, how many were taken out.
pub(super) fn thin(
    message: &[u8],
    way: &[u32],
    judge: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> (Vec<u8>, u64, u64) {
    let (mut out, mut kept, mut sampled) = (Vec::new(), 0, 0);
    for field in fields(message) {
        let whole = &message[field.whole];
        let value = &message[field.value];
        if field.number != way[0] || !field.is_delimited {
            out.extend(whole);
            continue;
        }
        let new = if way.len() == 1 {
            let new = judge(value);
            kept += u64::from(new.is_some());
            sampled += u64::from(new.is_none());
            new
        } else {
            let (inner, inner_kept, inner_sampled) = thin(value, &way[1..], judge);
            kept += inner_kept;
            sampled += inner_sampled;
            (inner_kept > 0 || inner_sampled == 0).then_some(inner)
        };
        match new {
            Some(new) if new == value => out.extend(whole),
            Some(new) => {
                // The key as it lies, which may be longer than it need be.
                let mut after_key = whole;
                decode_key(&mut after_key).unwrap();
                out.extend(&whole[..whole.len() - after_key.len()]);
                encode_varint(u64::try_from(new.len()).unwrap(), &mut out);
                out.extend(new);
            }
            None => {}
        }
    }
    (out, kept, sampled)
}

/// The digits of a threshold or randomness as a number.
fn number(digits: &str) -> Option<u64> {
    let is_hex = digits
        .chars()
        .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    if !is_hex || digits.is_empty() || digits.len() > 14 {
        return None;
    }
    u64::from_str_radix(&format!("{digits:0<14}"), 16).ok()
}

fn of_trace(id: &[u8]) -> Option<u64> {
    let id: [u8; 16] = id.try_into().ok()?;
    let id = u128::from_be_bytes(id);
    (id != 0).then(|| u64::try_from(id % (1 << 56)).unwrap())
}

/// What a span becomes; `None` where it is taken out.
pub(super) fn span(bytes: &[u8], keep: &str) -> Option<Vec<u8>> {
    let unchanged = Some(bytes.to_vec());
    let span = Span::decode(bytes).unwrap();
    let Some(mut randomness) = of_trace(&span.trace_id) else {
        return unchanged;
    };
    if span.status.is_some_and(|status| status.code == 2) {
        return unchanged;
    }
    let members: Vec<&str> = span.trace_state.split(',').map(str::trim).collect();
    let ours = members.iter().find_map(|member| member.strip_prefix("ot="));
    let subs: Vec<&str> = ours
        .unwrap_or("")
        .split(';')
        .filter(|sub| !sub.is_empty())
        .collect();
    let is_oversized = ours.is_some_and(|ours| ours.len() > 256);
    let values = |name: &str| -> Vec<&str> {
        let all = subs.iter().filter(|_| !is_oversized);
        all.filter_map(|sub| sub.strip_prefix(name)).collect()
    };
    if let [digits] = values("rv:")[..]
        && digits.len() == 14
        && let Some(explicit) = number(digits)
    {
        randomness = explicit;
    }
    if randomness < number(keep).unwrap() {
        return None;
    }
    let new = match values("th:")[..] {
        [] => Some(keep),
        [before] => match number(before) {
            Some(before) if before > randomness => None,
            Some(before) if before >= number(keep).unwrap() => return unchanged,
            Some(_) => Some(keep),
            None => None,
        },
        _ => None,
    };
    if is_oversized {
        return unchanged;
    }
    let with = |new: Option<&str>| -> String {
        let mut new = new.map(|new| format!("th:{new}"));
        let mut list: Vec<String> = Vec::new();
        for sub in &subs {
            if sub.starts_with("th:") {
                list.extend(new.take());
            } else {
                list.push((*sub).to_owned());
            }
        }
        list.extend(new);
        list.join(";")
    };
    let mut entry = with(new);
    if entry.len() > 256 && values("th:").is_empty() {
        return unchanged;
    } else if entry.len() > 256 {
        entry = with(None);
    }
    let others = members
        .iter()
        .filter(|member| !member.is_empty() && !member.starts_with("ot="));
    let entry = (!entry.is_empty()).then(|| format!("ot={entry}"));
    let list: Vec<String> = entry
        .into_iter()
        .chain(others.map(|member| (*member).to_owned()))
        .take(32)
        .collect();
    Some(with_state(bytes, &list.join(",")))
}

/// The span with this tracestate in the place of its last, or where an encoder writes one.
fn with_state(bytes: &[u8], state: &str) -> Vec<u8> {
    let fields = fields(bytes);
    let mut out = Vec::new();
    let last = fields
        .iter()
        .rposition(|field| field.number == 3 && field.is_delimited);
    let place = fields.iter().position(|field| field.number > 3);
    for (index, field) in fields.iter().enumerate() {
        if last == Some(index) {
            let mut after_key = &bytes[field.whole.clone()];
            let whole = after_key;
            decode_key(&mut after_key).unwrap();
            out.extend(&whole[..whole.len() - after_key.len()]);
            encode_varint(u64::try_from(state.len()).unwrap(), &mut out);
            out.extend(state.as_bytes());
            continue;
        }
        if last.is_none() && place == Some(index) {
            put(3, state.as_bytes(), &mut out);
        }
        out.extend(&bytes[field.whole.clone()]);
    }
    if last.is_none() && place.is_none() {
        put(3, state.as_bytes(), &mut out);
    }
    out
}

/// What a record becomes; `None` where it is taken out. Says nothing of a record that its bytes
/// decide over.
pub(super) fn record(bytes: &[u8], keep: &str, keep_severity: u32) -> Option<Option<Vec<u8>>> {
    let unchanged = Some(bytes.to_vec());
    let record = LogRecord::decode(bytes).unwrap();
    let severity = match record.severity_number {
        ..=0 => 9,
        stated => u32::try_from(stated).unwrap(),
    };
    if severity >= keep_severity {
        return Some(unchanged);
    }
    if severity < 9 {
        return Some(None);
    }
    let randomness = of_trace(&record.trace_id)?;
    Some(unchanged.filter(|_| randomness >= number(keep).unwrap()))
}
