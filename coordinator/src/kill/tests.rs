//! Deleting for good, over a deep storage in memory.

use henge_platform::discovery::Discovery;
use henge_platform::metadata::{MetadataStore, TaskProgress, TaskRecord, UnusedSegments};
use henge_platform::storage::{FaultPlan, ObjectDeepStorage, Payload, UnreliableStorage};

use super::*;
use crate::testing::Setup;
use crate::{ConfigChange, CoordinatorOptions, DynamicConfig, Leadership};

const DAY_MS: u64 = 86_400_000;

pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) objects: Arc<dyn DeepStorage>,
    pub(super) storage: Arc<UnreliableStorage>,
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) ids: Vec<SegmentId>,
    leads_since: Option<(u64, u64)>,
}

impl World {
    /// Days with a segment each, none of which is used, and no time has passed.
    pub(super) async fn of_days(days: i64) -> Self {
        let setup = Setup::new();
        let objects: Arc<dyn DeepStorage> = Arc::new(ObjectDeepStorage::in_memory());
        let storage =
            Arc::new(UnreliableStorage::new(Arc::clone(&objects), FaultPlan::default(), 7));
        let ids = setup.publish(0..days).await;
        for segment in setup.metadata.used_segments().await.unwrap().segments {
            let content = Payload::Bytes(segment.object_key.clone().into());
            objects.push(&segment.object_key, content).await.unwrap();
        }
        let coordinator = Self::coordinator(&setup, &storage, Leadership::alone());
        setup.metadata.mark_unused(&ids, None).await.unwrap();
        Self { setup, objects, storage, coordinator, ids, leads_since: None }
    }

    fn coordinator(
        setup: &Setup,
        storage: &Arc<UnreliableStorage>,
        leadership: Leadership,
    ) -> Arc<Coordinator> {
        let coordinator = setup.coordinator_of(CoordinatorOptions::default(), leadership);
        let coordinator = Arc::into_inner(coordinator).unwrap();
        Arc::new(coordinator.with_storage(Arc::clone(storage) as _))
    }

    async fn run(&mut self) -> Option<Killed> {
        let storage: Arc<dyn DeepStorage> = Arc::clone(&self.storage) as _;
        let killed = self.coordinator.kill_if_due(&storage, &mut self.leads_since).await;
        killed.unwrap().filter(|killed| *killed != Killed::default())
    }

    /// The days whose objects are there.
    pub(super) async fn there(&self) -> Vec<i64> {
        let mut days = Vec::new();
        for day in 0..self.ids.len() as i64 {
            if self.objects.exists(&format!("segments/d/{day}")).await.unwrap() {
                days.push(day);
            }
        }
        days
    }

    pub(super) async fn set(&self, json: &str) {
        let config = DynamicConfig::parse(json.as_bytes()).unwrap();
        let change = ConfigChange { config, ..ConfigChange::default() };
        self.coordinator.config.merge(change, None).await.unwrap();
    }

    async fn why(&self, scope: Scope) -> Vec<String> {
        let judged = self.coordinator.judge_unused(&scope, MOST).await.unwrap();
        judged.stays.into_iter().map(|(_, why)| why).collect()
    }
}

fn named() -> Scope {
    Scope::Named { datasource: "d".into(), within: Interval::ETERNITY }
}

#[tokio::test(start_paused = true)]
async fn i_07_nothing_goes_before_both_graces_are_over_and_the_leader_knows_enough() {
    let mut world = World::of_days(3).await;
    assert_eq!(world.run().await, None, "it leads since now");
    world.setup.clock.pass(1_000_000);
    assert_eq!(world.run().await, None, "not used since a moment");
    // Day 0 ends 90 days before the end of day 90.
    world.setup.clock.pass(91 * DAY_MS - 1_000_000);
    let killed = world.run().await.unwrap();
    assert_eq!(killed.segments, world.ids[..1]);
    assert_eq!(world.there().await, [1, 2]);
    world.setup.clock.pass(10 * DAY_MS);
    world.setup.sight.send_replace(false);
    assert_eq!(world.run().await, None, "not all is seen");
    world.setup.sight.send_replace(true);
    world.set(r#"{"killUnusedSegments": false}"#).await;
    assert_eq!(world.run().await, None);
    world.set(r#"{"killUnusedSegments": true, "killDataSourceWhitelist": ["other"]}"#).await;
    assert_eq!(world.run().await, None);
    assert_eq!(world.why(Scope::GraceIsOver).await, [""; 0], "it is not looked at");
    world.set(r#"{"killDataSourceWhitelist": []}"#).await;
    assert_eq!(world.run().await.unwrap().segments, world.ids[1..]);
    assert!(world.there().await.is_empty());
    assert_eq!(world.run().await, None);
}

#[tokio::test(start_paused = true)]
async fn f_43_whoever_dies_half_way_is_followed_by_somebody_who_goes_on() {
    let mut world = World::of_days(2).await;
    world.run().await;
    world.setup.clock.pass(200 * DAY_MS);
    world.storage.set_plan(FaultPlan { refuse: 1.0, ..FaultPlan::default() });
    let killed = world.run().await.unwrap();
    assert_eq!((killed.segments.len(), killed.failed.len()), (0, 2));
    // Nobody uses them again from here on, whether their objects are there or not.
    assert_eq!(world.setup.metadata.mark_used(&world.ids, None).await.unwrap(), 0);
    assert_eq!(world.there().await, [0, 1]);
    // The object of one is gone already, as after a crash.
    world.objects.delete("segments/d/0").await.unwrap();
    world.storage.set_plan(FaultPlan::default());
    world.coordinator = World::coordinator(&world.setup, &world.storage, Leadership::alone());
    assert_eq!(world.run().await.unwrap().segments, world.ids);
    assert!(world.there().await.is_empty());
    let unused = world.setup.metadata.unused_segments(&UnusedFilter::default()).await.unwrap();
    assert_eq!(unused, []);
}

#[tokio::test(start_paused = true)]
async fn f_44_what_is_used_again_served_or_read_by_a_task_stays() {
    let mut world = World::of_days(3).await;
    world.run().await;
    world.setup.clock.pass(200 * DAY_MS);
    world.setup.metadata.mark_used(&world.ids[..1], None).await.unwrap();
    // A node still serves the second.
    let host = world.setup.host("a", "");
    let second = crate::plan::tests::segment(0, 1, 0, 0);
    let second = PublishedSegment { id: world.ids[1].clone(), ..(*second).clone() };
    let announced = crate::plan::tests::announced(&[&Arc::new(second)]);
    let announced = announced.values().cloned().collect();
    world.setup.discovery.announce(&"a".into(), announced).unwrap();
    assert_eq!(world.why(named()).await, ["server 'a' still serves it"]);
    // A task began before the third was dropped.
    let task = TaskRecord {
        id: "compact".into(),
        task_type: "compact".into(),
        datasource: "d".into(),
        owner: "0".into(),
        created_ms: 0,
        status: TaskStatus::Running,
        error: None,
        duration_ms: None,
        payload_json: "{}".into(),
        progress: TaskProgress::default(),
    };
    world.setup.metadata.put_task(&task).await.unwrap();
    assert_eq!(world.why(named()).await.len(), 2);
    assert_eq!(world.run().await, None);
    let update = henge_platform::metadata::TaskUpdate {
        status: TaskStatus::Success,
        error: None,
        duration_ms: Some(1),
        progress: TaskProgress::default(),
    };
    world.setup.metadata.update_task("compact", &update).await.unwrap();
    assert_eq!(world.run().await.unwrap().segments, world.ids[2..]);
    assert_eq!(world.there().await, [0, 1]);
    assert_eq!(host.heard("load"), 0);
}

#[tokio::test(start_paused = true)]
async fn i_07_what_is_hidden_stays_while_what_hides_it_is_nowhere() {
    let mut world = World::of_days(1).await;
    world.run().await;
    world.setup.clock.pass(200 * DAY_MS);
    // A newer version, whose object is lost and which nobody serves.
    let metadata = &world.setup.metadata;
    let interval = world.ids[0].interval;
    let version = metadata.allocate_version().await.unwrap();
    let new = PublishedSegment {
        id: SegmentId::new("d", interval, version, 0),
        shard_spec: henge_types::ShardSpec::SINGLE,
        object_key: "segments/d/new".into(),
        min_time_ms: interval.start_ms,
        max_time_ms: interval.start_ms,
        ..(*crate::plan::tests::segment(0, 1, 0, 1)).clone()
    };
    let request = henge_platform::metadata::PublishRequest {
        transaction_id: "new".into(),
        segments: vec![new.clone()],
        replace: Some(henge_platform::metadata::ReplaceScope {
            datasource: "d".into(),
            intervals: vec![interval],
            inputs: None,
        }),
        ..Default::default()
    };
    metadata.publish(&request).await.unwrap();
    assert_eq!(world.run().await, None);
    let why = world.why(named()).await;
    assert!(why[0].contains(&new.id.to_string()) && why[0].contains("neither served"), "{why:?}");
    // It is there after all.
    let content = Payload::Bytes(vec![0; 7].into());
    world.objects.push("segments/d/new", content).await.unwrap();
    assert_eq!(world.run().await.unwrap().segments, world.ids);
    assert!(world.objects.exists("segments/d/new").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn h_105_what_somebody_names_goes_at_once_and_is_noted() {
    let world = World::of_days(3).await;
    let request = Request { author: "ann".into(), ..Request::default() };
    let within = Interval::parse("1970-01-01/1970-01-02").unwrap();
    let dry = world
        .coordinator
        .judge_unused(&Scope::Named { datasource: "d".into(), within }, 10)
        .await
        .unwrap();
    assert_eq!(dry.goes.len(), 1);
    assert_eq!(world.there().await, [0, 1, 2], "nothing was changed");
    let (killed, judged) =
        world.coordinator.kill_named("d", within, 10, request.clone()).await.unwrap();
    assert_eq!((killed.segments.as_slice(), judged.stays.len()), (&world.ids[..1], 0));
    assert_eq!(world.there().await, [1, 2]);
    let audit = world.coordinator.audit.of("d", 10).await.unwrap();
    assert_eq!((audit[0].action.as_str(), audit[0].author.as_str()), ("segment.kill", "ann"));
    let all = Interval::ETERNITY;
    let (killed, judged) =
        world.coordinator.kill_named("d", all, 1, request.clone()).await.unwrap();
    assert_eq!((killed.segments.len(), judged.more), (1, true));
    world.setup.sight.send_replace(false);
    let blind = world.coordinator.kill_named("d", all, 10, request).await;
    assert!(matches!(blind, Err(CoordinatorError::NotAllSeen)), "{blind:?}");
}

#[tokio::test(start_paused = true)]
async fn f_69_a_leader_that_was_paused_condemns_nothing_when_it_wakes() {
    let mut world = World::of_days(1).await;
    let leadership = world.setup.by_lease("a/1");
    world.coordinator = World::coordinator(&world.setup, &world.storage, leadership);
    let asking = henge_platform::runtime::spawn({
        let coordinator = Arc::clone(&world.coordinator);
        async move { coordinator.shared.leadership.keep().await }
    });
    world.setup.pass(500).await;
    let term = world.coordinator.leading().unwrap();
    asking.abort();
    // It was paused in the middle of a run, and another one leads by now.
    let second = world.setup.by_lease("b/1");
    let asking = henge_platform::runtime::spawn(async move { second.keep().await });
    world.setup.pass(20_000).await;
    let judged = world.coordinator.judge_unused(&named(), MOST).await.unwrap();
    assert_eq!(judged.goes.len(), 1);
    let storage: Arc<dyn DeepStorage> = Arc::clone(&world.storage) as _;
    let killed = world.coordinator.kill_judged(&storage, judged, &term, i64::MAX).await.unwrap();
    assert_eq!(killed, Killed::default());
    let condemned =
        world.setup.metadata.condemn_segments(&world.ids, i64::MAX, term.fence.as_ref()).await;
    assert!(condemned.is_err());
    assert_eq!(world.there().await, [0]);
    asking.abort();
}

#[tokio::test(start_paused = true)]
async fn f_43_what_stays_does_not_keep_what_is_behind_it_from_going() {
    let world = World::of_days(3).await;
    // The first in the order of ids is still served.
    let _host = world.setup.host("a", "");
    let first = crate::plan::tests::segment(0, 1, 0, 0);
    let first = PublishedSegment { id: world.ids[0].clone(), ..(*first).clone() };
    let announced = crate::plan::tests::announced(&[&Arc::new(first)]);
    let announced = announced.values().cloned().collect();
    world.setup.discovery.announce(&"a".into(), announced).unwrap();
    let judged = world.coordinator.judge_unused(&named(), 1).await.unwrap();
    assert_eq!(judged.goes[0].segment.id, world.ids[1]);
    assert_eq!((judged.goes.len(), judged.stays.len(), judged.more), (1, 1, true));
}

#[tokio::test(start_paused = true)]
async fn i_07_the_first_run_comes_when_the_wait_is_over_and_not_a_period_later() {
    let world = World::of_days(1).await;
    world.setup.clock.pass(200 * DAY_MS);
    let duty = henge_platform::runtime::spawn({
        let coordinator = Arc::clone(&world.coordinator);
        async move { coordinator.kill_now_and_then().await }
    });
    world.setup.pass(890_000).await;
    assert_eq!(world.there().await, [0]);
    world.setup.pass(80_000).await;
    assert!(world.there().await.is_empty());
    duty.abort();
}
