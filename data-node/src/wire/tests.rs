//! What travels is read as it was written, whatever is damaged on the way is an error, and a node
//! behind a wire is as good as one in the process.

mod golden;
mod node;

use std::sync::Arc;
use std::time::Duration;

use henge_exec::{Extent, Kept, LeftOut, Number, Partial, RankCut};
use henge_platform::discovery::inventory::InventoryVersion;
use henge_query::Query;
use henge_types::{ErrorClass, Interval, SegmentId, Version};

use super::error::{decode_error, encode_error};
use super::inventory::{decode_inventory_at, encode_inventory, encode_inventory_at};
use super::reply::{decode_reply, encode_reply};
use super::request::{decode_cancel, decode_run, encode_cancel, encode_run};
use super::*;
use crate::error::DamagedPlace;
use crate::reply::{ReplyStats, SegmentReply};
use crate::request::{QueryBudget, SegmentDescriptor, SegmentQuery};
use crate::running::QueryKey;

fn segment(partition: u32) -> SegmentId {
    SegmentId::new("wiki_é", Interval { start_ms: 0, end_ms: 86_400_000 }, Version(7), partition)
}

fn descriptor(partition: u32) -> SegmentDescriptor {
    let visible = Interval { start_ms: 3_600_000, end_ms: 86_400_000 };
    SegmentDescriptor { id: segment(partition), visible }
}

fn request() -> SegmentQuery {
    let query = br#"{"queryType":"timeBoundary","dataSource":"wiki_\u00e9","bound":"minTime",
        "filter":{"type":"selector","dimension":"a","value":"x"},"context":{"lane":"low"}}"#;
    SegmentQuery {
        cluster: "b3a2".into(),
        key: QueryKey { id: "dashboard-1".into(), number: u64::MAX },
        query: Arc::new(Query::parse(query).unwrap()),
        segments: vec![descriptor(0), descriptor(3)],
        timeout: Duration::from_millis(29_000),
        priority: -5,
        lane: Some("low".into()),
        budget: QueryBudget { memory_bytes: 1 << 30, disk_bytes: 1 << 40, buckets: 1_000_000 },
        extent: Extent::Whole,
        rank: None,
    }
}

fn reply() -> SegmentReply {
    let partial = Partial::TimeBoundary { min_ms: Some(-1), max_ms: None };
    SegmentReply {
        partials: vec![partial],
        missing: vec![descriptor(3)],
        stats: ReplyStats {
            segments_scanned: 1,
            segments_cached: 2,
            segments_pruned: 3,
            rows_scanned: 4,
            spilled_bytes: 5,
            cpu_time_us: 6,
            queue_time_us: 7,
        },
        ..SegmentReply::default()
    }
}

fn rank() -> RankCut {
    let kept = Kept::Best { most: 262_144, least: 100, nodes: 3 };
    RankCut { aggregator: 1, is_smallest_first: false, few: 16_384, kept }
}

const LEFT_OUT: LeftOut =
    LeftOut { at_most: Number::Long(11), at_least: Number::Double(f64::NEG_INFINITY) };

const INVENTORY: InventoryVersion =
    InventoryVersion { incarnation: u64::MAX, version: u64::MAX - 1 };

fn errors() -> Vec<NodeError> {
    let failed = |class, place: Option<DamagedPlace>| NodeError::Failed {
        class,
        message: "a \"b\" \n".into(),
        place: place.map(Box::new),
    };
    let place = |column, block| DamagedPlace { segment: segment(3), column, block };
    vec![
        failed(ErrorClass::Corrupt, Some(place(None, None))),
        failed(ErrorClass::Timeout, None),
        failed(ErrorClass::ResourceLimit, None),
        NodeError::Unavailable { server: "historical-0".into(), reason: "gone".into() },
        failed(ErrorClass::Corrupt, Some(place(Some("city_é".into()), Some(7)))),
    ]
}

#[test]
fn requests_replies_and_errors_are_read_as_they_were_written() {
    let sent = request();
    let read = decode_run(&encode_run(&sent)).unwrap();
    assert_eq!(format!("{read:?}"), format!("{sent:?}"));

    let sent = reply();
    let read = decode_reply(&encode_reply(&sent).unwrap()).unwrap();
    assert_eq!(format!("{:?}", read.partials), format!("{:?}", sent.partials));
    assert_eq!((read.missing, read.stats, read.has_partitions), (sent.missing, sent.stats, false));

    for kept in [
        Kept::Best { most: usize::MAX, least: 0, nodes: 1 },
        Kept::Above(Number::Long(i64::MIN)),
        Kept::Above(Number::Double(0.1 + 0.2)),
    ] {
        let sent = SegmentQuery { rank: Some(RankCut { kept, ..rank() }), ..request() };
        assert_eq!(decode_run(&encode_run(&sent)).unwrap().rank, sent.rank);
    }
    let sent = SegmentReply { left_out: Some(LEFT_OUT), ..reply() };
    assert_eq!(decode_reply(&encode_reply(&sent).unwrap()).unwrap().left_out, Some(LEFT_OUT));

    for error in errors() {
        assert_eq!(decode_error(&encode_error(&error)), Ok(error));
    }
    assert_eq!(decode_cancel(&encode_cancel("dashboard-1")).unwrap(), "dashboard-1");
    for at in [None, Some(INVENTORY)] {
        assert_eq!(decode_inventory_at(&encode_inventory_at(at)).unwrap(), at);
    }
}

#[test]
fn every_class_has_a_code_that_names_it() {
    for class in [
        ErrorClass::InvalidInput,
        ErrorClass::NotFound,
        ErrorClass::Unsupported,
        ErrorClass::ResourceLimit,
        ErrorClass::Capacity,
        ErrorClass::Timeout,
        ErrorClass::Cancelled,
        ErrorClass::Unavailable,
        ErrorClass::Conflict,
        ErrorClass::Contradiction,
        ErrorClass::Corrupt,
        ErrorClass::Internal,
    ] {
        assert_eq!(ErrorClass::of_code(class.code()), Some(class));
    }
    let of_tomorrow =
        frame::encode(Kind::Error, &[br#"{"type":"failed","code":"tired","message":"later"}"#]);
    assert_eq!(decode_error(&of_tomorrow).unwrap().class(), ErrorClass::Internal);
}

#[test]
fn messages_that_are_cut_short_or_changed_are_errors_and_nothing_else() {
    let messages = [
        encode_run(&request()),
        encode_reply(&reply()).unwrap(),
        encode_error(&errors()[0]),
        encode_cancel("dashboard-1"),
        encode_inventory_at(Some(INVENTORY)),
    ];
    let read_all = |bytes: &[u8]| {
        let read = [
            decode_run(bytes).map(drop),
            decode_reply(bytes).map(drop),
            decode_error(bytes).map(drop),
            decode_cancel(bytes).map(drop),
            decode_inventory_at(bytes).map(drop),
        ];
        read.iter().filter(|read| read.is_ok()).count()
    };
    for message in &messages {
        assert_eq!(read_all(message), 1, "a message is of one kind");
        for length in 0..message.len() {
            assert_eq!(read_all(&message[..length]), 0, "cut at {length}");
        }
        for at in 0..message.len() {
            for bit in [0, 3, 7] {
                let mut damaged = message.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(read_all(&damaged), 0, "bit {bit} of byte {at}");
            }
        }
        let mut longer = message.clone();
        longer.extend([1, 0, 0]);
        assert_eq!(read_all(&longer), 0, "bytes follow");
    }
}

#[test]
fn messages_of_a_later_version_say_so() {
    let mut message = encode_run(&request());
    message[4..8].copy_from_slice(&(VERSION + 1).to_le_bytes());
    let error = decode_run(&message).unwrap_err();
    assert_eq!((error.class(), error), (ErrorClass::Unsupported, WireError::Version(VERSION + 1)));
}

/// Whoever writes the checksum themselves may write anything below it.
#[test]
fn forged_messages_are_errors_and_allocate_no_more_than_they_have() {
    for parts in [
        vec![],
        vec![&b""[..]],
        vec![b"{}"],
        vec![b"{}", b"{}", b"{}"],
        vec![b"[[[[", b"HGPT"],
        vec![br#"{"missing":[],"stats":{},"hasPartitions":true}"#],
    ] {
        for kind in [
            Kind::Run,
            Kind::Cancel,
            Kind::Reply,
            Kind::Partition,
            Kind::Inventory,
            Kind::InventoryAt,
            Kind::Done,
            Kind::Error,
        ] {
            let message = frame::encode(kind, &parts);
            assert!(decode_run(&message).is_err() && decode_reply(&message).is_err());
            assert!(decode_error(&message).is_err() && decode_cancel(&message).is_err());
            assert!(decode_inventory_at(&message).is_err());
            assert!(super::reply::decode_partition(&message).is_err());
        }
    }
    let mut endless = encode_run(&request());
    endless[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    let checksum = xxhash_rust::xxh3::xxh3_64(&endless[16..]);
    endless[8..16].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(decode_run(&endless).unwrap_err(), WireError::CutShort);
}
