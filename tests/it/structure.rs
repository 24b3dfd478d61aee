//! The direction of imports between the rooms of `src/`, held as a law.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What a room may import besides itself. A room that is missing here is a failure.
fn allowed(room: &str) -> Option<&'static [&'static str]> {
    const DATA_PATH: &[&str] = &[
        "batch", "config", "degrade", "encoding", "headers", "http1", "http2", "jitter", "logging",
        "metrics", "net", "outcome", "rt", "signal", "wire",
    ];
    Some(match room {
        "signal" | "encoding" | "outcome" | "jitter" | "headers" | "rt" | "http2" => &[],
        // The list of header fields.
        "http1" => &["http2"],
        "wire" => &["config", "encoding", "headers", "signal", "outcome"],
        "config" => &["encoding", "headers", "signal"],
        "degrade" => &["config", "outcome"],
        "logging" => &["config"],
        "metrics" => &["signal", "outcome"],
        "batch" => &[
            "encoding", "headers", "metrics", "outcome", "signal", "spool", "wire",
        ],
        "delivery" => &[
            "batch", "config", "degrade", "encoding", "headers", "jitter", "logging", "metrics",
            "outcome", "signal", "spool", "wire",
        ],
        "spool" => &["config", "encoding", "signal"],
        "net" => &["rt", "config"],
        "receiver" | "exporter" => DATA_PATH,
        "admin" => &["config", "metrics", "rt", "net", "signal", "outcome"],
        "shard" => &[
            "batch", "config", "delivery", "encoding", "exporter", "headers", "jitter", "logging",
            "metrics", "net", "outcome", "receiver", "rt", "signal", "spool", "wire",
        ],
        "cli" => &[
            "admin", "batch", "config", "encoding", "exporter", "headers", "jitter", "logging",
            "metrics", "net", "outcome", "receiver", "rt", "shard", "signal", "spool", "wire",
        ],
        _ => return None,
    })
}

/// Every Rust file of `src/` with its room, without its comments and unit tests: the laws are the
/// product's.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    folders.push(path);
                }
                continue;
            }
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside
                .components()
                .next()
                .unwrap()
                .as_os_str()
                .to_str()
                .unwrap();
            let room = first.trim_end_matches(".rs").to_owned();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_product = name.ends_with(".rs") && !name.ends_with("tests.rs");
            if is_product && !matches!(room.as_str(), "lib" | "main") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((room, path, product_code(&text)));
            }
        }
    }
    assert!(!found.is_empty(), "there are rooms in src/");
    found
}

fn product_code(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    match code.split_once("#[cfg(test)]\nmod tests {") {
        Some((product, _)) => product.to_owned(),
        None => code,
    }
}

/// The rooms that a text names through `crate::`, alone or in a braced list.
fn rooms_named(text: &str) -> BTreeSet<String> {
    text.split("crate::").skip(1).flat_map(heads).collect()
}

/// The first names of a path, or of each path of a braced list of them.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(list) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let mut depth = 0_u32;
    let mut found = vec![name(list)];
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(name(&list[at + 1..])),
            _ => {}
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn a_room_imports_only_what_lies_below_it() {
    let mut broken = Vec::new();
    for (room, path, text) in sources() {
        let Some(below) = allowed(&room) else {
            broken.push(format!(
                "{}: the room {room} has no row in this test",
                path.display()
            ));
            continue;
        };
        for named in rooms_named(&text) {
            if named != room && !below.contains(&named.as_str()) {
                broken.push(format!("{}: {room} may not import {named}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn wire_takes_nothing_of_config_but_what_to_validate() {
    for (_, path, text) in sources().into_iter().filter(|(room, ..)| room == "wire") {
        let foreign = text
            .split("config::")
            .skip(1)
            .find(|rest| !rest.starts_with("Validate"));
        assert!(
            foreign.is_none(),
            "{}: wire may import only config::Validate",
            path.display()
        );
    }
}

#[test]
fn only_rt_names_the_runtime_and_only_rt_is_unsafe() {
    for (room, path, text) in sources().into_iter().filter(|(room, ..)| room != "rt") {
        assert!(
            !text.contains("glommio"),
            "{}: {room} names glommio",
            path.display()
        );
        let is_unsafe = ["unsafe {", "unsafe fn", "unsafe impl", "#[unsafe("]
            .iter()
            .any(|it| text.contains(it));
        assert!(!is_unsafe, "{}: {room} has unsafe code", path.display());
    }
}

#[test]
fn only_net_names_tokio() {
    for (room, path, text) in sources().into_iter().filter(|(room, ..)| room != "net") {
        assert!(
            !text.contains("tokio::"),
            "{}: {room} names tokio",
            path.display()
        );
    }
}

#[test]
fn the_scan_sees_single_imports_lists_and_paths() {
    let text = "use crate::{batch::{Batch, Ack}, wire};\nuse crate::rt::now;\ncrate::net::f();";
    let named: Vec<_> = rooms_named(text).into_iter().collect();
    assert_eq!(named, ["batch", "net", "rt", "wire"]);
}
