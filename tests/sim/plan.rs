//! The settings of a seed.

use std::time::Duration;

use otlp::{
    config::{
        Acknowledge, CircuitBreaker, Config, Degradation, Endpoint, HealthCheck, HttpVersion,
        Protocol, Retry, RetryableErrors,
    },
    spool::{OnFull, ReplayOrder, Settings, sim::Random},
};

/// A duration of at least `from` and less than `to` milliseconds.
pub fn between(random: &mut Random, from: usize, to: usize) -> Duration {
    let millis = from + random.below(to.saturating_sub(from).max(1));
    Duration::from_millis(u64::try_from(millis).unwrap())
}

fn pick<T: Copy>(random: &mut Random, all: &[T]) -> T {
    all[random.below(all.len())]
}

fn number(random: &mut Random, from: usize, to: usize) -> u32 {
    u32::try_from(from + random.below(to - from)).unwrap()
}

/// What a seed runs with.
#[derive(Clone, Debug)]
pub struct Plan {
    pub config: Config,
    pub spool: Option<Settings>,
    /// Bytes of requests that may be held.
    pub memory: usize,
    /// The longest pause between two requests, in milliseconds.
    pub pause: usize,
    /// The longest body.
    pub body: usize,
    /// Requests without an answer at the most.
    pub waiting: usize,
    /// Sets of headers that go on with requests; 0: none does.
    pub tenants: u64,
    /// Senders that go before their answer, in a thousand.
    pub gone: u32,
    /// Requests with a deadline, in a thousand.
    pub deadlines: u32,
    /// Changes of a collector are at most so far apart, in milliseconds.
    pub calm: usize,
    /// Disk operations that fail while the disk has a bad time, in a thousand.
    pub disk_faults: u32,
    /// The bytes that the disk has; beyond them it is full.
    pub disk_bytes: u64,
    /// The longest time of a disk operation, in milliseconds.
    pub disk_delay: usize,
    /// Stops in the life of the seed: restarts, kills, power cuts.
    pub stops: usize,
}

impl Plan {
    pub fn new(seed: u64, random: &mut Random) -> Self {
        let mut config = Config {
            acknowledge: pick(
                random,
                &[
                    Acknowledge::Delivered,
                    Acknowledge::Stored,
                    Acknowledge::Queued,
                ],
            ),
            retry: retry(random),
            circuit_breaker: breaker(random),
            health_check: HealthCheck {
                interval: between(random, 1000, 20_000),
                timeout: between(random, 10, 5000),
                path: None,
                unhealthy_threshold: number(random, 1, 5),
                healthy_threshold: number(random, 1, 4),
            },
            degradation: degradation(random),
            ..Config::default()
        };
        config.batch.items_max = pick::<u64>(random, &[1, 10, 100, 8192]);
        config.batch.bytes_max = pick(random, &[1024, 8 << 10, 256 << 10]);
        config.batch.flush_interval = between(random, 1, 300);
        let export = &mut config.export;
        export.max_concurrent_requests = pick(random, &[1, 2, 4, 16]);
        export.connection_pool_size = pick(random, &[None, Some(1), Some(4)]);
        export.timeouts.operation = between(random, 100, 10_000);
        export.merge_compressed = [(); 4].map(|()| random.chance(300));
        let collectors = 1 + random.below(3);
        export.endpoints = (0..collectors)
            .map(|index| endpoint(index, random))
            .collect();
        if random.chance(200) {
            export.signal_endpoints[random.below(4)] = vec![endpoint(10, random)];
        }
        if config.degradation.use_fallback {
            export.fallback = Some(endpoint(20, random));
        }
        let spool = config.spools().then(|| spool(random));
        if let Some(settings) = &spool {
            config.spool.replay_rate = pick::<u64>(random, &[0, 0, 64 << 10, 1 << 20, 32 << 20]);
            config.spool.bytes_max = settings.bytes_max;
        }
        Self {
            memory: pick(random, &[64 << 10, 1 << 20, 16 << 20]),
            pause: pick(random, &[2, 20, 200, 1000]),
            body: pick(random, &[100, 1000, 5000, 20_000]),
            waiting: pick(random, &[1, 10, 60, 300]),
            // Nothing is drawn for it: the seeds that have found something run as they did.
            tenants: match seed % 8 {
                3 => 1,
                4 | 7 => 3,
                _ => 0,
            },
            gone: pick(random, &[0, 0, 20, 300]),
            deadlines: pick(random, &[0, 0, 300]),
            calm: pick(random, &[100, 3000, 30_000]),
            disk_faults: pick(random, &[0, 0, 20, 300]),
            disk_bytes: pick(random, &[u64::MAX, u64::MAX, 100 << 10]),
            disk_delay: pick(random, &[1, 10, 500]),
            stops: match config.spools() {
                true => random.below(5),
                false => random.below(2),
            },
            spool,
            config,
        }
    }
}

impl Plan {
    /// Whether what was acknowledged may be dropped, and counted.
    pub fn may_drop(&self) -> bool {
        let gives_up = |it: Settings| it.on_full == OnFull::DropOldest || !it.age_max.is_zero();
        self.config.acknowledge == Acknowledge::Queued || self.spool.is_some_and(gives_up)
    }

    /// Whether there is a disk that has bad times.
    pub const fn disk_fails(&self) -> bool {
        self.spool.is_some() && (self.disk_faults > 0 || self.disk_bytes < u64::MAX)
    }
}

fn endpoint(index: usize, random: &mut Random) -> Endpoint {
    let protocol = pick(random, &[Protocol::Grpc, Protocol::HttpProtobuf]);
    Endpoint {
        host: "collector".to_owned(),
        port: u16::try_from(4000 + index).unwrap(),
        protocol,
        http_version: pick(random, &[HttpVersion::Http1, HttpVersion::Http2]),
        path: String::new(),
        path_as_is: false,
    }
}

fn retry(random: &mut Random) -> Retry {
    let base_delay = between(random, 1, 1000);
    Retry {
        attempts_max: number(random, 1, 8),
        base_delay,
        max_delay: base_delay + between(random, 0, 5000),
        multiplier: pick(random, &[1.0, 2.0, 10.0]),
        jitter: random.chance(500),
        errors: RetryableErrors {
            timeout: random.chance(800),
            connection: random.chance(800),
            temporary: random.chance(800),
        },
        elapsed_max: pick(
            random,
            &[
                Duration::ZERO,
                Duration::from_secs(1),
                Duration::from_secs(300),
            ],
        ),
    }
}

fn breaker(random: &mut Random) -> CircuitBreaker {
    CircuitBreaker {
        failure_threshold: number(random, 1, 8),
        recovery_timeout: between(random, 100, 15_000),
        half_open_max_calls: number(random, 1, 5),
        window: between(random, 1000, 20_000),
        minimum_calls: number(random, 1, 12),
    }
}

fn degradation(random: &mut Random) -> Degradation {
    Degradation {
        enabled: random.chance(700),
        use_fallback: random.chance(500),
        use_cache: random.chance(600),
        reduce_quality: random.chance(200),
        high_error_rate: random.chance(400).then_some(0.3),
        high_latency: random.chance(300).then_some(Duration::from_secs(1)),
        ..Degradation::default()
    }
}

fn spool(random: &mut Random) -> Settings {
    Settings {
        bytes_max: pick::<u64>(random, &[64 << 10, 256 << 10, 4 << 20]),
        age_max: match random.chance(200) {
            true => between(random, 500, 20_000),
            false => Duration::ZERO,
        },
        on_full: pick(
            random,
            &[OnFull::Refuse, OnFull::Refuse, OnFull::DropOldest],
        ),
        segment_bytes: pick::<u64>(random, &[8 << 10, 64 << 10, 1 << 20]),
        order: pick(
            random,
            &[ReplayOrder::OldestFirst, ReplayOrder::NewestFirst],
        ),
        commit_delay: pick(random, &[0, 1, 20].map(Duration::from_millis)),
    }
}
