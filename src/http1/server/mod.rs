//! The server's side of one connection: bytes in, events out; answers in, bytes out.

mod heads;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{StatusCode, request::Parts};

use self::heads::{Read, Remembered};
use super::{
    chunked::{Chunked, Piece},
    request::{self, Framing, Head, Problem},
};

/// Bounds on what a peer can make grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head, with its empty line.
    pub header_bytes: usize,
    /// Bytes of a body that are skipped after its answer, so that the connection can be kept.
    pub skipped_bytes: u64,
}

/// The interim answer.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'i, H> {
    /// A request began.
    Head {
        /// What its head was opened to.
        head: H,
        /// The length of its body, where the sender declared it.
        length: Option<u64>,
    },
    /// A piece of its body, as it lies in the input.
    Data(&'i [u8]),
    /// The request is whole. No other begins before it is answered.
    End,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The fields, each a line with its end, without those that are about the connection, the
    /// length and the date.
    pub fields: Bytes,
    /// The body; empty when there is none.
    pub body: Bytes,
}

/// One connection. `H` is what a request's head is opened to.
///
/// Requests are answered one after the other: what a peer sends ahead is not taken from the input.
///
/// - Cost: no copy of a body, no allocation a request; a head that repeats is not parsed again,
///   whatever length it declares.
/// - Bounds: holds a head that is not whole, of at most [`Limits::header_bytes`].
#[derive(Debug)]
pub struct Server<H> {
    limits: Limits,
    open: Opener<H>,
    remembered: Remembered<H>,
    state: State,
    /// The beginning of a head whose end has not come.
    partial: Vec<u8>,
    /// The length of the last whole head.
    head_bytes: usize,
    /// What the request that is open said of its answer.
    asked: Asked,
    leaving: bool,
    output: Vec<u8>,
}

/// What a head is opened with.
struct Opener<H>(Box<dyn Fn(&Parts) -> H>);

impl<H> std::fmt::Debug for Opener<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum State {
    /// Between requests, or in a head.
    Head,
    Body(Body),
    /// The request is whole and waits for its answer.
    Whole,
    /// Answered; so many bytes of the rest of the body are skipped at the most.
    Skip(Body, u64),
    Done,
}

#[derive(Debug)]
enum Body {
    Length(u64),
    Chunked(Chunked),
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    keeps_alive: bool,
    expects_continue: bool,
    bodiless: bool,
    old: bool,
}

impl Asked {
    const NOTHING: Self = Self {
        keeps_alive: false,
        expects_continue: false,
        bodiless: false,
        old: false,
    };
}

impl<H: Clone> Server<H> {
    /// A fresh connection. `open` is called with each head that is not remembered.
    #[must_use]
    pub fn new(limits: Limits, open: impl Fn(&Parts) -> H + 'static) -> Self {
        Self {
            limits,
            open: Opener(Box::new(open)),
            remembered: Remembered::default(),
            state: State::Head,
            partial: Vec::new(),
            head_bytes: 0,
            asked: Asked::NOTHING,
            leaving: false,
            output: Vec::new(),
        }
    }

    /// The next event in the input. `None` when all of it is taken, when an answer is waited for,
    /// or at the end of the connection; what is left then is no event yet.
    ///
    /// # Errors
    ///
    /// Where the request ends is not certain: it is to be answered, by [`Server::respond`] when it
    /// is open, else by [`Server::fail`], and the connection ends.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i, H>>, Problem> {
        loop {
            match &mut self.state {
                State::Head => {
                    let Some(read) = self.head(input)? else {
                        return Ok(None);
                    };
                    return Ok(Some(self.begin(read)));
                }
                State::Body(body) => {
                    let event = match body.next(input)? {
                        None => return Ok(None),
                        Some(Piece::Data(data)) => Event::Data(data),
                        Some(Piece::End) => {
                            self.state = State::Whole;
                            Event::End
                        }
                    };
                    return Ok(Some(event));
                }
                State::Skip(body, left) => {
                    let before = input.len();
                    let piece = body.next(input);
                    let came = u64::try_from(before - input.len()).unwrap_or(u64::MAX);
                    let Some(rest) = left.checked_sub(came) else {
                        self.state = State::Done;
                        return Ok(None);
                    };
                    *left = rest;
                    match piece {
                        Ok(None) => return Ok(None),
                        Ok(Some(Piece::Data(_))) => {}
                        Ok(Some(Piece::End)) if !self.leaving => self.state = State::Head,
                        // Its request is answered: there is nobody to tell what is wrong.
                        Ok(Some(Piece::End)) | Err(_) => self.state = State::Done,
                    }
                }
                State::Whole | State::Done => return Ok(None),
            }
        }
    }

    /// The head that comes next; `None` when its end is not there.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Read<H>>, Problem> {
        self.skip_empty_lines(input);
        let known = self.partial.len();
        if known == 0
            && let Some((len, read)) = self.remembered.find(input)
            && len <= self.limits.header_bytes
        {
            *input = input.get(len..).unwrap_or_default();
            self.head_bytes = len;
            return Ok(Some(read));
        }
        let room = self.limits.header_bytes.saturating_sub(known);
        let (window, _beyond) = input.split_at(room.min(input.len()));
        let end = if known == 0 {
            request::end(window, 0)?
        } else {
            self.partial.extend_from_slice(window);
            request::end(&self.partial, known)?
        };
        let Some(end) = end else {
            if window.len() == room {
                return Err(Problem::TOO_LONG);
            }
            if known == 0 {
                self.partial.extend_from_slice(window);
            }
            *input = &[];
            return Ok(None);
        };
        self.head_bytes = end;
        let (bytes, after) = input.split_at(end.saturating_sub(known));
        *input = after;
        if known == 0 {
            return self.read(bytes).map(Some);
        }
        let mut partial = std::mem::take(&mut self.partial);
        partial.truncate(end);
        self.read(&partial).map(Some)
    }

    /// Empty lines before a request mean nothing: some senders end a body with one.
    ///
    /// - Source: RFC 9112, section 2.2.
    fn skip_empty_lines(&mut self, input: &mut &[u8]) {
        if self.partial == b"\r"
            && let Some(rest) = input.strip_prefix(b"\n")
        {
            self.partial.clear();
            *input = rest;
        }
        if self.partial.is_empty() {
            while let Some(rest) = input.strip_prefix(b"\r\n") {
                *input = rest;
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Read<H>, Problem> {
        let head = Head::parse(bytes)?;
        let read = Read::new((self.open.0)(&head.parts), &head);
        self.remembered.add(bytes, head.digits, &read);
        Ok(read)
    }

    fn begin(&mut self, read: Read<H>) -> Event<'static, H> {
        self.asked = Asked {
            keeps_alive: read.keeps_alive,
            expects_continue: read.expects_continue,
            bodiless: read.bodiless,
            old: read.old,
        };
        self.state = State::Body(match read.framing {
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Chunked::new()),
        });
        Event::Head {
            head: read.head,
            length: read.length,
        }
    }

    /// Whether nothing has come of the next request.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Head) && self.partial.is_empty()
    }

    /// The length of the last head, with its empty line.
    #[must_use]
    pub const fn head_bytes(&self) -> usize {
        self.head_bytes
    }

    /// How much is missing of the body that is being read, where its length was declared; else 0.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        match self.state {
            State::Body(Body::Length(left)) => left,
            _ => 0,
        }
    }

    /// So much of what is missing came, and not by the input.
    pub const fn came_apart(&mut self, bytes: u64) {
        if let State::Body(Body::Length(left)) = &mut self.state {
            debug_assert!(*left >= bytes, "no more comes than is missing");
            *left = left.saturating_sub(bytes);
        }
    }

    /// The body of the request that is open is wanted: a sender that waits for this is told.
    pub fn proceed(&mut self) {
        if std::mem::take(&mut self.asked.expects_continue) {
            self.output.extend_from_slice(CONTINUE);
        }
    }

    /// Says something to a peer that has ended its side while a whole request waits for its answer:
    /// one that is there lets it pass, and where nobody is there the network says so.
    ///
    /// - Source: RFC 9110, section 15.2: a client parses interim responses that it did not expect,
    ///   and a client of HTTP/1.0 is sent none.
    pub fn call_out(&mut self) {
        if matches!(self.state, State::Whole) && !self.asked.old {
            self.output.extend_from_slice(CONTINUE);
        }
    }

    /// Answers the request that is open, whole or not. `close`: the connection ends with it.
    ///
    /// The rest of a short body is skipped; a long one, or one that its sender holds back, ends
    /// the connection.
    pub fn respond(&mut self, reply: &Reply, date: &str, close: bool) {
        let state = std::mem::replace(&mut self.state, State::Done);
        let next = match state {
            State::Whole => State::Head,
            State::Body(Body::Length(left)) if left > self.limits.skipped_bytes => State::Done,
            State::Body(_) if self.asked.expects_continue => State::Done,
            State::Body(body) => State::Skip(body, self.limits.skipped_bytes),
            State::Head | State::Skip(..) | State::Done => {
                debug_assert!(false, "no request is open");
                self.state = state;
                return;
            }
        };
        if self.asked.keeps_alive && !self.leaving && !close {
            self.state = next;
        }
        self.write(reply, date);
    }

    /// Answers what is no request.
    pub fn fail(&mut self, problem: Problem, date: &str) {
        self.state = State::Done;
        self.asked = Asked::NOTHING;
        let reply = Reply {
            status: problem.status,
            fields: Bytes::from_static(b"content-type: text/plain; charset=utf-8\r\n"),
            body: Bytes::from_static(problem.message.as_bytes()),
        };
        self.write(&reply, date);
    }

    /// Ends a connection on which something takes too long that no call waits for. A head that is
    /// not whole is answered, a body that is answered already is not.
    pub fn give_up(&mut self, date: &str) {
        match self.state {
            State::Head => self.fail(Problem::TOO_SLOW, date),
            _ => self.state = State::Done,
        }
    }

    fn write(&mut self, reply: &Reply, date: &str) {
        let connection = match self.state {
            State::Done => "\r\nconnection: close",
            _ if self.asked.old => "\r\nconnection: keep-alive",
            _ => "",
        };
        let length = match reply.body.len() {
            0 => "0",
            len => &len.to_string(),
        };
        let reason = reply.status.canonical_reason().unwrap_or_default();
        for piece in [
            b"HTTP/1.1 ",
            reply.status.as_str().as_bytes(),
            b" ",
            reason.as_bytes(),
            b"\r\n",
            &reply.fields,
            b"content-length: ",
            length.as_bytes(),
            connection.as_bytes(),
            b"\r\ndate: ",
            date.as_bytes(),
            b"\r\n\r\n",
        ] {
            self.output.extend_from_slice(piece);
        }
        if !self.asked.bodiless {
            self.output.extend_from_slice(&reply.body);
        }
    }

    /// Begins the end: the request that is open, or comes next, is the last, and its answer says
    /// so.
    pub const fn leave(&mut self) {
        self.leaving = true;
    }

    /// Ends the connection, now where no request has begun, else after its answer.
    pub fn shut_down(&mut self) {
        self.leave();
        if matches!(self.state, State::Head | State::Skip(..)) && self.partial.is_empty() {
            self.state = State::Done;
        }
    }

    /// Whether the connection is at its end, but for its output.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the rest is missing of something that no call waits for: of a head, or of a body
    /// that is answered.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        match self.state {
            State::Head => !self.partial.is_empty(),
            State::Skip(..) => true,
            State::Body(_) | State::Whole | State::Done => false,
        }
    }

    /// Bytes to be sent, to be taken out by the caller.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }
}

impl Body {
    fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Piece<'i>>, Problem> {
        match self {
            Self::Chunked(chunked) => chunked.next(input).map_err(|wrong| Problem::bad(wrong.0)),
            Self::Length(0) => Ok(Some(Piece::End)),
            Self::Length(left) => {
                let room = usize::try_from(*left).unwrap_or(usize::MAX);
                let (data, after) = input.split_at(room.min(input.len()));
                *input = after;
                *left -= u64::try_from(data.len()).unwrap_or(0);
                Ok((!data.is_empty()).then_some(Piece::Data(data)))
            }
        }
    }
}
