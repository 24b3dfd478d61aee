//! The client's side of an HTTP/1.1 connection, without the socket: one request at a time and
//! received bytes go in, answers and bytes to send come out.
//!
//! - Source: RFC 9112, section 9.

use std::{fmt, io::IoSlice};

use bytes::Buf;

use super::answer::{Answer, Fault, Limits, Reader};

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer cannot have begun to work on it: it may be sent again.
    NotProcessed(String),
    /// What came is no answer.
    Fault(Fault),
    /// The connection ended first.
    Ended(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProcessed(why) | Self::Ended(why) => f.write_str(why),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// Where the one request is.
#[derive(Debug)]
enum Exchange<B> {
    /// There is none.
    Idle,
    /// Its answer is waited for.
    UnderWay {
        /// What is left of the body.
        body: B,
    },
    /// Its answer waits to be taken.
    Finished(Result<Answer, Failure>),
}

/// One connection. `B` is the body of a request.
#[derive(Debug)]
pub struct Client<B> {
    exchange: Exchange<B>,
    /// The head of the request, and how much of it was sent.
    head: Vec<u8>,
    head_sent: usize,
    reader: Reader,
    /// Whether an answer has come on it.
    proven: bool,
    /// The socket takes no more bytes.
    deaf: Option<String>,
    /// It takes no more requests, and why.
    ended: Option<String>,
}

impl<B: Buf> Client<B> {
    /// A fresh connection that reads answers within these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            exchange: Exchange::Idle,
            head: Vec::new(),
            head_sent: 0,
            reader: Reader::new(limits),
            proven: false,
            deaf: None,
            ended: None,
        }
    }

    /// Takes a request. `head` is its lines up to the last field; the length of the body is told
    /// behind them where the method has one.
    ///
    /// On a connection that takes none it fails, which [`Client::take`] tells. The connection is
    /// [idle](Client::is_idle): one that is not gives its request up.
    pub fn request(&mut self, head: &[u8], body: B, has_body: bool) {
        self.cancel();
        if let Some(why) = &self.ended {
            self.exchange = Exchange::Finished(Err(Failure::NotProcessed(why.clone())));
            return;
        }
        self.head.clear();
        self.head.extend_from_slice(head);
        if has_body {
            self.head.extend_from_slice(b"content-length: ");
            let length = body.remaining().to_string();
            self.head.extend_from_slice(length.as_bytes());
            self.head.extend_from_slice(b"\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
        self.head_sent = 0;
        self.exchange = Exchange::UnderWay { body };
    }

    /// The answer of the request, once it is there; the next request may be made then.
    pub fn take(&mut self) -> Option<Result<Answer, Failure>> {
        match std::mem::replace(&mut self.exchange, Exchange::Idle) {
            Exchange::Finished(result) => Some(result),
            other => {
                self.exchange = other;
                None
            }
        }
    }

    /// Whether there is no request, nor an answer that was not taken.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.exchange, Exchange::Idle)
    }

    /// Whether a request waits for its answer.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self.exchange, Exchange::UnderWay { .. })
    }

    /// Forgets the request, whose answer nobody waits for any more. One that has begun to be sent
    /// ends the connection.
    pub fn cancel(&mut self) {
        if self.is_under_way() && self.head_sent > 0 {
            self.ended
                .get_or_insert_with(|| "a request was given up".to_owned());
        }
        self.exchange = Exchange::Idle;
    }

    /// Whether it takes requests.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// Bytes to send.
    pub fn pieces<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let Exchange::UnderWay { body } = &self.exchange else {
            return 0;
        };
        if self.deaf.is_some() {
            return 0;
        }
        let head = self.head.get(self.head_sent..).unwrap_or_default();
        match into {
            [] => 0,
            into if head.is_empty() => body.chunks_vectored(into),
            [first, others @ ..] => {
                *first = IoSlice::new(head);
                1 + body.chunks_vectored(others)
            }
        }
    }

    /// Says that the first bytes of [`Client::pieces`] were sent.
    pub fn sent(&mut self, bytes: usize) {
        if let Exchange::UnderWay { body } = &mut self.exchange {
            let of_head = bytes.min(self.head.len() - self.head_sent);
            self.head_sent += of_head;
            body.advance(bytes - of_head);
        }
    }

    /// The socket takes no more bytes. The peer may have answered all the same, so this is the end
    /// only when nothing more can be read.
    pub fn deafened(&mut self, why: &str) {
        self.deaf.get_or_insert_with(|| why.to_owned());
    }

    /// Takes what the peer has sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        if !self.is_under_way() || self.head_sent == 0 {
            self.end("the collector answered before it was asked");
            return;
        }
        match self.reader.take(bytes) {
            Ok(taken) if self.reader.is_done() => self.answered(taken < bytes.len()),
            Ok(_) => {}
            Err(fault) => {
                self.exchange = Exchange::Finished(Err(Failure::Fault(fault)));
                self.end("the collector does not speak HTTP/1.1");
            }
        }
    }

    /// The peer has closed its side in order.
    pub fn closed(&mut self) {
        self.reader.close();
        if self.is_under_way() && self.reader.is_done() {
            self.answered(false);
        }
        self.end("the collector closed the connection");
    }

    /// Ends the connection; a request without an answer fails.
    pub fn end(&mut self, why: &str) {
        let why = self.deaf.clone().unwrap_or_else(|| why.to_owned());
        if self.is_under_way() {
            // A peer cannot work on what has not begun. Where it took requests before, one that
            // did not get whole, unanswered, met a connection that was closed already.
            let was_idle = self.proven && !self.is_sent() && !self.reader.has_begun();
            let failure = if self.head_sent == 0 || was_idle {
                Failure::NotProcessed(why.clone())
            } else {
                Failure::Ended(why.clone())
            };
            self.exchange = Exchange::Finished(Err(failure));
        }
        self.ended.get_or_insert(why);
    }

    /// Whether the request went out whole.
    fn is_sent(&self) -> bool {
        let Exchange::UnderWay { body } = &self.exchange else {
            return true;
        };
        self.head_sent == self.head.len() && !body.has_remaining()
    }

    /// The answer is whole; bytes behind it belong to nothing.
    fn answered(&mut self, has_more: bool) {
        let is_kept = self.reader.keeps_alive() && !has_more && self.is_sent();
        self.exchange = Exchange::Finished(Ok(self.reader.finish()));
        self.proven = true;
        if !is_kept {
            self.end("the collector keeps no connection after its answer");
        }
    }
}

#[cfg(test)]
mod tests;
