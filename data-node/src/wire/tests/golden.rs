//! Messages as version 1 writes them. A change that breaks one of these needs a new version, and the
//! readers keep the old one.

use super::*;

const GOLDEN: [(&str, &[u8]); 12] = [
    ("run", include_bytes!("../golden/run.bin")),
    ("cancel", include_bytes!("../golden/cancel.bin")),
    ("reply", include_bytes!("../golden/reply.bin")),
    ("counted", include_bytes!("../golden/counted.bin")),
    ("dated", include_bytes!("../golden/dated.bin")),
    ("ranking", include_bytes!("../golden/ranking.bin")),
    ("ranked", include_bytes!("../golden/ranked.bin")),
    ("inventory", include_bytes!("../golden/inventory.bin")),
    ("inventory_at", include_bytes!("../golden/inventory_at.bin")),
    ("error", include_bytes!("../golden/error.bin")),
    ("unavailable", include_bytes!("../golden/unavailable.bin")),
    ("damaged", include_bytes!("../golden/damaged.bin")),
];

fn written(name: &str) -> Vec<u8> {
    match name {
        "run" => encode_run(&request()),
        "cancel" => encode_cancel("dashboard-1"),
        "reply" => encode_reply(&reply()).unwrap(),
        "counted" => encode_reply(&counted()).unwrap(),
        "dated" => encode_reply(&dated()).unwrap(),
        "ranking" => encode_run(&ranking()),
        "ranked" => encode_reply(&ranked()).unwrap(),
        "inventory" => encode_inventory(),
        "inventory_at" => encode_inventory_at(Some(INVENTORY)),
        "error" => encode_error(&errors()[0]),
        "unavailable" => encode_error(&errors()[3]),
        _ => encode_error(&errors()[4]),
    }
}

/// A reply that says how many segments it answers for.
fn counted() -> SegmentReply {
    SegmentReply { answered_segments: Some(6), ..reply() }
}

/// A reply that says how far announcements were.
fn dated() -> SegmentReply {
    SegmentReply { inventory: Some(INVENTORY), ..counted() }
}

/// A request that says which groups are wanted.
fn ranking() -> SegmentQuery {
    SegmentQuery { rank: Some(rank()), ..request() }
}

/// A reply that says what bounds the groups that it lacks.
fn ranked() -> SegmentReply {
    SegmentReply { left_out: Some(LEFT_OUT), ..dated() }
}

#[test]
fn version_1_is_written_as_it_was() {
    for (name, golden) in GOLDEN {
        let written = written(name);
        if std::env::var_os("HENGE_WRITE_GOLDEN").is_some() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/golden");
            std::fs::write(format!("{folder}/{name}.bin"), &written).unwrap();
        } else {
            assert_eq!(
                String::from_utf8_lossy(&written),
                String::from_utf8_lossy(golden),
                "{name}"
            );
        }
    }
}

#[test]
fn version_1_is_read_as_it_was_meant() {
    let of = |name: &str| GOLDEN.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!(format!("{:?}", decode_run(of("run")).unwrap()), format!("{:?}", request()));
    assert_eq!(decode_cancel(of("cancel")).unwrap(), "dashboard-1");
    let read = decode_reply(of("reply")).unwrap();
    assert_eq!((read.missing, read.stats), (reply().missing, reply().stats));
    assert_eq!(read.answered_segments, None);
    assert_eq!(decode_reply(of("counted")).unwrap().answered_segments, Some(6));
    assert_eq!(decode_reply(of("counted")).unwrap().inventory, None);
    assert_eq!(decode_reply(of("dated")).unwrap().inventory, Some(INVENTORY));
    assert_eq!(format!("{:?}", decode_run(of("ranking")).unwrap()), format!("{:?}", ranking()));
    assert_eq!(decode_reply(of("dated")).unwrap().left_out, None);
    assert_eq!(decode_reply(of("ranked")).unwrap().left_out, Some(LEFT_OUT));
    assert_eq!(decode_inventory_at(of("inventory_at")).unwrap(), Some(INVENTORY));
    assert_eq!(decode_error(of("error")).unwrap(), errors()[0]);
    assert_eq!(decode_error(of("unavailable")).unwrap(), errors()[3]);
    assert_eq!(decode_error(of("damaged")).unwrap(), errors()[4]);
}
