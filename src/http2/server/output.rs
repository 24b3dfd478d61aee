//! Frames as they are written.

use crate::http2::frame::{
    ACK, END_HEADERS, END_STREAM, ErrorCode, FRAME_BYTES_DEFAULT, HEAD_BYTES, Head, Kind, Setting,
};

/// Bytes to be sent, in order.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub bytes: Vec<u8>,
}

impl Output {
    fn head(&mut self, kind: Kind, flags: u8, stream: u32, len: usize) {
        self.bytes
            .extend_from_slice(&Head::new(kind, flags, stream, len).to_bytes());
    }

    fn frame(&mut self, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
        self.head(kind, flags, stream, payload.len());
        self.bytes.extend_from_slice(payload);
    }

    pub(super) fn settings(&mut self, settings: &[Setting]) {
        self.head(Kind::Settings, 0, 0, settings.len() * 6);
        for setting in settings {
            self.bytes.extend_from_slice(&setting.to_bytes());
        }
    }

    pub(super) fn settings_ack(&mut self) {
        self.head(Kind::Settings, ACK, 0, 0);
    }

    pub(super) fn ping(&mut self, flags: u8, payload: [u8; 8]) {
        self.frame(Kind::Ping, flags, 0, &payload);
    }

    pub(super) fn window_update(&mut self, stream: u32, bytes: u32) {
        self.frame(Kind::WindowUpdate, 0, stream, &bytes.to_be_bytes());
    }

    pub(super) fn reset(&mut self, stream: u32, code: ErrorCode) {
        self.frame(Kind::RstStream, 0, stream, &code.0.to_be_bytes());
    }

    pub(super) fn go_away(&mut self, last: u32, code: ErrorCode) {
        self.head(Kind::GoAway, 0, 0, 8);
        self.bytes.extend_from_slice(&last.to_be_bytes());
        self.bytes.extend_from_slice(&code.0.to_be_bytes());
    }

    pub(super) fn data(&mut self, stream: u32, payload: &[u8], ends: bool) {
        let flags = if ends { END_STREAM } else { 0 };
        self.frame(Kind::Data, flags, stream, payload);
    }

    /// A header block, in as many frames as the smallest frame size that a peer may have needs.
    pub(super) fn headers(&mut self, stream: u32, block: &[u8], ends: bool) {
        let end_stream = if ends { END_STREAM } else { 0 };
        self.bytes.reserve(block.len() + HEAD_BYTES);
        let (mut kind, mut rest, mut flags) = (Kind::Headers, block, end_stream);
        while let Some((piece, after)) = rest.split_at_checked(FRAME_BYTES_DEFAULT) {
            if after.is_empty() {
                break;
            }
            self.frame(kind, flags, stream, piece);
            (kind, rest, flags) = (Kind::Continuation, after, 0);
        }
        self.frame(kind, flags | END_HEADERS, stream, rest);
    }
}
