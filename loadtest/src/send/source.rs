//! Where requests come from: made when they are sent, or made before the start.
//!
//! Compressing costs more than forwarding, so a sender that compressed as it sends would be its
//! own limit. Compressed requests are therefore made before the start, each with ids of its own,
//! as many as the schedule needs or the bounds allow. When they run out they are repeated, and the
//! source says so, as the arrivals can then only be counted.

use std::{
    io,
    ops::Range,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    compress::compress,
    settings::{Compression, Pool},
};
use crate::telemetry::{Payload, Payloads, Signal};

/// A request as it goes on the wire.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) signal: Signal,
    pub(super) body: Bytes,
    /// Length of the body before compression.
    pub(super) plain: usize,
    pub(super) items: u32,
    pub(super) ids: Range<u64>,
}

impl Request {
    fn new(payload: Payload, compression: Compression) -> io::Result<Self> {
        Ok(Self {
            signal: payload.signal,
            plain: payload.body.len(),
            items: payload.items,
            ids: payload.ids,
            body: compress(compression, payload.body)?,
        })
    }
}

/// Gives out requests.
pub(super) enum Source {
    /// Each is made when it is asked for.
    Fresh(Payloads),
    /// All were made before.
    Pool {
        requests: Vec<Request>,
        /// How many were given out.
        asked: u64,
        /// How far the ids of a repetition are from those in the bodies. Where repetition is asked
        /// for they run on, so that totals are right; where it is for want of room they stay.
        shift: u64,
    },
}

impl Source {
    /// A source for so many requests (`None`: nobody knows how many).
    pub(super) fn new(
        mut payloads: Payloads,
        compression: Compression,
        needed: Option<u64>,
        pool: &Pool,
    ) -> io::Result<Self> {
        if compression == Compression::None && pool.requests.is_none() {
            return Ok(Self::Fresh(payloads));
        }
        let count = match pool.requests {
            Some(requests) => requests,
            None => needed.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        };
        let began = Instant::now();
        let mut requests = Vec::new();
        let mut bytes = 0;
        while requests.len() < count.max(1) {
            let request = Request::new(payloads.next(), compression)?;
            bytes += request.body.len();
            requests.push(request);
            if pool.requests.is_none() && Self::full(pool, bytes, began.elapsed()) {
                break;
            }
        }
        let ends = requests.first().zip(requests.last());
        let span = ends.map_or(0, |(first, last)| last.ids.end - first.ids.start);
        Ok(Self::Pool {
            requests,
            asked: 0,
            shift: if pool.requests.is_some() { span } else { 0 },
        })
    }

    fn full(pool: &Pool, bytes: usize, elapsed: Duration) -> bool {
        bytes >= pool.memory || elapsed >= pool.time
    }

    /// The next request.
    pub(super) fn next(&mut self) -> Request {
        match self {
            Self::Fresh(payloads) => {
                let payload = payloads.next();
                Request {
                    signal: payload.signal,
                    plain: payload.body.len(),
                    items: payload.items,
                    ids: payload.ids,
                    body: payload.body,
                }
            }
            Self::Pool {
                requests,
                asked,
                shift,
            } => {
                let count = requests.len() as u64;
                let mut request = requests[(*asked % count) as usize].clone();
                let shift = *asked / count * *shift;
                request.ids = request.ids.start + shift..request.ids.end + shift;
                *asked += 1;
                request
            }
        }
    }

    /// Requests that were made before the start, and how many were asked for beyond them.
    pub(super) fn repeated(&self) -> Option<(usize, u64)> {
        match self {
            Self::Fresh(_) => None,
            Self::Pool {
                requests, asked, ..
            } => Some((requests.len(), asked.saturating_sub(requests.len() as u64))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Encoding, Workload};

    fn source(compression: Compression, needed: Option<u64>, pool: &Pool) -> Source {
        let payloads = Payloads::new(&Workload {
            signals: "traces".parse().unwrap(),
            items: 3,
            encoding: Encoding::Protobuf,
            sender: 1,
            seed: 1,
        });
        Source::new(payloads, compression, needed, pool).unwrap()
    }

    const ROOMY: Pool = Pool {
        requests: None,
        memory: usize::MAX,
        time: Duration::MAX,
    };

    #[test]
    fn a_pool_is_as_large_as_the_need() {
        let mut source = source(Compression::Gzip(1), Some(5), &ROOMY);
        let mut ids: Vec<_> = (0..5).flat_map(|_| source.next().ids).collect();
        assert_eq!(source.repeated(), Some((5, 0)));
        ids.dedup();
        assert_eq!(ids.len(), 15);
        assert_eq!(source.next().ids.start, ids[0]);
        assert_eq!(source.repeated(), Some((5, 1)));
    }

    #[test]
    fn a_pool_is_bounded_by_memory_and_time() {
        let tight = Pool { memory: 1, ..ROOMY };
        let source_ = source(Compression::Gzip(1), None, &tight);
        assert_eq!(source_.repeated(), Some((1, 0)));
        let hasty = Pool {
            time: Duration::ZERO,
            ..ROOMY
        };
        let source_ = source(Compression::Zstd(1), Some(1000), &hasty);
        assert_eq!(source_.repeated(), Some((1, 0)));
    }

    #[test]
    fn plain_requests_are_fresh_unless_a_pool_is_asked_for() {
        assert_eq!(source(Compression::None, Some(9), &ROOMY).repeated(), None);
        let asked = Pool {
            requests: Some(2),
            ..ROOMY
        };
        let mut source = source(Compression::None, Some(9), &asked);
        let first = source.next();
        let second = source.next();
        let third = source.next();
        assert_eq!(third.body, first.body);
        assert_eq!(third.ids.start, second.ids.end);
        assert_eq!(third.ids.end - third.ids.start, 3);
    }
}
