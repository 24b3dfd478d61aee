//! `otlp spool replay`: what is left is sent once, and marked.

use super::*;

#[tokio::test]
async fn replay_sends_what_is_left_once_and_removes_what_is_done() {
    let left = Left::new();
    let collector = Collector::start().await;
    let to = format!("http://{}", collector.address);
    let words = ["replay", "--to", &to];
    let ran = spool_beside(left.path(), &words).await.well();
    assert!(
        ran.out
            .starts_with("accepted: 5 records, 30 spans, 20 log_records, ")
    );
    assert_eq!(
        collector.accepted_ids(Signal::Traces),
        ids(&left.sealed[2..])
    );
    assert_eq!(collector.accepted_ids(Signal::Logs), ids(&left.torn[..2]));
    assert!(files(left.path()).is_empty(), "nothing is left");
    let ran = spool_beside(left.path(), &words).await.well();
    assert!(ran.out.starts_with("accepted: 0 records"), "{}", ran.out);
}

#[tokio::test]
async fn replay_over_http_keeps_the_packing() {
    let folder = tempfile::tempdir().unwrap();
    let records = payloads(Signal::Metrics, 40);
    Segment::of(1, &records, Encoding::Zstd)
        .sealed()
        .put(folder.path());
    let collector = Collector::start().await;
    let to = format!("http://{}/", collector.address);
    let words = ["replay", "--to", &to, "--protocol", "http/protobuf"];
    spool_beside(folder.path(), &words).await.well();
    assert_eq!(collector.accepted_ids(Signal::Metrics), ids(&records));
    collector.read(|log| {
        let packed = |it: &Received| it.headers["content-encoding"] == "zstd";
        assert!(log.accepted.iter().all(packed));
    });
}

#[tokio::test]
async fn a_replay_that_is_refused_for_good_marks_the_rest_and_goes_on_later() {
    let folder = tempfile::tempdir().unwrap();
    let records = payloads(Signal::Traces, 6);
    Segment::of(1, &records, Encoding::Identity)
        .sealed()
        .put(folder.path());
    let collector = Collector::start().await;
    collector.behave(Behaviour::Poison(records[3].ids[0]));
    let to = format!("http://{}", collector.address);
    let words = ["replay", "--to", &to];
    let ran = spool_beside(folder.path(), &words).await;
    ran.badly("1 records were refused for good, and stay");
    let ran = spool(folder.path(), &["ls", "--output", "json"]).well();
    let row: Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!(row["settled"], 5);
    assert_eq!(row["items_left"]["traces"], 10);

    collector.behave(Behaviour::Accept);
    spool_beside(folder.path(), &words).await.well();
    assert_eq!(collector.accepted_ids(Signal::Traces), ids(&records));
    assert!(files(folder.path()).is_empty());
}

#[tokio::test]
async fn a_record_that_is_damaged_is_not_sent_and_its_segment_stays() {
    let folder = tempfile::tempdir().unwrap();
    let records = payloads(Signal::Logs, 4);
    let mut segment = Segment::of(1, &records, Encoding::Identity);
    segment.damage(0);
    segment.sealed().put(folder.path());
    let collector = Collector::start().await;
    let to = format!("http://{}", collector.address);
    let ran = spool_beside(folder.path(), &["replay", "--to", &to]).await;
    ran.badly("1 records are damaged and stay");
    assert_eq!(collector.accepted_ids(Signal::Logs), ids(&records[1..]));
    assert_eq!(files(folder.path()).len(), 2, "the segment and its marks");
}
