//! What a load takes, leaves and reads: no more than its intervals name, no object that is still used, and
//! nothing out of an archive.

use std::path::Path;

use henge_platform::metadata::{MetadataStore, SqlMetadataStore, SqliteOptions};
use henge_platform::storage::{DeepStorage, LocalDeepStorage, PushedObject};
use henge_tests::TestServer;
use serde_json::{Value, json};

use crate::tasks::run;

/// A load in days, or one in hours that drops all of an interval.
fn task(data: &str, append: bool, dropped: Option<&str>) -> Value {
    let mut granularity = json!({ "segmentGranularity": "day", "rollup": false });
    if let Some(interval) = dropped {
        granularity["segmentGranularity"] = json!("hour");
        granularity["intervals"] = json!([interval]);
    }
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "t", "timestampSpec": { "column": "t" },
            "dimensionsSpec": { "dimensions": ["a"] }, "granularitySpec": granularity,
        },
        "ioConfig": { "type": "index_parallel", "appendToExisting": append, "dropExisting": dropped.is_some(),
            "inputSource": { "type": "inline", "data": data }, "inputFormat": { "type": "json" } },
    }})
}

/// Every segment that the metadata call used has its object, of the recorded size and checksum.
fn objects_are_whole(server: &mut TestServer) -> usize {
    let mut used = 0;
    server.restart_after(|folder| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let options = SqliteOptions::new(folder.join("metadata.sqlite"));
            let store = SqlMetadataStore::open(options).await.unwrap();
            let storage = LocalDeepStorage::open(folder.join("deep-storage")).unwrap();
            for segment in store.used_segments().await.unwrap().segments {
                let recorded =
                    PushedObject { size_bytes: segment.size_bytes, checksum: segment.checksum };
                storage.check(&segment.object_key, recorded).await.unwrap();
                used += 1;
            }
            store.close().await;
        });
    });
    used
}

#[test]
fn i_06_i_07_every_used_segment_has_its_object_whatever_was_replaced_and_dropped() {
    let mut server = TestServer::start();
    server.create("t");
    let hours = |day: u64| -> String {
        (0..24)
            .map(|hour| format!("{{\"t\":\"2020-02-{day:02}T{hour:02}:30\",\"a\":\"{hour}\"}}\n"))
            .collect()
    };
    for step in 0..8_u64 {
        let day = step % 3 + 1;
        let half = format!("2020-02-{day:02}T05/2020-02-{day:02}T12");
        let status = match step % 4 {
            0 => run(&server, &task(&hours(day), false, None)),
            1 => run(&server, &task(&hours(day), true, None)),
            2 => run(
                &server,
                &task(
                    &format!("{{\"t\":\"2020-02-{day:02}T06:00\",\"a\":\"x\"}}"),
                    false,
                    Some(&half),
                ),
            ),
            _ => {
                assert_eq!(server.push("t", hours(day).as_bytes()).0, 200);
                server.flush();
                continue;
            }
        };
        assert_eq!(status["statusCode"], "SUCCESS", "step {step}: {status}");
        let before = server.count("t");
        assert!(objects_are_whole(&mut server) > 0);
        assert_eq!(server.count("t"), before);
    }
}

/// A replace whose intervals cut through a chunk takes what lies in them, to the millisecond, and one that
/// brings nothing takes nothing without being told to.
#[test]
fn h_101_a_replace_takes_what_its_intervals_name_and_nothing_else() {
    let server = TestServer::start();
    let day: String = (0..24)
        .map(|hour| format!("{{\"t\":\"2020-02-01T{hour:02}:30\",\"a\":\"{hour}\"}}\n"))
        .collect();
    assert_eq!(run(&server, &task(&day, false, None))["statusCode"], "SUCCESS");
    assert_eq!(server.count("t"), 24);
    let cut = task(
        "{\"t\":\"2020-02-01T05:45\",\"a\":\"new\"}",
        false,
        Some("2020-02-01T05/2020-02-01T07:30"),
    );
    let status = run(&server, &cut);
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    assert_eq!(server.count("t"), 24 - 2 + 1);
    // The chunks that only hide have no times to warn of.
    assert_eq!(status["progress"]["report"]["warnings"], json!([]), "{status}");
    // In days the one row brings its whole day, and the report says what that took.
    let mut days = cut;
    days["spec"]["dataSchema"]["granularitySpec"]["segmentGranularity"] = json!("day");
    let status = run(&server, &days);
    let replaced = &status["progress"]["report"]["replaced"];
    assert!(replaced["rows"].as_u64().unwrap() >= 23, "{status}");
    assert_eq!(replaced["interval"], "2020-02-01T00:30:00.000Z/2020-02-01T23:30:00.000Z");
    assert_eq!(run(&server, &task(&day, false, None))["statusCode"], "SUCCESS");
    let eternity = "-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z";
    let kept = [
        ("SUCCESS", task("", false, None)),
        ("FAILED", task("{\"t\":\"soon\"}", false, Some(eternity))),
    ];
    for (outcome, nothing) in kept {
        let status = run(&server, &nothing);
        assert_eq!(status["statusCode"], outcome, "{status}");
        assert_eq!(status["progress"]["report"]["replaced"], Value::Null);
        assert_eq!(server.count("t"), 24);
    }
    for wrong in ["2020-02-02/2020-02-01", "soon"] {
        let body = task("{\"t\":\"2020-02-01T05:45\"}", false, Some(wrong)).to_string();
        let (code, answer) = server.call("POST", "/druid/indexer/v1/task", &[], body.as_bytes());
        assert_eq!(code, 400, "{wrong}: {answer}");
        assert!(answer["errorMessage"].to_string().contains("intervals"), "{answer}");
    }
}

/// What is appended to a chunk that a replace left empty is there, pushed or loaded, buffered or stored.
#[test]
fn f_76_what_is_appended_to_an_emptied_chunk_is_visible() {
    let mut server = TestServer::start();
    server.create("t");
    let day: String = (0..24)
        .map(|hour| format!("{{\"t\":\"2020-02-01T{hour:02}:30\",\"a\":\"{hour}\"}}\n"))
        .collect();
    run(&server, &task(&day, false, None));
    let emptied = task(
        "{\"t\":\"2020-02-01T04:00\",\"a\":\"x\"}",
        false,
        Some("2020-02-01T04/2020-02-01T08"),
    );
    assert_eq!(run(&server, &emptied)["statusCode"], "SUCCESS");
    assert_eq!(server.count("t"), 21);
    assert_eq!(server.push("t", br#"{"t":"2020-02-01T05:10","a":"pushed"}"#).0, 200);
    assert_eq!(server.count("t"), 22);
    let appended = task("{\"t\":\"2020-02-01T06:10\",\"a\":\"loaded\"}", true, None);
    assert_eq!(run(&server, &appended)["statusCode"], "SUCCESS");
    assert_eq!(server.count("t"), 23);
    server.flush();
    assert_eq!(server.count("t"), 23);
    server.restart();
    assert_eq!(server.count("t"), 23);
}

/// An archive is a file like another: nothing in it is unpacked, under whatever name, and it is no rows.
#[test]
fn h_37_archives_are_never_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("a/b");
    std::fs::create_dir_all(&inputs).unwrap();
    for name in ["../escaped.json", "/tmp/henge-h-37-escaped.json"] {
        let mut tar = vec![0_u8; 512];
        tar[..name.len()].copy_from_slice(name.as_bytes());
        tar[100..107].copy_from_slice(b"0000644");
        tar[124..135].copy_from_slice(b"00000000031");
        tar[257..263].copy_from_slice(b"ustar\0");
        tar.extend(b"{\"t\":\"2020-02-01\",\"a\":\"1\"}");
        tar.resize(2_048, 0);
        let mut zip = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\x19\0\0\0\x19\0\0\0".to_vec();
        zip.extend((name.len() as u16).to_le_bytes());
        zip.extend([0, 0]);
        zip.extend(name.as_bytes());
        zip.extend(b"{\"t\":\"2020-02-01\",\"a\":\"1\"}");
        let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("folders/001-plain.tar.gz");
        for (file, bytes) in [("x.tar", &tar), ("x.zip", &zip), ("x.json", &zip)] {
            std::fs::write(inputs.join(file), bytes).unwrap();
        }
        std::fs::copy(packed, inputs.join("x.tar.gz")).unwrap();
        let server = TestServer::start();
        for file in ["x.tar", "x.zip", "x.json", "x.tar.gz", "*"] {
            let mut load = task("", false, None);
            load["spec"]["ioConfig"]["inputSource"] =
                json!({ "type": "local", "baseDir": inputs, "filter": file });
            let status = run(&server, &load);
            assert_eq!(status["statusCode"], "FAILED", "{file}: {status}");
        }
        let (_, names) = server.call("GET", "/druid/v2/datasources", &[], b"");
        assert_eq!(names, json!([]));
        assert!(!folder.path().join("a/escaped.json").exists());
        assert!(!server.data_dir().join("../escaped.json").exists());
    }
    assert!(!Path::new("/tmp/henge-h-37-escaped.json").exists());
}
