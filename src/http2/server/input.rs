//! The input as frames, whatever the pieces it comes in.

use crate::http2::frame::{ErrorCode, HEAD_BYTES, Head, Kind, PADDED, PREFACE};

/// Where in the input the connection stands.
#[derive(Debug)]
enum State {
    /// In the preface, after so many bytes.
    Preface(usize),
    Head,
    /// In the payload of a frame that is taken whole.
    Whole(Head),
    /// Before the length of the padding of a `DATA` frame.
    PadLength(Head),
    /// In a body, with so many bytes and so much padding to come.
    Data {
        head: Head,
        left: usize,
        padding: usize,
    },
    /// In bytes that mean nothing.
    Skip(usize),
}

/// A step through the input.
#[derive(Debug)]
pub(super) enum Step<'i, 's> {
    /// A `DATA` frame begins; its window is to be charged with its whole length.
    DataBegins(Head),
    /// Bytes of a body.
    Data(&'i [u8]),
    /// A `DATA` frame is over.
    DataEnds(Head),
    /// A frame of another kind, whole.
    Frame(Head, &'s [u8]),
}

/// Cuts the input into steps.
#[derive(Debug)]
pub(super) struct Input {
    state: State,
    /// The beginning of a head or payload whose rest has not come.
    partial: Vec<u8>,
    /// `partial` was handed out and is to be emptied.
    spent: bool,
    frame_bytes_max: usize,
    whole_bytes_max: usize,
}

impl Input {
    /// Frames of at most `frame_bytes_max`, and those that are taken whole of at most
    /// `whole_bytes_max`.
    pub(super) const fn new(frame_bytes_max: usize, whole_bytes_max: usize) -> Self {
        Self {
            state: State::Preface(0),
            partial: Vec::new(),
            spent: false,
            frame_bytes_max,
            whole_bytes_max,
        }
    }

    /// The next step; `None` when more input is needed.
    pub(super) fn next<'i: 's, 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Step<'i, 's>>, ErrorCode> {
        if self.spent {
            self.partial.clear();
            self.spent = false;
        }
        loop {
            match self.state {
                State::Preface(matched) => {
                    let rest = PREFACE.get(matched..).unwrap_or_default();
                    let len = rest.len().min(input.len());
                    let (came, after) = input.split_at(len);
                    if came != &rest[..len] {
                        return Err(ErrorCode::PROTOCOL_ERROR);
                    }
                    *input = after;
                    if len < rest.len() {
                        self.state = State::Preface(matched + len);
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
                State::Head => {
                    let Some(head) = self.head(input) else {
                        return Ok(None);
                    };
                    if let Some(step) = self.begin(head)? {
                        return Ok(Some(step));
                    }
                }
                State::PadLength(head) => {
                    let Some((&padding, after)) = input.split_first() else {
                        return Ok(None);
                    };
                    *input = after;
                    let padding = usize::from(padding);
                    let left = (head.len - 1)
                        .checked_sub(padding)
                        .ok_or(ErrorCode::PROTOCOL_ERROR)?;
                    self.state = State::Data {
                        head,
                        left,
                        padding,
                    };
                }
                State::Data {
                    head,
                    left: 0,
                    padding: 0,
                } => {
                    self.state = State::Head;
                    return Ok(Some(Step::DataEnds(head)));
                }
                State::Data {
                    head,
                    left: 0,
                    padding,
                } => {
                    let len = padding.min(input.len());
                    if len == 0 {
                        return Ok(None);
                    }
                    *input = &input[len..];
                    self.state = State::Data {
                        head,
                        left: 0,
                        padding: padding - len,
                    };
                }
                State::Data {
                    head,
                    left,
                    padding,
                } => {
                    let len = left.min(input.len());
                    if len == 0 {
                        return Ok(None);
                    }
                    let (bytes, after) = input.split_at(len);
                    *input = after;
                    self.state = State::Data {
                        head,
                        left: left - len,
                        padding,
                    };
                    return Ok(Some(Step::Data(bytes)));
                }
                State::Skip(left) => {
                    let len = left.min(input.len());
                    *input = &input[len..];
                    if len < left {
                        self.state = State::Skip(left - len);
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
                State::Whole(head) => {
                    if self.partial.is_empty()
                        && let Some((payload, after)) = input.split_at_checked(head.len)
                    {
                        *input = after;
                        self.state = State::Head;
                        return Ok(Some(Step::Frame(head, payload)));
                    }
                    if !self.collect(input, head.len) {
                        return Ok(None);
                    }
                    self.state = State::Head;
                    self.spent = true;
                    return Ok(Some(Step::Frame(head, &self.partial)));
                }
            }
        }
    }

    /// The next head, once it is whole.
    fn head(&mut self, input: &mut &[u8]) -> Option<Head> {
        if self.partial.is_empty()
            && let Some((bytes, after)) = input.split_first_chunk()
        {
            *input = after;
            return Some(Head::parse(*bytes));
        }
        if !self.collect(input, HEAD_BYTES) {
            return None;
        }
        let bytes = <[u8; HEAD_BYTES]>::try_from(&self.partial[..]).ok()?;
        self.partial.clear();
        Some(Head::parse(bytes))
    }

    /// Moves input into `partial` until that holds `len` bytes; says whether it does.
    fn collect(&mut self, input: &mut &[u8], len: usize) -> bool {
        let missing = len.saturating_sub(self.partial.len()).min(input.len());
        let (came, after) = input.split_at(missing);
        self.partial.extend_from_slice(came);
        *input = after;
        self.partial.len() == len
    }

    /// What comes after this head.
    fn begin(&mut self, head: Head) -> Result<Option<Step<'static, 'static>>, ErrorCode> {
        if head.len > self.frame_bytes_max {
            return Err(ErrorCode::FRAME_SIZE_ERROR);
        }
        match head.kind {
            Kind::Data => {
                self.state = if !head.has(PADDED) {
                    State::Data {
                        head,
                        left: head.len,
                        padding: 0,
                    }
                } else if head.len == 0 {
                    return Err(ErrorCode::FRAME_SIZE_ERROR);
                } else {
                    State::PadLength(head)
                };
                return Ok(Some(Step::DataBegins(head)));
            }
            Kind::Unknown(_) => self.state = State::Skip(head.len),
            _known if head.len > self.whole_bytes_max => {
                return Err(ErrorCode::ENHANCE_YOUR_CALM);
            }
            _known => self.state = State::Whole(head),
        }
        // The order of frames is not this one's to judge, so even what is skipped is shown first.
        if let Kind::Unknown(_) = head.kind {
            return Ok(Some(Step::Frame(head, &[])));
        }
        Ok(None)
    }
}
