//! Laws of the admin port's answers.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::header;
use serde_json::Value;

use super::*;
use crate::{
    admin::Health,
    config::Config,
    metrics::{
        CollectorName, Degraded, Registry, Role, Settled, ShardMetrics, SpoolState, SpoolStatus,
        Strategy, Transport,
    },
    signal::Signal,
};

fn state(config: &Config) -> (AdminState, Arc<Health>) {
    let collectors = [CollectorName {
        name: "[::1]:4317".to_owned(),
        role: Role::Primary,
    }];
    let shards: Vec<_> = (0..2)
        .map(|shard| ShardMetrics::with_collectors(shard, &collectors, SystemTime::UNIX_EPOCH))
        .collect();
    shards[1].received(Signal::Logs, Transport::Grpc, 7);
    shards[1].settle(Signal::Logs, 5, Settled::Delivered);
    let health = Health::new(2);
    (
        AdminState::new(Registry::new(shards), Arc::clone(&health), config),
        health,
    )
}

/// The same after an outage: the breaker of one shard of two is open, logs are degraded, the disk
/// of the spool fails.
fn in_trouble() -> (AdminState, Arc<Health>) {
    let collectors =
        [("a:4317", Role::Primary), ("b:4317", Role::Fallback)].map(|(name, role)| CollectorName {
            name: name.to_owned(),
            role,
        });
    let since = rt::unix_time() - Duration::from_secs(90);
    let shards: Vec<_> = (0..2)
        .map(|shard| ShardMetrics::with_collectors(shard, &collectors, since))
        .collect();
    shards[1].recovered(Signal::Logs, 5);
    shards[1].set_sampling_ratio(Signal::Logs, 0.25);
    shards[1].set_spool_max(4096);
    shards[1].set_spool(1024, 3, 1, 2, true);
    shards[1].post(|board| {
        let status = &mut board.collectors[0];
        (status.breaker, status.healthy) = (1, Some(false));
        status.error = Some("a:4317: it said\nno\x1b[31m".to_owned());
        board.degradation[Signal::Logs.index()] = Some(Degraded {
            strategies: vec![Strategy::UseCache, Strategy::ReduceQuality],
            since,
            why: "every breaker is open".to_owned(),
        });
        board.spool = Some(SpoolStatus {
            directory: "/var/spool/otlp".to_owned(),
            state: SpoolState::Broken,
            since,
            error: Some("no space left on device".to_owned()),
        });
    });
    let health = Health::new(1);
    let config = Config::default();
    (
        AdminState::new(Registry::new(shards), Arc::clone(&health), &config),
        health,
    )
}

fn get(state: &AdminState, path: &str, query: Option<&str>) -> (u16, String) {
    let response = respond(state, &Method::GET, path, query, None);
    (
        response.status().as_u16(),
        String::from_utf8(response.body().to_vec()).unwrap(),
    )
}

#[test]
fn the_state_can_be_read_from_any_thread() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<AdminState>();
    shared::<Arc<ShardMetrics>>();
}

#[test]
fn probes_follow_the_life_of_the_process_and_say_why() {
    let (state, health) = state(&Config::default());
    let both = || (get(&state, HEALTH, None), get(&state, READY, None));
    let said = |code: u16, text: &str| (code, format!("{text}\n"));
    let and_more = |code: u16, text: &str| {
        said(
            code,
            &format!("{text}\ncollector [::1]:4317: breaker closed"),
        )
    };
    let starting = "starting: 0 of 2 shards run";
    assert_eq!(both(), (said(503, starting), and_more(503, starting)));
    let (mut first, mut second) = (health.run(), health.run());
    assert_eq!(get(&state, HEALTH, None).0, 200);
    assert_eq!(
        get(&state, READY, None),
        and_more(503, "opening: 0 of 2 shards listen")
    );
    first.listen();
    second.listen();
    assert_eq!(both(), (said(200, "ready"), and_more(200, "ready")));
    drop(first);
    assert_eq!((both().0.0, both().1.0), (503, 503));
    assert!(both().0.1.contains("restart"));
    health.drain();
    assert_eq!((both().0.0, both().1.0), (200, 503));
}

/// The age of a state is the test's own, so it is taken out before the lines are compared.
#[test]
fn a_process_stays_ready_without_its_collectors_and_says_what_it_knows_of_them() {
    let (state, health) = in_trouble();
    let mut running = health.run();
    running.listen();
    let (code, text) = get(&state, READY, None);
    assert_eq!(code, 200);
    let words = text
        .split(" for ")
        .enumerate()
        .map(|(index, part)| match index {
            0 => part,
            _ => part.split_once('s').unwrap().1,
        });
    assert_eq!(
        words.collect::<Vec<_>>().concat(),
        "ready\n\
         collector a:4317: breaker open on 1 of 2 shards, unhealthy: a:4317: it said no [31m\n\
         collector b:4317 (fallback): breaker closed\n\
         spool /var/spool/otlp: broken on 1 of 2 shards, 3 requests, 1024 of 4096 bytes: no space left on device\n\
         logs degraded on 1 of 2 shards, use_cache, reduce_quality: every breaker is open\n"
    );
    assert_eq!(get(&state, HEALTH, None), (200, "ready\n".to_owned()));
}

#[test]
fn the_status_tells_breakers_degradation_and_the_spool() {
    let (state, _) = in_trouble();
    let status: Value = serde_json::from_str(&get(&state, STATUS, None).1).unwrap();
    let collector = &status["collectors"][0];
    for (field, value) in [
        ("endpoint", Value::from("a:4317")),
        ("role", "primary".into()),
        ("breaker", "open".into()),
        ("breaker_shards", 1.into()),
        ("healthy", false.into()),
    ] {
        assert_eq!(collector[field], value, "{field}");
    }
    assert_eq!(status["collectors"][1]["healthy"], Value::Null);
    let degraded = &status["degradation"][0];
    assert_eq!(degraded["signal"], "logs");
    assert_eq!(degraded["strategies"][1], "reduce_quality");
    assert_eq!(degraded["kept_millionths"], 250_000);
    assert_eq!(status["spool"]["state"], "broken");
    assert_eq!(status["spool"]["records"], 3);
    assert_eq!(status["ledger"][Signal::Logs.index()]["stored"], 5);
    assert_eq!(status["shards"][1]["stored"], 5);
    let since = |of: &Value| of["since_unix_seconds"].as_u64().unwrap();
    let now = status["unix_seconds"].as_u64().unwrap();
    assert!(since(collector) < now && since(degraded) < now && since(&status["spool"]) < now);
}

#[test]
fn metrics_are_served_in_sum_and_for_each_shard() {
    let (state, _) = state(&Config::default());
    let response = respond(&state, &Method::GET, METRICS, None, None);
    assert_eq!(response.headers()[header::CONTENT_TYPE], EXPOSITION);
    let (code, text) = get(&state, METRICS, Some("per_shard=true"));
    assert!(
        code == 200 && text.contains("state=\"waiting\",shard=\"1\"} 2\n"),
        "{text}"
    );
    for query in [None, Some(""), Some("per_shard=false"), Some("other=1")] {
        assert!(
            !get(&state, METRICS, query).1.contains("shard=\""),
            "{query:?}"
        );
    }
    assert_eq!(get(&state, METRICS, Some("a=b&per_shard=yes")).0, 400);
}

#[test]
fn metrics_that_are_switched_off_are_not_found_and_the_key_is_named() {
    let mut config = Config::default();
    config.monitoring.metrics_enabled = false;
    let (code, text) = get(&state(&config).0, METRICS, None);
    assert!(
        code == 404 && text.contains("monitoring.metrics_enabled"),
        "{text}"
    );
}

#[test]
fn the_status_tells_the_ledger_the_shards_and_the_collectors() {
    let mut config = Config::default();
    config.export.headers = vec![("authorization".to_owned(), "hidden".to_owned())];
    let (state, _) = state(&config);
    let (code, text) = get(&state, STATUS, None);
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 200);
    let logs = &status["ledger"][Signal::Logs.index()];
    assert_eq!(
        (&logs["received"], &logs["delivered"]),
        (&7.into(), &5.into())
    );
    assert_eq!((&logs["waiting"], &logs["stored"]), (&2.into(), &0.into()));
    assert_eq!(status["shards"][1]["received"], 7);
    assert_eq!(status["collectors"][0]["endpoint"], "[::1]:4317");
    assert_eq!(status["phase"], "starting");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(!text.contains("hidden"), "a header's value may be a secret");
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let (state, _) = state(&Config::default());
    for path in [PAGE, PAGE_STYLE, PAGE_SCRIPT] {
        let response = respond(&state, &Method::GET, path, None, Some("text/html,*/*"));
        assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        for foreign in ["http:", "https:", "url(", "@import", "innerHTML", "style="] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    let html = get(&state, PAGE, None).1;
    assert!(html.contains("href=\"status.css\"") && html.contains("src=\"status.js\""));
}

#[test]
fn the_page_is_json_for_who_asks_for_json_alone() {
    let (state, _) = state(&Config::default());
    let of = |accept| {
        let response = respond(&state, &Method::GET, PAGE, None, accept);
        response.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(of(Some("application/json")), JSON);
    for accept in [None, Some("*/*"), Some("text/html, application/json;q=0.5")] {
        assert_eq!(of(accept), "text/html; charset=utf-8");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let (state, _) = state(&Config::default());
    for path in PATHS {
        let got = respond(&state, &Method::GET, path, None, None);
        let head = respond(&state, &Method::HEAD, path, None, None);
        assert!(head.body().is_empty() && !got.body().is_empty());
        assert_eq!(got.status(), head.status());
        assert_eq!(
            got.headers()[header::CONTENT_TYPE],
            head.headers()[header::CONTENT_TYPE]
        );
        assert_ne!(head.headers()[header::CONTENT_LENGTH], "0");
    }
}

#[test]
fn what_is_not_served_is_answered_with_the_way_out() {
    let (state, _) = state(&Config::default());
    let (code, text) = get(&state, "/healthz", None);
    assert!(
        code == 404 && text.contains("/health, /ready, /metrics"),
        "{text}"
    );
    let (code, text) = get(&state, "/v1/traces", None);
    assert!(code == 404 && text.contains("4318"), "{text}");
    let response = respond(&state, &Method::POST, METRICS, None, None);
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    assert_eq!(
        respond(&state, &Method::POST, "/nowhere", None, None).status(),
        404
    );
}
