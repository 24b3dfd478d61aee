//! Frames as both sides write them.

use super::frame::{END_HEADERS, END_STREAM, ErrorCode, FRAME_BYTES_DEFAULT, Head, Kind, Setting};

/// A queue of bytes that takes frames.
pub(super) trait Write {
    /// Puts bytes behind the others.
    fn raw(&mut self, bytes: &[u8]);

    /// A whole frame.
    fn frame(&mut self, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&Head::new(kind, flags, stream, payload.len()).to_bytes());
        self.raw(payload);
    }

    fn settings(&mut self, settings: &[Setting]) {
        self.raw(&Head::new(Kind::Settings, 0, 0, settings.len() * 6).to_bytes());
        for setting in settings {
            self.raw(&setting.to_bytes());
        }
    }

    fn window_update(&mut self, stream: u32, bytes: u32) {
        self.frame(Kind::WindowUpdate, 0, stream, &bytes.to_be_bytes());
    }

    fn reset(&mut self, stream: u32, code: ErrorCode) {
        self.frame(Kind::RstStream, 0, stream, &code.0.to_be_bytes());
    }

    /// No stream above `last` is served.
    fn go_away(&mut self, last: u32, code: ErrorCode) {
        self.raw(&Head::new(Kind::GoAway, 0, 0, 8).to_bytes());
        self.raw(&last.to_be_bytes());
        self.raw(&code.0.to_be_bytes());
    }

    /// A header block after `prefix`, in as many frames as the smallest frame size that a peer may
    /// have needs.
    fn headers(&mut self, stream: u32, prefix: &[u8], block: &[u8], ends: bool) {
        let end_stream = if ends { END_STREAM } else { 0 };
        let first_len = block.len().min(FRAME_BYTES_DEFAULT - prefix.len());
        let (first, mut rest) = block.split_at(first_len);
        let last = |rest: &[u8]| if rest.is_empty() { END_HEADERS } else { 0 };
        let flags = end_stream | last(rest);
        self.raw(&Head::new(Kind::Headers, flags, stream, prefix.len() + first_len).to_bytes());
        self.raw(prefix);
        self.raw(first);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(FRAME_BYTES_DEFAULT));
            self.frame(Kind::Continuation, last(after), stream, piece);
            rest = after;
        }
    }
}

impl Write for Vec<u8> {
    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
