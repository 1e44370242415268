//! Terms over a store whose clock is moved, with the date of its own that each coordinator has.

use henge_platform::metadata::MemoryMetadataStore;
use henge_platform::runtime::ManualClock;

use super::*;

struct Setup {
    clock: Arc<ManualClock>,
    metadata: Arc<MemoryMetadataStore>,
}

impl Setup {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(0));
        let metadata = Arc::new(MemoryMetadataStore::with_clock(clock.clone()));
        Self { clock, metadata }
    }

    fn coordinator(&self, holder: &str) -> Leadership {
        let options = LeaseOptions::of(holder.to_owned());
        Leadership::by_lease(options, self.metadata.clone(), self.clock.clone())
    }
}

async fn ask(leadership: &Leadership) {
    let Kind::ByLease(lease) = &leadership.kind else { return };
    lease.renew_or_ask().await.unwrap();
}

#[tokio::test]
async fn f_68_one_leads_at_a_time_and_stops_by_its_own_clock_before_another_may() {
    let setup = Setup::new();
    let (first, second) = (setup.coordinator("a/1"), setup.coordinator("b/1"));
    assert_eq!(first.term(), None);
    ask(&first).await;
    ask(&second).await;
    let term = first.term().unwrap();
    assert!(first.leads_under(term.epoch) && second.term().is_none());
    let status = second.status();
    assert_eq!((status.is_leading, status.holder.as_deref()), (false, Some("a/1")));
    // Renewed, it leads on under the same epoch.
    setup.clock.pass(8_000);
    ask(&first).await;
    setup.clock.pass(8_000);
    assert_eq!(first.term(), Some(term.clone()));
    setup.clock.pass(1_000);
    assert_eq!(first.term(), None, "nobody may take it yet");
    ask(&second).await;
    assert_eq!(second.term(), None);
    setup.clock.pass(1_000);
    ask(&second).await;
    assert!(second.term().unwrap().epoch > term.epoch);
    // Who led before finds out and stands by.
    ask(&first).await;
    assert_eq!(first.term(), None);
    assert_eq!(first.status().holder.as_deref(), Some("b/1"));
}

#[tokio::test]
async fn f_69_a_leader_that_was_paused_wakes_without_a_term_and_its_writes_are_refused() {
    let setup = Setup::new();
    let (first, second) = (setup.coordinator("a/1"), setup.coordinator("b/1"));
    ask(&first).await;
    let term = first.term().unwrap();
    setup.clock.pass(60_000);
    ask(&second).await;
    assert_eq!(first.term(), None);
    let refused = setup.metadata.mark_unused(&[], term.fence.as_ref()).await;
    assert!(matches!(refused, Err(MetadataError::Fenced { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_lease_that_ran_out_and_that_nobody_took_is_led_under_again() {
    let setup = Setup::new();
    let first = setup.coordinator("a/1");
    ask(&first).await;
    let term = first.term();
    setup.clock.pass(60_000);
    assert_eq!(first.term(), None);
    ask(&first).await;
    assert_eq!(first.term(), term);
}

#[tokio::test]
async fn a_coordinator_that_stops_gives_its_lease_back_and_asks_no_more() {
    let setup = Setup::new();
    let (first, second) = (setup.coordinator("a/1"), setup.coordinator("b/1"));
    ask(&first).await;
    first.resign().await.unwrap();
    assert_eq!(first.term(), None);
    // Ends, since it resigned.
    first.keep().await;
    ask(&second).await;
    assert!(second.term().is_some());
    first.resign().await.unwrap();
    assert!(second.status().is_leading);
}

#[tokio::test]
async fn who_is_alone_leads_at_once_and_without_a_lease() {
    let alone = Leadership::alone();
    assert_eq!(alone.term(), Some(Term { epoch: 0, fence: None }));
    alone.resign().await.unwrap();
    alone.keep().await;
    assert!(alone.leads_under(0) && alone.status().is_leading);
}
