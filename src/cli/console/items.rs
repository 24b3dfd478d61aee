//! One span, data point or log record as one line.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    logs::v1::LogRecord,
    metrics::v1::{Metric, NumberDataPoint, metric::Data, number_data_point},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};

use super::text::{Paint, Safe, attributes, clock, duration, safe, short_id};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 60;

/// Characters of a log record's body.
const BODY_CHARS_MAX: usize = 200;

/// `GET /cart  server  12.3 ms  error  4bf92f35  no stock  http.request.method=GET`
pub(super) fn span(span: &Span, paint: Paint) -> String {
    let kind = match span.kind() {
        SpanKind::Unspecified => "-",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    };
    let took = span
        .end_time_unix_nano
        .saturating_sub(span.start_time_unix_nano);
    let status = span.status.as_ref();
    let message = status.map_or_else(String::new, |it| safe(&it.message, NAME_CHARS_MAX));
    let status = match status.map(|status| status.code()) {
        Some(StatusCode::Error) => paint.red("error"),
        Some(StatusCode::Ok) => "ok   ".to_owned(),
        Some(StatusCode::Unset) | None => "-    ".to_owned(),
    };
    let line = format!(
        "{:<28} {kind:<8} {:>9}  {status}  {:<8}",
        safe(&span.name, NAME_CHARS_MAX),
        duration(took),
        short_id(&span.trace_id),
    );
    let rest = [
        paint.red(&message),
        paint.dim(&attributes(&span.attributes)),
    ];
    rest.into_iter()
        .filter(|part| !part.is_empty())
        .fold(line, |line, part| format!("{line}  {part}"))
}

/// `12:03:44.123 ERROR payment refused  4bf92f35  order.id=42`
pub(super) fn log(record: &LogRecord, paint: Paint) -> String {
    let time = match record.time_unix_nano {
        0 => record.observed_time_unix_nano,
        time => time,
    };
    let level = if record.severity_text.is_empty() {
        match record.severity_number {
            1..=4 => "TRACE",
            5..=8 => "DEBUG",
            9..=12 => "INFO",
            13..=16 => "WARN",
            17..=20 => "ERROR",
            21..=24 => "FATAL",
            _ => "-",
        }
        .to_owned()
    } else {
        safe(&record.severity_text, 12)
    };
    let level = format!("{level:<5}");
    let level = match record.severity_number {
        17.. => paint.red(&level),
        13..=16 => paint.yellow(&level),
        _ => level,
    };
    let mut body = Safe::new(BODY_CHARS_MAX);
    if !record.event_name.is_empty() {
        body.push(&record.event_name);
        body.push(" ");
    }
    if record.body.is_some() || record.event_name.is_empty() {
        body.push_value(record.body.as_ref());
    }
    let trace = match short_id(&record.trace_id) {
        none if none.is_empty() => none,
        id => format!("{id}  "),
    };
    format!(
        "{} {level} {}  {trace}{}",
        clock(time),
        body.finish(),
        paint.dim(&attributes(&record.attributes)),
    )
}

/// One data point with the metric that it belongs to.
#[derive(Debug)]
pub(super) struct Point<'a> {
    metric: &'a Metric,
    kind: &'static str,
    value: String,
    attributes: &'a [KeyValue],
}

impl Point<'_> {
    /// `http.server.duration  histogram  count=12 sum=3.1 s  http.route=/cart`
    pub(super) fn line(&self, paint: Paint) -> String {
        format!(
            "{:<36} {:<9} {} {}  {}",
            safe(&self.metric.name, NAME_CHARS_MAX),
            self.kind,
            self.value,
            safe(&self.metric.unit, 20),
            paint.dim(&attributes(self.attributes)),
        )
    }
}

/// The data points of a metric.
pub(super) fn points<'a>(metric: &'a Metric) -> Vec<Point<'a>> {
    let point = |kind, attributes: &'a [KeyValue], value| Point {
        metric,
        kind,
        value,
        attributes,
    };
    let numbers = |kind, points: &'a [NumberDataPoint]| {
        points
            .iter()
            .map(|it| point(kind, &it.attributes, number(it)))
            .collect()
    };
    match &metric.data {
        None => Vec::new(),
        Some(Data::Gauge(data)) => numbers("gauge", &data.data_points),
        Some(Data::Sum(data)) => {
            let kind = if data.is_monotonic { "counter" } else { "sum" };
            numbers(kind, &data.data_points)
        }
        Some(Data::Histogram(data)) => data
            .data_points
            .iter()
            .map(|it| {
                let value = distribution(it.count, it.sum, it.min, it.max);
                point("histogram", &it.attributes, value)
            })
            .collect(),
        Some(Data::ExponentialHistogram(data)) => data
            .data_points
            .iter()
            .map(|it| {
                let value = distribution(it.count, it.sum, it.min, it.max);
                point("exp.hist.", &it.attributes, value)
            })
            .collect(),
        Some(Data::Summary(data)) => data
            .data_points
            .iter()
            .map(|it| {
                let value = distribution(it.count, Some(it.sum), None, None);
                point("summary", &it.attributes, value)
            })
            .collect(),
    }
}

fn number(point: &NumberDataPoint) -> String {
    match point.value {
        Some(number_data_point::Value::AsInt(value)) => value.to_string(),
        Some(number_data_point::Value::AsDouble(value)) => value.to_string(),
        None => "-".to_owned(),
    }
}

fn distribution(count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) -> String {
    let mut text = format!("count={count}");
    for (name, value) in [("sum", sum), ("min", min), ("max", max)] {
        if let Some(value) = value {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    text
}
