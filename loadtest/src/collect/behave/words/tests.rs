use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Script {
    text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn one(text: &str) -> Phase {
    let script = read(text);
    assert!(!script.repeats, "{text}");
    let [phase] = script.phases.try_into().unwrap();
    phase
}

#[test]
fn every_act_is_read() {
    for (text, act) in [
        ("ok", Act::Ok),
        ("hang", Act::Hang),
        ("reset", Act::Reset),
        ("refuse", Act::Refuse),
        ("goaway every=100", Act::GoAway { every: 100 }),
        ("partial=10", Act::Partial { rejected: 10 }),
        ("garbage", Act::Garbage),
        (
            "content-type=text/html",
            Act::ContentType("text/html".into()),
        ),
        ("oversize=16MiB", Act::Oversize(Size(16 << 20))),
        ("truncate", Act::Truncate),
        ("lose-answer", Act::LoseAnswer),
        ("discard", Act::Discard),
        (
            "status=UNAVAILABLE",
            Act::Status {
                code: Code::find("14").unwrap(),
                retry_info: None,
            },
        ),
        (
            "status=8 retry-info=2s",
            Act::Status {
                code: Code::RESOURCE_EXHAUSTED,
                retry_info: Some(Duration::from_secs(2)),
            },
        ),
        (
            "http=503 retry-after=2",
            Act::Http {
                status: 503,
                retry_after: Some(RetryAfter::Seconds(2)),
            },
        ),
        (
            "http=429 retry-after=date:3",
            Act::Http {
                status: 429,
                retry_after: Some(RetryAfter::Date(3)),
            },
        ),
    ] {
        assert_eq!(one(text), Phase::of(act), "{text}");
    }
}

#[test]
fn options_come_in_any_order() {
    let phase = one("for=5s share=0.1 hang slow=50ms read=10KB/s");
    assert_eq!(phase, one("hang slow=50ms read=10KB/s share=0.1 for=5s"));
    assert_eq!(phase.share, "0.1".parse().unwrap());
    assert_eq!(phase.lasts, Some(Duration::from_secs(5)));
    assert_eq!(phase.slow, Some(Duration::from_millis(50)));
    assert_eq!(phase.read, Some(Size(10_000)));
    assert_eq!(one("slow=50ms").act, Act::Ok);
}

#[test]
fn flapping_is_a_script_that_repeats() {
    assert_eq!(
        read("flap ok=5s hang=2s"),
        read("ok for=5s then hang for=2s then repeat")
    );
}

#[test]
fn what_is_wrong_is_named_with_what_is_known() {
    for (text, told) in [
        ("", "known are ok, hang"),
        ("sleep", "`sleep` is not known: known are ok, hang"),
        ("hang then", "an act is missing"),
        ("hang reset", "put `then` between"),
        ("hang share=2", "above 0 and up to 1"),
        ("refuse share=0.5", "does not go with `refuse`"),
        ("ok share=0.5", "does not go with `ok`"),
        ("hang for=0s", "not within 1ms"),
        ("hang for=1s for=2s", "for= is there twice"),
        ("hang then ok", "`hang` is followed by another phase"),
        ("hang then repeat", "for=DURATION"),
        ("repeat", "`repeat` is not known"),
        ("hang retry-info=2s", "retry-info= does not go with `hang`"),
        ("status=OK", "discard acknowledges"),
        ("status=17", "RESOURCE_EXHAUSTED"),
        ("http=100", "200 to 599"),
        ("http=503 retry-after=soon", "date:2"),
        ("goaway", "every=N"),
        ("goaway every=0", "from 1 up"),
        ("partial=none", "from 1 up"),
        ("slow=50", "50ms"),
        ("read=10KB", "10KB/s"),
        ("read=0B/s", "never end"),
        ("oversize=9GiB", "more than 1GiB"),
        ("content-type=", "text/html"),
        ("flap ok=5s", "two steps"),
        ("flap ok hang", "each with its time"),
        ("flap ok=5s status=2s", "acts of one word"),
        ("flap ok=0s hang=0s", "not within 1ms"),
    ] {
        let why = text.parse::<Script>().unwrap_err().to_string();
        assert!(why.starts_with("behaviour: "), "{why}");
        assert!(why.contains(told), "{text}: {why}");
    }
}

fn acts() -> impl Strategy<Value = Act> {
    let delay = prop::option::of((0_u64..100_000).prop_map(Duration::from_millis));
    let after = prop::option::of(prop_oneof![
        (0_u64..1000).prop_map(RetryAfter::Seconds),
        (0_u64..1000).prop_map(RetryAfter::Date),
    ]);
    let plain = prop::sample::select(vec![
        Act::Ok,
        Act::Hang,
        Act::Reset,
        Act::Garbage,
        Act::Truncate,
        Act::LoseAnswer,
        Act::Discard,
    ]);
    prop_oneof![
        plain,
        (1_u8..17, delay).prop_map(|(code, retry_info)| Act::Status {
            code: Code::find(&code.to_string()).unwrap(),
            retry_info,
        }),
        (200_u16..600, after).prop_map(|(status, retry_after)| Act::Http {
            status,
            retry_after,
        }),
        (1_u64..).prop_map(|rejected| Act::Partial { rejected }),
        "[a-z]{1,8}/[a-z]{1,8}".prop_map(Act::ContentType),
        (0_u64..(1 << 30)).prop_map(|it| Act::Oversize(Size(it))),
    ]
}

prop_compose! {
    fn phases()(
        act in acts(),
        slow in prop::option::of((0_u64..100_000).prop_map(Duration::from_millis)),
        read in prop::option::of((1_u64..1 << 40).prop_map(Size)),
        share in 1_u32..=1_000_000,
        lasts in (1000_u64..10_000_000).prop_map(Duration::from_micros),
    ) -> Phase {
        let shared = act != Act::Ok || slow.is_some();
        let share = (f64::from(share) / 1e6).to_string();
        let share = if shared { share.parse().unwrap() } else { Share::ALL };
        Phase { act, slow, read, share, lasts: Some(lasts) }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        mut phases in prop::collection::vec(phases(), 1..4),
        repeats: bool,
        ends: bool,
    ) {
        if let Some(last) = phases.last_mut().filter(|_| !repeats && !ends) {
            last.lasts = None;
        }
        let script = Script { phases, repeats };
        prop_assert_eq!(script.to_string().parse::<Script>(), Ok(script));
    }

    #[test]
    fn no_line_is_too_much(text in "\\PC{0,60}") {
        drop(text.parse::<Script>());
    }
}
