//! A simulation of the deliveries: the real thing on a virtual clock, network and disk, through
//! orders of events that are drawn from a seed, with its laws checked at every step.
//!
//! `SIM_SEED=7 cargo test --test sim` replays one seed, and tells every event with `SIM_TRACE=1`;
//! `make simulate` runs many. It takes `SIM_SEEDS`, how many; `SIM_FIRST`, the first of them;
//! `SIM_STEPS`, events of each before its faults end; `SIM_THREADS`.
//!
//! | file | its one job |
//! | --- | --- |
//! | `plan` | the settings of a seed |
//! | `network` | collectors: their moods and their answers |
//! | `books` | senders: what they sent, what they were told, what came of it |
//! | `found` | what a process would find on the disk |
//! | `doubles` | requests that lie on the disk in more than one record |
//! | `body` | bodies that say which request they are |
//! | `world` | the clock, and the driver of the deliveries |
//! | `laws` | what must hold |

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by stopping there"
)]

mod body;
mod books;
mod doubles;
mod found;
mod laws;
mod network;
mod plan;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use world::World;

/// Seeds of a run where nobody asks for another number.
const SEEDS: u64 = 1_000;

/// Events of a seed before its faults end.
const STEPS: u64 = 5_000;

/// Threads that the seeds are split over, where nobody asks for another number.
const THREADS: u64 = 2;

/// Seeds after which a long run says how far it is.
const TOLD_EVERY: u64 = 1_000;

/// Seeds that have found a fault, which is mended since; by what they had found.
const FOUND: &[u64] = &[
    // What a collector asked patience for was read back from the disk and sent again at once.
    5,
    // One signal kept the only place from the others, and who waited for it waited on and on.
    62,
    // A segment that could not be removed had no marks: what it had failed to store was found again.
    77_200,
];

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// Runs a seed; says which one it was where a law is broken.
fn run(start: Instant, seed: u64) {
    let asked = number("SIM_STEPS");
    let steps = asked.unwrap_or(STEPS);
    let outcome = catch_unwind(AssertUnwindSafe(|| World::new(start, seed).run(steps)));
    if let Err(error) = outcome {
        let steps = asked.map_or_else(String::new, |steps| format!("SIM_STEPS={steps} "));
        print_line(&format!(
            "a law was broken: SIM_SEED={seed} {steps}cargo test --test sim"
        ));
        resume_unwind(error);
    }
}

#[expect(clippy::print_stderr, reason = "the seed that failed is for a person")]
pub(crate) fn print_line(text: &str) {
    eprintln!("{text}");
}

#[test]
fn the_laws_hold_in_any_order_of_events() {
    let start = otlp::rt::now();
    if let Some(seed) = number("SIM_SEED") {
        return run(start, seed);
    }
    let first = number("SIM_FIRST").unwrap_or(0);
    let end = first + number("SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(first);
    let has_failed = AtomicBool::new(false);
    // The seed that each thread is at: all before the least of them have run.
    let threads = number("SIM_THREADS").unwrap_or(THREADS).max(1);
    let at: Vec<_> = (0..threads).map(|_| AtomicU64::new(first)).collect();
    let (next, has_failed, all_at) = (&next, &has_failed, &at);
    std::thread::scope(|scope| {
        for at in all_at {
            scope.spawn(move || {
                while !has_failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    at.store(seed, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if seed > first && seed.is_multiple_of(TOLD_EVERY) {
                        let least = all_at.iter().map(|at| at.load(Ordering::Relaxed)).min();
                        let least = least.unwrap_or(first);
                        print_line(&format!(
                            "the seeds from {first} to before {least} have run: \
                             SIM_FIRST={least} goes on from there"
                        ));
                    }
                    if let Err(error) = catch_unwind(|| run(start, seed)) {
                        has_failed.store(true, Ordering::Relaxed);
                        resume_unwind(error);
                    }
                }
            });
        }
    });
}

#[test]
fn what_was_found_once_stays_mended() {
    let start = otlp::rt::now();
    FOUND.iter().for_each(|seed| run(start, *seed));
}
