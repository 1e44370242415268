//! The side of the data node: bytes in, bytes out.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::error::encode_error;
use super::frame::{Kind, decode};
use super::inventory::encode_inventory_at;
use super::reply::{encode_done, encode_partition, encode_reply};
use super::request::{decode_cancel, decode_run};
use crate::error::NodeError;
use crate::node::DataNode;
use crate::reply::Partitions;

/// Answers one message with one or several: a reply or an error, and after a reply its partitions
/// until the last one or an error. Dropping the stream stops the work.
pub fn answer(node: Arc<dyn DataNode>, message: Bytes) -> BoxStream<'static, Bytes> {
    stream::once(async move {
        let (first, partitions) = match handle(&*node, &message).await {
            Ok(answered) => answered,
            Err(error) => (encode_error(&error).into(), None),
        };
        stream::once(async move { first }).chain(stream::unfold(partitions, next_of))
    })
    .flatten()
    .boxed()
}

async fn handle(
    node: &dyn DataNode,
    message: &[u8],
) -> Result<(Bytes, Option<Partitions>), NodeError> {
    let (kind, _) = decode(message).map_err(NodeError::from)?;
    match kind {
        Kind::Cancel => {
            node.cancel(&decode_cancel(message)?).await?;
            return Ok((encode_done().into(), None));
        }
        Kind::Inventory => {
            return Ok((encode_inventory_at(node.inventory().await?).into(), None));
        }
        _ => {}
    }
    let reply = node.run(decode_run(message)?).await?;
    Ok((encode_reply(&reply)?.into(), reply.partitions))
}

/// The next partition, and what comes after it.
async fn next_of(partitions: Option<Partitions>) -> Option<(Bytes, Option<Partitions>)> {
    let mut partitions = partitions?;
    Some(match partitions.next().await {
        None => (encode_done().into(), None),
        Some(partition) => {
            match partition.and_then(|partition| encode_partition(&partition.groups)) {
                Ok(message) => (message.into(), Some(partitions)),
                Err(error) => (encode_error(&error).into(), None),
            }
        }
    })
}
