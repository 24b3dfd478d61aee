//! The reader's side: takes what every shard counted and writes it out.

use std::{array, fmt, sync::Arc, time::SystemTime};

use super::{
    board::{Board, unix_seconds},
    families::{self, Source},
    histogram::{Buckets, Histogram},
    ledger::Reading,
    process::Process,
    resilience::CollectorCounters,
    shard::ShardMetrics,
    summary::Summary,
    text::Series,
};

/// How a scrape is to be told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// A `shard` label on everything that a shard counts, instead of the sum over shards.
    pub per_shard: bool,
}

/// Reads a number that is kept elsewhere.
type Source64 = Box<dyn Fn() -> u64 + Send + Sync>;

/// Everything that can be scraped.
///
/// - Shard: none; read by the admin thread, which never makes a shard wait.
pub struct Registry {
    shards: Vec<Arc<ShardMetrics>>,
    log_lines_lost: Source64,
}

impl Registry {
    /// A registry of these shards' counters.
    #[must_use]
    pub fn new(shards: Vec<Arc<ShardMetrics>>) -> Self {
        Self {
            shards,
            log_lines_lost: Box::new(|| 0),
        }
    }

    /// The same with a place to ask how many log lines were lost.
    #[must_use]
    pub fn with_log_lines_lost(self, ask: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            log_lines_lost: Box::new(ask),
            ..self
        }
    }

    /// Writes everything in the Prometheus text format, version 0.0.4. `now` is the time of the
    /// scrape.
    ///
    /// - Cost: about 1 ms and 100 KiB, times the shards where `view.per_shard`.
    #[must_use]
    pub fn render(&self, view: View, now: SystemTime) -> String {
        let facts = self.facts();
        let groups = self.groups(view, now);
        let mut text = String::with_capacity(128 << 10);
        for families::Row { family, source } in families::rows() {
            family.write_head(&mut text);
            match source {
                Source::Process(write) => {
                    write(
                        &facts,
                        &mut Series {
                            text: &mut text,
                            family,
                            shard: None,
                        },
                    );
                }
                Source::Shards(write) => {
                    for group in &groups {
                        write(
                            group,
                            &mut Series {
                                text: &mut text,
                                family,
                                shard: group.shard,
                            },
                        );
                    }
                }
            }
        }
        text
    }

    /// The figures of the status page; `now` is the time of asking.
    #[must_use]
    pub fn summary(&self, now: SystemTime) -> Summary {
        let shards = self.groups(View { per_shard: true }, now);
        Summary::new(&self.facts(), &Group::new(None, &self.shards, now), &shards)
    }

    fn facts(&self) -> Facts {
        Facts {
            process: Process::read(),
            log_lines_lost: (self.log_lines_lost)(),
            shards: self.shards.len(),
        }
    }

    fn groups(&self, view: View, now: SystemTime) -> Vec<Group<'_>> {
        if view.per_shard {
            let one = |shard: &Arc<ShardMetrics>| Some(shard.shard());
            self.shards
                .iter()
                .map(|s| Group::new(one(s), std::slice::from_ref(s), now))
                .collect()
        } else {
            vec![Group::new(None, &self.shards, now)]
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

/// What a scrape says of the process as a whole.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) process: Process,
    pub(super) log_lines_lost: u64,
    pub(super) shards: usize,
}

/// Shards that are shown as one: all of them, or each by itself.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) shard: Option<usize>,
    shards: &'a [Arc<ShardMetrics>],
    /// The time of the scrape, in seconds since 1970.
    pub(super) unix_seconds: u64,
    /// The ledger of each signal, read once so that every family of a scrape tells the same.
    pub(super) ledgers: [Reading; 4],
}

impl<'a> Group<'a> {
    fn new(shard: Option<usize>, shards: &'a [Arc<ShardMetrics>], now: SystemTime) -> Self {
        let ledgers = array::from_fn(|signal| {
            let mut total = Reading::default();
            for shard in shards {
                total += &shard.ledgers[signal].read();
            }
            total
        });
        Self {
            shard,
            shards,
            unix_seconds: unix_seconds(now),
            ledgers,
        }
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = &ShardMetrics> {
        self.shards.iter().map(AsRef::as_ref)
    }

    pub(super) fn sum(&self, number: impl Fn(&ShardMetrics) -> u64) -> u64 {
        self.shards().map(number).sum()
    }

    pub(super) fn max(&self, number: impl Fn(&ShardMetrics) -> u64) -> u64 {
        self.shards().map(number).max().unwrap_or(0)
    }

    /// The collectors' indices and names; every shard has the same.
    pub(super) fn collectors(&self) -> impl Iterator<Item = (usize, &str)> {
        let first = self.shards().next();
        let collectors = first.into_iter().flat_map(|shard| &shard.collectors);
        collectors.map(|it| it.name.as_str()).enumerate()
    }

    /// What each shard counts of one collector.
    pub(super) fn of_collector(&self, index: usize) -> impl Iterator<Item = &CollectorCounters> {
        self.shards()
            .filter_map(move |shard| shard.collectors.get(index))
    }

    /// What each shard says in words.
    pub(super) fn boards(&self) -> Vec<Board> {
        self.shards().map(|shard| shard.board.read()).collect()
    }

    pub(super) fn buckets<const N: usize>(
        &self,
        histogram: impl Fn(&ShardMetrics) -> &Histogram<N>,
    ) -> Buckets<N> {
        let mut total = Buckets::new();
        for shard in self.shards() {
            histogram(shard).add_to(&mut total);
        }
        total
    }
}
