//! The disk in place of a collector: what a sender is told, how the data comes back, and what
//! happens where the disk is full or gone.

use std::{path::Path, process::Command};

use otlp::signal::Signal;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{
    UNAVAILABLE, breaker, degrading, hasty, left, segments, send, send_taken, spooling,
    until_arrived,
};
use crate::support::{
    Behaviour, Collector, Ledger, Otlp, Setup, Transport, payload, payload_of_bytes, within,
};

/// A request of these tests, in bytes: some of them fill a small spool.
const LARGE: usize = 64 << 10;

/// A spool of one MiB.
fn small(setup: Setup) -> Setup {
    setup
        .set("OTLP_SPOOL_MAX_BYTES", "1MiB")
        .set("OTLP_LIMITS_REQUEST_BYTES", "256KiB")
}

fn of(ledger: &Ledger, state: &str) -> f64 {
    ledger.items(Signal::Traces, state)
}

/// Sends large requests until so many were refused; the ids of those that were taken.
async fn fill(otlp: &Otlp, refusals: usize) -> Vec<u64> {
    let mut sender = otlp.sender(Transport::Grpc).await;
    let (mut taken, mut refused) = (Vec::new(), 0);
    while refused < refusals {
        let sent = payload_of_bytes(Signal::Traces, 1, LARGE);
        let answer = sender.send(&sent).await;
        if answer.accepted() {
            taken.extend(sent.ids);
            assert!(taken.len() < 1000, "the disk never fills");
        } else {
            assert_eq!(answer.code, 14, "{answer:?}");
            assert!(answer.delay.is_some(), "{answer:?}");
            refused += 1;
        }
    }
    taken
}

#[tokio::test]
async fn with_a_dead_collector_the_disk_takes_everything_and_gives_it_all_back() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let setup = degrading(hasty(Setup::to([&collector])), "use_cache");
    let otlp = spooling(setup, folder.path()).start().await;
    let address = collector.stop().await;
    let mut ids = Vec::new();
    for signal in Signal::ALL {
        let sent = send_taken(&otlp, signal, 10).await;
        ids.push((signal, sent));
    }
    let ledger = otlp.assert_ledger_adds_up().await;
    for signal in Signal::ALL {
        assert_eq!(ledger.items(signal, "stored"), 20.0, "{signal}");
        assert_eq!(ledger.items(signal, "delivered"), 0.0, "{signal}");
    }
    assert!(segments(folder.path()) > 0);
    let collector = Collector::start_at(address).await;
    for (signal, ids) in &ids {
        until_arrived(&collector, *signal, ids).await;
    }
    let ledger = otlp
        .until_ledger("nothing is stored any more", |now| {
            let left = Signal::ALL.map(|signal| left(now, signal));
            left == [0.0; 4] && now.sum("otlp_spool_records", &[]) == 0.0
        })
        .await;
    for signal in Signal::ALL {
        assert_eq!(ledger.items(signal, "delivered"), 20.0, "{signal}");
    }
    assert!(otlp.terminate().await.success(), "{}", otlp.log());
    assert_eq!(
        segments(folder.path()),
        0,
        "what is delivered needs no file"
    );
}

/// A signal with a collector of its own does not wait behind the backlog of another.
#[tokio::test]
async fn the_backlog_of_a_dead_collector_holds_no_other_signal_back() {
    let (dead, alive) = (Collector::start().await, Collector::start().await);
    let folder = TempDir::new().unwrap();
    let setup = degrading(hasty(Setup::to([&alive])), "use_cache")
        .set("OTLP_TRACES_ENDPOINT", &format!("http://{}", dead.address));
    let otlp = spooling(setup, folder.path()).start().await;
    let _dead = dead.stop().await;
    let address = alive.stop().await;
    // More than is read back at once.
    let mut sender = otlp.sender(Transport::Grpc).await;
    for _ in 0..10 {
        let sent = payload_of_bytes(Signal::Traces, 1, 1 << 20);
        assert!(sender.send(&sent).await.accepted());
    }
    let logs = send_taken(&otlp, Signal::Logs, 10).await;
    let alive = Collector::start_at(address).await;
    until_arrived(&alive, Signal::Logs, &logs).await;
    let ledger = otlp
        .until_ledger("no logs are stored", |now| left(now, Signal::Logs) == 0.0)
        .await;
    assert_eq!(of(&ledger, "stored"), 10.0, "the others stay");
}

/// Nothing but the disk answers here, and it has synced what it answers for.
#[tokio::test]
async fn stored_means_that_it_is_written_before_its_sender_hears_ok() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let folder = TempDir::new().unwrap();
    let setup = Setup::to([&collector]).set("OTLP_ACKNOWLEDGE", "stored");
    let otlp = spooling(setup, folder.path()).start().await;
    let mut acknowledged = 0;
    for _ in 0..10 {
        let mut calls = JoinSet::new();
        for transport in Transport::ALL {
            let mut sender = otlp.sender(transport).await;
            let sent = payload(Signal::Traces, 10);
            acknowledged += sent.body.len();
            calls.spawn(async move { sender.send(&sent).await });
        }
        let answers = within("every answer", calls.join_all()).await;
        assert!(answers.iter().all(|it| it.accepted()), "{answers:?}");
        let ledger = otlp.ledger().await;
        let written = ledger.sum("otlp_spool_written_bytes_total", &[]);
        assert!(written >= acknowledged as f64, "{written} {acknowledged}");
    }
    assert!(collector.read(|log| log.accepted.is_empty()));
    let ledger = otlp.ledger().await;
    ledger.assert_balanced();
    assert_eq!(of(&ledger, "stored"), 300.0);
    collector.behave(Behaviour::Accept);
    let ledger = otlp
        .until_ledger("all is delivered", |now| left(now, Signal::Traces) == 0.0)
        .await;
    assert_eq!(of(&ledger, "delivered"), 300.0);
}

/// Its senders never waited for the collector, so its breaker is nothing to them.
#[tokio::test]
async fn stored_goes_on_while_no_collector_may_be_called() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let setup = hasty(Setup::to([&collector])).set("OTLP_ACKNOWLEDGE", "stored");
    let otlp = spooling(setup, folder.path()).start().await;
    let address = collector.stop().await;
    let mut ids = Vec::new();
    within("the breaker is open", async {
        while breaker(&otlp.ledger().await, address) == 0.0 {
            ids.extend(send_taken(&otlp, Signal::Traces, 1).await);
        }
    })
    .await;
    ids.extend(send_taken(&otlp, Signal::Traces, 20).await);
    let ledger = otlp.ledger().await;
    ledger.assert_balanced();
    assert_eq!(of(&ledger, "refused"), 0.0);
    let collector = Collector::start_at(address).await;
    until_arrived(&collector, Signal::Traces, &ids).await;
    let ledger = otlp
        .until_ledger("nothing is left", |now| left(now, Signal::Traces) == 0.0)
        .await;
    assert_eq!(of(&ledger, "delivered"), ids.len() as f64);
}

#[tokio::test]
async fn a_full_spool_refuses_with_a_delay_and_takes_again_when_it_was_emptied() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let setup = degrading(hasty(Setup::to([&collector])), "use_cache");
    let otlp = small(spooling(setup, folder.path())).start().await;
    let address = collector.stop().await;
    let taken = fill(&otlp, 3).await;
    let ledger = otlp.assert_ledger_adds_up().await;
    assert_eq!(of(&ledger, "stored"), taken.len() as f64);
    // The others were refused before they were read.
    assert!(of(&ledger, "refused") >= 1.0);
    assert!(of(&ledger, "dropped") == 0.0, "nothing is given up");
    let on_disk = ledger.sum("otlp_spool_bytes", &[]);
    assert!(on_disk <= f64::from(1 << 20), "{on_disk}");
    let collector = Collector::start_at(address).await;
    until_arrived(&collector, Signal::Traces, &taken).await;
    otlp.until_ledger("the disk is empty", |now| left(now, Signal::Traces) == 0.0)
        .await;
    // A refusing collector: its requests go to the disk again.
    otlp.until_ledger("closed or on trial", |now| breaker(now, address) != 1.0)
        .await;
    collector.behave(UNAVAILABLE);
    let again = send_taken(&otlp, Signal::Traces, 5).await;
    let ledger = otlp
        .until_ledger("stored", |now| of(now, "stored") == again.len() as f64)
        .await;
    assert_eq!(of(&ledger, "delivered"), taken.len() as f64);
}

#[tokio::test]
async fn drop_oldest_counts_what_it_gives_up_and_keeps_what_is_new() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let setup = degrading(hasty(Setup::to([&collector])), "use_cache");
    let otlp = small(spooling(setup, folder.path()))
        .set("OTLP_SPOOL_ON_FULL", "drop_oldest")
        .start()
        .await;
    let address = collector.stop().await;
    let mut sender = otlp.sender(Transport::Grpc).await;
    let mut ids = Vec::new();
    for _ in 0..60 {
        let sent = payload_of_bytes(Signal::Traces, 1, LARGE);
        let answer = sender.send(&sent).await;
        assert!(answer.accepted(), "{answer:?}");
        ids.extend(sent.ids);
    }
    let ledger = otlp.assert_ledger_adds_up().await;
    assert!(of(&ledger, "dropped") > 0.0);
    assert_eq!(of(&ledger, "stored") + of(&ledger, "dropped"), 60.0);
    let collector = Collector::start_at(address).await;
    let ledger = otlp
        .until_ledger("the disk is empty", |now| left(now, Signal::Traces) == 0.0)
        .await;
    let arrived = collector.accepted_ids(Signal::Traces);
    let newest = &ids[ids.len() - arrived.len()..];
    assert!(arrived.keys().eq(newest), "what is new is what was kept");
    // Room for a next segment may have been made meanwhile.
    let dropped = of(&ledger, "dropped");
    assert_eq!(arrived.len() as f64 + dropped, 60.0, "{ledger:?}");
    assert_eq!(of(&ledger, "delivered") + dropped, 60.0);
    let reason = [("state", "dropped"), ("reason", "spool_full")];
    assert_eq!(ledger.sum("otlp_items_total", &reason), dropped);
}

/// A file system in memory that holds little; gone when dropped.
struct Disk(TempDir);

impl Disk {
    /// `None` where this user may not mount one.
    #[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
    fn mount(options: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(folder.path())
            .output();
        if mount.is_ok_and(|it| it.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("no file system can be mounted here: this law was not checked; run it as root");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        let mount = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.path())
            .output();
        assert!(mount.unwrap().status.success(), "{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a forwarder of a test that failed may have files open.
        drop(Command::new("umount").arg("-l").arg(self.path()).output());
    }
}

/// The disk itself is full, long before `spool.max_bytes`.
#[tokio::test]
async fn a_full_disk_is_the_next_step_down_and_is_used_again_when_it_has_room() {
    let Some(disk) = Disk::mount("size=2m") else {
        return;
    };
    let collector = Collector::start().await;
    let setup = degrading(hasty(Setup::to([&collector])), "use_cache");
    let otlp = spooling(setup, disk.path()).start().await;
    let log = otlp.log();
    assert!(log.contains("are free there"), "said at the start: {log}");
    let address = collector.stop().await;
    let taken = fill(&otlp, 3).await;
    let ledger = otlp
        .until_ledger("it is told", |now| now.sum("otlp_spool_broken", &[]) == 1.0)
        .await;
    assert_eq!(of(&ledger, "stored"), taken.len() as f64);
    let (_, ready) = otlp.admin("/ready").await;
    assert!(ready.contains("broken"), "{ready}");
    assert!(ready.to_lowercase().contains("space"), "{ready}");
    disk.remount("size=64m");
    let more = within("it is used again", async {
        loop {
            let (sent, answer) = send(&otlp, Signal::Traces, 1).await.remove(0);
            if answer.accepted() {
                return sent.ids;
            }
        }
    })
    .await;
    let collector = Collector::start_at(address).await;
    until_arrived(&collector, Signal::Traces, &taken).await;
    until_arrived(&collector, Signal::Traces, &more).await;
    otlp.until_ledger("all is delivered", |now| {
        left(now, Signal::Traces) == 0.0 && now.sum("otlp_spool_broken", &[]) == 0.0
    })
    .await;
    assert!(otlp.terminate().await.success(), "{}", otlp.log());
}

/// With `stored` and a disk that takes nothing, OK means what it does without one.
#[tokio::test]
async fn stored_on_a_full_disk_is_delivered_before_its_sender_hears_ok() {
    let Some(disk) = Disk::mount("size=256k") else {
        return;
    };
    let collector = Collector::start().await;
    let setup = Setup::to([&collector]).set("OTLP_ACKNOWLEDGE", "stored");
    let otlp = spooling(setup, disk.path()).start().await;
    std::fs::write(disk.path().join("other"), vec![1; 128 << 10]).unwrap();
    collector.behave(Behaviour::Hold);
    let sent = payload_of_bytes(Signal::Traces, 1, 200 << 10);
    let mut sender = otlp.sender(Transport::Grpc).await;
    let call = tokio::spawn({
        let sent = sent.clone();
        async move { sender.send(&sent).await }
    });
    collector
        .until("it goes to the collector", |log| log.arrived.len() == 1)
        .await;
    assert!(!call.is_finished(), "nobody has it yet");
    assert_eq!(of(&otlp.ledger().await, "waiting"), 1.0);
    collector.behave(Behaviour::Accept);
    let answer = within("the answer", call).await.unwrap();
    assert!(answer.accepted(), "{answer:?}");
    until_arrived(&collector, Signal::Traces, &sent.ids).await;
    otlp.assert_ledger_adds_up().await;
}

async fn assert_does_not_start(folder: &Path, word: &str) {
    let collector = Collector::start().await;
    let setup = Setup::to([&collector]).set("OTLP_ACKNOWLEDGE", "stored");
    let otlp = Otlp::spawn(spooling(setup, folder).command(&[]));
    let exit = otlp.exit().await;
    let log = otlp.log();
    assert!(!exit.success() && exit.code() != Some(101), "{exit}\n{log}");
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.contains(folder.to_str().unwrap()), "{log}");
    assert!(log.to_lowercase().contains(word), "no {word:?}:\n{log}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_an_error_at_the_start() {
    let folder = TempDir::new().unwrap();
    assert_does_not_start(&folder.path().join("not/there"), "parent folder").await;
    let file = folder.path().join("file");
    std::fs::write(&file, "a file").unwrap();
    assert_does_not_start(&file, "directory").await;
    if let Some(disk) = Disk::mount("size=1m") {
        disk.remount("ro");
        assert_does_not_start(disk.path(), "read-only").await;
    }
}

#[tokio::test]
async fn a_second_process_in_the_same_folder_does_not_start() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let setup = Setup::to([&collector]).set("OTLP_ACKNOWLEDGE", "stored");
    let otlp = spooling(setup, folder.path()).start().await;
    assert_does_not_start(folder.path(), "owned by process").await;
    send_taken(&otlp, Signal::Traces, 3).await;
}
