//! What other realtime nodes ask of this one.

use async_trait::async_trait;

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::peers::{Appended, Forwarded, ForwardedPush, LogAppend, RealtimePeer};

#[async_trait]
impl RealtimePeer for RealtimeNode {
    async fn push(&self, push: ForwardedPush) -> Result<Forwarded> {
        self.check_open()?;
        let ForwardedPush { datasource, body, key } = push;
        let datasource = self.datasource(&datasource).await?;
        let body = self.shared.requests.charge(body.len())?.hold(body);
        for anew in [false, true] {
            if anew {
                self.key_owners(&datasource, true).await?;
            }
            if let Some(reply) = self.push_owned(&datasource, body.clone(), &key).await? {
                let json = serde_json::to_string(&reply).map_err(|error| {
                    RealtimeError::Unavailable(format!("an answer cannot be written: {error}"))
                })?;
                return Ok(Forwarded::Stored(json));
            }
        }
        let owners = self.key_owners(&datasource, false).await?;
        Ok(Forwarded::OtherOwner(owners.owner(&key).clone()))
    }

    async fn refresh(&self) -> Result<()> {
        Self::refresh(self).await
    }

    async fn stop_task(&self, id: &str) -> Result<()> {
        self.tasks.stop(id).await
    }

    async fn append_log(&self, append: LogAppend) -> Result<Appended> {
        let bytes: usize = append.records.iter().map(|record| record.entry.payload.len()).sum();
        let _held = self.shared.requests.charge(bytes)?;
        self.shared.copies.append(append).await
    }
}
