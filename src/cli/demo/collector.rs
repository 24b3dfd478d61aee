//! The demo's collector: decodes what arrives as far as each item's number, and marks it.
//!
//! It reads with prost and shares no code with the forwarder's walk: a witness of its own.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::Sender,
    },
};

use bytes::Bytes;
use prost::{DecodeError, Message};

use super::{counts::Counts, ids::Ids};
use crate::{
    cli::embedded::{Arrival, Collect, Embedded},
    outcome::{Outcome, Reason, Refusal},
    signal::Signal,
};

/// What one thread of the collector has seen, by [`Signal::index`].
pub(super) type Seen = [Ids; 4];

/// Starts the collector; `ended` gets what each thread has seen when it ends.
pub(super) fn start(
    threads: usize,
    counts: &Arc<Counts>,
    strangers: &Arc<AtomicU64>,
    ended: Sender<Seen>,
) -> io::Result<Embedded> {
    let (counts, strangers) = (Arc::clone(counts), Arc::clone(strangers));
    Embedded::start("otlp-collector", threads, move || Audit {
        counts: Arc::clone(&counts),
        strangers: Arc::clone(&strangers),
        seen: Seen::default(),
        ended: ended.clone(),
    })
}

/// Marks every item that arrives.
struct Audit {
    counts: Arc<Counts>,
    /// Items that nobody has sent: bytes that changed on their way.
    strangers: Arc<AtomicU64>,
    seen: Seen,
    ended: Sender<Seen>,
}

impl Audit {
    fn mark<I: Item>(&mut self, signal: Signal, body: Bytes) -> Result<(), DecodeError> {
        let export = Export::<I>::decode(body)?;
        let mut arrived = 0;
        let mut strangers = 0;
        let seen = &mut self.seen[signal.index()];
        let items = export
            .resources
            .iter()
            .flat_map(|it| &it.scopes)
            .flat_map(|it| &it.items);
        for item in items {
            item.each_id(&mut |id| {
                arrived += 1;
                match number(id) {
                    Some(id) if self.counts.is_issued(signal, id) => seen.mark(id),
                    _ => strangers += 1,
                }
            });
        }
        self.counts.arrive(signal, arrived);
        self.strangers.fetch_add(strangers, Relaxed);
        Ok(())
    }
}

impl Collect for Audit {
    fn collect(&mut self, arrival: Arrival) -> Outcome {
        let Arrival { signal, body, .. } = arrival;
        let marked = match signal {
            Signal::Traces => self.mark::<Span>(signal, body),
            Signal::Metrics => self.mark::<Metric>(signal, body),
            Signal::Logs => self.mark::<LogRecord>(signal, body),
            Signal::Profiles => Ok(()),
        };
        match marked {
            Ok(()) => Outcome::Accepted,
            Err(error) => Outcome::Refused(Refusal::permanent(
                Reason::Malformed,
                format!("the {signal} request cannot be decoded: {error}"),
            )),
        }
    }

    fn finish(&mut self) {
        // Nobody waits for it where the demo was broken off.
        drop(self.ended.send(std::mem::take(&mut self.seen)));
    }
}

/// The number that a span id stands for: numbers begin at 0, and no span id is 0.
fn number(span_id: &[u8]) -> Option<u64> {
    u64::from_be_bytes(span_id.try_into().ok()?).checked_sub(1)
}

/// An item, or a few, as far as their numbers.
trait Item: Message + Default + fmt::Debug {
    fn each_id(&self, mark: &mut dyn FnMut(&[u8]));
}

/// An Export request of traces, metrics or logs: they have their shape in common.
#[derive(Message)]
struct Export<I: Item> {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resource<I>>,
}

#[derive(Message)]
struct Resource<I: Item> {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope<I>>,
}

#[derive(Message)]
struct Scope<I: Item> {
    #[prost(message, repeated, tag = "2")]
    items: Vec<I>,
}

#[derive(Message)]
struct Span {
    #[prost(bytes = "bytes", tag = "2")]
    span_id: Bytes,
}

#[derive(Message)]
struct LogRecord {
    #[prost(bytes = "bytes", tag = "10")]
    span_id: Bytes,
}

#[derive(Message)]
struct Metric {
    #[prost(message, optional, tag = "5")]
    gauge: Option<Numbers>,
    #[prost(message, optional, tag = "7")]
    sum: Option<Numbers>,
    #[prost(message, optional, tag = "9")]
    histogram: Option<Histograms>,
}

#[derive(Message)]
struct Numbers {
    #[prost(message, repeated, tag = "1")]
    points: Vec<NumberPoint>,
}

#[derive(Message)]
struct Histograms {
    #[prost(message, repeated, tag = "1")]
    points: Vec<HistogramPoint>,
}

#[derive(Message)]
struct NumberPoint {
    #[prost(message, optional, tag = "5")]
    exemplar: Option<Exemplar>,
}

#[derive(Message)]
struct HistogramPoint {
    #[prost(message, optional, tag = "8")]
    exemplar: Option<Exemplar>,
}

#[derive(Message)]
struct Exemplar {
    #[prost(bytes = "bytes", tag = "4")]
    span_id: Bytes,
}

impl Item for Span {
    fn each_id(&self, mark: &mut dyn FnMut(&[u8])) {
        mark(&self.span_id);
    }
}

impl Item for LogRecord {
    fn each_id(&self, mark: &mut dyn FnMut(&[u8])) {
        mark(&self.span_id);
    }
}

impl Item for Metric {
    fn each_id(&self, mark: &mut dyn FnMut(&[u8])) {
        let numbers = [&self.gauge, &self.sum].into_iter().flatten();
        let numbers = numbers.flat_map(|it| &it.points).map(|it| &it.exemplar);
        let histograms = self
            .histogram
            .iter()
            .flat_map(|it| &it.points)
            .map(|it| &it.exemplar);
        for exemplar in numbers.chain(histograms) {
            mark(exemplar.as_ref().map_or(&[], |it| &it.span_id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::payload::Payload;

    /// A request comes twice, one comes with numbers that were never given out, and one is cut.
    #[test]
    fn what_comes_twice_changed_or_cut_is_noticed() {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let (ended, _heard) = std::sync::mpsc::channel();
            let mut audit = Audit {
                counts: Arc::default(),
                strangers: Arc::default(),
                seen: Seen::default(),
                ended,
            };
            let first = audit.counts.issue(signal, 30);
            let payload = Payload::new(signal, 30, 0, 1 << 60);
            let mut take = |body| {
                audit.collect(Arrival {
                    signal,
                    items: 30,
                    body,
                })
            };
            let body = payload.numbered(first);
            assert!(matches!(take(body.clone()), Outcome::Accepted));
            assert!(matches!(take(body.clone()), Outcome::Accepted));
            assert!(matches!(take(payload.numbered(30)), Outcome::Accepted));
            let cut = take(body.slice(..body.len() - 1));
            assert!(matches!(cut, Outcome::Refused(refusal) if !refusal.is_retryable()));
            let seen = &audit.seen[signal.index()];
            assert_eq!(seen.missing_in(&Ids::default()), 30, "{signal}");
            assert_eq!(seen.repeated(), 30, "{signal}");
            assert_eq!(audit.strangers.load(Relaxed), 30, "{signal}");
            assert_eq!(audit.counts.of(signal).arrived, 90, "{signal}");
        }
    }
}
