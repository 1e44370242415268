//! This node as one that may buffer rows, in the metadata (ADR 35): said before it takes the first one, so that
//! brokers that do not see it read the metadata for every query, until it ends in order or is given up.

use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::ServerId;
use henge_platform::metadata::{
    BUFFERING_SERVER, Buffering, BufferingBody, Fence, MetadataStore, READ_WITHIN,
};
use henge_platform::runtime::{spawn, watch};

use crate::error::Result;
use crate::lease::NodeLease;
use crate::repeat::{NextVersion, swap_until_known};

/// The clocks of two machines are apart by less after that time.
const SLACK: Duration = Duration::from_millis(500);

/// What brokers know of this node.
#[derive(Debug)]
pub(crate) struct Registration {
    metadata: Arc<dyn MetadataStore>,
    server: ServerId,
    lease: Arc<NodeLease>,
    /// No broker answers without having read of this node.
    is_known: watch::Sender<bool>,
}

/// What the metadata say of a server.
#[derive(Debug)]
struct Said {
    version: u64,
    buffering: Buffering,
}

impl Registration {
    /// Brokers of other processes know nothing yet; those of this one see the node at once.
    pub(crate) fn new(
        metadata: Arc<dyn MetadataStore>,
        server: ServerId,
        lease: Arc<NodeLease>,
        is_in_cluster: bool,
    ) -> Arc<Self> {
        let is_known = watch::Sender::new(!is_in_cluster);
        Arc::new(Self { metadata, server, lease, is_known })
    }

    /// Says that the node may buffer rows. All brokers know it a moment later, unless they did before.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<()> {
        if *self.is_known.borrow() {
            return Ok(());
        }
        let mut said = Said::of(&*self.metadata, &self.server).await?;
        match said.buffering {
            Buffering::Known => {
                self.is_known.send_replace(true);
                return Ok(());
            }
            Buffering::Begins => {}
            Buffering::Ended => said = self.say(said, Buffering::Begins).await?,
        }
        let registration = Arc::downgrade(self);
        spawn(async move {
            tokio::time::sleep(READ_WITHIN + SLACK).await;
            let Some(registration) = registration.upgrade() else { return };
            registration.is_known.send_replace(true);
            if let Err(error) = registration.say(said, Buffering::Known).await {
                tracing::debug!(%error, "the next start waits again until brokers know this node");
            }
        });
        Ok(())
    }

    /// Returns once all brokers know this node.
    pub(crate) async fn known(&self) {
        let mut is_known = self.is_known.subscribe();
        let _ = is_known.wait_for(|is_known| *is_known).await;
    }

    /// Says that the node buffers nothing any more: it takes no more rows.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub(crate) async fn end(&self) -> Result<()> {
        end(&*self.metadata, &self.server, &self.lease.fence()?).await
    }

    async fn say(&self, said: Said, buffering: Buffering) -> Result<Said> {
        said.change(&*self.metadata, &self.server, buffering, &self.lease.fence()?).await
    }
}

/// Says of a server, under the lease over its logs, that it buffers nothing any more.
///
/// # Errors
/// When the metadata cannot be read or written.
pub(crate) async fn end(metadata: &dyn MetadataStore, server: &str, fence: &Fence) -> Result<()> {
    let said = Said::of(metadata, server).await?;
    if said.buffering != Buffering::Ended {
        said.change(metadata, server, Buffering::Ended, fence).await?;
    }
    Ok(())
}

impl Said {
    async fn of(metadata: &dyn MetadataStore, server: &str) -> Result<Self> {
        let document = metadata.get_document(BUFFERING_SERVER, server).await?;
        Ok(document.map_or(Self { version: 0, buffering: Buffering::Ended }, |document| Self {
            version: document.version,
            buffering: BufferingBody::of(&document).buffering,
        }))
    }

    /// Says something else, and asks until it is known whether that happened.
    async fn change(
        self,
        metadata: &dyn MetadataStore,
        server: &str,
        buffering: Buffering,
        fence: &Fence,
    ) -> Result<Self> {
        let body_json = BufferingBody { buffering }.to_json();
        let (kind, name, expected) = (BUFFERING_SERVER, server, self.version);
        let next = NextVersion { kind, name, expected, body_json: &body_json };
        let version = swap_until_known(metadata, next, fence).await?;
        Ok(Self { version, buffering })
    }
}
