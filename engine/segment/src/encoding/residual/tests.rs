//! Every layout at every width, and bytes that are none.

use super::*;

#[test]
fn every_width_round_trips_in_every_layout() {
    for width in 0..=64_u32 {
        let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
        for count in [1, 100, 1024, 2500] {
            let mut values: Vec<u64> =
                (1..=count).map(|i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask).collect();
            values[0] = mask;
            let compressed = Layout::for_codec(mask).iter().copied();
            for layout in compressed.chain([Layout::Packed, Layout::Planes]) {
                let mut stream = Vec::new();
                encode(&values, layout, &mut stream);
                assert_eq!(stream.len() - 1, data_bytes(stream[0], values.len()).unwrap());
                let cuts = layout.cuts(values.len(), mask);
                assert!(
                    cuts.is_sorted_by(|a, b| a > b) && cuts.iter().all(|cut| *cut < stream.len())
                );
                let parsed = Stream::parse(&stream, values.len()).unwrap();
                for first in [0, 1, 70, 1024, 1700].into_iter().filter(|f| *f < values.len()) {
                    let mut out = vec![1; values.len() - first];
                    parsed.decode(first, &mut out, |v| v);
                    assert_eq!(out, values[first..], "width {width} {layout:?}");
                    assert_eq!(parsed.get(first), values[first]);
                    let sum = values[..first].iter().fold(0, |sum, v| v.wrapping_add(sum));
                    assert_eq!(parsed.sum_of_first(first), sum);
                }
            }
        }
    }
}

/// Files hold them.
#[test]
fn layouts_for_a_codec_never_change() {
    let written = |values: &[u64], layout| {
        let mut stream = Vec::new();
        encode(values, layout, &mut stream);
        stream
    };
    let values = [0x0102, 0x030405, 0xff];
    assert_eq!(written(&values, Layout::Planes), [163, 2, 5, 0xff, 1, 4, 0, 0, 3, 0]);
    // 10 bits: the eight highest, then the two lowest of each.
    assert_eq!(written(&[0x3ff, 1, 0x2aa], Layout::Split), [194, 0xff, 0, 0xaa, 0b10_01_11]);
}

#[test]
fn h_46_unknown_headers_and_lengths_are_refused() {
    let mut out = [0_u64; 4];
    for header in [65, 100, 128, 131, 137, 160, 161, 169, 192, 225, 255] {
        for length in 1..40 {
            let mut stream = vec![0; length];
            stream[0] = header;
            assert!(decode_with(&stream, &mut out, |v| v).is_err(), "{header} {length}");
        }
    }
    for header in [162, 168, 193, 224] {
        let length = 1 + data_bytes(header, out.len()).unwrap();
        for wrong in [length - 1, length + 1] {
            let mut stream = vec![0; wrong];
            stream[0] = header;
            assert!(decode_with(&stream, &mut out, |v| v).is_err(), "{header} {wrong}");
        }
    }
    assert!(decode_with(&[129, 0, 0, 0], &mut out, |v| v).is_err());
    assert!(decode_with(&[], &mut out, |v| v).is_err());
}
