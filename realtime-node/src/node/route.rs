//! Which node does what (ADR 30): a push without an idempotency key is stored by the node that it came to,
//! one with a key by the owner of the key, and a task is stopped by the node that it belongs to.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use henge_types::ErrorClass;

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::peers::{Forwarded, ForwardedPush};
use crate::push::{KeyOwners, PushDatasource, PushReply};

/// How often it is looked whether keys are owned evenly.
const BALANCE_PERIOD: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(500);
/// How long giving keys away may hold up pushes with keys.
const LONGEST_MOVE: Duration = Duration::from_secs(10);

impl RealtimeNode {
    /// Stores events here, or at the owner of their key. What began goes on when the caller goes away.
    ///
    /// # Errors
    /// `Unavailable`, naming it, when the owner cannot be reached: it may have stored them all the same, and
    /// the same request with the same key finds out. Else when nothing was stored.
    pub(crate) async fn push(
        &self,
        name: &str,
        body: Bytes,
        key: Option<Arc<str>>,
    ) -> Result<PushReply> {
        self.check_open()?;
        let datasource = match self.datasource(name).await {
            Err(unknown @ RealtimeError::NotFound(_)) => self.adopt(name, unknown).await?,
            known => known?,
        };
        let Some(key) = key else { return datasource.push(body, None, None).await };
        let mut seen: Option<(Arc<KeyOwners>, RealtimeError)> = None;
        loop {
            let owners = self.key_owners(&datasource, seen.is_some()).await?;
            if let Some((before, failure)) = seen
                && before == owners
            {
                return Err(failure);
            }
            let owner = Arc::clone(owners.owner(&key));
            let stored = match owner == self.shared.options.node {
                true => self.push_owned(&datasource, body.clone(), &key).await,
                false => self.forward(&owner, name, body.clone(), &key).await,
            };
            let failure = match stored {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => RealtimeError::Unavailable(format!(
                    "the owner of idempotency keys of '{name}' changes at this moment: send it again"
                )),
                Err(error) if error.class() == ErrorClass::Unavailable => error,
                Err(error) => return Err(error),
            };
            seen = Some((owners, failure));
        }
    }

    /// Stores a request if its key belongs to this node; `None` when it does not.
    pub(super) async fn push_owned(
        &self,
        datasource: &Arc<PushDatasource>,
        body: Bytes,
        key: &Arc<str>,
    ) -> Result<Option<PushReply>> {
        let stays = Arc::clone(&datasource.moving).read_owned().await;
        let owners = self.key_owners(datasource, false).await?;
        if *owners.owner(key) != self.shared.options.node {
            return Ok(None);
        }
        datasource.push(body, Some(Arc::clone(key)), Some(stays)).await.map(Some)
    }

    async fn forward(
        &self,
        owner: &Arc<str>,
        name: &str,
        body: Bytes,
        key: &Arc<str>,
    ) -> Result<Option<PushReply>> {
        let away = |reason: String| {
            RealtimeError::Unavailable(format!(
                "the idempotency key belongs to realtime node '{owner}', which does not answer ({reason}): send the same \
                 request again; it is taken once that node is back, or once its log was taken over by \
                 another (ack: replicated) or was given up"
            ))
        };
        let Some(peer) = self.shared.peers.reach(owner) else {
            return Err(away("it is not seen alive".into()));
        };
        let push = ForwardedPush { datasource: name.to_owned(), body, key: Arc::clone(key) };
        match peer.push(push).await {
            Ok(Forwarded::Stored(json)) => {
                let reply = serde_json::from_str(&json);
                reply.map(Some).map_err(|error| away(format!("its answer cannot be read: {error}")))
            }
            Ok(Forwarded::OtherOwner(_)) => Ok(None),
            Err(RealtimeError::NotReached(reason)) => Err(away(reason)),
            // It says itself what is wrong.
            Err(error) => Err(error),
        }
    }

    /// Who owns the keys of a datasource; `anew` as the metadata have it now.
    pub(super) async fn key_owners(
        &self,
        datasource: &PushDatasource,
        anew: bool,
    ) -> Result<Arc<KeyOwners>> {
        let known = datasource.owners.read().clone();
        if let (Some(known), false) = (known, anew) {
            return Ok(known);
        }
        let (metadata, node) = (&*self.shared.metadata, &self.shared.options.node);
        let live = self.shared.peers.live().into_iter().map(|peer| peer.node);
        let now = Arc::new(KeyOwners::of(metadata, &datasource.name, node, live).await?);
        let mut known = datasource.owners.write();
        let newest = known.take().filter(|known| known.version() > now.version()).unwrap_or(now);
        Ok(Arc::clone(known.insert(newest)))
    }

    /// Gives keys away that this node owns beyond its share, if others are alive who have fewer.
    pub(crate) async fn balance_keys(&self, live: &BTreeSet<Arc<str>>) {
        let datasources: Vec<_> = self.datasources.read().values().cloned().collect();
        for datasource in datasources {
            let owners = datasource.owners.read().clone();
            let node = &self.shared.options.node;
            let Some(owners) = owners.filter(|owners| owners.beyond_share(node, live).is_some())
            else {
                continue;
            };
            let wanted = owners.beyond_share(node, live).unwrap_or_default();
            self.give_keys(&datasource, &owners, wanted).await;
        }
    }

    /// Makes others own keys of this node: once all is published that it holds of them. Pushes with keys
    /// wait meanwhile.
    pub(super) async fn give_keys(
        &self,
        datasource: &Arc<PushDatasource>,
        owners: &KeyOwners,
        wanted: Vec<Arc<str>>,
    ) {
        let name = &datasource.name;
        let _nobody_pushes = datasource.moving.write().await;
        if tokio::time::timeout(LONGEST_MOVE, datasource.flush()).await.is_err() {
            tracing::warn!(datasource = %name, "what is buffered takes long to be published: idempotency keys stay here for now");
            return;
        }
        let metadata = &*self.shared.metadata;
        let mut next = match self.shared.lease.fence() {
            Ok(fence) => owners.swap(metadata, wanted, Some(&fence)).await,
            Err(error) => Err(error),
        };
        // A change that failed may come about all the same, until another one took its place.
        loop {
            match next {
                Ok(now) => {
                    *datasource.owners.write() = Some(Arc::new(now));
                    return;
                }
                Err(error) if error.class() == ErrorClass::Conflict => {
                    *datasource.owners.write() = None;
                    return;
                }
                Err(error) => {
                    tracing::warn!(datasource = %name, %error, "idempotency keys were not given to other nodes");
                    if self.shared.lease.check().is_err() {
                        return;
                    }
                    tokio::time::sleep(RETRY).await;
                    next = owners.swap(metadata, owners.owners().to_vec(), None).await;
                }
            }
        }
    }

    /// Where clients reach a node over HTTP, host and port, as long as it is known.
    pub(crate) fn http_address_of(&self, node: &str) -> Option<Arc<str>> {
        if *node == *self.shared.options.node {
            return Some(Arc::clone(&self.shared.options.http_address));
        }
        let live = self.shared.peers.live().into_iter();
        live.filter(|peer| *peer.node == *node).map(|peer| peer.http_address).next()
    }

    /// Stops a task, at the node that it belongs to.
    ///
    /// # Errors
    /// When there is no such task, it is publishing at this moment, its node cannot be reached, or the
    /// metadata store fails.
    pub(crate) async fn stop_task(&self, id: &str) -> Result<()> {
        let owner = self.tasks.get(id).await?.owner;
        let is_own = *owner == *self.shared.options.node;
        match self.shared.peers.reach(&owner).filter(|_| !is_own) {
            Some(peer) => peer.stop_task(id).await,
            None => self.tasks.stop(id).await,
        }
    }

    /// Stops all tasks of a datasource that have not ended.
    ///
    /// # Errors
    /// As [`RealtimeNode::stop_task`].
    pub(crate) async fn stop_tasks(&self, datasource: &str) -> Result<()> {
        for id in self.shared.metadata.unfinished_tasks(None).await? {
            if self.tasks.get(&id).await?.datasource == datasource {
                self.stop_task(&id).await?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// When this node takes no events: it is stopping, or another goes on with its logs.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.is_draining.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(RealtimeError::Stopping);
        }
        self.shared.lease.check()
    }
}

/// Lets nodes own as many keys as others, once the same nodes were alive for a while.
pub(super) async fn keep_balanced(node: Weak<RealtimeNode>) {
    let mut before = BTreeSet::new();
    loop {
        tokio::time::sleep(BALANCE_PERIOD).await;
        let Some(node) = node.upgrade() else { return };
        let live: BTreeSet<Arc<str>> =
            node.shared.peers.live().into_iter().map(|peer| peer.node).collect();
        let is_one_of_several = live.len() > 1 && live.contains(&node.shared.options.node);
        if is_one_of_several && live == before && node.check_open().is_ok() {
            node.balance_keys(&live).await;
        }
        before = live;
    }
}
