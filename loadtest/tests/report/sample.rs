//! Results as real runs leave them, made up without chance.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hdrhistogram::Histogram;
use loadtest::figures::latency_of;
use loadtest::results::{
    Answers, Audit, CollectReport, Cost, CostPoint, Delays, Honesty, Latency, Machine, Results,
    Run, SendPoint, SendReport, VERSION, Verdict,
};

const ITEMS: u64 = 100;
const RATE: u64 = 2000;
const SECONDS: u32 = 20;

/// What a made-up system is like.
struct System {
    name: &'static str,
    version: &'static str,
    command: &'static str,
    /// CPU seconds per million items, user and kernel.
    user: f64,
    kernel: f64,
    /// Median latency, microseconds.
    median: f64,
    rss: u64,
}

const SYSTEMS: [System; 3] = [
    System {
        name: "otlp",
        version: "0.1.0",
        command: "otlp --listen 127.0.0.1:4317 --to 127.0.0.1:4319",
        user: 0.16,
        kernel: 0.22,
        median: 410.0,
        rss: 13_400_000,
    },
    System {
        name: "raw proxy",
        version: "",
        command: "loadtest proxy --listen 127.0.0.1:4317 --to 127.0.0.1:4319",
        user: 0.08,
        kernel: 0.21,
        median: 330.0,
        rss: 4_600_000,
    },
    System {
        name: "haproxy",
        version: "2.9.1 <b>&\"'</b>",
        command: "haproxy -f 'steady.cfg'",
        user: 0.41,
        kernel: 0.38,
        median: 620.0,
        rss: 71_000_000,
    },
];

/// Three systems over five rounds, one system through an outage, two without a schedule.
pub fn results() -> Results {
    static RESULTS: LazyLock<Results> = LazyLock::new(made);
    RESULTS.clone()
}

fn made() -> Results {
    let mut runs = Vec::new();
    for round in 0..5 {
        for system in &SYSTEMS {
            runs.push(steady(system, round));
        }
    }
    runs.push(outage());
    for system in &SYSTEMS[..2] {
        runs.push(closed(system));
    }
    Results {
        version: VERSION,
        title: "otlp against a raw proxy & haproxy".to_owned(),
        command: "loadtest compare steady.toml --systems otlp,raw-proxy,haproxy --rounds 5"
            .to_owned(),
        machine: Machine {
            cpu: "AMD EPYC 7763 64-Core Processor".to_owned(),
            cores: 4,
            memory: 16_700_000_000,
            kernel: "6.8.0-49-generic".to_owned(),
            date: "2026-11-20T09:30:00Z".to_owned(),
        },
        runs,
    }
}

/// Only the repeats of one scenario.
pub fn only(scenario: &str) -> Results {
    let mut results = results();
    results.runs.retain(|run| run.scenario == scenario);
    results
}

/// A number in 0..1 that looks like chance and is not.
fn noise(seed: u64) -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    state ^= state >> 31;
    state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state ^= state >> 29;
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Latencies with a long tail; `stall` of them wait up to so many microseconds more.
fn latency(median: f64, seed: u64, stall: (f64, f64)) -> Latency {
    let mut histogram = Histogram::<u64>::new(3).expect("three digits");
    for place in 0..10_000 {
        let chance = noise(seed * 1_000_003 + place);
        let tail = 0.6 + 0.35 / (1.0 - chance * 0.9995).powf(0.38);
        let wait = if chance > 1.0 - stall.0 {
            stall.1 * noise(seed + place * 7)
        } else {
            0.0
        };
        histogram
            .record((median * tail + wait) as u64)
            .expect("it resizes");
    }
    latency_of(&histogram)
}

fn steady(system: &System, round: u64) -> Run {
    let seed = round * 31 + system.name.len() as u64;
    let drift = 0.96 + 0.08 * noise(seed);
    let count = RATE * u64::from(SECONDS);
    let points = (1..=SECONDS * 4)
        .map(|place| {
            let wobble = noise(seed * 100 + u64::from(place));
            SendPoint {
                at: f64::from(place) * 0.25,
                length: 0.25,
                due: RATE / 4,
                accepted: RATE / 4 - (wobble * 6.0) as u64,
                failed: 0,
                items: (RATE / 4) * ITEMS,
                in_flight: 2 + (wobble * 4.0) as u64,
                p50_us: (system.median * (0.95 + wobble * 0.1)) as u64,
                p99_us: (system.median * (2.4 + wobble)) as u64,
                max_us: (system.median * (5.0 + wobble * 12.0)) as u64,
            }
        })
        .collect();
    let answers = |each: u64| Answers {
        due: count * each,
        sent: count * each,
        accepted: count * each,
        ..Answers::default()
    };
    let stall = (0.002, 9000.0);
    let corrected = latency(system.median * drift, seed, stall);
    let p99 = corrected.p99_us;
    let million = (count * ITEMS) as f64 / 1e6;
    let mut bottlenecks = Vec::new();
    let mut cpu_share = 0.41;
    if system.name == "haproxy" && round == 3 {
        cpu_share = 0.97;
        bottlenecks.push("the sender used 97 % of its core".to_owned());
    }
    Run {
        version: VERSION,
        scenario: "steady".to_owned(),
        system: system.name.to_owned(),
        system_version: system.version.to_owned(),
        command: system.command.to_owned(),
        send: vec![SendReport {
            version: VERSION,
            title: "grpc, traces, gzip, 8 connections, 2,000 requests/s of 100 items".to_owned(),
            protocol: "grpc".to_owned(),
            compression: "gzip".to_owned(),
            connections: 8,
            items_per_request: 100,
            duration: f64::from(SECONDS),
            requests: answers(1),
            items: answers(ITEMS),
            body_bytes: count * 31_000,
            wire_bytes: count * 4_100,
            statuses: BTreeMap::from([("OK".to_owned(), count)]),
            delays: None,
            latency: corrected,
            latency_raw: latency(system.median * drift * 0.94, seed, (0.0005, 3000.0)),
            honesty: Honesty {
                late_p99_us: 38,
                cpu_share,
                bottlenecks,
            },
            points,
            phases: BTreeMap::new(),
        }],
        collect: collected(count),
        audit: audit(count * ITEMS),
        costs: costs(system, million * drift, seed),
        events: Vec::new(),
        verdicts: vec![
            Verdict {
                objective: "p99<2ms".to_owned(),
                measured: format!("{:.2} ms", p99 as f64 / 1e3),
                met: p99 < 2000,
            },
            Verdict {
                objective: "lost=0".to_owned(),
                measured: "0".to_owned(),
                met: true,
            },
        ],
    }
}

fn collected(count: u64) -> CollectReport {
    CollectReport {
        version: VERSION,
        requests: count,
        items: count * ITEMS,
        items_by_signal: BTreeMap::from([("traces".to_owned(), count * ITEMS)]),
        body_bytes: count * 31_000,
        wire_bytes: count * 4_100,
        undecodable: 0,
        misbehaved: BTreeMap::new(),
        cpu_share: 0.36,
    }
}

fn audit(items: u64) -> Audit {
    Audit {
        level: "full".to_owned(),
        acknowledged: items,
        arrived: items,
        ..Audit::default()
    }
}

fn costs(system: &System, million: f64, seed: u64) -> Vec<Cost> {
    let process = |role: &str, user: f64, kernel: f64, rss: u64| Cost {
        role: role.to_owned(),
        user,
        system: kernel,
        cpu: user + kernel,
        rss_peak: rss,
        switches: 90_000,
        syscalls: (role == "forwarder" && system.name != "haproxy").then_some(310_000),
        points: (1..=SECONDS * 2)
            .map(|place| {
                let wobble = noise(seed * 77 + u64::from(place) + rss);
                CostPoint {
                    at: f64::from(place) * 0.5,
                    rss: rss - (rss as f64 * 0.2 / f64::from(place)) as u64,
                    cores: (user + kernel) / f64::from(SECONDS) * (0.93 + wobble * 0.14),
                }
            })
            .collect(),
    };
    vec![
        process(
            "forwarder",
            system.user * million,
            system.kernel * million,
            system.rss,
        ),
        process("sender", 4.9, 3.4, 21_000_000),
        process("collector", 4.0, 3.1, 44_000_000),
    ]
}

/// The collector goes away for five seconds; the sender is refused, and comes again.
fn outage() -> Run {
    let mut run = steady(&SYSTEMS[0], 9);
    run.scenario = "outage <5 s>".to_owned();
    let down = |at: f64| (6.0..11.0).contains(&at);
    let send = &mut run.send[0];
    for point in &mut send.points {
        if down(point.at - point.length) && point.at > 6.5 {
            point.accepted = 0;
            point.items = 0;
            point.failed = RATE / 4;
            (point.p50_us, point.p99_us, point.max_us) = (180, 900, 1500);
        } else if (11.0..13.0).contains(&point.at) {
            point.accepted = RATE / 2;
            point.p99_us = 1_900_000 - ((point.at - 11.0) * 800_000.0) as u64;
            point.max_us = 5_100_000 - ((point.at - 11.0) * 1_500_000.0) as u64;
        }
    }
    let refused = RATE * 5 - 700;
    send.requests.accepted -= refused;
    send.requests.refused = refused - 12;
    send.requests.unanswered = 12;
    send.items.accepted -= refused * ITEMS;
    send.items.refused = (refused - 12) * ITEMS;
    send.items.unanswered = 12 * ITEMS;
    send.statuses = BTreeMap::from([
        ("OK".to_owned(), send.requests.accepted),
        ("UNAVAILABLE".to_owned(), refused - 12),
        ("connection reset".to_owned(), 12),
    ]);
    send.delays = Some(Delays {
        with: refused - 20,
        without: 8,
        min: 0.25,
        max: 4.0,
    });
    send.latency = latency(SYSTEMS[0].median, 5, (0.04, 5_000_000.0));
    run.collect.misbehaved.insert("hang".to_owned(), 16);
    run.audit = Audit {
        level: "ids".to_owned(),
        acknowledged: send.items.accepted,
        arrived: send.items.accepted - 3,
        lost: 3,
        duplicated: 1200,
        unacknowledged: 800,
        ..Audit::default()
    };
    for point in &mut run.costs[0].points {
        if point.at > 6.0 && point.at < 13.0 {
            point.rss += ((point.at - 6.0) * 9e6) as u64;
        }
    }
    run.costs[0].rss_peak = 76_000_000;
    run.events = vec![
        (6.0, "collector down".to_owned()),
        (6.4, "buffer full".to_owned()),
        (11.0, "collector up".to_owned()),
        (19.4, "forwarder told to end".to_owned()),
    ];
    run.verdicts = vec![
        Verdict {
            objective: "recovery<3s".to_owned(),
            measured: "2.1 s".to_owned(),
            met: true,
        },
        Verdict {
            objective: "lost=0".to_owned(),
            measured: "3".to_owned(),
            met: false,
        },
    ];
    run
}

/// As fast as the answers come: no schedule, so no corrected latency.
fn closed(system: &System) -> Run {
    let mut run = steady(system, 11);
    run.scenario = "closed loop".to_owned();
    run.verdicts.clear();
    run.audit.level = "count".to_owned();
    let send = &mut run.send[0];
    send.latency = Latency::default();
    send.requests.due = 0;
    send.items.due = 0;
    for point in &mut send.points {
        point.due = 0;
    }
    run
}
