//! Performs what the deliveries ask for: sends, probes, writes; and tells them what came of it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use super::{disk::Disk, first_of};
use crate::{
    batch::{Ack, ExportRequest},
    config::HealthCheck,
    delivery::{Action, Delivery},
    exporter::Exporter,
    net::{Gate, Hold},
    outcome::Refusal,
    rt::{self, Notify},
    signal::Signal,
};

/// The deliveries of a shard, and what performs them.
///
/// - Shard: one per shard.
#[derive(Debug)]
pub(super) struct Pipeline {
    delivery: RefCell<Delivery>,
    exporter: Exporter,
    disk: Option<Rc<Disk>>,
    probe_path: Option<String>,
    probe_timeout: Duration,
    gate: Rc<Gate>,
    is_pumping: Cell<bool>,
    flush: Notify,
    finished: Notify,
}

impl Pipeline {
    pub(super) fn new(
        delivery: Delivery,
        exporter: Exporter,
        disk: Option<Rc<Disk>>,
        health_check: &HealthCheck,
        gate: Rc<Gate>,
    ) -> Rc<Self> {
        let pipeline = Rc::new(Self {
            delivery: RefCell::new(delivery),
            exporter,
            disk,
            probe_path: health_check.path.clone(),
            probe_timeout: health_check.timeout,
            gate,
            is_pumping: Cell::new(false),
            flush: Notify::default(),
            finished: Notify::default(),
        });
        pipeline.pump();
        pipeline
    }

    /// Whether a request of this signal is worth its reading.
    pub(super) fn admit(&self, signal: Signal) -> Result<(), Refusal> {
        let delivery = self.delivery.borrow();
        if delivery.admits_all() {
            return Ok(());
        }
        delivery.admit(signal, rt::now())
    }

    /// Takes a request.
    pub(super) fn submit(self: &Rc<Self>, request: ExportRequest) -> Ack {
        let key = request.key();
        let now = rt::now();
        let (ack, was_open, has_work) = {
            let mut delivery = self.delivery.borrow_mut();
            let was_open = delivery.is_open(&key);
            let ack = delivery.submit(request, now);
            (ack, was_open, delivery.has_work())
        };
        if has_work {
            self.pump();
        }
        let delivery = self.delivery.borrow();
        if !was_open && delivery.is_open(&key) || delivery.has_sooner(now) {
            self.flush.notify();
        }
        ack
    }

    /// Performs what is to be done now.
    ///
    /// A task runs inside the call that spawns it, up to its first wait, and may come to its end
    /// there: what it would pump then, the pump under way does.
    fn pump(self: &Rc<Self>) {
        if self.is_pumping.replace(true) {
            return;
        }
        loop {
            let action = self.delivery.borrow_mut().next_action(rt::now());
            let Some(action) = action else { break };
            self.perform(action);
        }
        self.is_pumping.set(false);
        self.hold_back();
    }

    fn perform(self: &Rc<Self>, action: Action) {
        let pipeline = Rc::clone(self);
        rt::spawn(async move {
            match action {
                Action::Send {
                    attempt,
                    collector,
                    message,
                    timeout,
                } => {
                    let came = pipeline
                        .exporter
                        .attempt(collector, &message, timeout)
                        .await;
                    drop(message);
                    let mut delivery = pipeline.delivery.borrow_mut();
                    delivery.attempted(attempt, came, rt::now());
                }
                Action::Probe { collector } => {
                    let path = pipeline.probe_path.as_deref();
                    let timeout = pipeline.probe_timeout;
                    let probe = pipeline.exporter.probe(collector, path, timeout).await;
                    let mut delivery = pipeline.delivery.borrow_mut();
                    delivery.probed(collector, probe, rt::now());
                }
                Action::Disk(id, op) => {
                    let Some(disk) = &pipeline.disk else { return };
                    let came = Rc::clone(disk).perform(op).await;
                    let mut delivery = pipeline.delivery.borrow_mut();
                    delivery.disk_done(id, came, rt::now());
                }
            }
            pipeline.pump();
            pipeline.flush.notify();
            pipeline.finished.notify();
        });
    }

    /// Lets the deliveries do what is the time's to do, and what waits until the connections that
    /// have something to read have been read.
    pub(super) async fn flush(self: Rc<Self>) {
        loop {
            let next_at = self.delivery.borrow_mut().fall_asleep(rt::now());
            match next_at {
                None => self.flush.notified().await,
                Some(at) => {
                    let left = at.saturating_duration_since(rt::now());
                    first_of(self.flush.notified(), rt::sleep(left)).await;
                }
            }
            rt::yield_now().await;
            self.delivery.borrow_mut().tick(rt::now());
            self.pump();
            self.finished.notify();
        }
    }

    /// Stops reading while enough batches wait for collectors that are all at work, and starts
    /// again when they are fewer, or when the collectors have stopped.
    fn hold_back(&self) {
        let has_backlog = self.delivery.borrow().has_backlog(rt::now());
        self.gate.hold(Hold::Backlog, has_backlog);
    }

    /// Looks after what no answer would wake.
    pub(super) fn sweep(&self) {
        self.exporter.sweep();
        self.hold_back();
        let mut delivery = self.delivery.borrow_mut();
        delivery.sweep(rt::now());
        if delivery.has_sooner(rt::now()) {
            self.flush.notify();
        }
    }

    /// Seals everything from now on as it comes.
    pub(super) fn drain(self: &Rc<Self>) {
        self.delivery.borrow_mut().drain(rt::now());
        self.pump();
        self.flush.notify();
    }

    /// Batches that have no outcome yet, open ones aside.
    pub(super) fn batches(&self) -> usize {
        self.delivery.borrow().batches()
    }

    /// Waits until no request is without an outcome.
    pub(super) async fn empty(&self) {
        while !self.delivery.borrow().is_empty() {
            self.finished.notified().await;
        }
    }

    /// Writes down what the disk is to remember, and waits until it has it.
    pub(super) async fn close(self: &Rc<Self>) {
        self.delivery.borrow_mut().close();
        self.pump();
        while !self.delivery.borrow().is_closed() {
            self.finished.notified().await;
        }
        if let Some(disk) = &self.disk {
            disk.idle().await;
        }
    }
}
