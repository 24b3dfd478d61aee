//! The frames of HTTP/2: heads, flags, error codes, settings.

/// What a client sends first.
///
/// - Source: RFC 9113, section 3.4.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's head.
///
/// - Source: RFC 9113, section 4.1.
pub const HEAD_BYTES: usize = 9;

/// The largest payload of a frame before the peer has said otherwise.
///
/// - Source: RFC 9113, section 6.5.2.
pub const FRAME_BYTES_DEFAULT: usize = 16_384;

/// The largest payload that a setting can allow.
///
/// - Source: RFC 9113, section 6.5.2.
pub const FRAME_BYTES_MAX: usize = (1 << 24) - 1;

/// The window of a stream and of a connection before the peer has said otherwise.
///
/// - Source: RFC 9113, section 6.9.2.
pub const WINDOW_DEFAULT: u32 = 65_535;

/// The largest window.
///
/// - Source: RFC 9113, section 6.9.1.
pub const WINDOW_MAX: u32 = (1 << 31) - 1;

/// On `DATA` and `HEADERS`: the last frame of its side of the stream.
pub const END_STREAM: u8 = 0x1;
/// On `SETTINGS` and `PING`: the answer to one.
pub const ACK: u8 = 0x1;
/// On `HEADERS` and `CONTINUATION`: the last piece of the header block.
pub const END_HEADERS: u8 = 0x4;
/// On `DATA` and `HEADERS`: the payload begins with the length of its padding.
pub const PADDED: u8 = 0x8;
/// On `HEADERS`: five bytes of priority come before the block.
pub const PRIORITY: u8 = 0x20;

/// What a frame is.
///
/// - Source: RFC 9113, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A piece of a body.
    Data,
    /// The start of a header block.
    Headers,
    /// Deprecated; read and ignored.
    Priority,
    /// The end of a stream, before its time.
    RstStream,
    /// Parameters of the connection.
    Settings,
    /// A server's own request; never allowed here.
    PushPromise,
    /// A question whether the peer is there.
    Ping,
    /// No new streams.
    GoAway,
    /// More room to send.
    WindowUpdate,
    /// The rest of a header block.
    Continuation,
    /// Anything else; read and ignored.
    Unknown(u8),
}

impl Kind {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Data,
            1 => Self::Headers,
            2 => Self::Priority,
            3 => Self::RstStream,
            4 => Self::Settings,
            5 => Self::PushPromise,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            other => Self::Unknown(other),
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Headers => 1,
            Self::Priority => 2,
            Self::RstStream => 3,
            Self::Settings => 4,
            Self::PushPromise => 5,
            Self::Ping => 6,
            Self::GoAway => 7,
            Self::WindowUpdate => 8,
            Self::Continuation => 9,
            Self::Unknown(other) => other,
        }
    }
}

/// The nine bytes before each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the payload.
    pub len: usize,
    /// What it is.
    pub kind: Kind,
    /// Flags, by kind.
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
}

impl Head {
    /// A head; `len` is at most [`FRAME_BYTES_MAX`].
    #[must_use]
    pub const fn new(kind: Kind, flags: u8, stream: u32, len: usize) -> Self {
        Self {
            len,
            kind,
            flags,
            stream,
        }
    }

    /// Reads a head. The reserved bit is ignored.
    #[must_use]
    pub fn parse(bytes: [u8; HEAD_BYTES]) -> Self {
        let [a, b, c, kind, flags, s1, s2, s3, s4] = bytes;
        Self {
            len: usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c),
            kind: Kind::of(kind),
            flags,
            stream: u32::from_be_bytes([s1, s2, s3, s4]) & WINDOW_MAX,
        }
    }

    /// Writes a head.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; HEAD_BYTES] {
        debug_assert!(self.len <= FRAME_BYTES_MAX, "a length fits three bytes");
        let [.., a, b, c] = self.len.to_be_bytes();
        let [s1, s2, s3, s4] = self.stream.to_be_bytes();
        [a, b, c, self.kind.number(), self.flags, s1, s2, s3, s4]
    }

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Why a stream or a connection ends.
///
/// - Source: RFC 9113, section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// In order.
    pub const NO_ERROR: Self = Self(0x0);
    /// The protocol was broken.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// A fault of our own.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// A window was overrun.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// Settings were not acknowledged.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame for a stream that is closed.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame of a wrong size.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// Not begun: it may be sent again.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// Not wanted any more.
    pub const CANCEL: Self = Self(0x8);
    /// The header table is out of step.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// A tunnel broke.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The peer makes too much work.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// The transport is not secure enough.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// HTTP/1.1 is wanted.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);

    /// The name in the specification; unknown codes have none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        if self.0 < 14 {
            Some(NAMES[self.0 as usize])
        } else {
            None
        }
    }
}

/// One parameter of a `SETTINGS` frame that is known.
///
/// - Source: RFC 9113, section 6.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Bytes of the header table that the peer keeps for what we send.
    HeaderTableSize(u32),
    /// Whether the peer takes pushes.
    EnablePush(bool),
    /// Streams that we may have open.
    MaxConcurrentStreams(u32),
    /// The window of new streams, and a change of it on open ones.
    InitialWindowSize(u32),
    /// The largest payload that we may send.
    MaxFrameSize(usize),
    /// Bytes of header fields that the peer takes.
    MaxHeaderListSize(u32),
}

impl Setting {
    /// Reads the six bytes of a parameter; `None` for one that is not known.
    ///
    /// # Errors
    ///
    /// The connection's error for a value that is out of its range.
    pub fn parse(bytes: [u8; 6]) -> Result<Option<Self>, ErrorCode> {
        let [i1, i2, v1, v2, v3, v4] = bytes;
        let value = u32::from_be_bytes([v1, v2, v3, v4]);
        Ok(Some(match u16::from_be_bytes([i1, i2]) {
            1 => Self::HeaderTableSize(value),
            2 if value > 1 => return Err(ErrorCode::PROTOCOL_ERROR),
            2 => Self::EnablePush(value == 1),
            3 => Self::MaxConcurrentStreams(value),
            4 if value > WINDOW_MAX => return Err(ErrorCode::FLOW_CONTROL_ERROR),
            4 => Self::InitialWindowSize(value),
            5 => match usize::try_from(value) {
                Ok(size @ FRAME_BYTES_DEFAULT..=FRAME_BYTES_MAX) => Self::MaxFrameSize(size),
                _ => return Err(ErrorCode::PROTOCOL_ERROR),
            },
            6 => Self::MaxHeaderListSize(value),
            _unknown => return Ok(None),
        }))
    }

    /// Writes the six bytes of a parameter.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 6] {
        let (id, value): (u16, u32) = match self {
            Self::HeaderTableSize(bytes) => (1, bytes),
            Self::EnablePush(on) => (2, u32::from(on)),
            Self::MaxConcurrentStreams(streams) => (3, streams),
            Self::InitialWindowSize(bytes) => (4, bytes),
            Self::MaxFrameSize(bytes) => (5, u32::try_from(bytes).unwrap_or(u32::MAX)),
            Self::MaxHeaderListSize(bytes) => (6, bytes),
        };
        let [i1, i2] = id.to_be_bytes();
        let [v1, v2, v3, v4] = value.to_be_bytes();
        [i1, i2, v1, v2, v3, v4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_head_reads_back_as_written(
            len in 0..=FRAME_BYTES_MAX, kind: u8, flags: u8, stream in 0..=WINDOW_MAX,
        ) {
            let head = Head::new(Kind::of(kind), flags, stream, len);
            prop_assert_eq!(Head::parse(head.to_bytes()), head);
        }

        #[test]
        fn a_setting_reads_back_as_written(bytes: [u8; 6]) {
            if let Ok(Some(setting)) = Setting::parse(bytes) {
                prop_assert_eq!(setting.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_setting_out_of_its_range_names_its_error() {
        let parse = |id: u8, value: u32| {
            let [a, b, c, d] = value.to_be_bytes();
            Setting::parse([0, id, a, b, c, d])
        };
        assert_eq!(parse(2, 2), Err(ErrorCode::PROTOCOL_ERROR));
        assert_eq!(parse(4, 1 << 31), Err(ErrorCode::FLOW_CONTROL_ERROR));
        assert_eq!(parse(5, 16_383), Err(ErrorCode::PROTOCOL_ERROR));
        assert_eq!(parse(5, 1 << 24), Err(ErrorCode::PROTOCOL_ERROR));
        assert_eq!(parse(99, 1), Ok(None));
    }
}
