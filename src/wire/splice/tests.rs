//! Splicing held against doing the same on the body in one piece.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that leaves its bounds fails, as it should"
)]

use proptest::prelude::*;

use super::*;

fn cut(body: &[u8], sizes: &[usize]) -> Vec<Bytes> {
    let mut rest = body;
    let mut slices = Vec::new();
    for size in sizes.iter().cycle() {
        let (slice, after) = rest.split_at((*size).min(rest.len()));
        slices.push(Bytes::copy_from_slice(slice));
        rest = after;
        if rest.is_empty() {
            return slices;
        }
    }
    vec![Bytes::copy_from_slice(body)]
}

proptest! {
    #[test]
    fn what_is_replaced_is_replaced_and_the_rest_stays(
        body in prop::collection::vec(any::<u8>(), 0..9000),
        edits in prop::collection::vec((0..3000_usize, 0..2500_usize, prop::collection::vec(any::<u8>(), 0..4)), 0..8),
        sizes in prop::collection::vec(0..4000_usize, 1..6),
    ) {
        prop_assume!(sizes.iter().any(|size| *size > 0));
        let mut splice = Splice::default();
        let mut expected = Vec::new();
        let mut at = 0;
        for (keep, out, put) in edits {
            let start = (at + keep).min(body.len());
            let end = (start + out).min(body.len());
            splice.replace(start..end, &put);
            expected.extend(&body[at..start]);
            expected.extend(put);
            at = end;
        }
        expected.extend(&body[at..]);
        let changed = splice.apply(&cut(&body, &sizes));
        prop_assert_eq!(changed.concat(), expected);
        prop_assert!(changed.iter().all(|slice| !slice.is_empty()));
    }
}

#[test]
fn long_runs_are_shared_and_short_ones_lie_together() {
    let body = [Bytes::from(vec![1; 10_000]), Bytes::from(vec![2; 10_000])];
    let mut splice = Splice::default();
    splice.replace(10..20, &[9]);
    splice.replace(40..50, &[]);
    splice.replace(10_100..10_101, &[]);
    let changed = splice.apply(&body);
    let lengths: Vec<usize> = changed.iter().map(Bytes::len).collect();
    assert_eq!(lengths, [10 + 1 + 20, 9_950, 100, 9_899]);
    assert_eq!(changed[1].as_ptr(), body[0][50..].as_ptr(), "shared");
    assert_eq!(changed[3].as_ptr(), body[1][101..].as_ptr(), "shared");
}

#[test]
fn lengths_above_a_change_are_written_anew() {
    // A message of 300 bytes in one of 303: two bytes of length each.
    let mut body = vec![0x0a, 0xaf, 0x02, 0x12, 0xac, 0x02];
    body.extend([7; 300]);
    let mut splice = Splice::default();
    let outer = splice.open(1..3);
    let inner = splice.open(4..6);
    splice.replace(6..300, &[]);
    splice.close(&inner, 300);
    splice.close(&outer, 303);
    let changed = splice.apply(&[Bytes::from(body.clone())]).concat();
    assert_eq!(changed, [0x0a, 8, 0x12, 6, 7, 7, 7, 7, 7, 7]);

    let mut splice = Splice::default();
    let outer = splice.open(1..3);
    let inner = splice.open(4..6);
    splice.close(&inner, 300);
    splice.close(&outer, 303);
    assert!(splice.is_empty(), "nothing inside changed");

    let mut splice = Splice::default();
    let outer = splice.open(1..3);
    let inner = splice.open(4..6);
    splice.replace(6..7, &[1, 2]);
    splice.discard(&inner, 3..306);
    splice.close(&outer, 303);
    assert_eq!(splice.apply(&[Bytes::from(body)]).concat(), [0x0a, 0]);
}
