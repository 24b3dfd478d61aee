//! The one encoding that an item's checksum is of: attributes by key, messages that hold nothing
//! left out where that means the same, everything else as `prost` encodes it.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::{DecodeError, Message};

use super::id::{KEY, Stamp};
use super::raw::Kind;

/// A message that counts as an item.
pub(super) trait Item: Message + Default {
    fn attributes(&mut self) -> &mut Vec<KeyValue>;

    /// Arranges the attributes within, other than the item's own.
    fn arrange_within(&mut self) {}

    /// Puts the item into its canonical form.
    fn arrange(&mut self) {
        arrange(self.attributes());
        self.arrange_within();
    }
}

impl Item for Span {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    fn arrange_within(&mut self) {
        leave_out_empty(&mut self.status);
        let events = self.events.iter_mut().map(|event| &mut event.attributes);
        let links = self.links.iter_mut().map(|link| &mut link.attributes);
        events
            .chain(links)
            .for_each(|attributes| arrange(attributes));
    }
}

impl Item for LogRecord {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    fn arrange_within(&mut self) {
        leave_out_empty(&mut self.body);
        arrange_value(self.body.as_mut());
    }
}

impl Item for NumberDataPoint {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    fn arrange_within(&mut self) {
        arrange_exemplars(&mut self.exemplars);
    }
}

impl Item for HistogramDataPoint {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    fn arrange_within(&mut self) {
        arrange_exemplars(&mut self.exemplars);
    }
}

impl Item for ExponentialHistogramDataPoint {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    fn arrange_within(&mut self) {
        leave_out_empty(&mut self.positive);
        leave_out_empty(&mut self.negative);
        arrange_exemplars(&mut self.exemplars);
    }
}

impl Item for SummaryDataPoint {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }
}

/// Sorts attributes by key, and those of maps among their values; the stamp comes last.
pub(super) fn arrange(attributes: &mut [KeyValue]) {
    for attribute in attributes.iter_mut() {
        leave_out_empty(&mut attribute.value);
        arrange_value(attribute.value.as_mut());
    }
    attributes.sort_by(|a, b| (a.key == KEY, &a.key).cmp(&(b.key == KEY, &b.key)));
}

fn arrange_value(value: Option<&mut AnyValue>) {
    match value.and_then(|value| value.value.as_mut()) {
        Some(Value::KvlistValue(map)) => arrange(&mut map.values),
        Some(Value::ArrayValue(array)) => {
            array
                .values
                .iter_mut()
                .for_each(|value| arrange_value(Some(value)));
        }
        _ => {}
    }
}

/// A status, a value or buckets that hold nothing mean what their absence means, and forwarders that
/// keep their items in another form write them out.
fn leave_out_empty<T: Default + PartialEq>(message: &mut Option<T>) {
    if *message == Some(T::default()) {
        *message = None;
    }
}

fn arrange_exemplars(exemplars: &mut [Exemplar]) {
    for exemplar in exemplars {
        arrange(&mut exemplar.filtered_attributes);
    }
}

/// An item read in full: its stamp, and its canonical encoding with the checksum zero.
pub(super) struct Canonical {
    pub stamp: Stamp,
    pub encoding: Vec<u8>,
}

impl Canonical {
    /// Reads an item; `None` when it carries no stamp.
    pub fn read(kind: Kind, item: &[u8]) -> Result<Option<Self>, DecodeError> {
        match kind {
            Kind::Span => Self::read_as::<Span>(item),
            Kind::Log => Self::read_as::<LogRecord>(item),
            Kind::Number => Self::read_as::<NumberDataPoint>(item),
            Kind::Histogram => Self::read_as::<HistogramDataPoint>(item),
            Kind::ExponentialHistogram => Self::read_as::<ExponentialHistogramDataPoint>(item),
            Kind::Summary => Self::read_as::<SummaryDataPoint>(item),
        }
    }

    fn read_as<T: Item>(item: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut item = T::decode(item)?;
        let Some(bytes) = item.attributes().iter_mut().find_map(stamp_of) else {
            return Ok(None);
        };
        let Some(stamp) = Stamp::from_bytes(bytes) else {
            return Ok(None);
        };
        *bytes = Stamp {
            checksum: 0,
            ..stamp
        }
        .to_bytes()
        .to_vec();
        item.arrange();
        Ok(Some(Self {
            stamp,
            encoding: item.encode_to_vec(),
        }))
    }
}

fn stamp_of(attribute: &mut KeyValue) -> Option<&mut Vec<u8>> {
    if attribute.key != KEY {
        return None;
    }
    match attribute.value.as_mut()?.value.as_mut()? {
        Value::BytesValue(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::Status;

    use super::*;

    #[test]
    fn messages_that_hold_nothing_are_as_good_as_absent() {
        let mut span = Span {
            status: Some(Status::default()),
            attributes: vec![KeyValue {
                key: "empty".to_owned(),
                value: Some(AnyValue::default()),
                ..KeyValue::default()
            }],
            ..Span::default()
        };
        span.arrange();
        assert_eq!((span.status, &span.attributes[0].value), (None, &None));

        let mut point = ExponentialHistogramDataPoint {
            positive: Some(Default::default()),
            negative: Some(Default::default()),
            ..Default::default()
        };
        point.arrange();
        assert_eq!((point.positive, point.negative), (None, None));
    }

    #[test]
    fn a_status_that_says_something_stays() {
        let status = Status {
            message: "no".to_owned(),
            ..Status::default()
        };
        let mut span = Span {
            status: Some(status.clone()),
            ..Span::default()
        };
        span.arrange();
        assert_eq!(span.status, Some(status));
    }
}
