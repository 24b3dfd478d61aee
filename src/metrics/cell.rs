//! Words that one thread writes and any thread reads: no lock, no locked instruction.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that only grows.
///
/// - Shard: written by one thread; a second writer would lose counts, never memory safety.
/// - Cost: a load, an addition and a store; about 1 ns (benches/counters.rs).
#[derive(Debug)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// Adds so that whoever sees the sum sees everything its writer wrote before.
    pub(super) fn add_release(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Release,
        );
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Reads so that everything its writer wrote before the sum is seen by what is read after.
    pub(super) fn get_acquire(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A number that rises and falls. Written by one thread, as [`Counter`] is.
#[derive(Debug)]
pub(super) struct Gauge(AtomicI64);

impl Gauge {
    pub(super) const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    pub(super) fn add(&self, delta: i64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(delta),
            Ordering::Relaxed,
        );
    }

    /// Adds as [`Counter::add_release`] does.
    pub(super) fn add_release(&self, delta: i64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(delta),
            Ordering::Release,
        );
    }

    pub(super) fn set(&self, value: u64) {
        self.0
            .store(i64::try_from(value).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The value; one that has fallen below 0 reads as 0.
    pub(super) fn get(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Reads as [`Counter::get_acquire`] does, and below 0 as [`Gauge::get`] does.
    pub(super) fn get_acquire(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Acquire)).unwrap_or(0)
    }
}
