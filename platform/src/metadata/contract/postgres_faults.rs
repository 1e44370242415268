//! What only a server can suffer, and only a store that several processes share. Each test that stops the
//! server has one of its own.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use henge_test_servers::Signal;
use henge_types::ErrorClass;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What steps may take where a test waits for them to fail.
const SHORT: Duration = Duration::from_millis(400);

/// A server of the test's own and the address of a new database there; `None` where there is no PostgreSQL.
fn own_server() -> Option<(Postgres, PostgresOptions)> {
    let server = Postgres::start()?;
    let mut options = PostgresOptions::new(&server.new_database()).unwrap();
    options.timeout = SHORT;
    Some((server, options))
}

async fn open(options: &PostgresOptions) -> SqlMetadataStore {
    SqlMetadataStore::open(options.clone()).await.unwrap()
}

/// Publishes a segment of its own.
async fn publish(store: &SqlMetadataStore, name: &str) -> Result<PublishOutcome> {
    let segment = store.allocate_segment(OWNER, DS, day(1), day(1)).await?.segment;
    store.publish(&append(name, &[published(segment.id, segment.shard_spec)])).await
}

/// A future that is given up when it is polled for the nth time.
struct CutAt<F> {
    work: F,
    polls: usize,
}

impl<F: Future + Unpin> Future for CutAt<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        Pin::new(&mut self.work).poll(context).map(Some)
    }
}

#[tokio::test]
async fn f_30_work_that_is_given_up_at_any_of_its_steps_leaves_no_transaction_behind() {
    let Some(server) = Postgres::shared() else { return };
    // Answers come through a task of this thread, so that each of them is waited for.
    let store = behind_proxy(server, &Arc::default()).await;
    let segment = allocate(&store, day(1)).await;
    let request = append("t", &[segment]);
    let mut cut = 0;
    for polls in 0.. {
        let work = Box::pin(store.publish_here(&request));
        if let Some(done) = (CutAt { work, polls }).await {
            done.unwrap();
            break;
        }
        cut += 1;
        // The lock is free and so is every connection, at once.
        store.allocate_version().await.unwrap();
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND state LIKE 'idle in transaction%'";
        // The lock is released a moment before the server has forgotten the connection.
        let none_open = async { while store.count(open).await > 0 {} };
        tokio::time::timeout(Duration::from_secs(9), none_open).await.unwrap();
        let published = store.publication("t").await.unwrap();
        assert_eq!(published.is_some(), !used_ids(&store).await.is_empty());
        if published.is_some() {
            break;
        }
    }
    assert!(cut > 10, "{cut}");
    assert_eq!(used_ids(&store).await.len(), 1);
}

#[tokio::test]
async fn f_30_callers_that_stop_waiting_cut_nothing_short() {
    let Some(options) = new_postgres() else { return };
    let store = open(&options).await;
    for polls in 0..40 {
        let called = Box::pin(store.allocate_version());
        let given_up = (CutAt { work: called, polls: polls % 2 }).await;
        assert!(given_up.is_none());
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
    }
    // Twenty were never asked for; the others went on by themselves, and this one after them.
    assert_eq!(store.allocate_version().await.unwrap(), Version(21));
}

#[tokio::test]
async fn f_35_a_server_that_stands_still_is_an_error_in_time_and_goes_on_later() {
    let Some((server, options)) = own_server() else { return };
    let store = open(&options).await;
    publish(&store, "before").await.unwrap();
    server.signal(Signal::Stop);
    for round in 0..3 {
        let began = tokio::time::Instant::now();
        let error = publish(&store, &format!("stopped-{round}")).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
        let error = store.used_segments().await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
        // A turn, a connection and a statement each.
        assert!(began.elapsed() < 8 * SHORT, "{:?}", began.elapsed());
    }
    server.signal(Signal::Continue);
    publish(&store, "after").await.unwrap();
    assert_eq!(used_ids(&store).await.len(), 2);
}

#[tokio::test]
async fn f_35_a_server_that_is_killed_loses_nothing_and_is_found_again() {
    let Some((server, options)) = own_server() else { return };
    let store = open(&options).await;
    for round in 0..3 {
        publish(&store, &format!("t{round}")).await.unwrap();
        match round {
            0 => server.stop(),
            _ => server.signal(Signal::Kill),
        }
        for _ in 0..2 {
            let error = publish(&store, "away").await.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
            let error = store.segment_changes(0, 9).await.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
        }
        server.resume();
        // The connections of before are gone, and nobody is told so by an error.
        assert_eq!(used_ids(&store).await.len(), round + 1);
        assert!(store.publication("away").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn f_05_a_commit_whose_answer_is_lost_is_resolved_by_asking() {
    let Some(server) = Postgres::shared() else { return };
    let cut = Arc::default();
    let store = behind_proxy(server, &cut).await;
    let segment = allocate(&store, day(1)).await;
    cut.store(true, Ordering::SeqCst);
    let error = store.publish(&append("t", &[segment])).await.unwrap_err();
    assert!(
        matches!(&error, MetadataError::OutcomeUnknown { transaction_id, .. } if transaction_id == "t"),
        "{error}"
    );
    cut.store(false, Ordering::SeqCst);
    assert!(store.publication("t").await.unwrap().is_some());
    assert_eq!(used_ids(&store).await.len(), 1);
}

/// A store in a new database, with a proxy between.
async fn behind_proxy(server: &Postgres, cut: &Arc<AtomicBool>) -> SqlMetadataStore {
    let port = proxy(server.port(), Arc::clone(cut)).await;
    let direct = server.new_database();
    let address = direct.replace(&format!(":{}/", server.port()), &format!(":{port}/"));
    open(&PostgresOptions::new(&address).unwrap()).await
}

/// Stands between a store and its server. While `cut`, a commit reaches the server, and its answer nobody.
async fn proxy(server: u16, cut: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::spawn(carry(client, server, Arc::clone(&cut)));
        }
    });
    port
}

async fn carry(client: TcpStream, server: TcpStream, cut: Arc<AtomicBool>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let answers = tokio::spawn({
        let cut = Arc::clone(&cut);
        async move {
            let (mut buffer, mut after_commit) = (vec![0; 65_536], false);
            while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
                after_commit |= buffer[..count].windows(6).any(|word| word == b"COMMIT");
                if after_commit && cut.load(Ordering::SeqCst) {
                    return;
                }
                if to_client.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        }
    });
    let requests = tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            if to_server.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    });
    let _ = answers.await;
    requests.abort();
}

#[tokio::test]
async fn f_35_a_lock_held_elsewhere_ends_in_an_error_that_says_later() {
    let Some(mut options) = new_postgres() else { return };
    let other = open(&options).await;
    options.timeout = SHORT;
    let store = open(&options).await;
    let lock = other.hold_lock().await;
    let error = store.allocate_version().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
    // Reading goes on, and writing once the lock is gone.
    assert!(store.used_segments().await.unwrap().segments.is_empty());
    drop(lock);
    store.allocate_version().await.unwrap();
}

/// What is committed later has the higher sequence, whoever commits it: who follows sees everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f_36_nothing_escapes_those_who_follow_while_several_processes_publish() {
    let Some(options) = new_postgres() else { return };
    let stores = [Arc::new(open(&options).await), Arc::new(open(&options).await)];
    let writers: Vec<_> = (0..4)
        .map(|writer: usize| {
            let store = Arc::clone(&stores[writer % 2]);
            tokio::spawn(async move {
                for number in 0..25 {
                    publish(&store, &format!("{writer}-{number}")).await.unwrap();
                    if number % 5 == 4 {
                        let used = used_ids(&*store).await;
                        store.mark_unused(&used[..1], None).await.unwrap();
                    }
                }
            })
        })
        .collect();
    let (mut sequence, mut followed) = (0, BTreeSet::new());
    let follow = async |sequence: &mut u64, followed: &mut BTreeSet<_>| {
        let polled = stores[0].segment_changes(*sequence, 7).await.unwrap();
        *sequence = polled.sequence;
        for change in polled.changes {
            match change {
                SegmentChange::Used(segment) => followed.insert(segment.id),
                SegmentChange::Unused(id) => followed.remove(&id),
            };
        }
        polled.more
    };
    while writers.iter().any(|writer| !writer.is_finished()) {
        follow(&mut sequence, &mut followed).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    while follow(&mut sequence, &mut followed).await {}
    let used: BTreeSet<_> = used_ids(&*stores[1]).await.into_iter().collect();
    assert!(used.len() >= 80, "{}", used.len());
    assert!(followed == used, "{} followed", followed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f_34_processes_that_start_at_once_make_one_store() {
    let Some(options) = new_postgres() else { return };
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let options = options.clone();
            tokio::spawn(async move { open(&options).await.cluster_uuid().await.unwrap() })
        })
        .collect();
    let mut identities = BTreeSet::new();
    for opened in opening {
        identities.insert(opened.await.unwrap());
    }
    assert_eq!(identities.len(), 1);
}

#[tokio::test]
async fn f_34_a_stranger_s_database_and_a_newer_one_are_refused() {
    let Some(server) = Postgres::shared() else { return };
    let address = server.new_database();
    let name = address.rsplit('/').next().unwrap();
    let options = PostgresOptions::new(&address).unwrap();
    server.sql(name, "CREATE TABLE bookmarks (url TEXT)");
    let error = SqlMetadataStore::open(options.clone()).await.unwrap_err();
    assert!(error.to_string().contains("another application"), "{error}");
    assert_eq!(
        server.sql(name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        "1\n"
    );
    server.sql(name, "DROP TABLE bookmarks");
    drop(open(&options).await);
    server.sql(name, "UPDATE henge_schema SET version = 99");
    let error = SqlMetadataStore::open(options).await.unwrap_err();
    assert!(error.to_string().contains("schema version 99"), "{error}");
}

#[tokio::test]
async fn i_12_a_changed_record_of_a_segment_is_found() {
    let Some(server) = Postgres::shared() else { return };
    let address = server.new_database();
    let store = open(&PostgresOptions::new(&address).unwrap()).await;
    publish(&store, "t").await.unwrap();
    let name = address.rsplit('/').next().unwrap();
    server.sql(name, "UPDATE segments SET payload = replace(payload, 'segments/', 'segment5/')");
    let error = store.used_segments().await.unwrap_err();
    assert!(matches!(error, MetadataError::Corrupt(_)), "{error}");
}

#[tokio::test]
async fn a_store_is_set_aside_whole_and_another_takes_its_place() {
    let Some(server) = Postgres::shared() else { return };
    let options = PostgresOptions::new(&server.new_database()).unwrap();
    let known = SqlOptions::from(options.clone()).known_schema();
    let stored = || async { SqlOptions::from(options.clone()).stored_schema().await.unwrap() };
    assert_eq!(stored().await, 0);
    let store = SqlMetadataStore::open(options.clone()).await.unwrap();
    store.put_document("rules", "a", "[]").await.unwrap();
    store.close().await;
    assert_eq!(stored().await, known);
    let aside = SqlMetadataStore::set_aside(&options).await.unwrap();
    assert!(aside.starts_with("henge_aside_2"), "{aside}");
    assert!(SqlMetadataStore::is_unmade(options.clone()).await.unwrap());
    let other = SqlMetadataStore::open(options.clone()).await.unwrap();
    assert_eq!(other.get_document("rules", "a").await.unwrap(), None);
    other.close().await;
}

#[tokio::test]
async fn a_connection_that_is_refused_names_its_setting() {
    let Some(server) = Postgres::shared() else { return };
    let url = server.new_database();
    let (place, _) = url.rsplit_once('/').unwrap();
    let options = PostgresOptions::new(&format!("{place}/not_there")).unwrap();
    let error = SqlMetadataStore::open(options).await.unwrap_err().to_string();
    assert!(error.contains("by metadata.url") && error.contains("make the database"), "{error}");
    let away = PostgresOptions::new("postgresql://henge@127.0.0.1:1/henge").unwrap();
    let error = SqlMetadataStore::open(away).await.unwrap_err().to_string();
    assert!(error.contains("(henge at 127.0.0.1:1, by metadata.url)"), "{error}");
}
