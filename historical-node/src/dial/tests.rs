//! The dial of a node that serves one segment.

use henge_data_node::{DataNode, Instruction, SegmentHost};

use super::*;
use crate::ServedForm;
use crate::hot::tests::setup;
use crate::mend::tests::{answered, sum_of};

#[tokio::test]
async fn what_is_served_mapped_and_read_is_seen_by_datasource_and_in_all() {
    let setup = setup().await;
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    assert_eq!(
        *node.dial().await.unwrap(),
        Dial { server: "historical-0".into(), tier: "hot".into(), ..Dial::default() }
    );
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    for _ in 0..3 {
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
    }
    let dial = node.figures.measure();
    let [row] = dial.datasources.as_slice() else { panic!("{dial:?}") };
    let figures = row.figures;
    assert_eq!((row.datasource.as_str(), figures.segments), ("wiki", 1));
    assert_eq!(figures.bytes_mapped, setup.segment.size_bytes);
    // It was written a moment ago.
    assert_eq!(figures.bytes_resident, figures.bytes_mapped);
    assert_eq!(figures.cache_hits + figures.cache_misses, 3);
    assert!(figures.p50_ms > 0.0 && figures.p50_ms <= figures.p99_ms, "{figures:?}");
    assert_eq!(dial.total, figures);
    let shown = serde_json::to_value(&dial).unwrap();
    assert_eq!(shown["datasources"][0]["datasource"], "wiki");
    assert_eq!(shown["total"]["bytesMapped"], setup.segment.size_bytes);
    let metrics = Metrics::default();
    node.show(&metrics);
    // What was looked at before is shown.
    tokio::time::pause();
    tokio::time::advance(SHOWN_FOR).await;
    let text = metrics.render();
    let mapped = format!(
        "henge_segments_mapped_bytes{{tier=\"hot\",datasource=\"wiki\"}} {}\n",
        setup.segment.size_bytes
    );
    assert!(text.contains(&mapped), "{text}");
    assert!(text.contains("# TYPE henge_segment_read_bytes_total counter\n"), "{text}");
}

#[test]
fn of_very_much_a_part_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, vec![7; 3_000_000]).unwrap();
    let file = henge_platform::runtime::map_file(&path).unwrap();
    file.read_ahead();
    for mapped_bytes in [3_000_000, 5 * LOOKED_BYTES, 100 * LOOKED_BYTES] {
        assert_eq!(resident_bytes(&file, mapped_bytes), 3_000_000);
    }
}
