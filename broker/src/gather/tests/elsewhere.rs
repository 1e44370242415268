//! Nodes of other processes, whose announcements the broker follows late: every row that was acknowledged
//! before a query came is in its answer, once.

mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use henge_platform::metadata::READ_WITHIN;
use proptest::prelude::*;
use serde_json::json;
use tokio::time::{Instant, sleep};

use self::world::{BUFFERING, Cluster, HISTORICAL, Sight};

#[tokio::test(start_paused = true)]
async fn i_09_what_another_broker_acknowledged_is_in_the_answer_at_once() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    cluster.push(0, "t", 2).await;
    cluster.stall(0, 3_000);
    let began = Instant::now();
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    // It is waited for, and for nothing else.
    assert!(began.elapsed() <= Duration::from_millis(3_020), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn i_09_an_answer_that_is_known_already_is_not_given_while_rows_are_missing_in_it() {
    let mut cluster = Cluster::new(false).await;
    let known = json!({ "useResultLevelCache": true, "populateResultLevelCache": true });
    cluster.push(0, "t", 1).await;
    cluster.hand_off(0).await;
    cluster.release(0);
    sleep(Duration::from_millis(20)).await;
    for _ in 0..3 {
        assert_eq!(cluster.ask(known.clone()).await.unwrap(), cluster.acknowledged);
    }
    assert_eq!(cluster.asked(HISTORICAL).0, 1, "the answer was known twice");
    cluster.push(1, "t", 1).await;
    cluster.stall(1, 500);
    assert_eq!(cluster.ask(known).await.unwrap(), cluster.acknowledged);
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_for_segments_is_not_asked_how_far_it_is_as_well() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    sleep(Duration::from_millis(20)).await;
    cluster.ask(json!({})).await.unwrap();
    let _ = [0, 1, HISTORICAL].map(|node| cluster.asked(node));
    let began = Instant::now();
    cluster.ask(json!({})).await.unwrap();
    assert_eq!([0, 1, HISTORICAL].map(|node| cluster.asked(node)), [(1, 0), (0, 1), (0, 0)]);
    assert_eq!(began.elapsed(), Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn other_datasources_do_not_make_a_query_start_over() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    sleep(Duration::from_millis(20)).await;
    cluster.ask(json!({})).await.unwrap();
    let _ = [0, 1, HISTORICAL].map(|node| cluster.asked(node));
    for hour in 0..5 {
        cluster.stall(0, 50);
        cluster.stall(1, 50);
        cluster.push(0, "u", hour).await;
        cluster.push(1, "u", hour).await;
        assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    }
    assert_eq!((cluster.asked(0), cluster.asked(1)), ((5, 0), (0, 5)));
}

#[tokio::test(start_paused = true)]
async fn i_09_what_a_node_could_not_note_in_the_metadata_is_waited_for_as_well() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    cluster.sinks_are_noted = false;
    cluster.stall(1, 2_000);
    cluster.push(1, "t", 1).await;
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    cluster.stall(1, 60_000);
    cluster.push(1, "t", 2).await;
    let error = cluster.ask(json!({})).await.unwrap_err().to_string();
    assert!(error.contains("n1:1 buffers rows that this broker does not know of"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn i_09_a_node_that_does_not_say_how_far_it_is_is_not_taken_for_current() {
    let mut cluster = Cluster::new(true).await;
    cluster.push(0, "t", 1).await;
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    cluster.push(1, "t", 1).await;
    cluster.stall(1, 1_000);
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    // One that is away, too.
    cluster.processes[1].rows.is_away.store(true, Ordering::SeqCst);
    cluster.push(1, "t", 2).await;
    let error = cluster.ask(json!({})).await.unwrap_err().to_string();
    assert!(error.contains("unavailable"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn i_09_a_node_that_nobody_told_of_is_known_by_the_metadata() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    cluster.say_that_buffers("stranger").await;
    // It takes no row before.
    sleep(READ_WITHIN).await;
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    cluster.note_at("stranger", "t", 2).await;
    let error = cluster.ask(json!({})).await.unwrap_err().to_string();
    assert!(error.contains("buffered by 'stranger'"), "{error}");
}

/// A sink that is opened and published while its node is out of sight was never seen as buffered, and the
/// metadata as they were read before do not call it used.
#[tokio::test(start_paused = true)]
async fn i_09_what_came_and_was_published_while_a_node_was_out_of_sight_is_in_the_answer() {
    for (sight, is_released) in
        [(Sight::Broken, false), (Sight::Gone, false), (Sight::Broken, true), (Sight::Gone, true)]
    {
        let mut cluster = Cluster::new(false).await;
        cluster.say_that_buffers("n0").await;
        cluster.push(0, "t", 1).await;
        cluster.hand_off(0).await;
        sleep(Duration::from_millis(20)).await;
        cluster.see(0, sight).await;
        assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
        // That another node has it by now is not seen either.
        cluster.see(HISTORICAL, Sight::Broken).await;
        cluster.push(0, "t", 2).await;
        cluster.hand_off(0).await;
        if is_released {
            cluster.release(0);
        }
        cluster.see(0, Sight::Followed).await;
        if is_released {
            let error = cluster.ask(json!({})).await.unwrap_err().to_string();
            assert!(error.contains("1 segment(s) are unavailable"), "{sight:?}: {error}");
            cluster.see(HISTORICAL, Sight::Followed).await;
        }
        let found = cluster.ask(json!({})).await.unwrap();
        assert_eq!(found, cluster.acknowledged, "{sight:?}, released: {is_released}");
    }
}

/// One step of a cluster's life.
#[derive(Debug, Clone)]
enum Step {
    Push { node: usize, datasource: &'static str, hour: i64 },
    HandOff { which: usize },
    Release { node: usize },
    Stall { node: usize, ms: u64 },
    Away { node: usize },
    Back { node: usize },
    See { node: usize, sight: Sight },
    Pass { ms: u64 },
    Ask { known: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..BUFFERING;
    let datasource = prop_oneof![3 => Just("t"), 1 => Just("u")];
    let sight =
        prop_oneof![2 => Just(Sight::Followed), 1 => Just(Sight::Broken), 1 => Just(Sight::Gone)];
    prop_oneof![
        6 => (node.clone(), datasource, 0..4_i64)
            .prop_map(|(node, datasource, hour)| Step::Push { node, datasource, hour }),
        2 => any::<usize>().prop_map(|which| Step::HandOff { which }),
        1 => node.clone().prop_map(|node| Step::Release { node }),
        // Shorter than what is noted and not announced is waited for.
        2 => (0..=HISTORICAL, 0..2_500_u64).prop_map(|(node, ms)| Step::Stall { node, ms }),
        1 => node.clone().prop_map(|node| Step::Away { node }),
        2 => node.prop_map(|node| Step::Back { node }),
        2 => (0..=HISTORICAL, sight).prop_map(|(node, sight)| Step::See { node, sight }),
        1 => (0..50_u64).prop_map(|ms| Step::Pass { ms }),
        8 => any::<bool>().prop_map(|known| Step::Ask { known }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is late: an answer has each row that was acknowledged before the query came, once, or
    /// there is an error, which there is only while a node is away or out of sight.
    #[test]
    fn i_09_an_answer_has_every_row_that_was_acknowledged_before(
        steps in prop::collection::vec(step(), 1..40),
        older in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut cluster = Cluster::new(older).await;
            for node in 0..BUFFERING {
                cluster.say_that_buffers(&format!("n{node}")).await;
            }
            for step in steps {
                cluster.take(step).await;
            }
        });
    }
}

impl Cluster {
    async fn take(&mut self, step: Step) {
        let is_away = |node: usize| &self.processes[node].rows.is_away;
        match step {
            Step::Push { node, datasource, hour } => self.push(node, datasource, hour).await,
            Step::HandOff { which } => self.hand_off(which).await,
            Step::Release { node } => self.release(node),
            Step::Stall { node, ms } => self.stall(node, ms),
            Step::Away { node } => is_away(node).store(true, Ordering::SeqCst),
            Step::Back { node } => is_away(node).store(false, Ordering::SeqCst),
            Step::See { node, sight } => self.see(node, sight).await,
            Step::Pass { ms } => sleep(Duration::from_millis(ms)).await,
            Step::Ask { known } => {
                let context =
                    json!({ "useResultLevelCache": known, "populateResultLevelCache": known });
                let somebody_is_away = !self.sees_all()
                    || (0..BUFFERING).any(|node| is_away(node).load(Ordering::SeqCst));
                match self.ask(context).await {
                    Ok(found) => assert_eq!(found, self.acknowledged),
                    Err(error) => assert!(somebody_is_away, "{error}"),
                }
            }
        }
    }
}
