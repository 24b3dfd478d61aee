//! A host that cannot run the forwarder: it says why and what to change, and does not panic.

use std::process::Command;

use crate::support::{Collector, Otlp, Setup};

/// Whether a tool of the host is there. Where it is not, the test says so and proves nothing.
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn has(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|it| it.status.success());
    if !found {
        eprintln!("{tool} is not on PATH: this law was not checked; `make test` installs it");
    }
    found
}

async fn assert_explains(wrapper: &[&str], cause: &[&str]) {
    let collector = Collector::start().await;
    let otlp = Otlp::spawn(Setup::to([&collector]).command(wrapper));
    let exit = otlp.exit().await;
    let log = otlp.log();
    assert!(!exit.success(), "{wrapper:?}: {exit}\n{log}");
    assert!(
        exit.code().is_some_and(|code| code != 101),
        "{wrapper:?}: {exit}\n{log}"
    );
    assert!(!log.contains("panicked"), "{wrapper:?} panics:\n{log}");
    assert!(
        cause.iter().any(|word| log.contains(word)),
        "{wrapper:?}: {cause:?} not in:\n{log}"
    );
}

#[tokio::test]
async fn a_kernel_that_forbids_io_uring_is_named_with_the_fix() {
    if has("strace") {
        let inject = "inject=io_uring_setup:error=EPERM";
        let wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject];
        assert_explains(&wrapper, &["io_uring"]).await;
    }
}

#[tokio::test]
async fn a_kernel_without_io_uring_is_named_with_the_fix() {
    if has("strace") {
        let inject = "inject=io_uring_setup:error=ENOSYS";
        let wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject];
        assert_explains(&wrapper, &["io_uring"]).await;
    }
}

#[tokio::test]
async fn too_little_locked_memory_is_named_with_the_fix() {
    if has("prlimit") {
        assert_explains(&["prlimit", "--memlock=65536"], &["memlock", "MEMLOCK"]).await;
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_ends_the_start_and_is_named_with_its_fix() {
    let collector = Collector::start().await;
    let setup = Setup::to([&collector]).set("OTLP_FLUSH_INTERVAL", "5 weeks");
    let otlp = Otlp::spawn(setup.command(&[]));
    let exit = otlp.exit().await;
    let log = otlp.log();
    // EX_CONFIG of sysexits.h.
    assert_eq!(exit.code(), Some(78), "{log}");
    assert!(
        log.contains("OTLP_FLUSH_INTERVAL") && log.contains("fix:"),
        "{log}"
    );
}

#[tokio::test]
async fn a_misspelt_variable_is_said_with_the_right_one() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector])
        .set("OTLP_ENDPIONT", "http://a:1")
        .start()
        .await;
    assert!(
        otlp.log().contains("did you mean OTLP_ENDPOINT"),
        "{}",
        otlp.log()
    );
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_start_and_is_named() {
    let collector = Collector::start().await;
    let taken = collector.address.to_string();
    let otlp = Otlp::spawn(
        Setup::to([&collector])
            .set("OTLP_LISTEN_ADMIN", &taken)
            .command(&[]),
    );
    let exit = otlp.exit().await;
    assert!(!exit.success(), "{exit}\n{}", otlp.log());
    assert!(otlp.log().contains(&taken), "{}", otlp.log());
}
