//! Laws of the admin port's answers.

use std::{sync::Arc, time::SystemTime};

use http::header;
use serde_json::Value;

use super::*;
use crate::{
    admin::Health,
    config::Config,
    metrics::{CollectorName, Registry, Role, Settled, ShardMetrics, Transport},
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
    let starting = said(503, "starting: 0 of 2 shards run");
    assert_eq!(both(), (starting.clone(), starting));
    let (mut first, mut second) = (health.run(), health.run());
    assert_eq!(get(&state, HEALTH, None).0, 200);
    assert_eq!(
        get(&state, READY, None),
        said(503, "opening: 0 of 2 shards listen")
    );
    first.listen();
    second.listen();
    assert_eq!(both(), (said(200, "ready"), said(200, "ready")));
    drop(first);
    assert_eq!((both().0.0, both().1.0), (503, 503));
    assert!(both().0.1.contains("restart"));
    health.drain();
    assert_eq!((both().0.0, both().1.0), (200, 503));
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
