//! The client's side of an HTTP/2 connection, without the socket: requests and received bytes go
//! in, answers and bytes to send come out.
//!
//! What is refused here is refused where it begins: a fault of one answer resets its stream, a
//! fault of the connection ends it. Everything that the peer can make grow has a bound: a header
//! block, a list of fields, a body, the frames that it is owed.
//!
//! - Source: RFC 9113.

mod failure;
mod heads;
mod output;
#[cfg(test)]
mod peers_tests;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, io::IoSlice, rc::Rc};

use bytes::{Buf, Bytes};
use slab::Slab;

pub use failure::Failure;
use heads::{Head, Heads};
use output::Output;

use super::{
    fields::Fields,
    flow::Window,
    frame::{ErrorCode, FRAME_BYTES_DEFAULT, PREFACE, Setting, WINDOW_DEFAULT},
    write::Write as _,
};

/// What a client allows its peer.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of an answer's header fields, counted as HTTP/2 does.
    pub fields_bytes_max: u32,
    /// Bytes of an answer's body.
    pub body_bytes_max: usize,
    /// Bytes of one answer that may be under way.
    pub stream_window: u32,
    /// Bytes of all answers that may be under way. Range: from 65,535.
    pub connection_window: u32,
    /// Requests that may be open before the peer has said how many it takes.
    pub streams_before_settings: usize,
}

/// A request of a [`Client`], until its answer is taken or it is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(usize);

impl Key {
    /// A small number that no other request has at the same time.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A whole answer. Answers that are alike share their fields.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status: 200 to 999.
    pub status: u16,
    /// The fields of the head.
    pub fields: Rc<Fields>,
    /// The body.
    pub body: Bytes,
    /// The fields after the body.
    pub trailers: Option<Rc<Fields>>,
}

/// One request and its answer.
#[derive(Debug)]
struct Call<B> {
    /// 0 while it waits for its turn.
    stream: u32,
    block: Bytes,
    /// What is to be sent; `None` when all is queued.
    body: Option<B>,
    /// What may be sent.
    window: Window,
    /// Where in the output the request begins.
    begins_at: u64,
    /// What the peer may send.
    room: Window,
    /// What it sent of that and has not got back.
    credit: u32,
    head: Option<Head>,
    data: Vec<u8>,
    finished: Option<Result<Answer, Failure>>,
}

/// One connection. `B` is the body of a request; its `copy_to_bytes` should share, not copy.
#[derive(Debug)]
pub struct Client<B> {
    options: Options,
    calls: Slab<Call<B>>,
    /// Calls that have no stream yet, oldest first.
    queue: VecDeque<usize>,
    /// Open streams and their calls, in the order of the streams.
    open: Vec<(u32, usize)>,
    /// Open calls whose body is not whole in the output, oldest first.
    sending: VecDeque<usize>,
    finished: VecDeque<Key>,
    next_stream: u32,
    output: Output,
    /// What may be sent on all streams together.
    window: Window,
    /// What the peer may send on all streams together, and what it has not got back of it.
    room: Window,
    credit: u32,
    peer: Peer,
    heads: Heads,
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
    block: Option<Block>,
    /// The peer takes no more requests, and why.
    going_away: Option<Rc<str>>,
    /// The connection is at its end, and why.
    ended: Option<Rc<str>>,
}

/// What the peer has said of itself.
#[derive(Debug)]
struct Peer {
    /// Its settings have come.
    greeted: bool,
    streams_max: usize,
    stream_window: u32,
    frame_bytes_max: usize,
}

/// A header block that is being put together.
#[derive(Debug)]
struct Block {
    stream: u32,
    ends: bool,
    bytes: Vec<u8>,
    frames: usize,
}

impl<B: Buf> Client<B> {
    /// A client whose preface is ready to be sent.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut output = Output::default();
        output.raw(PREFACE);
        output.settings(&[
            Setting::EnablePush(false),
            Setting::InitialWindowSize(options.stream_window),
            Setting::MaxHeaderListSize(options.fields_bytes_max),
        ]);
        let more = options.connection_window.saturating_sub(WINDOW_DEFAULT);
        if more > 0 {
            output.window_update(0, more);
        }
        Self {
            calls: Slab::new(),
            queue: VecDeque::new(),
            open: Vec::new(),
            sending: VecDeque::new(),
            finished: VecDeque::new(),
            next_stream: 1,
            output,
            window: Window::new(WINDOW_DEFAULT),
            room: Window::new(options.connection_window.max(WINDOW_DEFAULT)),
            credit: 0,
            peer: Peer {
                greeted: false,
                streams_max: options.streams_before_settings,
                stream_window: WINDOW_DEFAULT,
                frame_bytes_max: FRAME_BYTES_DEFAULT,
            },
            heads: Heads::new(options.fields_bytes_max as usize),
            partial: Vec::new(),
            block: None,
            going_away: None,
            ended: None,
            options,
        }
    }

    /// Takes a request: its header block, written by [`encode`](super::hpack::encode), and body.
    ///
    /// It waits here while the peer takes no more at once. On a connection that takes none it
    /// fails, which [`Client::take`] tells.
    pub fn request(&mut self, block: Bytes, body: B) -> Key {
        let index = self.calls.insert(Call {
            stream: 0,
            block,
            body: Some(body),
            window: Window::new(0),
            begins_at: 0,
            room: Window::new(self.options.stream_window),
            credit: 0,
            head: None,
            data: Vec::new(),
            finished: None,
        });
        self.queue.push_back(index);
        if let Some(why) = self.ended.as_ref().or(self.going_away.as_ref()) {
            let failure = Failure::not_processed(Rc::clone(why));
            self.finish(index, Err(failure));
        }
        Key(index)
    }

    /// The answer of a request, once it is there; it is forgotten then.
    pub fn take(&mut self, key: Key) -> Option<Result<Answer, Failure>> {
        self.calls.get(key.0)?.finished.as_ref()?;
        self.calls.remove(key.0).finished
    }

    /// Forgets a request whose answer was not taken.
    pub fn cancel(&mut self, key: Key) {
        let Some(call) = self.calls.get(key.0) else {
            return;
        };
        if call.finished.is_none() {
            let stream = call.stream;
            self.close(key.0);
            if stream != 0 && self.ended.is_none() {
                self.output.reset(stream, ErrorCode::CANCEL);
            }
        }
        self.calls.remove(key.0);
    }

    /// The next request whose answer has come, or its failure.
    pub fn next_finished(&mut self) -> Option<Key> {
        self.finished.pop_front()
    }

    /// Whether it takes requests.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.ended.is_none() && self.going_away.is_none()
    }

    /// Whether the connection is at its end; what [`Client::pieces`] has left may be sent.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Ends the connection, in order: nothing is wanted any more, or the peer's end was met.
    pub fn end(&mut self, why: &str) {
        if self.ended.is_none() && self.peer.greeted {
            self.output.go_away(0, ErrorCode::NO_ERROR);
        }
        self.break_off(why);
    }

    /// Bytes to send. Each call starts as many requests as the windows allow.
    pub fn pieces<'a>(&'a mut self, into: &mut [IoSlice<'a>]) -> usize {
        if self.ended.is_none() {
            self.produce();
        }
        self.output.slices(into)
    }

    /// Says that the first bytes of [`Client::pieces`] were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.output.advance(bytes);
    }

    /// Bytes that wait to be sent, besides the bodies that have not begun.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.output.waiting()
    }

    /// Fails every request.
    fn break_off(&mut self, why: &str) {
        if self.ended.is_some() {
            return;
        }
        // What the peer said when it went is more than that it is gone.
        let why: Rc<str> = match &self.going_away {
            Some(said) => Rc::clone(said),
            None => Rc::from(why),
        };
        self.ended = Some(Rc::clone(&why));
        let sent = self.output.sent();
        for index in self.unfinished() {
            let Some(call) = self.calls.get(index) else {
                continue;
            };
            let failure = if call.stream == 0 || call.begins_at >= sent {
                Failure::not_processed(Rc::clone(&why))
            } else {
                Failure::Ended(Rc::clone(&why))
            };
            self.finish(index, Err(failure));
        }
    }

    fn unfinished(&self) -> Vec<usize> {
        let open = self.open.iter().map(|(_, index)| *index);
        open.chain(self.queue.iter().copied()).collect()
    }

    /// Ends a call; its answer waits to be taken.
    fn finish(&mut self, index: usize, result: Result<Answer, Failure>) {
        self.close(index);
        if let Some(call) = self.calls.get_mut(index) {
            call.body = None;
            call.block = Bytes::new();
            call.finished = Some(result);
            self.finished.push_back(Key(index));
        }
    }

    /// Takes a call out of every list.
    fn close(&mut self, index: usize) {
        let Some(call) = self.calls.get(index) else {
            return;
        };
        if call.stream == 0 {
            self.queue.retain(|queued| *queued != index);
            return;
        }
        if let Ok(at) = self.place(call.stream) {
            self.open.remove(at);
        }
        if call.body.is_some() {
            self.sending.retain(|sending| *sending != index);
        }
    }

    fn place(&self, stream: u32) -> Result<usize, usize> {
        self.open.binary_search_by_key(&stream, |(known, _)| *known)
    }
}
