//! One request: what becomes of it, whatever protocol it came by.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{
    answer::Answer,
    behave::{Act, Struck, Switch},
    body::TooLarge,
    inflate::LARGEST,
    request::{Form, Head, grpc_message},
    tally::Tally,
};
use crate::rpc::Code;

/// What a collector's connections share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) switch: Rc<Switch>,
    pub(super) tally: RefCell<Tally>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This is its answer.
    Answer(Box<Answer>),
    /// It never gets one.
    Silence,
    /// Its connection is closed.
    Close,
    /// Its connection is reset.
    Reset,
}

/// What befalls an export request, as far as its head decides.
#[derive(Debug)]
pub(super) struct Fate {
    head: Head,
    struck: Option<Rc<Struck>>,
}

impl State {
    /// Meets the head of a request.
    pub(super) fn meet(&self, parts: &http::request::Parts) -> Result<Fate, Outcome> {
        let mut tally = self.tally.borrow_mut();
        tally.begin();
        let head = Head::read(parts).map_err(|answer| {
            tally.refuse();
            Outcome::Answer(answer)
        })?;
        let struck = self.switch.strike();
        let act = struck.as_ref().map(|it| &it.phase.act);
        // A connection that was taken before the port was closed goes with the others.
        if matches!(act, Some(Act::Reset | Act::Refuse)) {
            return Err(Outcome::Reset);
        }
        Ok(Fate { head, struck })
    }

    /// Decides on a request that was read to its end.
    pub(super) fn settle(&self, fate: &Fate, body: Result<Bytes, TooLarge>) -> Outcome {
        let Head { form, signal, .. } = fate.head;
        let act = fate.struck.as_ref().map_or(&Act::Ok, |it| &it.phase.act);
        let answer = match act {
            Act::Hang => return Outcome::Silence,
            Act::Reset | Act::Refuse => return Outcome::Reset,
            Act::Status { code, retry_info } => {
                let message = "refused on purpose";
                Answer::refusal(form, *code, code.http(), message, *retry_info)
            }
            Act::Http {
                status,
                retry_after,
            } => Answer::proxy(*status, *retry_after, SystemTime::now()),
            Act::ContentType(value) => Answer::of_type(value),
            Act::Discard => Answer::success(form, signal, None),
            accepts => match self.take(fate.head, body) {
                Err(refusal) => return Outcome::Answer(refusal),
                Ok(()) => match accepts {
                    Act::LoseAnswer => return Outcome::Close,
                    Act::Partial { rejected } => Answer::success(form, signal, Some(*rejected)),
                    Act::Garbage => Answer::garbage(form),
                    Act::Oversize(size) => Answer::oversize(form, signal, *size),
                    Act::Truncate => Answer::truncated(form, signal),
                    _ => Answer::success(form, signal, None),
                },
            },
        };
        Outcome::Answer(Box::new(answer))
    }

    /// Takes the items of a request, or says what to answer to one that cannot be read.
    fn take(&self, head: Head, body: Result<Bytes, TooLarge>) -> Result<(), Box<Answer>> {
        let taken = match body {
            Ok(body) => self
                .read(head, body)
                .map_err(|why| (Code::INVALID_ARGUMENT, 400, why)),
            Err(TooLarge) => {
                let why = format!("the body is larger than {LARGEST} bytes: send less at once");
                Err((Code::RESOURCE_EXHAUSTED, 413, why))
            }
        };
        taken.map_err(|(code, status, why)| {
            self.tally.borrow_mut().refuse();
            Box::new(Answer::refusal(head.form, code, status, &why, None))
        })
    }

    fn read(&self, head: Head, body: Bytes) -> Result<(), String> {
        let Head {
            form,
            signal,
            coding,
        } = head;
        let wire = body.len();
        let plain = if form == Form::Grpc {
            match grpc_message(body)? {
                (message, true) => coding.inflate(message)?,
                (message, false) => message,
            }
        } else {
            coding.inflate(body)?
        };
        let mut tally = self.tally.borrow_mut();
        let accepted = tally.accept(signal, form.encoding(), &plain, wire);
        accepted.map_err(|why| why.to_string())
    }
}

impl Fate {
    /// How the request is framed.
    pub(super) fn form(&self) -> Form {
        self.head.form
    }

    /// How long it waits for its answer.
    pub(super) fn slow(&self) -> Option<Duration> {
        self.struck.as_ref()?.phase.slow
    }

    /// Whether its connection is told to go with its answer; `before` requests were answered since
    /// the connection began or was last told.
    pub(super) fn ends_connection(&self, before: u64) -> bool {
        let Some(struck) = &self.struck else {
            return false;
        };
        let ends = matches!(struck.phase.act, Act::GoAway { every } if before + 1 >= every);
        if ends {
            struck.count();
        }
        ends
    }
}
