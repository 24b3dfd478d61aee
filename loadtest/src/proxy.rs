//! A raw byte-copying TCP proxy: reads, writes, nothing else. The bound of what forwarding costs.
//!
//! One thread, edge-triggered epoll. A side is read only when everything read from it before has
//! been written, so that what a connection holds is bounded by one read.

use std::{
    io::ErrorKind,
    net::{TcpListener, TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::Context;
use rustix::{
    event::epoll::{self, Event, EventData, EventFlags},
    fd::OwnedFd,
    io::{Errno, read, write},
    net::{Shutdown, shutdown},
};

/// Bytes of one read.
const READ: usize = 256 << 10;
/// Longest wait for the other end; nothing is copied meanwhile.
const CONNECT: Duration = Duration::from_secs(5);
/// The listener's place among the events.
const LISTENER: u64 = u64::MAX;

/// Copies bytes between everybody who connects and `to`, until an error.
///
/// # Errors
/// When the listener fails.
pub fn run(listener: &TcpListener, to: &str) -> anyhow::Result<()> {
    let to = to
        .to_socket_addrs()
        .with_context(|| format!("cannot resolve {to}"))?
        .next()
        .with_context(|| format!("{to} has no address"))?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut proxy = Proxy {
        epoll,
        pairs: Vec::new(),
        vacant: Vec::new(),
        ended: Vec::new(),
        buffer: vec![0; READ],
    };
    let mut events: Vec<Event> = Vec::with_capacity(256);
    loop {
        events.clear();
        let room = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&proxy.epoll, room, None) {
            Err(Errno::INTR) => continue,
            waited => waited?,
        };
        for event in &events {
            if event.data.u64() == LISTENER {
                while let Some(near) = accept(listener)? {
                    // A target that cannot be reached ends the connection, not the proxy.
                    if let Ok(far) = TcpStream::connect_timeout(&to, CONNECT) {
                        proxy.join(near, far)?;
                    }
                }
            } else {
                proxy.serve(event);
            }
        }
        proxy.vacant.append(&mut proxy.ended);
    }
}

fn accept(listener: &TcpListener) -> std::io::Result<Option<TcpStream>> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(Some(stream)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(None),
                ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                _ => return Err(error),
            },
        }
    }
}

struct Proxy {
    epoll: OwnedFd,
    pairs: Vec<Option<Pair>>,
    /// Places that may be taken again.
    vacant: Vec<usize>,
    /// Places that ended while events that name them may still be at hand.
    ended: Vec<usize>,
    buffer: Vec<u8>,
}

impl Proxy {
    /// Copies between the two from now on.
    fn join(&mut self, near: TcpStream, far: TcpStream) -> std::io::Result<()> {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let ends = [near, far];
        for (side, end) in ends.iter().enumerate() {
            end.set_nonblocking(true)?;
            end.set_nodelay(true)?;
            let data = EventData::new_u64((place * 2 + side) as u64);
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, end, data, flags)?;
        }
        self.pairs[place] = Some(Pair {
            ends,
            halves: Default::default(),
        });
        Ok(())
    }

    fn serve(&mut self, event: &Event) {
        let (place, side) = (
            (event.data.u64() / 2) as usize,
            (event.data.u64() % 2) as usize,
        );
        let Some(pair) = &mut self.pairs[place] else {
            return;
        };
        if pair.serve(side, event.flags, &mut self.buffer).is_err() || pair.is_done() {
            // Closing the ends takes them out of epoll.
            self.pairs[place] = None;
            self.ended.push(place);
        }
    }
}

/// Two ends; half `i` copies from end `i` to the other.
struct Pair {
    ends: [TcpStream; 2],
    halves: [Half; 2],
}

#[derive(Default)]
struct Half {
    /// Read, and not written yet from `written` on.
    pending: Vec<u8>,
    written: usize,
    /// The end that is read has said that it will close.
    closing: bool,
    /// It has closed, and the other end was told.
    closed: bool,
}

impl Pair {
    fn serve(&mut self, side: usize, flags: EventFlags, buffer: &mut [u8]) -> Result<(), Errno> {
        if flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            self.halves[side].closing = true;
        }
        if !flags.difference(EventFlags::OUT).is_empty() {
            self.pump(side, buffer)?;
        }
        if flags.contains(EventFlags::OUT) && !self.halves[1 - side].pending.is_empty() {
            self.pump(1 - side, buffer)?;
        }
        Ok(())
    }

    /// Copies from the side until there is nothing to read or no room to write.
    fn pump(&mut self, side: usize, buffer: &mut [u8]) -> Result<(), Errno> {
        let (from, to) = (&self.ends[side], &self.ends[1 - side]);
        let half = &mut self.halves[side];
        while !half.closed {
            while half.written < half.pending.len() {
                match write(to, &half.pending[half.written..]) {
                    Ok(count) => half.written += count,
                    Err(Errno::AGAIN) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            half.pending.clear();
            half.written = 0;
            let count = match read(from, &mut *buffer) {
                Ok(0) => {
                    shutdown(to, Shutdown::Write)?;
                    half.closed = true;
                    return Ok(());
                }
                Ok(count) => count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            };
            let written = match write(to, &buffer[..count]) {
                Ok(written) => written,
                Err(Errno::AGAIN) => 0,
                Err(error) => return Err(error),
            };
            if written < count {
                half.pending.extend_from_slice(&buffer[written..count]);
                return Ok(());
            }
            // Less than there was room for: nothing is left but, perhaps, the end.
            if count < buffer.len() && !half.closing {
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.halves.iter().all(|half| half.closed)
    }
}
