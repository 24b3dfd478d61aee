//! One request as a page: a heading for each resource and scope, a line for each item, bounded.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        profiles::v1development::ExportProfilesServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::InstrumentationScope,
    resource::v1::Resource,
};
use prost::{DecodeError, Message};

use super::{
    items, profiles,
    text::{Paint, attribute, clock, counted, noun, safe},
};
use crate::signal::Signal;

/// Items shown of one request.
pub(super) const ITEMS_MAX: usize = 20;

/// Characters of a name.
const NAME_CHARS_MAX: usize = 60;

/// The summary of one request.
#[derive(Debug)]
pub(super) struct Page {
    pub text: String,
    pub lines: usize,
    pub paint: Paint,
    signal: Signal,
    time: String,
    shown: usize,
    not_shown: usize,
}

/// Writes the summary of a request.
///
/// # Errors
///
/// Where the body is not the message that it should be.
pub(super) fn of(
    signal: Signal,
    body: Bytes,
    now: SystemTime,
    paint: Paint,
) -> Result<Page, DecodeError> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut page = Page {
        text: String::new(),
        lines: 0,
        paint,
        signal,
        time: clock(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)),
        shown: 0,
        not_shown: 0,
    };
    match signal {
        Signal::Traces => page.traces(&ExportTraceServiceRequest::decode(body)?),
        Signal::Metrics => page.metrics(&ExportMetricsServiceRequest::decode(body)?),
        Signal::Logs => page.logs(&ExportLogsServiceRequest::decode(body)?),
        Signal::Profiles => page.profiles(&ExportProfilesServiceRequest::decode(body)?),
    }
    page.finish();
    Ok(page)
}

impl Page {
    fn traces(&mut self, request: &ExportTraceServiceRequest) {
        for group in &request.resource_spans {
            for scope in &group.scope_spans {
                self.heading(group.resource.as_ref(), scope.scope.as_ref(), &scope.spans);
                self.lines(&scope.spans, items::span);
            }
        }
    }

    fn metrics(&mut self, request: &ExportMetricsServiceRequest) {
        for group in &request.resource_metrics {
            for scope in &group.scope_metrics {
                let points: Vec<_> = scope.metrics.iter().flat_map(items::points).collect();
                self.heading(group.resource.as_ref(), scope.scope.as_ref(), &points);
                self.lines(&points, |point, paint| point.line(paint));
            }
        }
    }

    fn logs(&mut self, request: &ExportLogsServiceRequest) {
        for group in &request.resource_logs {
            for scope in &group.scope_logs {
                let records = &scope.log_records;
                self.heading(group.resource.as_ref(), scope.scope.as_ref(), records);
                self.lines(records, items::log);
            }
        }
    }

    fn profiles(&mut self, request: &ExportProfilesServiceRequest) {
        let strings = request
            .dictionary
            .as_ref()
            .map_or(&[][..], |dictionary| &dictionary.string_table);
        for group in &request.resource_profiles {
            for scope in &group.scope_profiles {
                let samples: usize = scope.profiles.iter().map(|it| it.samples.len()).sum();
                self.heading_of(group.resource.as_ref(), scope.scope.as_ref(), samples);
                self.lines(&scope.profiles, |profile, paint| {
                    profiles::profile(profile, strings, paint)
                });
            }
        }
    }

    fn heading<T>(
        &mut self,
        resource: Option<&Resource>,
        scope: Option<&InstrumentationScope>,
        items: &[T],
    ) {
        self.heading_of(resource, scope, items.len());
    }

    /// `12:03:44.123 traces  checkout  2 spans  io.opentelemetry.http 1.2.0`
    fn heading_of(
        &mut self,
        resource: Option<&Resource>,
        scope: Option<&InstrumentationScope>,
        items: usize,
    ) {
        if self.shown >= ITEMS_MAX || self.lines >= 2 * ITEMS_MAX {
            return;
        }
        let service = resource
            .and_then(|resource| attribute(&resource.attributes, "service.name"))
            .unwrap_or_else(|| "(no service.name)".to_owned());
        let count = counted(u64::try_from(items).unwrap_or(u64::MAX), noun(self.signal));
        let scope = scope.map_or_else(String::new, |scope| {
            let name = safe(&scope.name, NAME_CHARS_MAX);
            let version = safe(&scope.version, NAME_CHARS_MAX);
            format!("  {name} {version}").trim_end().to_owned()
        });
        let heading = format!(
            "{} {}  {}  {count}{}",
            self.paint.dim(&self.time),
            self.paint.cyan(self.signal.name()),
            self.paint.bold(&service),
            self.paint.dim(&scope),
        );
        self.line(&heading);
    }

    fn lines<T>(&mut self, items: &[T], show: impl Fn(&T, Paint) -> String) {
        let room = if self.lines < 2 * ITEMS_MAX {
            ITEMS_MAX.saturating_sub(self.shown)
        } else {
            0
        };
        for item in items.iter().take(room) {
            let line = show(item, self.paint);
            self.line(&format!("  {line}"));
        }
        self.shown += items.len().min(room);
        self.not_shown += items.len().saturating_sub(room);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        self.lines += 1;
    }

    fn finish(&mut self) {
        if self.lines == 0 {
            let line = format!("{} {}  nothing in it", self.time, self.signal);
            self.line(&self.paint.dim(&line));
        }
        if self.not_shown > 0 {
            let line = format!("  … and {} more", self.not_shown);
            self.line(&self.paint.dim(&line));
        }
    }
}
