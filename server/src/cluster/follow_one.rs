//! Following the inventory of one process, again and again: its stream ends when the process is away, and may
//! be silent although it is open, which is noticed by what gossip tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use henge_data_node::grpc::Dialer;
use henge_platform::discovery::inventory::{InventoryVersion, Mirror, connect_inventory};
use henge_platform::membership::{GossipMembership, Member, Membership, NodeId};
use henge_platform::rpc::TOKEN_REFUSED;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::pull::Sight;

/// Wait before an inventory that could not be followed is followed again.
const RETRY: Duration = Duration::from_millis(250);
/// How often a stream is held against what gossip tells.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A stream from which nothing came for so long, although gossip tells of something, is given up.
const SILENT_FOR: Duration = Duration::from_secs(3);
/// The longest time between two complaints about one process.
const LONGEST_QUIET: Duration = Duration::from_secs(60);

/// One process and its inventory.
pub(super) struct One {
    pub(super) member: Member,
    pub(super) mirror: Mirror,
    pub(super) dialer: Arc<Dialer>,
    pub(super) sight: Arc<Sight>,
    pub(super) membership: std::sync::Weak<GossipMembership>,
    pub(super) own: NodeId,
}

impl One {
    /// Follows it until the sender of `stopped` is dropped, and then takes back what was mirrored.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<()>) {
        let mut trouble = Trouble::default();
        loop {
            tokio::select! {
                // Nothing is sent: it ends with its sender.
                _ = stopped.changed() => break,
                reason = self.follow(&mut trouble) => trouble.again(&self.member.node_id, &reason),
            }
            tokio::select! {
                _ = stopped.changed() => break,
                () = sleep(RETRY) => {}
            }
        }
        if let Err(error) = self.mirror.forget() {
            tracing::error!(node = %self.member.node_id, %error, "cannot be forgotten");
        }
    }

    /// Follows the inventory until that fails; says why it did.
    async fn follow(&mut self, trouble: &mut Trouble) -> String {
        let address = &self.member.grpc_address;
        let connected = self
            .dialer
            .channel(address)
            .and_then(|channel| connect_inventory(Arc::clone(address), channel, self.dialer.key()));
        let inventory = match connected {
            Ok(inventory) => inventory,
            Err(error) => return error.to_string(),
        };
        let (sight, member, membership, own) =
            (&*self.sight, &self.member, &self.membership, &self.own);
        let updates = AtomicU64::new(0);
        let seen = |at: InventoryVersion| {
            updates.fetch_add(1, Ordering::Relaxed);
            trouble.is_over(&member.node_id);
            sight.saw(member, at.version);
            if let Some(membership) = membership.upgrade() {
                sight.look(&membership.view(), own);
            }
        };
        let is_behind = || {
            let living = membership.upgrade();
            living.is_some_and(|living| sight.is_behind(&living.view(), &member.node_id))
        };
        tokio::select! {
            ended = self.mirror.follow(&inventory, seen) => match ended {
                Ok(()) => "it ended the stream".to_owned(),
                Err(error) => error.to_string(),
            },
            () = silence(&updates, is_behind) => {
                let seconds = SILENT_FOR.as_secs();
                format!("nothing came for {seconds} s, although gossip tells of a later version")
            }
        }
    }
}

/// Waits until a stream is silent that should not be.
async fn silence(updates: &AtomicU64, is_behind: impl Fn() -> bool) {
    let (mut known, mut behind_since) = (0, None);
    loop {
        sleep(LOOK_EVERY).await;
        let now = Instant::now();
        let came = updates.load(Ordering::Relaxed);
        if came != known || !is_behind() {
            (known, behind_since) = (came, None);
            continue;
        }
        let since = *behind_since.get_or_insert(now);
        if now.duration_since(since) >= SILENT_FOR {
            return;
        }
    }
}

/// What was said of a process that cannot be followed: the first time at once, then ever more seldom.
#[derive(Debug, Default)]
struct Trouble {
    current: Option<Current>,
    /// By which words it refused our token; they are said once.
    refused: Option<String>,
}

#[derive(Debug)]
struct Current {
    since: Instant,
    tries: u64,
    quiet: Duration,
    quiet_until: Instant,
}

impl Trouble {
    /// It could not be followed.
    fn again(&mut self, node: &NodeId, reason: &str) {
        if let Some(words) = self.refusal(reason) {
            tracing::error!("node {node} refuses cluster.token: {words}");
        }
        if self.refused.is_some() {
            return;
        }
        if let Some((tries, lasts)) = self.complaint(Instant::now()) {
            let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(node = %node, reason, tries, lasts_ms, "its inventory cannot be followed");
        }
    }

    /// The words by which it refuses our token, when they are not those of before.
    fn refusal(&mut self, reason: &str) -> Option<String> {
        let words = reason.find(TOKEN_REFUSED).map(|at| reason[at..].to_owned());
        let is_new = words.is_some() && words != self.refused;
        self.refused.clone_from(&words);
        words.filter(|_| is_new)
    }

    /// It is followed.
    fn is_over(&mut self, node: &NodeId) {
        self.refused = None;
        if let Some(Current { since, tries, .. }) = self.current.take() {
            let lasted_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(node = %node, tries, lasted_ms, "its inventory is followed again");
        }
    }

    /// Counts a failure; how many there were and since when, when that is to be said.
    fn complaint(&mut self, now: Instant) -> Option<(u64, Duration)> {
        let quiet = RETRY;
        let fresh = Current { since: now, tries: 0, quiet, quiet_until: now };
        let current = self.current.get_or_insert(fresh);
        current.tries += 1;
        if now < current.quiet_until {
            return None;
        }
        current.quiet = (current.quiet * 4).min(LONGEST_QUIET);
        current.quiet_until = now + current.quiet;
        Some((current.tries, now.duration_since(current.since)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use tokio::time::{advance, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_process_is_complained_of_ever_more_seldom() {
        let mut trouble = Trouble::default();
        let mut said = Vec::new();
        for _ in 0..1_200 {
            said.extend(trouble.complaint(Instant::now()).map(|(_, lasts)| lasts.as_secs()));
            advance(RETRY).await;
        }
        assert_eq!(said, [0, 1, 5, 21, 81, 141, 201, 261]);
        trouble.is_over(&"h".into());
        assert_eq!(trouble.complaint(Instant::now()), Some((1, Duration::ZERO)));
    }

    #[test]
    fn h_77_a_refused_token_is_said_once_for_each_reason() {
        let mut trouble = Trouble::default();
        let refused = format!("h:1: {TOKEN_REFUSED}: set the same");
        let said = trouble.refusal(&refused);
        assert_eq!(said.as_deref(), Some(&*format!("{TOKEN_REFUSED}: set the same")));
        assert_eq!(trouble.refusal(&refused), None);
        assert!(trouble.refusal(&format!("h:1: {TOKEN_REFUSED}: otherwise")).is_some());
        assert_eq!(trouble.refusal("h:1: connection refused"), None);
        assert!(trouble.refusal(&refused).is_some());
        trouble.is_over(&"h".into());
        assert!(trouble.refusal(&refused).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_silent_when_gossip_tells_of_more_and_nothing_comes() {
        let (updates, is_behind) = (AtomicU64::new(0), AtomicBool::new(false));
        let behind = || is_behind.load(Ordering::Relaxed);
        let ten = Duration::from_secs(10);
        assert!(timeout(ten, silence(&updates, behind)).await.is_err(), "nothing is to come");
        is_behind.store(true, Ordering::Relaxed);
        let slow = async {
            loop {
                sleep(Duration::from_secs(2)).await;
                updates.fetch_add(1, Ordering::Relaxed);
            }
        };
        tokio::select! {
            () = silence(&updates, behind) => panic!("it is slow and not silent"),
            _ = timeout(ten, slow) => {}
        }
        let began = Instant::now();
        silence(&updates, behind).await;
        assert!(began.elapsed() <= SILENT_FOR + 2 * LOOK_EVERY);
    }
}
