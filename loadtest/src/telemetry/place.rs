//! Where an item is: its resource, scope and metric, as the start of the item's checksum.

use std::cell::OnceCell;

use bytes::Bytes;
use crc32c::crc32c_append;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1;
use prost::{DecodeError, Message};

use super::canonical::arrange;
use super::raw::{Metric, Points};

/// One level of a place, as raw bytes.
pub(super) enum Layer<'a> {
    /// The resource and its schema URL.
    Resource(&'a Bytes, &'a Bytes),
    /// The scope and its schema URL.
    Scope(&'a Bytes, &'a Bytes),
    /// The metric, the tag of its kind, and the points' common properties.
    Metric(&'a Metric, u8, &'a Points),
}

/// A layer within those that enclose it. Checksums are computed when first asked for: most requests
/// are verified by bytes alone, and many are only counted.
pub(super) struct Place<'a> {
    outer: Option<&'a Self>,
    layer: Layer<'a>,
    as_is: OnceCell<u32>,
    canonical: OnceCell<u32>,
}

impl<'a> Place<'a> {
    pub fn new(outer: Option<&'a Self>, layer: Layer<'a>) -> Self {
        Self {
            outer,
            layer,
            as_is: OnceCell::new(),
            canonical: OnceCell::new(),
        }
    }

    /// The checksum of the place, of its bytes as they are.
    pub fn as_is(&self) -> u32 {
        *self.as_is.get_or_init(|| {
            let outer = self.outer.map_or(0, Place::as_is);
            match self.layer {
                Layer::Resource(message, url) | Layer::Scope(message, url) => {
                    parts(outer, &[message, url])
                }
                Layer::Metric(metric, tag, points) => of_metric(outer, metric, tag, points),
            }
        })
    }

    /// The checksum of the place, encoded anew.
    pub fn canonical(&self) -> Result<u32, DecodeError> {
        if let Some(&known) = self.canonical.get() {
            return Ok(known);
        }
        let outer = self.outer.map_or(Ok(0), Place::canonical)?;
        let checksum = match self.layer {
            Layer::Resource(message, url) => {
                let mut resource = v1::Resource::decode(message.clone())?;
                arrange(&mut resource.attributes);
                parts(outer, &[&resource.encode_to_vec(), url])
            }
            Layer::Scope(message, url) => {
                let mut scope = InstrumentationScope::decode(message.clone())?;
                arrange(&mut scope.attributes);
                parts(outer, &[&scope.encode_to_vec(), url])
            }
            Layer::Metric(metric, tag, points) => of_metric(outer, metric, tag, points),
        };
        Ok(*self.canonical.get_or_init(|| checksum))
    }
}

fn of_metric(outer: u32, metric: &Metric, tag: u8, points: &Points) -> u32 {
    let named = parts(outer, &[&metric.name, &metric.description, &metric.unit]);
    let properties = [tag, u8::from(points.monotonic)];
    crc32c_append(
        crc32c_append(named, &properties),
        &points.temporality.to_be_bytes(),
    )
}

/// Each part with its length ahead, so that bytes cannot move from one to the next unseen.
fn parts(outer: u32, parts: &[&[u8]]) -> u32 {
    parts.iter().fold(outer, |checksum, part| {
        let length = (part.len() as u64).to_be_bytes();
        crc32c_append(crc32c_append(checksum, &length), part)
    })
}
