//! Hosts that announce what they are told to load, fail or hang as told, and the way to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use henge_data_node::{DialHosts, HostError, Instruction, SegmentHost};
use henge_platform::discovery::{
    Discovery, InProcessDiscovery, ServerAddress, ServerDescription, ServerId, ServerKind,
};
use henge_platform::metadata::{
    MemoryMetadataStore, MetadataStore, PublishRequest, PublishedSegment,
};
use henge_platform::runtime::{ManualClock, watch};
use henge_types::{ErrorClass, Interval, SegmentId};
use parking_lot::Mutex;

use crate::plan::tests::announced;
use crate::{Coordinator, CoordinatorOptions, Dependencies, Leadership, LeaseOptions};

/// What a host does when it is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Obeys,
    Fails,
    Hangs,
}

#[derive(Debug)]
pub(crate) struct FakeHost {
    id: ServerId,
    discovery: Arc<InProcessDiscovery>,
    pub(crate) mood: Mutex<Mood>,
    /// What it was told, in order.
    pub(crate) told: Mutex<Vec<(String, SegmentId, Instruction)>>,
}

impl FakeHost {
    async fn hear(
        &self,
        what: &str,
        id: &SegmentId,
        instruction: Instruction,
    ) -> Result<(), HostError> {
        self.told.lock().push((what.to_owned(), id.clone(), instruction));
        let mood = *self.mood.lock();
        match mood {
            Mood::Obeys => Ok(()),
            Mood::Hangs => std::future::pending().await,
            Mood::Fails => {
                let (server, reason) = (self.id.to_string(), "as told".to_owned());
                Err(HostError { server, reason, class: ErrorClass::Unavailable })
            }
        }
    }

    pub(crate) fn heard(&self, what: &str) -> usize {
        self.told.lock().iter().filter(|(told, ..)| told == what).count()
    }
}

#[async_trait]
impl SegmentHost for FakeHost {
    fn server_id(&self) -> &ServerId {
        &self.id
    }

    async fn load(
        &self,
        segment: &PublishedSegment,
        instruction: Instruction,
    ) -> Result<(), HostError> {
        self.hear("load", &segment.id, instruction).await?;
        let announced = announced(&[&Arc::new(segment.clone())]);
        self.discovery.announce(&self.id, announced.values().cloned().collect()).unwrap();
        Ok(())
    }

    async fn unload(&self, id: &SegmentId, instruction: Instruction) -> Result<(), HostError> {
        self.hear("unload", id, instruction).await?;
        self.discovery.unannounce(&self.id, vec![id.clone()]).unwrap();
        Ok(())
    }
}

/// A cluster of hosts of other processes, and what coordinators need.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) metadata: Arc<MemoryMetadataStore>,
    pub(crate) discovery: Arc<InProcessDiscovery>,
    pub(crate) sight: watch::Sender<bool>,
    hosts: Arc<Mutex<Vec<Arc<FakeHost>>>>,
}

#[derive(Debug)]
struct Dial(Arc<Mutex<Vec<Arc<FakeHost>>>>);

impl DialHosts for Dial {
    fn dial_host(
        &self,
        server: &ServerId,
        _: &Arc<str>,
    ) -> Result<Arc<dyn SegmentHost>, HostError> {
        let hosts = self.0.lock();
        let host = hosts.iter().rev().find(|host| host.id == *server).unwrap();
        Ok(Arc::clone(host) as _)
    }
}

impl Setup {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(0));
        Self {
            metadata: Arc::new(MemoryMetadataStore::with_clock(clock.clone())),
            clock,
            discovery: Arc::new(InProcessDiscovery::new()),
            sight: watch::Sender::new(true),
            hosts: Arc::default(),
        }
    }

    /// A host comes, with nothing loaded.
    pub(crate) fn host(&self, name: &str, zone: &str) -> Arc<FakeHost> {
        let host = Arc::new(FakeHost {
            id: name.into(),
            discovery: Arc::clone(&self.discovery),
            mood: Mutex::default(),
            told: Mutex::default(),
        });
        self.hosts.lock().push(Arc::clone(&host));
        self.announce(name, zone);
        host
    }

    /// Discovery hears of a host.
    pub(crate) fn announce(&self, name: &str, zone: &str) {
        let description = ServerDescription {
            address: ServerAddress::Network(format!("{name}:1").into()),
            kind: ServerKind::Historical,
            zone: zone.into(),
            capacity_bytes: 1_000,
            ..ServerDescription::default()
        };
        self.discovery.join(&name.into(), &description).unwrap();
    }

    pub(crate) fn coordinator(&self, replicas: usize, leadership: Leadership) -> Arc<Coordinator> {
        // What is served stays where it is, but where a test is about that.
        let moves_at_once = 0;
        let options =
            CoordinatorOptions { replicas, moves_at_once, ..CoordinatorOptions::default() };
        self.coordinator_of(options, leadership)
    }

    pub(crate) fn coordinator_of(
        &self,
        options: CoordinatorOptions,
        leadership: Leadership,
    ) -> Arc<Coordinator> {
        let dependencies = Dependencies {
            metadata: self.metadata.clone(),
            discovery: self.discovery.clone(),
            clock: self.clock.clone(),
            leadership,
            sight: Arc::new(self.sight.subscribe()),
            dial: Some(Arc::new(Dial(Arc::clone(&self.hosts)))),
        };
        Arc::new(Coordinator::new(options, dependencies))
    }

    pub(crate) fn by_lease(&self, holder: &str) -> Leadership {
        let options = LeaseOptions::of(holder.to_owned());
        Leadership::by_lease(options, self.metadata.clone(), self.clock.clone())
    }

    /// Publishes segments of days, one each.
    pub(crate) async fn publish(&self, days: std::ops::Range<i64>) -> Vec<SegmentId> {
        let mut ids = Vec::new();
        for day in days {
            let interval = Interval { start_ms: day * 86_400_000, end_ms: (day + 1) * 86_400_000 };
            let allocated = self.metadata.allocate_segment("r", "d", interval, interval);
            let segment = crate::plan::tests::segment(0, 1, 0, 0);
            let allocated = allocated.await.unwrap();
            let segment = PublishedSegment {
                id: allocated.segment.id.clone(),
                shard_spec: allocated.segment.shard_spec,
                object_key: format!("segments/d/{day}"),
                min_time_ms: interval.start_ms,
                max_time_ms: interval.start_ms,
                ..(*segment).clone()
            };
            ids.push(segment.id.clone());
            let request = PublishRequest {
                transaction_id: segment.id.to_string(),
                segments: vec![segment],
                ..PublishRequest::default()
            };
            self.metadata.publish(&request).await.unwrap();
        }
        ids
    }

    /// Who announces a segment.
    pub(crate) fn holders(&self, id: &SegmentId) -> BTreeSet<String> {
        let view = self.discovery.snapshot();
        let has = view.servers.iter().filter(|(_, server)| server.segments.contains_key(id));
        has.map(|(name, _)| name.to_string()).collect()
    }

    /// Lets time pass, on all clocks, and whoever waits go on.
    pub(crate) async fn pass(&self, elapsed_ms: u64) {
        for _ in 0..elapsed_ms.div_ceil(500) {
            self.clock.pass(500);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
