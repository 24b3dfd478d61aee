//! What a client receives: frames, and what each does.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{mem, rc::Rc};

use bytes::{Buf, Bytes};

use super::{Answer, Block, Client, Failure, Head, failure::Named, heads::BadHead};
use crate::http2::{
    flow::Window,
    frame::{
        self, ACK, END_HEADERS, END_STREAM, ErrorCode, FRAME_BYTES_DEFAULT, HEAD_BYTES, Kind,
        PADDED, PRIORITY, Setting, WINDOW_MAX,
    },
    write::Write as _,
};

/// Bytes of one header block before it is unpacked.
///
/// - Source: chosen: four times the fields that are taken; the table makes a block smaller.
pub(super) const BLOCK_BYTES_MAX: usize = 64 << 10;

/// Frames of one header block, so that empty ones come to an end.
pub(super) const BLOCK_FRAMES_MAX: usize = 64;

/// Bytes of what a peer says when it goes away that are shown.
const SAID_BYTES_MAX: usize = 128;

/// A fault of the connection: the code that the peer is told, and what is wrong.
struct Fault(ErrorCode, &'static str);

type Done = Result<(), Fault>;

const fn protocol(what: &'static str) -> Fault {
    Fault(ErrorCode::PROTOCOL_ERROR, what)
}

const fn size(what: &'static str) -> Fault {
    Fault(ErrorCode::FRAME_SIZE_ERROR, what)
}

impl<B: Buf> Client<B> {
    /// Takes bytes that the peer sent, in whatever pieces they come.
    ///
    /// - Cost: no copy but of a frame that is cut in two, at most 16 KiB.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.ended.is_some() {
            return;
        }
        if let Err(Fault(code, what)) = self.frames(bytes) {
            self.output.go_away(0, code);
            self.break_off(&format!("the peer broke HTTP/2 ({}): {what}", Named(code)));
        }
    }

    fn frames(&mut self, bytes: &[u8]) -> Done {
        let mut rest = bytes;
        if !self.partial.is_empty() {
            let mut whole = mem::take(&mut self.partial);
            if !self.complete(&mut whole, &mut rest)? {
                self.partial = whole;
                return Ok(());
            }
            if let Some((head, payload)) = whole.split_first_chunk() {
                self.frame(frame::Head::parse(*head), payload)?;
            }
        }
        while let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
            let head = self.head(head)?;
            let Some((payload, after)) = after.split_at_checked(head.len) else {
                break;
            };
            rest = after;
            self.frame(head, payload)?;
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Moves bytes of `rest` to `whole` until that is a frame; says whether it is.
    fn complete(&self, whole: &mut Vec<u8>, rest: &mut &[u8]) -> Result<bool, Fault> {
        if !fill(whole, rest, HEAD_BYTES) {
            return Ok(false);
        }
        let Some(head) = whole.first_chunk() else {
            return Ok(false);
        };
        let len = self.head(head)?.len.saturating_add(HEAD_BYTES);
        Ok(fill(whole, rest, len))
    }

    /// Reads a frame's head, and refuses what is not worth waiting for.
    fn head(&self, bytes: &[u8; HEAD_BYTES]) -> Result<frame::Head, Fault> {
        let head = frame::Head::parse(*bytes);
        if !self.peer.greeted && (head.kind != Kind::Settings || head.has(ACK)) {
            return Err(protocol(if bytes.starts_with(b"HTTP/1") {
                "it answers in HTTP/1.1; a gRPC collector speaks HTTP/2"
            } else {
                "it does not begin with its settings"
            }));
        }
        if head.len > FRAME_BYTES_DEFAULT {
            return Err(size("a frame over 16,384 bytes"));
        }
        Ok(head)
    }

    fn frame(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        if let Some(block) = &self.block
            && (head.kind != Kind::Continuation || head.stream != block.stream)
        {
            return Err(protocol("a header block that another frame interrupts"));
        }
        match head.kind {
            Kind::Data => self.data(head, payload),
            Kind::Headers => self.headers(head, payload),
            Kind::Continuation => self.continuation(head, payload),
            Kind::Settings => self.settings(head, payload),
            Kind::Ping => self.ping(head, payload),
            Kind::WindowUpdate => self.window_update(head, payload),
            Kind::RstStream => self.reset_by_peer(head, payload),
            Kind::GoAway => self.go_away(head, payload),
            Kind::PushPromise => Err(protocol("a push, which is switched off")),
            Kind::Priority | Kind::Unknown(_) => Ok(()),
        }
    }

    /// The call of a stream; `None` when that has ended.
    fn call_of(&self, stream: u32) -> Result<Option<usize>, Fault> {
        if stream.is_multiple_of(2) || stream >= self.next_stream {
            return Err(protocol("a frame of a stream that was never opened"));
        }
        let place = self.place(stream).ok();
        Ok(place
            .and_then(|at| self.open.get(at))
            .map(|(_, index)| *index))
    }

    fn data(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        let call = self.call_of(head.stream)?;
        if !self.room.take(head.len) {
            return Err(Fault(
                ErrorCode::FLOW_CONTROL_ERROR,
                "more data than the connection's window",
            ));
        }
        // Given back at once: what is kept of it is bounded by the call's own bounds.
        let credit = give_back(
            &mut self.credit,
            &mut self.room,
            self.options.connection_window,
            head.len,
        );
        if credit > 0 {
            self.output.window_update(0, credit);
        }
        let data = unpadded(head, payload)?;
        let Some(index) = call else { return Ok(()) };
        let Some(call) = self.calls.get_mut(index) else {
            return Ok(());
        };
        let bytes_max = self.options.body_bytes_max;
        if !call.room.take(head.len) {
            let what = "more data than the stream's window";
            self.give_up(
                index,
                ErrorCode::FLOW_CONTROL_ERROR,
                Failure::Malformed(what),
            );
        } else if call.head.is_none() {
            let what = "a body before its head";
            self.give_up(index, ErrorCode::PROTOCOL_ERROR, Failure::Malformed(what));
        } else if call.data.len().saturating_add(data.len()) > bytes_max {
            self.give_up(index, ErrorCode::CANCEL, Failure::BodyTooLong { bytes_max });
        } else {
            call.data.extend_from_slice(data);
            if head.has(END_STREAM) {
                self.finish_answer(index, None);
                return Ok(());
            }
            let credit = give_back(
                &mut call.credit,
                &mut call.room,
                self.options.stream_window,
                head.len,
            );
            if credit > 0 {
                self.output.window_update(head.stream, credit);
            }
        }
        Ok(())
    }

    fn headers(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        self.call_of(head.stream)?;
        let mut block = unpadded(head, payload)?;
        if head.has(PRIORITY) {
            let (_priority, after) = block
                .split_at_checked(5)
                .ok_or(size("a HEADERS frame too short for its priority"))?;
            block = after;
        }
        if head.has(END_HEADERS) {
            return self.whole_block(head.stream, head.has(END_STREAM), block);
        }
        self.block = Some(Block {
            stream: head.stream,
            ends: head.has(END_STREAM),
            bytes: block.to_vec(),
            frames: 1,
        });
        Ok(())
    }

    fn continuation(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        let Some(mut block) = self.block.take() else {
            return Err(protocol("a CONTINUATION of nothing"));
        };
        block.frames = block.frames.saturating_add(1);
        if block.frames > BLOCK_FRAMES_MAX
            || block.bytes.len().saturating_add(payload.len()) > BLOCK_BYTES_MAX
        {
            return Err(Fault(
                ErrorCode::ENHANCE_YOUR_CALM,
                "a header block over 64 KiB or 64 frames",
            ));
        }
        block.bytes.extend_from_slice(payload);
        if head.has(END_HEADERS) {
            return self.whole_block(block.stream, block.ends, &block.bytes);
        }
        self.block = Some(block);
        Ok(())
    }

    /// A header block is whole. It is read even where nobody waits for it: the table must follow.
    fn whole_block(&mut self, stream: u32, ends: bool, block: &[u8]) -> Done {
        let read = self.heads.read(block).map_err(|_error| {
            Fault(
                ErrorCode::COMPRESSION_ERROR,
                "a header block that cannot be read",
            )
        })?;
        let Some(index) = self.call_of(stream)? else {
            return Ok(());
        };
        let Some(call) = self.calls.get_mut(index) else {
            return Ok(());
        };
        let read = match read {
            Ok(read) => read,
            Err(BadHead::TooLong) => {
                let bytes_max = self.options.fields_bytes_max;
                self.give_up(
                    index,
                    ErrorCode::CANCEL,
                    Failure::FieldsTooLong { bytes_max },
                );
                return Ok(());
            }
            Err(BadHead::Malformed(what)) => {
                self.give_up(index, ErrorCode::PROTOCOL_ERROR, Failure::Malformed(what));
                return Ok(());
            }
        };
        let wrong = match (&call.head, read.status) {
            (None, None) => "a head without :status",
            (None, Some(..=199)) if ends => "an interim answer that ends the stream",
            // More is to come.
            (None, Some(..=199)) => return Ok(()),
            (None, Some(_)) => {
                call.head = Some(read);
                if ends {
                    self.finish_answer(index, None);
                }
                return Ok(());
            }
            (Some(_), Some(_)) => "trailers with :status",
            (Some(_), None) if !ends => "trailers that do not end the stream",
            (Some(_), None) => {
                self.finish_answer(index, Some(read));
                return Ok(());
            }
        };
        self.give_up(index, ErrorCode::PROTOCOL_ERROR, Failure::Malformed(wrong));
        Ok(())
    }

    /// The stream has ended in order.
    fn finish_answer(&mut self, index: usize, trailers: Option<Head>) {
        let Some(call) = self.calls.get_mut(index) else {
            return;
        };
        let Some(head) = call.head.take() else {
            return;
        };
        let got = u64::try_from(call.data.len()).unwrap_or(u64::MAX);
        let is_whole = head.length.is_none_or(|length| length == got);
        let result = if is_whole {
            Ok(Answer {
                status: head.status.unwrap_or_default(),
                fields: head.fields,
                body: Bytes::from(mem::take(&mut call.data)),
                trailers: trailers.map(|trailers| trailers.fields),
            })
        } else {
            Err(Failure::Malformed(
                "a body that is not as long as content-length says",
            ))
        };
        // An answer that comes before the request is whole is the answer: the rest is not wanted.
        if call.body.is_some() {
            self.output.reset(call.stream, ErrorCode::CANCEL);
        }
        self.finish(index, result);
    }

    /// Resets a stream; its call fails.
    fn give_up(&mut self, index: usize, code: ErrorCode, failure: Failure) {
        if let Some(call) = self.calls.get(index) {
            self.output.reset(call.stream, code);
        }
        self.finish(index, Err(failure));
    }

    fn settings(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        if head.stream != 0 {
            return Err(protocol("settings of a stream"));
        }
        if head.has(ACK) {
            return if payload.is_empty() {
                Ok(())
            } else {
                Err(size("a SETTINGS acknowledgement with content"))
            };
        }
        let (settings, rest) = payload.as_chunks();
        if !rest.is_empty() {
            return Err(size("SETTINGS that are no multiple of six bytes"));
        }
        for &bytes in settings {
            let setting =
                Setting::parse(bytes).map_err(|code| Fault(code, "a setting out of its range"))?;
            if let Some(setting) = setting {
                self.set(setting)?;
            }
        }
        if !self.peer.greeted {
            self.peer.greeted = true;
            // What it says nothing of is unlimited: its callers bound what they send at once.
            let says_streams = settings.iter().any(|bytes| bytes.starts_with(&[0, 3]));
            if !says_streams {
                self.peer.streams_max = usize::MAX;
            }
        }
        self.answered(|output| output.settings_ack())
    }

    fn set(&mut self, setting: Setting) -> Done {
        match setting {
            // Nothing is sent that needs a table, or headers that are long.
            Setting::HeaderTableSize(_) | Setting::MaxHeaderListSize(_) => {}
            Setting::EnablePush(false) => {}
            Setting::EnablePush(true) => return Err(protocol("a server that asks for pushes")),
            Setting::MaxConcurrentStreams(streams) => {
                self.peer.streams_max = usize::try_from(streams).unwrap_or(usize::MAX);
            }
            Setting::MaxFrameSize(bytes) => self.peer.frame_bytes_max = bytes,
            Setting::InitialWindowSize(bytes) => {
                let grown = i64::from(bytes).saturating_sub(self.peer.stream_window.into());
                self.peer.stream_window = bytes;
                for (_, index) in &self.open {
                    if let Some(call) = self.calls.get_mut(*index) {
                        call.window
                            .grow(grown)
                            .map_err(|code| Fault(code, "a setting that overflows a window"))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn ping(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        if payload.len() != 8 {
            return Err(size("a PING that has not eight bytes"));
        }
        match head.stream {
            _ if head.has(ACK) => Ok(()),
            0 => self.answered(|output| output.ping_ack(payload)),
            _ => Err(protocol("a PING of a stream")),
        }
    }

    fn answered(&mut self, answer: impl FnOnce(&mut super::Output) -> bool) -> Done {
        if answer(&mut self.output) {
            return Ok(());
        }
        Err(Fault(
            ErrorCode::ENHANCE_YOUR_CALM,
            "more questions than it reads answers",
        ))
    }

    fn window_update(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        let increment = word(payload, "a WINDOW_UPDATE that has not four bytes")? & WINDOW_MAX;
        if head.stream == 0 {
            if increment == 0 {
                return Err(protocol("a WINDOW_UPDATE of nothing"));
            }
            let grown = self.window.grow(increment.into());
            return grown.map_err(|code| Fault(code, "a WINDOW_UPDATE over the largest window"));
        }
        let Some(index) = self.call_of(head.stream)? else {
            return Ok(());
        };
        let grown = match self.calls.get_mut(index) {
            Some(_) if increment == 0 => Err(ErrorCode::PROTOCOL_ERROR),
            Some(call) => call.window.grow(increment.into()),
            None => Ok(()),
        };
        if let Err(code) = grown {
            let what = "a WINDOW_UPDATE of nothing or over the largest window";
            self.give_up(index, code, Failure::Malformed(what));
        }
        Ok(())
    }

    fn reset_by_peer(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        let code = ErrorCode(word(payload, "a RST_STREAM that has not four bytes")?);
        if let Some(index) = self.call_of(head.stream)? {
            self.finish(index, Err(Failure::Reset(code)));
        }
        Ok(())
    }

    /// The peer takes no more. What it names as begun may still be answered; the rest it has not
    /// touched, whatever its reason.
    ///
    /// - Source: RFC 9113, section 6.8.
    fn go_away(&mut self, head: frame::Head, payload: &[u8]) -> Done {
        if head.stream != 0 {
            return Err(protocol("a GOAWAY of a stream"));
        }
        let (last, rest) = payload.split_at_checked(4).unwrap_or_default();
        let (code, said) = rest.split_at_checked(4).unwrap_or_default();
        let last = word(last, "a GOAWAY under eight bytes")? & WINDOW_MAX;
        let code = ErrorCode(word(code, "a GOAWAY under eight bytes")?);
        let why = gone(code, said);
        self.going_away = Some(Rc::clone(&why));
        for index in self.unfinished() {
            let is_untouched = self
                .calls
                .get(index)
                .is_some_and(|call| call.stream == 0 || call.stream > last);
            if is_untouched {
                self.finish(index, Err(Failure::not_processed(Rc::clone(&why))));
            }
        }
        Ok(())
    }
}

/// What a peer's going away is told as.
fn gone(code: ErrorCode, said: &[u8]) -> Rc<str> {
    let said = said.get(..SAID_BYTES_MAX).unwrap_or(said);
    let mut why = format!("the peer closes the connection: {}", Named(code));
    if !said.is_empty() {
        why.push_str(&format!(" ({})", said.escape_ascii()));
    }
    Rc::from(why)
}

/// The four bytes of a payload as a number.
fn word(payload: &[u8], what: &'static str) -> Result<u32, Fault> {
    let bytes = payload.try_into().map_err(|_other| size(what))?;
    Ok(u32::from_be_bytes(bytes))
}

/// The payload without its padding.
fn unpadded(head: frame::Head, payload: &[u8]) -> Result<&[u8], Fault> {
    if !head.has(PADDED) {
        return Ok(payload);
    }
    let (&padding, rest) = payload
        .split_first()
        .ok_or(size("a padded frame without the length of its padding"))?;
    let kept = rest
        .len()
        .checked_sub(usize::from(padding))
        .ok_or(protocol("more padding than there is frame"))?;
    Ok(rest.get(..kept).unwrap_or_default())
}

/// Notes what was received; says how much to give back of it, once that is half a window.
fn give_back(credit: &mut u32, room: &mut Window, window: u32, received: usize) -> u32 {
    *credit = credit.saturating_add(u32::try_from(received).unwrap_or(u32::MAX));
    if *credit < window / 2 || *credit == 0 {
        return 0;
    }
    let given = mem::take(credit);
    match room.grow(given.into()) {
        Ok(()) => given,
        // It was taken out of this window, so it fits.
        Err(_overflow) => 0,
    }
}

/// Moves bytes of `rest` to `whole` until that has `len`; says whether it has.
fn fill(whole: &mut Vec<u8>, rest: &mut &[u8], len: usize) -> bool {
    let missing = len.saturating_sub(whole.len()).min(rest.len());
    let (come, after) = rest.split_at(missing);
    whole.extend_from_slice(come);
    *rest = after;
    whole.len() >= len
}
