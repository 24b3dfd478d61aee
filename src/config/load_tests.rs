//! The laws of loading, and the files and variables that operators already have.

use std::{net::SocketAddr, time::Duration};

use super::*;
use crate::{
    config::model::{Acknowledge, Endpoint, HttpVersion, LogFormat, LogOutput, Protocol},
    encoding::Encoding,
    signal::Signal,
};

const GUIDE: &str = include_str!("testdata/guide.yaml");
const GUIDE_CONFIG_MAP: &str = include_str!("testdata/guide-configmap.yaml");
const GUIDE_TUNED: &str = include_str!("testdata/guide-tuned.yaml");
const GUIDE_TLS: &str = include_str!("testdata/guide-tls.yaml");
const GUIDE_AUTH: &str = include_str!("testdata/guide-auth.yaml");
const GUIDE_VARIABLES: &str = include_str!("testdata/guide.env");

fn env(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().copied().collect()
}

/// Loads a file of this name and text beside variables and `--set` texts.
fn load_all(
    name: &str,
    text: &str,
    variables: &[(&str, &str)],
    set: &[&str],
) -> Result<Loaded, Errors> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    let set = set.iter().map(|text| (*text).to_owned()).collect();
    load(
        &LoadOptions {
            file: Some(path),
            set,
            search: Vec::new(),
        },
        &env(variables),
    )
}

fn yaml(text: &str) -> Result<Loaded, Errors> {
    load_all("config.yaml", text, &[], &[])
}

fn toml(text: &str) -> Result<Loaded, Errors> {
    load_all("config.toml", text, &[], &[])
}

fn variables(pairs: &[(&str, &str)]) -> Result<Loaded, Errors> {
    load(
        &LoadOptions {
            file: None,
            set: Vec::new(),
            search: Vec::new(),
        },
        &env(pairs),
    )
}

/// The report of a refused configuration, its directory cut away.
fn report(result: Result<Loaded, Errors>) -> String {
    let report = result.unwrap_err().to_string();
    let lines = report.lines().map(
        |line| match (line.strip_prefix("  --> "), line.rfind('/')) {
            (Some(_), Some(slash)) => format!("  --> {}", &line[slash + 1..]),
            _ => line.to_owned(),
        },
    );
    lines.collect::<Vec<_>>().join("\n")
}

fn origin(loaded: &Loaded, key: &str) -> String {
    let setting = loaded
        .settings
        .iter()
        .find(|setting| setting.key.path == key)
        .unwrap();
    let shown = setting.origin.to_string();
    shown.rsplit('/').next().unwrap().to_owned()
}

fn collector(protocol: Protocol, port: u16, path: &str, path_as_is: bool) -> Endpoint {
    Endpoint {
        host: "collector".to_owned(),
        port,
        protocol,
        http_version: HttpVersion::Http1,
        path: path.to_owned(),
        path_as_is,
    }
}

#[test]
fn nothing_set_is_the_default_configuration() {
    let loaded = variables(&[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.warnings.is_empty());
    assert_eq!(yaml("").unwrap().config, Config::default());
    assert_eq!(toml("").unwrap().config, Config::default());
}

#[test]
fn the_guides_file_loads_as_written() {
    let loaded = yaml(GUIDE).unwrap();
    let config = &loaded.config;
    assert_eq!(
        config.export.endpoints,
        [collector(Protocol::Grpc, 4317, "", false)]
    );
    let timeouts = config.export.timeouts;
    assert_eq!(timeouts.connect, Duration::from_secs(5));
    assert_eq!(
        timeouts.operation,
        Duration::from_secs(60),
        "the longer name wins over 30s"
    );
    assert_eq!(config.logging.format, LogFormat::Json);
    assert_eq!(config.logging.output, LogOutput::Stdout);
    assert_eq!(config.monitoring.metrics_port, Some(9090));
    assert_eq!(
        loaded.warnings.len(),
        3,
        "one for tracing, one for each strategy that has nothing to go to: {:?}",
        loaded.warnings
    );
}

#[test]
fn the_guides_config_map_loads_as_written() {
    // What Kubernetes mounts is the text below `config.yaml: |`, its indentation removed.
    let (_, data) = GUIDE_CONFIG_MAP.split_once("config.yaml: |\n").unwrap();
    let text: String = data
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap()))
        .collect();
    let config = yaml(&text).unwrap().config;
    assert_eq!(
        config.export.endpoints[0].authority(),
        "otel-collector:4317"
    );
    assert_eq!(config.export.timeouts.operation, Duration::from_secs(30));
    assert_eq!(config.logging.format, LogFormat::Json);
}

#[test]
fn the_guides_tuned_file_loads_as_written() {
    let config = yaml(GUIDE_TUNED).unwrap().config;
    assert_eq!(config.batch.items_max, 1000);
    assert_eq!(config.batch.flush_interval, Duration::from_secs(1));
    assert_eq!(config.export.max_concurrent_requests, 100);
    assert_eq!(config.export.connection_pool_size, Some(50));
}

#[test]
fn the_guides_variables_load_as_written() {
    // A later `export` of the same name wins, as in a shell.
    let env: Environment = GUIDE_VARIABLES
        .lines()
        .map(|line| {
            line.strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap()
        })
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    let options = LoadOptions {
        search: Vec::new(),
        ..LoadOptions::default()
    };
    let loaded = load(&options, &env).unwrap();
    let config = &loaded.config;
    assert_eq!(
        config.export.endpoints,
        [collector(Protocol::Grpc, 4317, "", false)]
    );
    assert_eq!(config.export.timeouts.operation, Duration::from_secs(30));
    assert_eq!(config.batch.items_max, 100);
    assert_eq!((config.worker_threads, config.async_threads), (4, 2));
    assert!(config.monitoring.metrics_enabled);
    assert_eq!(config.monitoring.metrics_port, Some(9090));
    assert_eq!(config.logging.level, "warn");
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].contains("not in effect"));
}

#[test]
fn tls_and_auth_are_refused_with_the_reason_and_without_the_secret() {
    let tls = report(yaml(GUIDE_TLS));
    assert!(tls.contains("would travel in the clear"), "{tls}");
    assert_eq!(
        tls.matches("error:").count(),
        1,
        "one error for the group: {tls}"
    );
    let auth = report(yaml(GUIDE_AUTH));
    assert!(auth.contains("not part of this version"), "{auth}");
    assert!(!auth.contains("your-secret"), "{auth}");
    let off = "tls:\n  enabled: false\n  cert_file: /a\n";
    assert_eq!(yaml(off).unwrap().config, Config::default());
    assert!(report(toml("endpoint = 'https://c:4317'")).contains("TLS is not part"));
}

#[test]
fn a_timeout_may_be_a_duration_and_a_table_in_either_order() {
    let short = "timeout: 7s\n";
    let table = "timeout:\n  read_timeout: 8s\n";
    for text in [format!("{short}{table}"), format!("{table}{short}")] {
        let timeouts = yaml(&text).unwrap().config.export.timeouts;
        assert_eq!(timeouts.operation, Duration::from_secs(7));
        assert_eq!(timeouts.read, Duration::from_secs(8));
    }
    let long = "timeout:\n  operation_timeout: 9s\n";
    for text in [format!("{short}{long}"), format!("{long}{short}")] {
        let timeouts = yaml(&text).unwrap().config.export.timeouts;
        assert_eq!(
            timeouts.operation,
            Duration::from_secs(9),
            "the longer name wins"
        );
    }
    assert!(
        yaml(&format!("{short}{short}")).is_err(),
        "twice the same form is refused"
    );
    assert!(
        yaml(&format!("{table}{table}")).is_err(),
        "twice the same form is refused"
    );
    let either = |text| toml(text).unwrap().config.export.timeouts.operation;
    assert_eq!(either("timeout = '7s'"), Duration::from_secs(7));
    assert_eq!(
        either("[timeout]\noperation_timeout = '7s'"),
        Duration::from_secs(7)
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_what_was_meant() {
    let text = "endpoint: http://c:1\nretry:\n  max_attempts: 3\n  base_dealy: 100ms # token\n";
    assert_eq!(
        report(yaml(text)),
        "\
error: retry.base_dealy: there is no such key
  --> config.yaml:4:3
   |
 4 |   base_dealy …
   |   ^^^^^^^^^^
   = fix: did you mean retry.base_delay?"
    );
    let found = report(toml("[listen]\ngrcp = '127.0.0.1:1'"));
    assert!(
        found.contains("config.toml:2:1") && found.contains("listen.grpc?"),
        "{found}"
    );
}

#[test]
fn every_error_is_reported_in_one_pass_in_the_order_of_the_file() {
    let text = "batch_size = 0\nflush_interval = 30\n[retry]\nmax_attempts = 'many'\n\
                jitter = 1\n[limits]\nrequest_bytes = '1 mb'\n";
    let result = load_all(
        "config.toml",
        text,
        &[("OTLP_WORKER_THREADS", "x")],
        &["bach_size=1"],
    );
    let found = report(result);
    let heads: Vec<&str> = found
        .lines()
        .filter_map(|line| line.strip_prefix("error: "))
        .collect();
    assert_eq!(
        heads,
        [
            "batch_size: 0 is out of range",
            "flush_interval: 30 has no unit",
            "retry.max_attempts: \"many\" is not a whole number",
            "retry.jitter: \"1\" is not true or false",
            "limits.request_bytes: \"1 mb\" is not a number of bytes",
            "bach_size: there is no such key",
            "worker_threads: \"x\" is not a whole number",
        ]
    );
    assert!(
        found.contains("= fix: write a whole number of items from 1 to 1000000"),
        "{found}"
    );
    assert!(
        found.contains("--> variable OTLP_WORKER_THREADS"),
        "{found}"
    );
    assert!(found.contains("--> --set bach_size"), "{found}");
}

#[test]
fn flags_win_over_our_variables_over_others_variables_over_the_file() {
    let file = "timeout = '1s'\n[logging]\nlevel = 'error'\n";
    let at = |variables: &[(&str, &str)], set: &[&str]| {
        let loaded = load_all("config.toml", file, variables, set).unwrap();
        (
            loaded.config.export.timeouts.operation.as_secs(),
            origin(&loaded, "timeout.operation_timeout"),
        )
    };
    let theirs = ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000");
    let ours = ("OTLP_TIMEOUT", "3s");
    let longer = ("OTLP_TIMEOUT_OPERATION_TIMEOUT", "4s");
    assert_eq!(at(&[], &[]), (1, "config.toml:1:11".to_owned()));
    assert_eq!(
        at(&[theirs], &[]),
        (2, "variable OTEL_EXPORTER_OTLP_TIMEOUT".to_owned())
    );
    assert_eq!(
        at(&[theirs, ours], &[]),
        (3, "variable OTLP_TIMEOUT".to_owned())
    );
    assert_eq!(at(&[ours, longer], &[]).0, 4);
    assert_eq!(
        at(&[theirs, longer], &["timeout=5s", "timeout=6s"]),
        (6, "--set timeout".to_owned())
    );
    let level = |variables: &[(&str, &str)]| {
        load_all("config.toml", file, variables, &[])
            .unwrap()
            .config
            .logging
            .level
    };
    assert_eq!(level(&[("RUST_LOG", "debug")]), "debug");
    assert_eq!(
        level(&[("RUST_LOG", "no level"), ("OTLP_LOGGING_LEVEL", "warn")]),
        "warn"
    );
    assert_eq!(
        level(&[("RUST_LOG", "")]),
        "error",
        "an empty variable counts as unset"
    );
}

#[test]
fn the_standard_variables_configure_the_exporter() {
    let config = variables(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/base/"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://collector:4318/my/traces",
        ),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b,x=1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
    ])
    .unwrap()
    .config;
    let export = &config.export;
    let http = Protocol::HttpProtobuf;
    assert_eq!(export.endpoints, [collector(http, 4318, "/base", false)]);
    let traces = &export.endpoints_of(Signal::Traces)[0];
    assert_eq!(traces.path_of(Signal::Traces), "/my/traces");
    let metrics = &export.endpoints_of(Signal::Metrics)[0];
    assert_eq!(metrics.path_of(Signal::Metrics), "/base/v1/metrics");
    assert_eq!(export.headers[0], ("api-key".to_owned(), "a b".to_owned()));
    assert_eq!(export.compression, Encoding::Gzip);
    assert_eq!(export.timeouts.operation, Duration::from_millis(1500));
}

#[test]
fn standard_variables_that_cannot_be_honoured_are_told() {
    let loaded = variables(&[
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "a=b"),
    ])
    .unwrap();
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    let asked_for_tls = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "false"),
    ];
    assert!(report(variables(&asked_for_tls)).contains("asks for TLS"));
    assert!(report(variables(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")])).contains("milliseconds"));
    assert!(report(variables(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")])).contains("JSON"));
}

#[test]
fn the_protocol_is_taken_from_the_port_where_it_is_not_set() {
    let protocol = |text: &str| toml(text).unwrap().config.export.endpoints[0].protocol;
    assert_eq!(protocol("endpoint = 'c:4318'"), Protocol::HttpProtobuf);
    assert_eq!(protocol("endpoint = 'c:4317'"), Protocol::Grpc);
    assert_eq!(protocol("endpoint = 'c:80'"), Protocol::Grpc);
    assert_eq!(
        protocol("endpoint = 'c:4318'\nprotocol = 'grpc'"),
        Protocol::Grpc
    );
    let logs = toml("endpoint = 'c:4317'\nlogs_protocol = 'http/protobuf'")
        .unwrap()
        .config
        .export;
    assert_eq!(
        logs.endpoints_of(Signal::Logs)[0].path_of(Signal::Logs),
        "/v1/logs"
    );
    assert_eq!(
        logs.endpoints_of(Signal::Traces)[0].protocol,
        Protocol::Grpc
    );
}

#[test]
fn endpoints_are_one_a_list_or_a_text_with_commas() {
    let count = |text: &str| toml(text).unwrap().config.export.endpoints.len();
    assert_eq!(count("endpoint = 'a:1'"), 1);
    assert_eq!(count("endpoint = ['a:1', 'b:1']"), 2);
    let both = variables(&[("OTLP_ENDPOINT", "a:1, http://b:1")]).unwrap();
    assert_eq!(both.config.export.endpoints.len(), 2);
    let found = report(yaml("endpoint:\n  - a:1\n  - b\n  - c\n"));
    assert_eq!(found.matches("has no port").count(), 2, "{found}");
}

#[test]
fn an_unknown_variable_is_a_warning_and_kubernetes_is_passed_over() {
    let warnings = |pairs: &[(&str, &str)]| variables(pairs).unwrap().warnings;
    let found = warnings(&[("OTLP_ENDPIONT", "x")]);
    assert!(
        found[0].contains("did you mean OTLP_ENDPOINT?"),
        "{found:?}"
    );
    let kubernetes = [
        ("OTLP_SERVICE_PORT", "8080"),
        ("OTLP_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("OTLP_METRICS_PORT", "tcp://10.0.0.1:9090"),
    ];
    let loaded = variables(&kubernetes).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.config.monitoring.metrics_port, None);
}

#[test]
fn a_table_of_headers_is_taken_and_its_values_are_never_shown() {
    let text = "[headers]\nAuthorization = 'Bearer ${env:TOKEN}'\n";
    let loaded = load_all("config.toml", text, &[("TOKEN", "hunter2")], &[]).unwrap();
    let header = ("authorization".to_owned(), "Bearer hunter2".to_owned());
    assert_eq!(loaded.config.export.headers, [header]);
    assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
    let found = report(toml("[headers]\nhost = 'hunter2'"));
    assert!(
        found.contains("written by the forwarder") && !found.contains("hunter2"),
        "{found}"
    );
}

#[test]
fn a_substitution_that_cannot_be_made_names_the_key_and_the_variable() {
    let found = report(yaml("endpoint: http://${env:NOWHERE}:4317\n"));
    assert!(
        found.starts_with("error: endpoint: the variable NOWHERE is not set"),
        "{found}"
    );
    assert!(
        yaml("endpoint: ${env:NOWHERE:-}\n")
            .unwrap()
            .config
            .export
            .endpoints
            .is_empty()
    );
    let loaded = load_all("c.yml", "batch_size: ${env:N}\n", &[("N", "7")], &[]).unwrap();
    assert_eq!(loaded.config.batch.items_max, 7);
}

#[test]
fn what_only_several_keys_can_tell_is_checked() {
    for (text, reason) in [
        (
            "batch_bytes = '2MiB'\nlimits.request_bytes = '1MiB'",
            "over limits.request_bytes",
        ),
        (
            "limits.request_bytes = '64KiB'",
            "over limits.request_bytes",
        ),
        ("memory_limit = '1MiB'", "cannot hold one request"),
        ("listen.grpc = '0.0.0.0:4318'", "is taken by listen.grpc"),
        ("monitoring.metrics_port = 8080", "is taken by listen.admin"),
        (
            "monitoring.metrics_port = 1\nlisten.admin = 'off'",
            "which is off",
        ),
        (
            "listen.grpc = 'off'\nlisten.http = 'off'",
            "nothing could be received",
        ),
        (
            "endpoint = 'localhost:4317'",
            "this process's own listen.grpc",
        ),
        (
            "endpoint = 'http://c:4317/path'",
            "gRPC has no use for the path",
        ),
        ("acknowledge = 'stored'", "needs a directory for the spool"),
    ] {
        let found = report(toml(text));
        assert!(found.contains(reason), "{text}: {found}");
    }
    let any = toml("listen.grpc = '127.0.0.1:0'\nlisten.http = '127.0.0.1:0'").unwrap();
    assert_eq!(
        any.config.listen.grpc,
        Some(SocketAddr::from(([127, 0, 0, 1], 0)))
    );
}

#[test]
fn signals_without_a_collector_beside_others_with_one_are_a_warning() {
    let loaded = toml("logs_endpoint = 'c:4317'").unwrap();
    assert!(
        loaded.warnings[0].contains("traces, metrics, profiles"),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn a_path_that_is_used_as_it_is_and_missing_is_a_warning() {
    let loaded = toml("endpoint = 'c:4317'\ntraces_endpoint = 'http://c:4318'").unwrap();
    assert!(
        loaded.warnings[0].contains("http://c:4318/v1/traces"),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn the_named_file_has_to_exist_and_to_say_its_syntax() {
    let options = |name: &str| LoadOptions {
        file: Some(name.into()),
        ..LoadOptions::default()
    };
    let missing = report(load(&options("/nonexistent/a.toml"), &env(&[])));
    assert!(missing.contains("cannot be read"), "{missing}");
    let other = report(load(&options("/nonexistent/a.json"), &env(&[])));
    assert!(other.contains(".toml, .yaml or .yml"), "{other}");
    let options = LoadOptions {
        search: Vec::new(),
        ..LoadOptions::default()
    };
    let pairs = [("OTLP_CONFIG_PATH", "/nonexistent/b.yaml")];
    assert!(report(load(&options, &env(&pairs))).contains("b.yaml"));
}

#[test]
fn the_first_file_that_exists_is_searched_out() {
    let directory = tempfile::tempdir().unwrap();
    let second = directory.path().join("second.toml");
    std::fs::write(&second, "acknowledge = 'queued'").unwrap();
    let search = vec![directory.path().join("first.toml"), second.clone()];
    let loaded = load(
        &LoadOptions {
            search,
            ..LoadOptions::default()
        },
        &env(&[]),
    )
    .unwrap();
    assert_eq!(loaded.file, Some(second));
    assert_eq!(loaded.config.acknowledge, Acknowledge::Queued);
}

#[test]
fn what_is_not_of_the_syntax_is_marked() {
    let found = report(toml("a = 1\nb = = 2\n"));
    assert!(
        found.contains("not TOML") && found.contains("config.toml:2:"),
        "{found}"
    );
    let found = report(toml("batch_size = 1\nbatch_size = 2\n"));
    assert!(
        found.contains("duplicate key") && found.contains("config.toml:2:1"),
        "{found}"
    );
    let found = report(yaml("a: [1\nb: 2\n"));
    assert!(
        found.contains("not YAML") && found.contains("config.yaml:"),
        "{found}"
    );
    let found = report(yaml("batch_size: 1\nbatch_size: 2\n"));
    assert!(
        found.contains("given twice") && found.contains("config.yaml:2:1"),
        "{found}"
    );
    for text in [
        "a: &x 1\nb: *x\n",
        "endpoint: !!str a\n",
        "a: 1\n---\nb: 2\n",
        "- a\n",
        "[a]: 1\n",
    ] {
        assert!(yaml(text).is_err(), "{text:?}");
    }
    let deep: String = (0..20)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert!(report(yaml(&deep)).contains("levels deep"));
    assert!(yaml(&"[".repeat(100_000)).is_err());
    assert!(report(yaml(&"- a\n".repeat(20_000))).contains("10000 values long"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_parser_of_files_panic(text in "[a-z:\\[\\]{}\"'#&*!|>\\-\n =.\t$]{0,80}") {
        drop((yaml(&text), toml(&text)));
    }
}

#[test]
fn a_level_is_held_against_the_range_of_its_codec() {
    let export = |text: &str| toml(text).unwrap().config.export;
    assert_eq!(export("compression = \"none\"").compression_level, 0);
    for codec in ["gzip", "zstd"] {
        let default = export(&format!("compression = \"{codec}\"")).compression_level;
        assert!((1..=9).contains(&default), "{codec}");
    }
    let set = export("compression = \"zstd\"\ncompression_level = 19");
    assert_eq!(
        (set.compression, set.compression_level),
        (Encoding::Zstd, 19)
    );
    let refused = report(toml("compression = \"gzip\"\ncompression_level = 10"));
    for part in [
        "compression_level",
        "config.toml:2",
        "10 is over",
        "gzip, 9",
        "1 to 9",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(toml("compression = \"zstd\"\ncompression_level = 20").is_err());
    assert!(toml("compression = \"gzip\"\ncompression_level = 0").is_err());
    let idle = toml("compression_level = 3").unwrap();
    assert!(
        idle.warnings
            .iter()
            .any(|it| it.contains("compression_level"))
    );
}

#[test]
fn only_a_signal_all_of_whose_collectors_are_listed_is_merged_compressed() {
    let text = "endpoint = [\"http://a:4317\", \"http://b:4317\"]\n\
                logs_endpoint = \"http://c:4318/v1/logs\"\n";
    for (listed, merged) in [
        ("[]", [false; 4]),
        ("\"http://a:4317\"", [false; 4]),
        ("[\"http://a:4317\", \"b:4317\"]", [true, true, false, true]),
        ("\"http://c:4318/v1/logs\"", [false, false, true, false]),
    ] {
        let loaded = toml(&format!("{text}merge_compressed = {listed}")).unwrap();
        assert_eq!(loaded.config.export.merge_compressed, merged, "{listed}");
    }
    for unknown in ["http://d:4317", "http://c:4318"] {
        let text = format!("{text}merge_compressed = [\"http://a:4317\", \"{unknown}\"]");
        let refused = report(toml(&text));
        for part in ["merge_compressed", unknown, "config.toml:3", "endpoint"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    }
}

#[test]
fn headers_to_forward_are_named_once_and_not_the_forwarder_s_own() {
    let config = toml("forward_headers = [\"X-Scope-OrgID\", \"x-b\"]")
        .unwrap()
        .config;
    assert_eq!(config.forward_headers, ["x-scope-orgid", "x-b"]);
    let text = toml("forward_headers = \"x-a, authorization\"")
        .unwrap()
        .config;
    assert_eq!(text.forward_headers, ["x-a", "authorization"]);
    assert!(toml("").unwrap().config.forward_headers.is_empty());
    for (names, says) in [
        ("\"TE\"", "\"te\" is written by the forwarder"),
        ("\"grpc-timeout\"", "is written by the forwarder"),
        ("[\"x-a\", \"X-A\"]", "given twice"),
        ("\"x a\"", "is not a header name"),
    ] {
        let refused = report(toml(&format!("forward_headers = {names}")));
        for part in ["forward_headers", says, "config.toml:1"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    }
    let both = toml("forward_headers = \"x-a\"\nheaders = { X-A = \"hidden\" }").unwrap();
    assert!(both.warnings[0].contains("\"x-a\", which headers sets"));
    assert!(!both.warnings[0].contains("hidden"));
    assert!(toml("limits.header_sets = 0").is_err());
}
