//! Datasources, tasks, dead letters, the cluster's identity.

use super::*;

#[tokio::test]
async fn schemas_are_versioned() {
    let (_directory, stores) = stores().await;
    for store in stores {
        assert_eq!(store.put_document(DATASOURCE, "b", "{\"a\":1}").await.unwrap(), 1);
        assert_eq!(store.put_document(DATASOURCE, "b", "{\"a\":1}").await.unwrap(), 1);
        assert_eq!(store.put_document(DATASOURCE, "b", "{\"a\":2}").await.unwrap(), 2);
        assert_eq!(store.put_document(DATASOURCE, "a", "{}").await.unwrap(), 1);
        let newest = store.get_document(DATASOURCE, "b").await.unwrap().unwrap();
        assert_eq!((newest.version, newest.body_json.as_str()), (2, "{\"a\":2}"));
        let first = store.get_document_version(DATASOURCE, "b", 1).await.unwrap().unwrap();
        assert_eq!(first.body_json, "{\"a\":1}");
        for missing in [0, 3] {
            assert_eq!(store.get_document_version(DATASOURCE, "b", missing).await.unwrap(), None);
        }
        assert_eq!(store.get_document(DATASOURCE, "c").await.unwrap(), None);
        // A name of another kind is another document.
        assert_eq!(store.put_document("rules", "a", "[]").await.unwrap(), 1);
        assert_eq!(store.put_document("rules", "a", "[1]").await.unwrap(), 2);
        assert_eq!(store.get_document(DATASOURCE, "a").await.unwrap().unwrap().body_json, "{}");
        let rules = store.list_documents("rules").await.unwrap();
        assert_eq!((rules.len(), rules[0].body_json.as_str()), (1, "[1]"));
        let listed = store.list_documents(DATASOURCE).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|d| (d.name.as_str(), d.version)).collect();
        assert_eq!(listed, [("a", 1), ("b", 2)]);
    }
}

#[tokio::test]
async fn all_versions_of_a_document_are_kept_and_listed_page_by_page() {
    let (_directory, stores) = stores().await;
    for store in stores {
        for number in 1..=5 {
            let body = format!("[{number}]");
            assert_eq!(store.put_document("rules", "a", &body).await.unwrap(), number);
        }
        store.put_document("rules", "b", "[]").await.unwrap();
        let page = async |below, limit| {
            let versions = store.document_versions("rules", "a", below, limit).await.unwrap();
            assert!(versions.iter().all(|document| {
                document.name == "a" && document.body_json == format!("[{}]", document.version)
            }));
            versions.iter().map(|document| document.version).collect::<Vec<_>>()
        };
        assert_eq!(page(u64::MAX, 2).await, [5, 4]);
        assert_eq!(page(4, 2).await, [3, 2]);
        assert_eq!(page(2, 10).await, [1]);
        assert_eq!(page(1, 10).await, [0_u64; 0]);
        assert_eq!(page(u64::MAX, 0).await, [0_u64; 0]);
        assert_eq!(store.document_versions("rules", "c", 9, 9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn h_38_h_39_text_is_only_ever_a_value() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let name = "x'; DROP TABLE datasources; --";
        store.put_document(DATASOURCE, name, "'\"`$;").await.unwrap();
        assert_eq!(
            store.get_document(DATASOURCE, name).await.unwrap().unwrap().body_json,
            "'\"`$;"
        );
        assert_eq!(store.list_documents(DATASOURCE).await.unwrap().len(), 1);
    }
}

fn task(id: &str, created_ms: i64, status: TaskStatus) -> TaskRecord {
    TaskRecord {
        id: id.into(),
        task_type: "index_parallel".into(),
        datasource: if id < "c" { "x".into() } else { "y".into() },
        owner: if id == "d" { "1".into() } else { "0".into() },
        created_ms,
        status,
        error: None,
        duration_ms: None,
        payload_json: "{}".into(),
        progress: TaskProgress::default(),
    }
}

#[tokio::test]
async fn tasks_are_listed_newest_first() {
    let (_directory, stores) = stores().await;
    for store in stores {
        for (id, created_ms) in [("a", 1), ("b", 3), ("c", 2)] {
            store.put_task(&task(id, created_ms, TaskStatus::Running)).await.unwrap();
        }
        assert!(store.put_task(&task("a", 9, TaskStatus::Running)).await.is_err());
        let update = TaskUpdate {
            status: TaskStatus::Failed,
            error: Some("no such file".into()),
            duration_ms: Some(12),
            progress: TaskProgress { received: 5, rejected: 2, ..TaskProgress::default() },
        };
        store.update_task("b", &update).await.unwrap();
        assert!(matches!(store.update_task("z", &update).await, Err(MetadataError::NotFound(_))));
        let changed = store.get_task("b").await.unwrap().unwrap();
        assert_eq!((changed.status, changed.duration_ms), (TaskStatus::Failed, Some(12)));
        assert_eq!((changed.error, changed.progress), (update.error, update.progress));
        assert_eq!(changed.payload_json, "{}");
        assert_eq!(store.get_task("z").await.unwrap(), None);
        let ids = |filter: TaskFilter| {
            let store = Arc::clone(&store);
            async move {
                let tasks = store.list_tasks(&filter).await.unwrap();
                tasks.into_iter().map(|task| task.id).collect::<Vec<_>>()
            }
        };
        assert_eq!(ids(TaskFilter::default()).await, ["b", "c", "a"]);
        let running = TaskFilter { status: Some(TaskStatus::Running), ..TaskFilter::default() };
        assert_eq!(ids(running).await, ["c", "a"]);
        let of_x = TaskFilter { datasource: Some("x".into()), limit: 1, ..TaskFilter::default() };
        assert_eq!(ids(of_x).await, ["b"]);
        let one = TaskFilter { id: Some("c".into()), ..TaskFilter::default() };
        let listed = store.list_tasks(&one).await.unwrap();
        assert_eq!((listed.len(), listed[0].payload_json.as_str()), (1, ""));
    }
}

#[tokio::test]
async fn i_16_old_tasks_are_forgotten_by_number_and_by_size_and_never_while_they_run() {
    let (_directory, stores) = stores().await;
    for store in stores {
        for (number, status) in (0..).zip(["S", "R", "S", "F", "S", "S"]) {
            let status = match status {
                "S" => TaskStatus::Success,
                "F" => TaskStatus::Failed,
                _ => TaskStatus::Running,
            };
            let payload_json = "x".repeat(100);
            let record = task(&format!("t{number}"), number, status);
            store.put_task(&TaskRecord { payload_json, ..record }).await.unwrap();
        }
        let ids = || async {
            let tasks = store.list_tasks(&TaskFilter::default()).await.unwrap();
            tasks.into_iter().map(|task| task.id).collect::<Vec<_>>().join(" ")
        };
        let kept = |count, payload_bytes| TasksKept { count, payload_bytes };
        assert_eq!(store.prune_tasks(kept(10, 500)).await.unwrap(), 0);
        assert_eq!(store.prune_tasks(kept(10, 400)).await.unwrap(), 1);
        assert_eq!(ids().await, "t5 t4 t3 t2 t1");
        assert_eq!(store.prune_tasks(kept(2, 400)).await.unwrap(), 2);
        assert_eq!(ids().await, "t5 t4 t1");
        assert_eq!(store.prune_tasks(kept(0, 0)).await.unwrap(), 1);
        assert_eq!(ids().await, "t5 t1");
    }
}

fn letter(position: u64) -> DeadLetter {
    DeadLetter {
        received_ms: 1,
        origin: "push".into(),
        position,
        offset_bytes: position * 10,
        reason: "timestamp is missing".into(),
        raw: "{\"a\":\"\u{0}\"}".into(),
    }
}

#[tokio::test]
async fn i_16_dead_letters_are_bounded_and_the_dropped_are_counted() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let first: Vec<_> = (0..4).map(letter).collect();
        let totals = store.append_dead_letters(DS, &first, None, 5).await.unwrap();
        assert_eq!(totals, totals_of(4, 4, 0));
        let second: Vec<_> = (4..7).map(letter).collect();
        let totals = store.append_dead_letters(DS, &second, None, 5).await.unwrap();
        assert_eq!(totals, totals_of(7, 5, 2));
        assert_eq!(store.dead_letter_totals(DS).await.unwrap(), totals);
        let page = store.list_dead_letters(DS, 0, 2).await.unwrap();
        assert_eq!(page.iter().map(|stored| stored.number).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(page[0].letter, letter(2));
        let rest = store.list_dead_letters(DS, 4, 100).await.unwrap();
        assert_eq!(rest.iter().map(|stored| stored.number).collect::<Vec<_>>(), [5, 6, 7]);
        assert!(store.list_dead_letters("other", 0, 10).await.unwrap().is_empty());
        assert_eq!(store.dead_letter_totals("other").await.unwrap(), DeadLetterTotals::default());
    }
}

#[tokio::test]
async fn f_34_the_cluster_has_one_identity() {
    let (_directory, stores) = stores().await;
    let mut seen = Vec::new();
    for store in stores {
        let uuid = store.cluster_uuid().await.unwrap();
        assert_eq!(uuid.len(), 36);
        assert!(!seen.contains(&uuid));
        seen.push(uuid);
    }
    for place in places() {
        let first = place.open().await.cluster_uuid().await.unwrap();
        let second = place.open().await.cluster_uuid().await.unwrap();
        assert_eq!(first, second);
    }
}

#[tokio::test]
async fn unfinished_tasks_come_in_the_order_they_were_accepted_whatever_the_clock_said() {
    let (_directory, stores) = stores().await;
    for store in stores {
        for (id, created_ms) in [("d", 9), ("b", 9), ("c", 2), ("a", 5)] {
            store.put_task(&task(id, created_ms, TaskStatus::Running)).await.unwrap();
        }
        let update = TaskUpdate {
            status: TaskStatus::Success,
            error: None,
            duration_ms: Some(1),
            progress: TaskProgress::default(),
        };
        store.update_task("c", &update).await.unwrap();
        assert_eq!(store.unfinished_tasks(None).await.unwrap(), ["d", "b", "a"]);
        assert_eq!(store.unfinished_tasks(Some("0")).await.unwrap(), ["b", "a"]);
        assert_eq!(store.unfinished_tasks(Some("1")).await.unwrap(), ["d"]);
        assert_eq!(store.get_task("d").await.unwrap().unwrap().owner, "1");
        let listed = store.list_tasks(&TaskFilter::default()).await.unwrap();
        assert!(listed.iter().all(|task| (task.owner == "1") == (task.id == "d")));
    }
}

fn totals_of(received: u64, kept: u64, dropped: u64) -> DeadLetterTotals {
    DeadLetterTotals { received, kept, dropped }
}

#[tokio::test]
async fn letters_of_a_log_record_are_kept_once() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let keep_of = |log: &str, number: u64, record: Option<(u64, bool)>| {
            let (store, letters) = (store.clone(), [letter(number)]);
            let log: Arc<str> = log.into();
            let record =
                record.map(|(sequence, is_replayed)| LetterRecord { log, sequence, is_replayed });
            async move { store.append_dead_letters(DS, &letters, record, 2).await.unwrap() }
        };
        let keep = |number, record| keep_of(DS, number, record);
        assert_eq!(keep(1, Some((7, true))).await.received, 1);
        assert_eq!(keep(1, Some((7, true))).await.received, 1);
        assert_eq!(keep(2, None).await, totals_of(2, 2, 0));
        // Also when the first one is dropped by now.
        assert_eq!(keep(3, Some((9, false))).await.dropped, 1);
        assert_eq!(keep(1, Some((7, true))).await.received, 3);
        assert_eq!(keep(3, Some((9, true))).await.received, 3);
        // A log that begins anew, behind one that was lost.
        assert_eq!(keep(4, Some((2, false))).await.received, 4);
        // That of another node.
        assert_eq!(keep_of("events/1", 5, Some((2, true))).await.received, 5);
        assert_eq!(keep_of("events/1", 5, Some((2, true))).await.received, 5);
        assert_eq!(keep_of("events/1", 6, Some((3, true))).await.received, 6);
        assert_eq!(store.dead_letter_totals("other").await.unwrap(), totals_of(0, 0, 0));
    }
}
