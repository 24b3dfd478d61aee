//! Laws of HPACK: the examples of the specification, two independent encoders, hostile blocks.

use proptest::{collection::vec, prelude::*};

use super::{Decoder, HpackError, NO_TABLE, TABLE_BYTES_DEFAULT, encode, huffman, integer};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

const LIST_BYTES_MAX: usize = 16 << 10;

fn decoder() -> Decoder {
    Decoder::new(TABLE_BYTES_DEFAULT, LIST_BYTES_MAX)
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, HpackError> {
    let mut fields = Vec::new();
    decoder
        .decode(block, |name, value| {
            fields.push((name.to_vec(), value.to_vec()));
        })
        .map(|()| fields)
}

fn owned(fields: &[(&str, &str)]) -> Fields {
    fields
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
        .collect()
}

/// Blocks of one connection, what they hold, and the size of the table after each.
type Example = Vec<(&'static str, Vec<(&'static str, &'static str)>, usize)>;

/// - Source: RFC 7541, appendix C.3 and C.4 (with Huffman).
fn requests(huffman: bool) -> Example {
    let head = |path| {
        vec![
            (":method", "GET"),
            (
                ":scheme",
                if path == "/index.html" {
                    "https"
                } else {
                    "http"
                },
            ),
            (":path", path),
            (":authority", "www.example.com"),
        ]
    };
    let first = head("/");
    let mut second = head("/");
    second.push(("cache-control", "no-cache"));
    let mut third = head("/index.html");
    third.push(("custom-key", "custom-value"));
    let blocks = if huffman {
        [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ]
    } else {
        [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ]
    };
    let [one, two, three] = blocks;
    vec![(one, first, 57), (two, second, 110), (three, third, 164)]
}

/// - Source: RFC 7541, appendix C.5 and C.6 (with Huffman): a table of 256 bytes, with evictions.
fn responses(huffman: bool) -> Example {
    let head = |status, date| {
        vec![
            (":status", status),
            ("cache-control", "private"),
            ("date", date),
            ("location", "https://www.example.com"),
        ]
    };
    let first = head("302", "Mon, 21 Oct 2013 20:13:21 GMT");
    let second = head("307", "Mon, 21 Oct 2013 20:13:21 GMT");
    let mut third = head("200", "Mon, 21 Oct 2013 20:13:22 GMT");
    third.push(("content-encoding", "gzip"));
    third.push((
        "set-cookie",
        "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ));
    let blocks = if huffman {
        [
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863\
             c78f0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b3\
             35dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ]
    } else {
        [
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a3231204\
             74d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738\
             666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d3336\
             30303b2076657273696f6e3d31",
        ]
    };
    let [one, two, three] = blocks;
    vec![(one, first, 222), (two, second, 222), (three, third, 215)]
}

fn check(example: &Example, decoder: &mut Decoder) {
    for (block, fields, size) in example {
        assert_eq!(decode(decoder, &hex(block)).unwrap(), owned(fields));
        assert_eq!(decoder.table_size(), *size);
    }
}

#[test]
fn the_examples_of_the_specification_decode() {
    for huffman in [false, true] {
        check(&requests(huffman), &mut decoder());
        let mut small = decoder();
        small.decode(&hex("3fe101"), |_, _| {}).unwrap();
        check(&responses(huffman), &mut small);
    }
}

/// - Source: RFC 7541, appendix C.2.
#[test]
fn each_kind_of_field_decodes() {
    for (block, field, size) in [
        (
            "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            ("custom-key", "custom-header"),
            55,
        ),
        ("040c2f73616d706c652f70617468", (":path", "/sample/path"), 0),
        (
            "100870617373776f726406736563726574",
            ("password", "secret"),
            0,
        ),
        ("82", (":method", "GET"), 0),
    ] {
        check(&vec![(block, vec![field], size)], &mut decoder());
    }
}

/// - Source: RFC 7541, appendix C.1.
#[test]
fn numbers_read_back_as_written_and_have_a_bound() {
    for (number, prefix_bits, bytes) in [
        (10, 5, &[0x0a][..]),
        (1337, 5, &[0x1f, 0x9a, 0x0a]),
        (42, 8, &[0x2a]),
        (127, 7, &[0x7f, 0x00]),
    ] {
        let mut out = Vec::new();
        integer::write(number, prefix_bits, 0, &mut out);
        assert_eq!(out, bytes);
        let mut rest = bytes;
        assert_eq!(integer::read(&mut rest, prefix_bits), Ok(number));
        assert!(rest.is_empty());
    }
    for more in 0..40 {
        let mut bytes = vec![0xff; more + 1];
        let read = integer::read(&mut bytes.as_slice(), 7);
        assert!(read.is_err(), "{more} bytes that say another follows");
        bytes.push(0x01);
        let read = integer::read(&mut bytes.as_slice(), 7);
        assert_eq!(read.is_ok(), more < 4);
    }
}

#[test]
fn a_list_over_its_bound_is_refused_and_the_table_stays_in_step() {
    let field_bytes = 1 + 9 + 32;
    let mut decoder = Decoder::new(TABLE_BYTES_DEFAULT, 2 * field_bytes);
    let mut block = Vec::new();
    for name in *b"abc" {
        block.extend([0x40, 1, name, 9]);
        block.extend([b'v'; 9]);
    }
    let mut told = 0;
    let error = decoder.decode(&block, |_, _| told += 1).unwrap_err();
    assert!(error.is_of_message());
    assert_eq!(told, 2);
    let last = decode(&mut decoder, &[0x80 | 62]).unwrap();
    assert_eq!(last, [(b"c".to_vec(), vec![b'v'; 9])]);
    assert!(decode(&mut decoder, &[0x80 | 62, 0x80 | 63]).is_ok());
    assert!(decode(&mut decoder, &[0x80 | 62, 0x80 | 63, 0x80 | 64]).is_err());
}

/// A small block that names one large entry again and again.
#[test]
fn a_block_that_unfolds_to_much_is_bounded_by_the_list() {
    let mut decoder = decoder();
    let mut block = vec![0x40, 1, b'x'];
    integer::write(4000, 7, 0, &mut block);
    block.extend([b'v'; 4000]);
    decode(&mut decoder, &block).unwrap();
    let mut told = 0;
    let error = decoder
        .decode(&[0x80 | 62; 16 << 10], |_, value| told += value.len())
        .unwrap_err();
    assert_eq!(
        error,
        HpackError::ListTooLarge {
            bytes_max: LIST_BYTES_MAX
        }
    );
    assert!(told <= LIST_BYTES_MAX);
}

#[test]
fn the_table_is_resized_only_at_the_start_and_within_what_was_announced() {
    let mut announced = Decoder::new(8192, LIST_BYTES_MAX);
    let resized = |size| {
        let mut block = Vec::new();
        integer::write(size, 5, 0x20, &mut block);
        block
    };
    assert!(decode(&mut announced, &resized(8192)).is_ok());
    assert_eq!(
        decode(&mut announced, &resized(8193)),
        Err(HpackError::TableTooLarge { bytes_max: 8192 })
    );
    let twice = [resized(0), resized(8192), vec![0x82]].concat();
    assert_eq!(decode(&mut announced, &twice).unwrap().len(), 1);
    let late = [vec![0x82], resized(0)].concat();
    assert_eq!(decode(&mut announced, &late), Err(HpackError::LateResize));
}

#[test]
fn an_entry_larger_than_the_table_empties_it() {
    let mut decoder = decoder();
    decode(&mut decoder, &hex(requests(false)[0].0)).unwrap();
    assert_eq!(decoder.table_size(), 57);
    let mut block = vec![0x40, 1, b'x'];
    integer::write(5000, 7, 0, &mut block);
    block.extend([b'v'; 5000]);
    assert_eq!(decode(&mut decoder, &block).unwrap()[0].1.len(), 5000);
    assert_eq!(decoder.table_size(), 0);
}

/// The name of a new entry may be that of the entry that it pushes out.
#[test]
fn a_name_outlives_the_entry_that_it_was_taken_from() {
    let mut decoder = decoder();
    decode(&mut decoder, &[0x3f, 0x0b]).unwrap();
    assert_eq!(
        decode(&mut decoder, &[0x40, 1, b'n', 1, b'1'])
            .unwrap()
            .len(),
        1
    );
    assert_eq!(decoder.table_size(), 34);
    let again = decode(&mut decoder, &[0x40 | 62, 1, b'2']).unwrap();
    assert_eq!(again, owned(&[("n", "2")]));
    assert_eq!(
        decode(&mut decoder, &[0x80 | 62]).unwrap(),
        owned(&[("n", "2")])
    );
    assert!(decode(&mut decoder, &[0x80 | 63]).is_err());
}

#[test]
fn the_generation_stays_for_as_long_as_the_table_does() {
    let mut decoder = decoder();
    let start = decoder.generation();
    decode(&mut decoder, &hex("828684")).unwrap();
    decode(&mut decoder, &hex("040c2f73616d706c652f70617468")).unwrap();
    assert_eq!(decoder.generation(), start);
    decode(&mut decoder, &hex(requests(true)[0].0)).unwrap();
    let inserted = decoder.generation();
    assert_ne!(inserted, start);
    decode(&mut decoder, &[NO_TABLE]).unwrap();
    assert_ne!(decoder.generation(), inserted);
}

#[test]
fn what_is_sent_needs_no_table_and_marks_what_is_sensitive() {
    let mut block = vec![NO_TABLE];
    encode(b":method", b"POST", false, &mut block);
    encode(b":path", b"/x", false, &mut block);
    encode(b"x-a", b"1", false, &mut block);
    encode(b"authorization", b"key", true, &mut block);
    encode(b"x-key", b"key", true, &mut block);
    assert_eq!(block[1..6], [0x83, 0x04, 2, b'/', b'x']);
    assert!(
        block
            .windows(6)
            .any(|it| it == [0x1f, 23 - 15, 3, b'k', b'e', b'y'])
    );
    assert!(block.windows(3).any(|it| it == [0x10, 5, b'x']));
    let mut decoder = decoder();
    let fields = [
        (":method", "POST"),
        (":path", "/x"),
        ("x-a", "1"),
        ("authorization", "key"),
        ("x-key", "key"),
    ];
    assert_eq!(decode(&mut decoder, &block).unwrap(), owned(&fields));
    assert_eq!(decoder.table_size(), 0);
}

/// An encoder that uses all that a peer may use, as it is told.
#[derive(Default)]
struct FullEncoder {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    size_max: usize,
}

#[derive(Clone, Copy, Debug)]
struct Style {
    kind: u8,
    huffman: bool,
}

impl FullEncoder {
    fn index(&self, matches: impl Fn(&[u8], &[u8]) -> bool) -> Option<usize> {
        let fixed = super::static_table::FIELDS
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let own = self
            .entries
            .iter()
            .map(|(n, v)| (n.as_slice(), v.as_slice()));
        fixed
            .chain(own)
            .position(|(n, v)| matches(n, v))
            .map(|at| at + 1)
    }

    fn string(text: &[u8], huffman: bool, out: &mut Vec<u8>) {
        let (text, high) = if huffman {
            (huffman::encode(text), 0x80)
        } else {
            (text.to_vec(), 0)
        };
        integer::write(text.len(), 7, high, out);
        out.extend(text);
    }

    fn evict(&mut self) {
        let size = |entries: &[(Vec<u8>, Vec<u8>)]| -> usize {
            entries.iter().map(|(n, v)| n.len() + v.len() + 32).sum()
        };
        while size(&self.entries) > self.size_max {
            self.entries.pop();
        }
    }

    fn resize(&mut self, size: usize, out: &mut Vec<u8>) {
        self.size_max = size;
        self.evict();
        integer::write(size, 5, 0x20, out);
    }

    fn field(&mut self, name: &[u8], value: &[u8], style: Style, out: &mut Vec<u8>) {
        let whole = self.index(|n, v| n == name && v == value);
        if let (0, Some(index)) = (style.kind, whole) {
            integer::write(index, 7, 0x80, out);
            return;
        }
        let (prefix_bits, high) = match style.kind {
            0 | 1 => (6, 0x40),
            2 => (4, 0x10),
            _ => (4, 0x00),
        };
        match self.index(|n, _| n == name) {
            Some(index) => integer::write(index, prefix_bits, high, out),
            None => {
                integer::write(0, prefix_bits, high, out);
                Self::string(name, style.huffman, out);
            }
        }
        Self::string(value, style.huffman, out);
        if prefix_bits == 6 {
            self.entries.insert(0, (name.to_vec(), value.to_vec()));
            self.evict();
        }
    }
}

/// Few names and values, so that they come again; now and then a long value.
fn any_field() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Style)> {
    let name = prop_oneof![
        Just(b":status".to_vec()),
        Just(b"content-type".to_vec()),
        vec(b'a'..=b'd', 0..3),
    ];
    let value = prop_oneof![
        8 => vec(b'0'..=b'3', 0..3),
        1 => vec(any::<u8>(), 0..300),
    ];
    let style = (0_u8..4, any::<bool>()).prop_map(|(kind, huffman)| Style { kind, huffman });
    (name, value, style)
}

type AnyBlock = (Option<usize>, Vec<(Vec<u8>, Vec<u8>, Style)>);

fn any_blocks() -> impl Strategy<Value = Vec<AnyBlock>> {
    let size = proptest::option::weighted(0.2, 0_usize..400);
    vec((size, vec(any_field(), 0..8)), 1..12)
}

fn encode_all(blocks: &[AnyBlock]) -> Vec<(Vec<u8>, Fields)> {
    let mut encoder = FullEncoder {
        size_max: TABLE_BYTES_DEFAULT,
        ..FullEncoder::default()
    };
    let encoded = blocks.iter().map(|(size, fields)| {
        let mut out = Vec::new();
        if let Some(size) = size {
            encoder.resize(*size, &mut out);
        }
        for (name, value, style) in fields {
            encoder.field(name, value, *style, &mut out);
        }
        let plain = fields.iter().map(|(n, v, _)| (n.clone(), v.clone()));
        (out, plain.collect())
    });
    encoded.collect()
}

proptest! {
    #[test]
    fn blocks_read_back_as_written(blocks in any_blocks()) {
        let mut decoder = decoder();
        for (block, fields) in encode_all(&blocks) {
            prop_assert_eq!(decode(&mut decoder, &block).unwrap(), fields);
        }
    }

    #[test]
    fn a_block_that_leaves_the_table_as_it_is_reads_the_same_again(blocks in any_blocks()) {
        let mut decoder = decoder();
        for (block, fields) in encode_all(&blocks) {
            let before = decoder.generation();
            decode(&mut decoder, &block).unwrap();
            if decoder.generation() == before {
                prop_assert_eq!(decode(&mut decoder, &block).unwrap(), fields);
            }
        }
    }

    #[test]
    fn fields_that_are_sent_read_back(
        fields in vec((vec(b'a'..=b'z', 1..20), vec(any::<u8>(), 0..300), any::<bool>()), 0..8),
    ) {
        let mut block = Vec::new();
        for (name, value, sensitive) in &fields {
            encode(name, value, *sensitive, &mut block);
        }
        let plain: Fields = fields.into_iter().map(|(n, v, _)| (n, v)).collect();
        prop_assert_eq!(decode(&mut decoder(), &block).unwrap(), plain);
    }

    #[test]
    fn no_bytes_panic_and_the_table_keeps_its_bound(blocks in vec(vec(any::<u8>(), 0..64), 0..8)) {
        let mut decoder = decoder();
        for block in blocks {
            let mut told = 0;
            if decoder
                .decode(&block, |name, value| told += name.len() + value.len() + 32)
                .is_err_and(|error| !error.is_of_message())
            {
                break;
            }
            prop_assert!(told <= LIST_BYTES_MAX);
            prop_assert!(decoder.table_size() <= TABLE_BYTES_DEFAULT);
        }
    }
}

/// Every cut and every change of one byte of the examples: no panic, no more than the bounds.
#[test]
fn every_damage_of_a_block_is_survived() {
    let examples = [
        requests(false),
        requests(true),
        responses(false),
        responses(true),
    ];
    for (block, ..) in examples.iter().flatten() {
        let block = hex(block);
        for cut in 0..block.len() {
            drop(decode(&mut decoder(), &block[..cut]));
        }
        for at in 0..block.len() {
            for byte in 0..=u8::MAX {
                let mut damaged = block.clone();
                damaged[at] = byte;
                let mut decoder = decoder();
                let mut told = 0;
                let read = decoder.decode(&damaged, |n, v| told += n.len() + v.len());
                // An error is as good as another reading.
                assert!(read.is_err() || told > 0 || block.is_empty());
                assert!(told <= LIST_BYTES_MAX);
                assert!(decoder.table_size() <= TABLE_BYTES_DEFAULT);
            }
        }
    }
}
