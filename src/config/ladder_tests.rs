use std::{path::Path, time::Duration};

use super::super::{
    Config, Environment, Errors, LoadOptions, Loaded, OnFull, Protocol, ReplayOrder, load,
    model::{Acknowledge, Retry, RetryableErrors, Spool},
};

const GUIDE: &str = include_str!("testdata/guide.yaml");

/// Loads a file with these variables.
fn load_with(name: &str, text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Errors> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions {
        file: Some(file),
        ..LoadOptions::default()
    };
    let environment: Environment = variables.iter().copied().collect();
    load(&options, &environment)
}

fn toml(text: &str) -> Result<Loaded, Errors> {
    load_with("a.toml", text, &[])
}

fn config(text: &str) -> Config {
    toml(text)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .config
}

/// The one error of a file.
fn error(text: &str) -> String {
    let errors = toml(text).unwrap_err();
    assert_eq!(errors.problems().len(), 1, "{text}: {errors}");
    errors.to_string()
}

#[test]
fn every_key_of_the_guides_file_acts() {
    let more = "fallback:\n  endpoint: http://other:4317\nspool:\n  directory: /s\n";
    let loaded = load_with("a.yaml", &format!("{GUIDE}\n{more}"), &[]).unwrap();
    let config = loaded.config;
    assert_eq!(config.retry, Retry::default());
    assert_eq!(config.circuit_breaker, Config::default().circuit_breaker);
    assert_eq!(config.health_check.path.as_deref(), Some("/health"));
    let degradation = config.degradation;
    assert!(degradation.enabled && degradation.use_fallback);
    assert!(degradation.use_cache && degradation.reduce_quality);
    assert_eq!(degradation.high_error_rate, Some(0.5));
    assert_eq!(degradation.high_latency, Some(Duration::from_secs(2)));
    assert!(config.spools());
    assert_eq!(loaded.warnings.len(), 1, "tracing: {:?}", loaded.warnings);
}

#[test]
fn a_variable_takes_a_list_as_a_file_writes_it() {
    let lists = [
        (
            "OTLP_GRACEFUL_DEGRADATION_STRATEGIES",
            "[\"use_cache\", 'reduce_quality']",
        ),
        (
            "OTLP_GRACEFUL_DEGRADATION_TRIGGER_CONDITIONS",
            "[{ type = \"high_error_rate\", threshold = 0.25 }, 'high_latency=5s']",
        ),
        ("OTLP_ENDPOINT", "['http://one:4317', \"http://two:4317\"]"),
    ];
    let text = "[graceful_degradation]\nenabled = true\n[spool]\ndirectory = '/s'";
    let config = load_with("a.toml", text, &lists).unwrap().config;
    let degradation = config.degradation;
    assert!(degradation.use_cache && degradation.reduce_quality && !degradation.use_fallback);
    assert_eq!(degradation.high_error_rate, Some(0.25));
    assert_eq!(degradation.high_latency, Some(Duration::from_secs(5)));
    assert_eq!(config.export.endpoints.len(), 2);
    let not_a_list = [("OTLP_ENDPOINT", "['http://one:4317']\nx = 1")];
    let errors = load_with("a.toml", "", &not_a_list).unwrap_err();
    assert!(errors.to_string().contains("OTLP_ENDPOINT"), "{errors}");
}

#[test]
fn the_guides_file_as_it_stands_starts_and_says_what_it_lacks() {
    let loaded = load_with("a.yaml", GUIDE, &[]).unwrap();
    let degradation = loaded.config.degradation;
    assert!(!degradation.use_fallback && !degradation.use_cache && degradation.reduce_quality);
    assert!(!loaded.config.spools());
    let told = loaded.warnings.join("\n");
    for part in ["fallback.endpoint is not set", "set spool.directory"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn each_key_of_the_ladder_reaches_its_field() {
    let text = "
        acknowledge = 'stored'
        retry.max_attempts = 7
        retry.base_delay = '1s'
        retry.max_delay = '9s'
        retry.backoff_multiplier = 1.5
        retry.jitter = false
        retry.retryable_errors = ['connection']
        retry.max_elapsed = '0s'
        circuit_breaker.failure_threshold = 11
        circuit_breaker.recovery_timeout = '12s'
        circuit_breaker.half_open_max_calls = 13
        circuit_breaker.sliding_window_size = '14s'
        circuit_breaker.minimum_calls = 15
        health_check.interval = '16s'
        health_check.timeout = '17ms'
        health_check.unhealthy_threshold = 18
        health_check.healthy_threshold = 19
        graceful_degradation.reduce_quality.min_ratio = 0.25
        graceful_degradation.reduce_quality.keep_severity = 'ERROR'
        spool.directory = '/a b/c'
        spool.max_bytes = '3GiB'
        spool.max_age = '72h'
        spool.on_full = 'drop_oldest'
        spool.commit_delay = '3ms'
        spool.segment_bytes = '2MiB'
        spool.replay = 'newest_first'
        spool.replay_rate = 0
    ";
    let config = config(text);
    assert_eq!(config.acknowledge, Acknowledge::Stored);
    let retry = Retry {
        attempts_max: 7,
        base_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(9),
        multiplier: 1.5,
        jitter: false,
        errors: RetryableErrors {
            timeout: false,
            connection: true,
            temporary: false,
        },
        elapsed_max: Duration::ZERO,
    };
    assert_eq!(config.retry, retry);
    let breaker = config.circuit_breaker;
    assert_eq!((breaker.failure_threshold, breaker.minimum_calls), (11, 15));
    assert_eq!(breaker.half_open_max_calls, 13);
    let times = (breaker.recovery_timeout, breaker.window);
    assert_eq!(times, (Duration::from_secs(12), Duration::from_secs(14)));
    let health = config.health_check;
    let times = (health.interval, health.timeout);
    assert_eq!(times, (Duration::from_secs(16), Duration::from_millis(17)));
    let thresholds = (health.unhealthy_threshold, health.healthy_threshold);
    assert_eq!((thresholds, health.path), ((18, 19), None));
    let degradation = config.degradation;
    assert!((degradation.min_ratio - 0.25).abs() < f64::EPSILON);
    assert_eq!(degradation.logs_keep, 17);
    let spool = Spool {
        directory: "/a b/c".into(),
        bytes_max: 3 << 30,
        age_max: Duration::from_secs(72 * 3600),
        on_full: OnFull::DropOldest,
        commit_delay: Duration::from_millis(3),
        segment_bytes: 2 << 20,
        replay: ReplayOrder::NewestFirst,
        replay_rate: 0,
    };
    assert_eq!(config.spool, spool);
}

#[test]
fn a_small_spool_needs_no_word_on_its_segments() {
    let config = config("spool.max_bytes = '2MiB'\nlimits.request_bytes = '1MiB'");
    let settings = crate::spool::Settings::new(&config.spool, 1);
    assert_eq!(settings.segment_bytes, 512 << 10, "a quarter");
}

#[test]
fn variables_set_nested_keys_too() {
    let variables = [
        ("OTLP_GRACEFUL_DEGRADATION_ENABLED", "true"),
        ("OTLP_GRACEFUL_DEGRADATION_STRATEGIES", "reduce_quality"),
        (
            "OTLP_GRACEFUL_DEGRADATION_TRIGGER_CONDITIONS",
            "high_error_rate=0.25,high_latency=500ms",
        ),
        ("OTLP_GRACEFUL_DEGRADATION_REDUCE_QUALITY_MIN_RATIO", "0.5"),
    ];
    let loaded = load_with("a.toml", "", &variables).unwrap();
    let degradation = loaded.config.degradation;
    assert!(degradation.enabled && degradation.reduce_quality && !degradation.use_cache);
    assert_eq!(degradation.high_error_rate, Some(0.25));
    assert_eq!(degradation.high_latency, Some(Duration::from_millis(500)));
    assert!((degradation.min_ratio - 0.5).abs() < f64::EPSILON);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn the_spool_lies_where_the_service_manager_keeps_state_unless_somebody_says_otherwise() {
    let variables = [("STATE_DIRECTORY", "/var/lib/otlp:/var/lib/other")];
    let text = "acknowledge = 'stored'";
    let loaded = load_with("a.toml", text, &variables).unwrap();
    assert_eq!(
        loaded.config.spool.directory,
        Path::new("/var/lib/otlp/spool")
    );
    let setting = |loaded: &Loaded| {
        let mut settings = loaded.settings.iter();
        let found = settings.find(|setting| setting.key.path == "spool.directory");
        found.unwrap().origin.to_string()
    };
    assert_eq!(setting(&loaded), "variable STATE_DIRECTORY");
    let text = "acknowledge = 'stored'\nspool.directory = '/mine'";
    let loaded = load_with("a.toml", text, &variables).unwrap();
    assert_eq!(loaded.config.spool.directory, Path::new("/mine"));
    // What is there and nobody asked for is no reason to warn.
    let loaded = load_with("a.toml", "", &variables).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(!loaded.config.spools());
}

#[test]
fn the_fallback_speaks_its_own_protocol_or_that_of_all_or_that_of_its_port() {
    let protocol = |text: &str| {
        let fallback = config(text).export.fallback;
        fallback.unwrap().protocol
    };
    assert_eq!(protocol("fallback.endpoint = 'f:4317'"), Protocol::Grpc);
    let by_port = "fallback.endpoint = 'f:4318'";
    assert_eq!(protocol(by_port), Protocol::HttpProtobuf);
    let of_all = "protocol = 'grpc'\nfallback.endpoint = 'f:4318'";
    assert_eq!(protocol(of_all), Protocol::Grpc);
    let own =
        "protocol = 'grpc'\nfallback.endpoint = 'f:1/base'\nfallback.protocol = 'http/protobuf'";
    assert_eq!(protocol(own), Protocol::HttpProtobuf);
    let fallback = config(own).export.fallback.unwrap();
    assert_eq!(
        fallback.path_of(crate::signal::Signal::Logs),
        "/base/v1/logs"
    );
}

#[test]
fn what_does_not_go_together_is_an_error_that_names_the_thing_the_bound_and_the_fix() {
    let spool = "acknowledge = 'stored'\nspool.directory = '/s'\n";
    for (text, parts) in [
        (
            "acknowledge = 'stored'".to_owned(),
            ["error: acknowledge:", "set spool.directory", "a.toml:1:15"],
        ),
        (
            "retry.base_delay = '10s'".to_owned(),
            [
                "5s is under retry.base_delay, 10s",
                "raise retry.max_delay to 10s",
                "a.toml:1:20",
            ],
        ),
        (
            "health_check.interval = '2s'".to_owned(),
            [
                "5s is over health_check.interval, 2s",
                "lower health_check.timeout to 2s",
                "a.toml:1:25",
            ],
        ),
        (
            "spool.max_bytes = '32MiB'\nspool.segment_bytes = '64MiB'".to_owned(),
            [
                "error: spool.segment_bytes: 64MiB is over spool.max_bytes, 32MiB",
                "lower spool.segment_bytes to 32MiB",
                "a.toml:2:23",
            ],
        ),
        (
            format!("{spool}spool.segment_bytes = '1MiB'\nspool.max_bytes = '32MiB'"),
            [
                "32MiB cannot hold one request of limits.request_bytes, 64MiB",
                "raise spool.max_bytes to 64MiB",
                "a.toml:4:19",
            ],
        ),
        (
            "endpoint = 'http://C:4317'\nfallback.endpoint = 'c:4317'".to_owned(),
            [
                "c:4317 is a collector of its own already",
                "name another collector",
                "a.toml:2:21",
            ],
        ),
        (
            "fallback.endpoint = ['a:1', 'b:2']".to_owned(),
            ["a second one", "name one collector", "a.toml:1:29"],
        ),
        (
            "fallback.endpoint = '127.0.0.1:4317'".to_owned(),
            [
                "this process's own listen.grpc",
                "error: fallback.endpoint",
                "a.toml:1:21",
            ],
        ),
        (
            "spool.directory = 'data'".to_owned(),
            [
                "\"data\" is not an absolute path",
                "/var/lib/otlp/spool",
                "a.toml:1:19",
            ],
        ),
        (
            "graceful_degradation.trigger_conditions = ['high_error_rate=0']".to_owned(),
            ["is not a trigger", "threshold = over 0, to 1", "a.toml:1"],
        ),
        (
            "graceful_degradation.trigger_conditions = 'high_latency=1s,high_latency=2s'"
                .to_owned(),
            ["a second trigger of its type", "each type once", "a.toml:1"],
        ),
        (
            "graceful_degradation.reduce_quality.keep_severity = 'warn'".to_owned(),
            ["\"warn\" is not", "\"WARN\"", "a.toml:1:53"],
        ),
        (
            "graceful_degradation.reduce_quality.min_ratio = 0.0".to_owned(),
            ["out of range", "0.001 to 1", "a.toml:1:49"],
        ),
    ] {
        let found = error(&text);
        for part in parts {
            assert!(found.contains(part), "{text}: {part}: {found}");
        }
    }
}

#[test]
fn what_is_set_and_does_nothing_is_a_warning() {
    let on = "graceful_degradation.enabled = true\n";
    let spool = "acknowledge = 'stored'\nspool.directory = '/s'\n";
    for (text, part) in [
        (
            "graceful_degradation.strategies = ['use_cache']".to_owned(),
            "while graceful_degradation.enabled is false",
        ),
        (
            "fallback.endpoint = 'f:1'".to_owned(),
            "while graceful_degradation.enabled is false",
        ),
        (on.to_owned(), "graceful_degradation.strategies names none"),
        (
            format!("{on}graceful_degradation.strategies = ['use_fallback']"),
            "fallback.endpoint is not set",
        ),
        (
            format!("{on}graceful_degradation.strategies = 'use_cache'"),
            "no directory for the spool",
        ),
        (
            format!(
                "{on}graceful_degradation.strategies = 'reduce_quality'\nfallback.endpoint = 'f:1'"
            ),
            "has no use_fallback",
        ),
        ("spool.directory = '/s'".to_owned(), "nothing is spooled"),
        (
            format!("{spool}spool.on_full = 'drop_oldest'"),
            "a sender was told is safe",
        ),
    ] {
        let found = toml(&text).unwrap().warnings;
        assert!(
            matches!(found.as_slice(), [one] if one.contains(part)),
            "{text}: {found:?}"
        );
    }
    let fine = format!(
        "{on}graceful_degradation.strategies = 'use_cache'\nacknowledge = 'queued'\n\
         spool.directory = '/s'"
    );
    let loaded = toml(&fine).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(loaded.config.spools());
}
