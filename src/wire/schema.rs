//! What each OTLP message holds: one table a message, indexed by the key byte as it lies on the wire.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// What a key leads to, in one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// No field of the message has this number: skip it by its wire type.
    Unknown,
    /// No decoder takes this key here: field number 0, a group's end, a wire type that is none
    /// or that is not the field's.
    Refused,
    /// A varint of at most 64 bits.
    Varint,
    /// Four bytes.
    Fixed32,
    /// Eight bytes.
    Fixed64,
    /// A length and that many bytes.
    Bytes,
    /// A length and that many bytes of UTF-8.
    Text,
    /// A length and varints that fill it.
    Varints,
    /// A length and eight-byte values that fill it.
    Fixed64s,
    /// A message that holds no items.
    Message,
    /// A [`Id::KeyValue`], the commonest message by far.
    Attribute,
    /// A message on the way to the items.
    Path,
    /// A message on the way to the items whose kinds of data replace each other.
    Metric,
    /// One of those kinds of data.
    Data,
    /// An item: what is counted.
    Item,
}

/// The table's answer: what to read, and by which table where that is a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// What the key leads to.
    pub kind: Kind,
    /// The message behind it; of no meaning for kinds that are no messages.
    pub child: Id,
}

impl Entry {
    /// What a key that is in no table leads to.
    pub(super) const UNKNOWN: Self = Self {
        kind: Kind::Unknown,
        child: Id::KeyValue,
    };
}

/// What every key of one byte, or of two up to 255, leads to in one message.
#[derive(Debug)]
pub(super) struct Table([Entry; 256]);

impl Table {
    /// What `key` leads to.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "a u8 is always inside a table of 256"
    )]
    pub(super) const fn entry(&self, key: u8) -> Entry {
        self.0[key as usize]
    }

    /// Builds the table from the fields' numbers (at most 31), kinds and children.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "runs at compile time"
    )]
    const fn new(fields: &[(usize, Kind, Id)]) -> Self {
        let mut entries = [Entry {
            kind: Kind::Refused,
            child: Id::KeyValue,
        }; 256];
        let mut key = 8;
        while key < 256 {
            if matches!(key & 7, 0 | 1 | 2 | 3 | 5) {
                entries[key].kind = Kind::Unknown;
            }
            key += 1;
        }
        let mut index = 0;
        while index < fields.len() {
            let (number, kind, child) = fields[index];
            let mut wire = 0;
            while wire < 8 {
                entries[number << 3 | wire].kind = Kind::Refused;
                wire += 1;
            }
            let (wire, element) = match kind {
                Kind::Varint => (0, None),
                Kind::Fixed64 => (1, None),
                Kind::Fixed32 => (5, None),
                // A repeated number may come packed or one by one, whatever the schema prefers.
                Kind::Varints => (2, Some((0, Kind::Varint))),
                Kind::Fixed64s => (2, Some((1, Kind::Fixed64))),
                _ => (2, None),
            };
            entries[number << 3 | wire] = Entry { kind, child };
            if let Some((wire, kind)) = element {
                entries[number << 3 | wire] = Entry { kind, child };
            }
            index += 1;
        }
        Self(entries)
    }
}

/// Declares the messages: an [`Id`] each, and its [`Table`].
macro_rules! schema {
    ($($id:ident = $name:literal { $($number:literal $kind:ident $(($child:ident))?),* $(,)? })*) => {
        /// A message of the schema.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Id { $(#[doc = concat!("`opentelemetry.proto.", $name, "`.")] $id),* }

        impl Id {
            /// The message's table.
            #[inline(always)]
            pub(super) fn table(self) -> &'static Table {
                match self {
                    $(Self::$id => {
                        static TABLE: Table = Table::new(&[
                            $(($number, Kind::$kind, child!($($child)?))),*
                        ]);
                        &TABLE
                    })*
                }
            }

            /// Every message, with its name in the protocol's definition.
            #[cfg(test)]
            pub(super) const ALL: &[(Self, &str)] =
                &[$((Self::$id, concat!("opentelemetry.proto.", $name))),*];
        }
    };
}

/// The child of a field; for a field that is no message, any.
macro_rules! child {
    () => {
        Id::KeyValue
    };
    ($child:ident) => {
        Id::$child
    };
}

schema! {
    TracesRequest = "collector.trace.v1.ExportTraceServiceRequest" { 1 Path(ResourceSpans) }
    MetricsRequest = "collector.metrics.v1.ExportMetricsServiceRequest" { 1 Path(ResourceMetrics) }
    LogsRequest = "collector.logs.v1.ExportLogsServiceRequest" { 1 Path(ResourceLogs) }
    ProfilesRequest = "collector.profiles.v1development.ExportProfilesServiceRequest" {
        1 Path(ResourceProfiles), 2 Message(ProfilesDictionary),
    }

    ResourceSpans = "trace.v1.ResourceSpans" { 1 Message(Resource), 2 Path(ScopeSpans), 3 Text }
    ScopeSpans = "trace.v1.ScopeSpans" { 1 Message(Scope), 2 Item(Span), 3 Text }
    Span = "trace.v1.Span" {
        1 Bytes, 2 Bytes, 3 Text, 4 Bytes, 5 Text, 6 Varint, 7 Fixed64, 8 Fixed64,
        9 Attribute(KeyValue), 10 Varint, 11 Message(Event), 12 Varint, 13 Message(SpanLink),
        14 Varint, 15 Message(Status), 16 Fixed32,
    }
    Event = "trace.v1.Span.Event" { 1 Fixed64, 2 Text, 3 Attribute(KeyValue), 4 Varint }
    SpanLink = "trace.v1.Span.Link" {
        1 Bytes, 2 Bytes, 3 Text, 4 Attribute(KeyValue), 5 Varint, 6 Fixed32,
    }
    Status = "trace.v1.Status" { 2 Text, 3 Varint }

    ResourceLogs = "logs.v1.ResourceLogs" { 1 Message(Resource), 2 Path(ScopeLogs), 3 Text }
    ScopeLogs = "logs.v1.ScopeLogs" { 1 Message(Scope), 2 Item(LogRecord), 3 Text }
    LogRecord = "logs.v1.LogRecord" {
        1 Fixed64, 2 Varint, 3 Text, 5 Message(AnyValue), 6 Attribute(KeyValue), 7 Varint,
        8 Fixed32, 9 Bytes, 10 Bytes, 11 Fixed64, 12 Text,
    }

    ResourceMetrics = "metrics.v1.ResourceMetrics" {
        1 Message(Resource), 2 Path(ScopeMetrics), 3 Text,
    }
    ScopeMetrics = "metrics.v1.ScopeMetrics" { 1 Message(Scope), 2 Metric(Metric), 3 Text }
    Metric = "metrics.v1.Metric" {
        1 Text, 2 Text, 3 Text, 5 Data(Gauge), 7 Data(Sum), 9 Data(Histogram),
        10 Data(ExponentialHistogram), 11 Data(Summary), 12 Attribute(KeyValue),
    }
    Gauge = "metrics.v1.Gauge" { 1 Item(NumberDataPoint) }
    Sum = "metrics.v1.Sum" { 1 Item(NumberDataPoint), 2 Varint, 3 Varint }
    Histogram = "metrics.v1.Histogram" { 1 Item(HistogramDataPoint), 2 Varint }
    ExponentialHistogram = "metrics.v1.ExponentialHistogram" {
        1 Item(ExponentialHistogramDataPoint), 2 Varint,
    }
    Summary = "metrics.v1.Summary" { 1 Item(SummaryDataPoint) }
    NumberDataPoint = "metrics.v1.NumberDataPoint" {
        2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Message(Exemplar), 6 Fixed64, 7 Attribute(KeyValue),
        8 Varint,
    }
    HistogramDataPoint = "metrics.v1.HistogramDataPoint" {
        2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Fixed64, 6 Fixed64s, 7 Fixed64s, 8 Message(Exemplar),
        9 Attribute(KeyValue), 10 Varint, 11 Fixed64, 12 Fixed64,
    }
    ExponentialHistogramDataPoint = "metrics.v1.ExponentialHistogramDataPoint" {
        1 Attribute(KeyValue), 2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Fixed64, 6 Varint, 7 Fixed64,
        8 Message(Buckets), 9 Message(Buckets), 10 Varint, 11 Message(Exemplar), 12 Fixed64,
        13 Fixed64, 14 Fixed64,
    }
    Buckets = "metrics.v1.ExponentialHistogramDataPoint.Buckets" { 1 Varint, 2 Varints }
    SummaryDataPoint = "metrics.v1.SummaryDataPoint" {
        2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Fixed64, 6 Message(ValueAtQuantile),
        7 Attribute(KeyValue), 8 Varint,
    }
    ValueAtQuantile = "metrics.v1.SummaryDataPoint.ValueAtQuantile" { 1 Fixed64, 2 Fixed64 }
    Exemplar = "metrics.v1.Exemplar" {
        2 Fixed64, 3 Fixed64, 4 Bytes, 5 Bytes, 6 Fixed64, 7 Attribute(KeyValue),
    }

    ResourceProfiles = "profiles.v1development.ResourceProfiles" {
        1 Message(Resource), 2 Path(ScopeProfiles), 3 Text,
    }
    ScopeProfiles = "profiles.v1development.ScopeProfiles" {
        1 Message(Scope), 2 Path(Profile), 3 Text,
    }
    Profile = "profiles.v1development.Profile" {
        1 Message(ValueType), 2 Item(Sample), 3 Fixed64, 4 Varint, 5 Message(ValueType), 6 Varint,
        7 Bytes, 8 Varint, 9 Text, 10 Bytes, 11 Varints,
    }
    ValueType = "profiles.v1development.ValueType" { 1 Varint, 2 Varint }
    Sample = "profiles.v1development.Sample" { 1 Varint, 2 Varints, 3 Varint, 4 Varints, 5 Fixed64s }
    ProfilesDictionary = "profiles.v1development.ProfilesDictionary" {
        1 Message(Mapping), 2 Message(Location), 3 Message(Function), 4 Message(ProfileLink), 5 Text,
        6 Message(KeyValueAndUnit), 7 Message(Stack),
    }
    Mapping = "profiles.v1development.Mapping" { 1 Varint, 2 Varint, 3 Varint, 4 Varint, 5 Varints }
    Location = "profiles.v1development.Location" { 1 Varint, 2 Varint, 3 Message(Line), 4 Varints }
    Line = "profiles.v1development.Line" { 1 Varint, 2 Varint, 3 Varint }
    Function = "profiles.v1development.Function" { 1 Varint, 2 Varint, 3 Varint, 4 Varint }
    ProfileLink = "profiles.v1development.Link" { 1 Bytes, 2 Bytes }
    KeyValueAndUnit = "profiles.v1development.KeyValueAndUnit" {
        1 Varint, 2 Message(AnyValue), 3 Varint,
    }
    Stack = "profiles.v1development.Stack" { 1 Varints }

    Resource = "resource.v1.Resource" { 1 Attribute(KeyValue), 2 Varint, 3 Message(EntityRef) }
    EntityRef = "common.v1.EntityRef" { 1 Text, 2 Text, 3 Text, 4 Text }
    Scope = "common.v1.InstrumentationScope" { 1 Text, 2 Text, 3 Attribute(KeyValue), 4 Varint }
    KeyValue = "common.v1.KeyValue" { 1 Text, 2 Message(AnyValue), 3 Varint }
    KeyValueList = "common.v1.KeyValueList" { 1 Attribute(KeyValue) }
    ArrayValue = "common.v1.ArrayValue" { 1 Message(AnyValue) }
    AnyValue = "common.v1.AnyValue" {
        1 Text, 2 Varint, 3 Varint, 4 Fixed64, 5 Message(ArrayValue), 6 Message(KeyValueList),
        7 Bytes, 8 Varint,
    }
}
