//! A call between its head and its answer, over either HTTP.

use std::{rc::Rc, time::Instant};

use super::{
    Context,
    body::Reader,
    connection::{Connection, OpenCall},
    export::{self, Counted, Opened},
    reads::Reading,
};
use crate::{
    batch::Ack,
    outcome::{Outcome, Refusal},
};

/// A call that has no answer yet.
pub(super) struct InCall<'a> {
    pub counted: Counted,
    pub progress: Progress<'a>,
    _open: OpenCall,
}

/// How far it is.
pub(super) enum Progress<'a> {
    Reading {
        reader: Reader<'a>,
        reading: Reading<'a>,
    },
    Waiting(Ack),
}

/// A call that is at its end, to be counted and answered.
pub(super) type Ended = (Counted, Outcome);

impl<'a> InCall<'a> {
    /// Begins a call whose body is to be read; else it is at its end.
    pub(super) fn begin(
        context: &'a Context,
        connection: &'a Rc<Connection>,
        opened: &Opened,
        now: Instant,
    ) -> Result<Self, Ended> {
        let counted = Counted::begin(opened, now);
        match export::admit(context, connection, opened) {
            Ok(reader) => Ok(Self {
                counted,
                progress: Progress::Reading {
                    reader,
                    reading: context.reads.begin(now),
                },
                _open: connection.call(),
            }),
            Err(refusal) => Err((counted, Outcome::Refused(refusal))),
        }
    }

    /// Takes a piece of the body, where it is being read.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        match &mut self.progress {
            Progress::Reading { reader, .. } => reader.push_copy(bytes),
            Progress::Waiting(_) => Ok(()),
        }
    }

    /// Where the body is put together, while it is being read.
    pub(super) const fn reader(&mut self) -> Option<&mut Reader<'a>> {
        match &mut self.progress {
            Progress::Reading { reader, .. } => Some(reader),
            Progress::Waiting(_) => None,
        }
    }

    /// The body is whole: it is handed over. The call waits then, or is at its end.
    pub(super) fn hand_over(self, context: &Context) -> Result<Self, Ended> {
        let Self {
            mut counted,
            progress,
            _open,
        } = self;
        let taken = match progress {
            Progress::Reading { reader, .. } => export::take(context, reader, &mut counted),
            Progress::Waiting(ack) => Ok(ack),
        };
        match taken.map(Ack::known) {
            Ok(Ok(outcome)) => Err((counted, outcome)),
            Ok(Err(ack)) => Ok(Self {
                counted,
                progress: Progress::Waiting(ack),
                _open,
            }),
            Err(refusal) => Err((counted, Outcome::Refused(refusal))),
        }
    }
}
