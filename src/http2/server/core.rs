//! What each frame means.

use http::request::Parts;

use super::{
    Event, Limits, Reply,
    heads::{Heads, Read},
    input::Step,
    streams::{Pending, Stream, Streams},
};
use crate::http2::{
    flow::Window,
    frame::{
        ACK, END_HEADERS, END_STREAM, ErrorCode, FRAME_BYTES_DEFAULT, Head, Kind, PADDED, PRIORITY,
        Setting, WINDOW_DEFAULT, WINDOW_MAX,
    },
    hpack::{Decoder, TABLE_BYTES_DEFAULT},
    write::Write as _,
};

/// The question whose answer shows that the peer has read the first `GOAWAY`.
const LEAVING: [u8; 8] = *b"leaving.";

/// Bytes of priority before a header block.
const PRIORITY_BYTES: usize = 5;

/// How far the end of the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// The peer was told; streams that it opened meanwhile are served.
    Announced,
    /// No stream above this one is served.
    After(u32),
}

/// A header block that is not whole.
#[derive(Debug)]
struct Block {
    stream: u32,
    ends: bool,
    bytes: Vec<u8>,
}

/// The connection behind the framing.
#[derive(Debug)]
pub(super) struct Core<H, T> {
    limits: Limits,
    heads: Heads<H>,
    streams: Streams<T>,
    output: Vec<u8>,
    settled: bool,
    block: Option<Block>,
    last_stream: u32,
    /// The stream whose `DATA` frame is being read, when somebody wants it.
    reading: Option<u32>,
    queued_end: Option<u32>,
    receive: Window,
    taken: u32,
    send: Window,
    peer_window: u32,
    peer_frame_bytes: usize,
    leaving: Leaving,
    error_resets: usize,
}

impl<H: Clone, T> Core<H, T> {
    pub(super) fn new(limits: &Limits, open: impl Fn(&Parts) -> H + 'static) -> Self {
        let header_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
        let streams_max = usize::try_from(limits.streams).unwrap_or(usize::MAX);
        let mut output = Vec::new();
        output.settings(&[
            Setting::MaxConcurrentStreams(limits.streams),
            Setting::InitialWindowSize(limits.stream_window),
            Setting::MaxFrameSize(limits.frame_bytes),
            Setting::MaxHeaderListSize(limits.header_bytes),
        ]);
        output.window_update(0, limits.connection_window.saturating_sub(WINDOW_DEFAULT));
        Self {
            limits: *limits,
            heads: Heads::new(Decoder::new(TABLE_BYTES_DEFAULT, header_bytes), open),
            streams: Streams::new(streams_max),
            output,
            settled: false,
            block: None,
            last_stream: 0,
            reading: None,
            queued_end: None,
            receive: Window::new(limits.connection_window),
            taken: 0,
            send: Window::new(WINDOW_DEFAULT),
            peer_window: WINDOW_DEFAULT,
            peer_frame_bytes: FRAME_BYTES_DEFAULT,
            leaving: Leaving::No,
            error_resets: 0,
        }
    }

    pub(super) fn queued<'i>(&mut self) -> Option<Event<'i, H, T>> {
        let stream = self.queued_end.take()?;
        Some(Event::End { stream })
    }

    pub(super) fn call(&mut self, stream: u32) -> Option<&mut Option<T>> {
        self.streams.get(stream).map(|stream| &mut stream.call)
    }

    pub(super) fn calls(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.streams
            .iter_mut()
            .filter_map(|stream| Some((stream.id, stream.call.as_mut()?)))
    }

    pub(super) const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.leaving, Leaving::After(_)) && self.streams.len() == 0
    }

    pub(super) fn shut_down(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Announced;
            self.output.go_away(WINDOW_MAX, ErrorCode::NO_ERROR);
            self.output.frame(Kind::Ping, 0, 0, &LEAVING);
        }
    }

    /// Tells the peer why the connection ends.
    pub(super) fn fail(&mut self, code: ErrorCode) {
        self.output.go_away(self.last_stream, code);
    }

    pub(super) fn step<'i>(
        &mut self,
        step: Step<'i, '_>,
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        match step {
            Step::Data(bytes) => self.data(bytes),
            Step::DataBegins(head) => {
                self.check_order(head)?;
                self.data_begins(head)
            }
            Step::DataEnds(head) => self.data_ends(head),
            Step::Frame(head, payload) => {
                self.check_order(head)?;
                self.frame(head, payload)
            }
        }
    }

    /// Settings come first, and nothing comes between the pieces of a header block.
    fn check_order(&self, head: Head) -> Result<(), ErrorCode> {
        let in_order = match &self.block {
            Some(block) => head.kind == Kind::Continuation && head.stream == block.stream,
            None => head.kind != Kind::Continuation,
        };
        let settled = self.settled || (head.kind == Kind::Settings && !head.has(ACK));
        if in_order && settled {
            Ok(())
        } else {
            Err(ErrorCode::PROTOCOL_ERROR)
        }
    }

    fn frame<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        match head.kind {
            Kind::Headers => self.headers(head, payload),
            Kind::Continuation => self.continuation(head, payload),
            Kind::RstStream => self.reset_by_peer(head, payload),
            Kind::WindowUpdate => self.window_update(head, payload),
            Kind::Settings => self.settings(head, payload).map(|()| None),
            Kind::Ping => self.ping(head, payload).map(|()| None),
            // The peer closes when it has its answers.
            Kind::GoAway if head.stream == 0 && payload.len() >= 8 => Ok(None),
            Kind::Priority if head.stream != 0 => self.priority(head, payload),
            Kind::GoAway | Kind::Priority | Kind::PushPromise => Err(ErrorCode::PROTOCOL_ERROR),
            Kind::Data | Kind::Unknown(_) => Ok(None),
        }
    }

    // --- bodies -----------------------------------------------------------------------------

    fn data_begins<'i>(&mut self, head: Head) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        self.reading = None;
        if head.stream == 0 || head.stream > self.last_stream {
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        if !self.receive.take(head.len) {
            return Err(ErrorCode::FLOW_CONTROL_ERROR);
        }
        let len = u32::try_from(head.len).unwrap_or(u32::MAX);
        self.taken = self.taken.saturating_add(len);
        // The budget does the holding back, so room is given back at once, many frames in one.
        if self.taken >= self.limits.connection_window / 2 {
            self.receive.grow(i64::from(self.taken))?;
            self.output.window_update(0, self.taken);
            self.taken = 0;
        }
        let Some(stream) = self.streams.get(head.stream) else {
            return self.on_closed_stream(head.stream);
        };
        if stream.ended {
            return self.reset(head.stream, ErrorCode::STREAM_CLOSED);
        }
        if !stream.receive.take(head.len) {
            return self.reset(head.stream, ErrorCode::FLOW_CONTROL_ERROR);
        }
        stream.taken = stream.taken.saturating_add(len);
        if stream.taken >= self.limits.stream_window / 2 && !head.has(END_STREAM) {
            stream.receive.grow(i64::from(stream.taken))?;
            self.output.window_update(head.stream, stream.taken);
            stream.taken = 0;
        }
        self.reading = Some(head.stream);
        Ok(None)
    }

    fn data<'i>(&mut self, bytes: &'i [u8]) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        let Some(id) = self.reading else {
            return Ok(None);
        };
        // The call may have been answered since the frame began.
        let Some(stream) = self.streams.get(id) else {
            return Ok(None);
        };
        if let Some(expected) = &mut stream.expected {
            let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let Some(left) = expected.checked_sub(len) else {
                return self.reset(id, ErrorCode::PROTOCOL_ERROR);
            };
            *expected = left;
        }
        Ok(Some(Event::Data { stream: id, bytes }))
    }

    fn data_ends<'i>(&mut self, head: Head) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        match self.reading.take() {
            Some(id) if head.has(END_STREAM) => self.end(id),
            _ => Ok(None),
        }
    }

    /// The peer has sent all of a request.
    fn end<'i>(&mut self, id: u32) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        let Some(stream) = self.streams.get(id) else {
            return Ok(None);
        };
        stream.ended = true;
        if stream.expected.is_some_and(|left| left > 0) {
            return self.reset(id, ErrorCode::PROTOCOL_ERROR);
        }
        Ok(Some(Event::End { stream: id }))
    }

    // --- heads ------------------------------------------------------------------------------

    fn headers<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        if head.stream.is_multiple_of(2) {
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        let mut block = payload;
        if head.has(PADDED) {
            let (&padding, rest) = block.split_first().ok_or(ErrorCode::FRAME_SIZE_ERROR)?;
            let len = rest
                .len()
                .checked_sub(usize::from(padding))
                .ok_or(ErrorCode::PROTOCOL_ERROR)?;
            block = &rest[..len];
        }
        let mut on_itself = false;
        if head.has(PRIORITY) {
            let (priority, rest) = block
                .split_at_checked(PRIORITY_BYTES)
                .ok_or(ErrorCode::FRAME_SIZE_ERROR)?;
            on_itself = depends_on(priority) == Some(head.stream);
            block = rest;
        }
        let ends = head.has(END_STREAM);
        if on_itself {
            // Its block must be read all the same; the table is the connection's.
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        if head.has(END_HEADERS) {
            return self.block(head.stream, ends, block);
        }
        self.block = Some(Block {
            stream: head.stream,
            ends,
            bytes: block.to_vec(),
        });
        Ok(None)
    }

    fn continuation<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        let Some(mut block) = self.block.take() else {
            return Err(ErrorCode::PROTOCOL_ERROR);
        };
        let bytes_max = usize::try_from(self.limits.header_bytes).unwrap_or(usize::MAX);
        if block.bytes.len() + payload.len() > bytes_max.max(FRAME_BYTES_DEFAULT) {
            return Err(ErrorCode::ENHANCE_YOUR_CALM);
        }
        block.bytes.extend_from_slice(payload);
        if head.has(END_HEADERS) {
            return self.block(block.stream, block.ends, &block.bytes);
        }
        self.block = Some(block);
        Ok(None)
    }

    /// A whole header block: a new request, the trailers of one, or something to be ignored.
    fn block<'i>(
        &mut self,
        id: u32,
        ends: bool,
        block: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        if id <= self.last_stream {
            return self.trailers(id, ends, block);
        }
        let read = self
            .heads
            .read(block)
            .map_err(|_out_of_step| ErrorCode::COMPRESSION_ERROR)?;
        self.last_stream = id;
        if matches!(self.leaving, Leaving::After(last) if id > last) {
            self.streams.leave(id);
            return Ok(None);
        }
        let streams_max = usize::try_from(self.limits.streams).unwrap_or(usize::MAX);
        if self.streams.len() >= streams_max {
            self.output.reset(id, ErrorCode::REFUSED_STREAM);
            self.streams.leave(id);
            return Ok(None);
        }
        self.streams.push(Stream {
            id,
            receive: Window::new(self.limits.stream_window),
            taken: 0,
            send: Window::new(self.peer_window),
            expected: None,
            ended: ends,
            pending: None,
            call: None,
        });
        match read {
            Read::Malformed => self.reset(id, ErrorCode::PROTOCOL_ERROR),
            Read::TooLong => {
                self.respond(id, Reply::too_long());
                Ok(None)
            }
            Read::Head { length, .. } if ends && length.is_some_and(|length| length > 0) => {
                self.reset(id, ErrorCode::PROTOCOL_ERROR)
            }
            Read::Head { head, length } => {
                if let Some(stream) = self.streams.get(id) {
                    stream.expected = length;
                }
                self.queued_end = ends.then_some(id);
                Ok(Some(Event::Head { stream: id, head }))
            }
        }
    }

    fn trailers<'i>(
        &mut self,
        id: u32,
        ends: bool,
        block: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        let trailers = self
            .heads
            .read_trailers(block)
            .map_err(|_out_of_step| ErrorCode::COMPRESSION_ERROR)?;
        match self.streams.get(id) {
            None => self.on_closed_stream(id),
            Some(stream) if stream.ended => self.reset(id, ErrorCode::STREAM_CLOSED),
            Some(_) if !ends || trailers.is_err() => self.reset(id, ErrorCode::PROTOCOL_ERROR),
            Some(_) => self.end(id),
        }
    }

    /// A frame for a stream that is over: in order when it was ended here while the peer was
    /// still sending.
    fn on_closed_stream<'i>(&self, id: u32) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        if self.streams.was_left(id) {
            Ok(None)
        } else {
            Err(ErrorCode::STREAM_CLOSED)
        }
    }

    // --- ends of streams --------------------------------------------------------------------

    /// Ends a stream for an error of the peer.
    fn reset<'i>(
        &mut self,
        id: u32,
        code: ErrorCode,
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        self.error_resets += 1;
        if self.error_resets > self.limits.error_resets {
            return Err(ErrorCode::ENHANCE_YOUR_CALM);
        }
        self.output.reset(id, code);
        self.streams.leave(id);
        let stream = self.streams.remove(id);
        let call = stream.and_then(|stream| stream.call);
        Ok(call.map(|call| Event::Reset { call }))
    }

    fn reset_by_peer<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        self.check_stream(head)?;
        if payload.len() != 4 {
            return Err(ErrorCode::FRAME_SIZE_ERROR);
        }
        let stream = self.streams.remove(head.stream);
        let call = stream.and_then(|stream| stream.call);
        Ok(call.map(|call| Event::Reset { call }))
    }

    /// A stream that was opened at some time.
    const fn check_stream(&self, head: Head) -> Result<(), ErrorCode> {
        if head.stream == 0 || head.stream > self.last_stream {
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        Ok(())
    }

    fn priority<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        if payload.len() != PRIORITY_BYTES {
            return Err(ErrorCode::FRAME_SIZE_ERROR);
        }
        if depends_on(payload) == Some(head.stream) {
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        Ok(None)
    }

    // --- the connection ---------------------------------------------------------------------

    fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), ErrorCode> {
        if head.stream != 0 {
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        let (settings, rest) = payload.as_chunks();
        if !rest.is_empty() || (head.has(ACK) && !payload.is_empty()) {
            return Err(ErrorCode::FRAME_SIZE_ERROR);
        }
        if head.has(ACK) {
            return Ok(());
        }
        self.settled = true;
        for setting in settings {
            match Setting::parse(*setting)? {
                Some(Setting::InitialWindowSize(bytes)) => {
                    let change = i64::from(bytes) - i64::from(self.peer_window);
                    self.peer_window = bytes;
                    self.streams.grow_send_windows(change)?;
                }
                Some(Setting::MaxFrameSize(bytes)) => self.peer_frame_bytes = bytes,
                // Header blocks are written without the table, and nothing is pushed.
                _other => {}
            }
        }
        self.output.frame(Kind::Settings, ACK, 0, &[]);
        self.send_pending();
        Ok(())
    }

    fn ping(&mut self, head: Head, payload: &[u8]) -> Result<(), ErrorCode> {
        if head.stream != 0 {
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        let payload = <[u8; 8]>::try_from(payload).map_err(|_| ErrorCode::FRAME_SIZE_ERROR)?;
        if !head.has(ACK) {
            self.output.frame(Kind::Ping, ACK, 0, &payload);
        } else if payload == LEAVING && self.leaving == Leaving::Announced {
            self.leaving = Leaving::After(self.last_stream);
            self.output.go_away(self.last_stream, ErrorCode::NO_ERROR);
        }
        Ok(())
    }

    fn window_update<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        let bytes = <[u8; 4]>::try_from(payload).map_err(|_| ErrorCode::FRAME_SIZE_ERROR)?;
        let bytes = u32::from_be_bytes(bytes) & WINDOW_MAX;
        if head.stream == 0 {
            if bytes == 0 {
                return Err(ErrorCode::PROTOCOL_ERROR);
            }
            self.send.grow(i64::from(bytes))?;
            self.send_pending();
            return Ok(None);
        }
        self.check_stream(head)?;
        let Some(stream) = self.streams.get(head.stream) else {
            return Ok(None);
        };
        if bytes == 0 {
            return self.reset(head.stream, ErrorCode::PROTOCOL_ERROR);
        }
        if let Err(code) = stream.send.grow(i64::from(bytes)) {
            return self.reset(head.stream, code);
        }
        if stream.pending.is_some() {
            self.send_pending();
        }
        Ok(None)
    }

    // --- answers ----------------------------------------------------------------------------

    pub(super) fn respond(&mut self, id: u32, reply: Reply) {
        let Reply {
            head,
            body,
            trailers,
        } = reply;
        let Some(stream) = self.streams.get(id) else {
            return;
        };
        stream.call = None;
        let alone = body.is_empty() && trailers.is_none();
        self.output.headers(id, &[], &head, alone);
        if !alone {
            stream.pending = Some(Pending { body, trailers });
        }
        if self.send_on(id) {
            self.finish(id);
        }
    }

    /// Sends what the windows let through of a stream's answer; says whether that was all.
    fn send_on(&mut self, id: u32) -> bool {
        let Some(stream) = self.streams.get(id) else {
            return false;
        };
        let Some(mut pending) = stream.pending.take() else {
            return true;
        };
        while !pending.body.is_empty() {
            let len = pending
                .body
                .len()
                .min(self.peer_frame_bytes)
                .min(stream.send.room())
                .min(self.send.room());
            if len == 0 || !stream.send.take(len) || !self.send.take(len) {
                stream.pending = Some(pending);
                return false;
            }
            let piece = pending.body.split_to(len);
            let last = pending.body.is_empty() && pending.trailers.is_none();
            let flags = if last { END_STREAM } else { 0 };
            self.output.frame(Kind::Data, flags, id, &piece);
        }
        if let Some(trailers) = pending.trailers {
            self.output.headers(id, &[], &trailers, true);
        }
        true
    }

    /// Room has come: the answers that waited for it go on, oldest first.
    fn send_pending(&mut self) {
        let waiting: Vec<u32> = self
            .streams
            .iter_mut()
            .filter(|stream| stream.pending.is_some())
            .map(|stream| stream.id)
            .collect();
        for id in waiting {
            if self.send_on(id) {
                self.finish(id);
            }
        }
    }

    /// The answer is sent; a peer that is still sending its request is told to stop.
    fn finish(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(id)
            && !stream.ended
        {
            self.output.reset(id, ErrorCode::NO_ERROR);
            self.streams.leave(id);
        }
    }
}

/// The stream that a priority says it depends on.
fn depends_on(priority: &[u8]) -> Option<u32> {
    let bytes = priority.first_chunk()?;
    Some(u32::from_be_bytes(*bytes) & WINDOW_MAX)
}

impl Reply {
    /// The header fields are over the limit: `:status 431`.
    fn too_long() -> Self {
        Self {
            head: bytes::Bytes::from_static(&[0x08, 3, b'4', b'3', b'1']),
            body: bytes::Bytes::new(),
            trailers: None,
        }
    }
}
