//! What a call answers with, made somewhat ahead of its reader: one who does not keep up stops the
//! work, one who leaves or reads nothing for too long ends it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, StreamExt};
use henge_types::ErrorClass;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tonic::Status;

use super::error::status;

/// Messages that are ready before the connection takes them: the next one is made while one is sent.
const AHEAD: usize = 3;

/// Messages on their way to a reader. Dropping it, which is how a client that went away shows, ends the
/// work.
#[derive(Debug)]
pub struct Outbox<T> {
    messages: Receiver<Result<T, Status>>,
    /// The work, until its end was told.
    work: Option<JoinHandle<Result<(), Status>>>,
}

impl<T: Send + 'static> Outbox<T> {
    /// Sends what `messages` give. A reader who takes nothing for `patience` is given up.
    #[must_use]
    pub fn of(
        messages: impl Stream<Item = Result<T, Status>> + Send + 'static,
        patience: Duration,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let work = crate::runtime::spawn(send(messages, sender, patience));
        Self { messages: receiver, work: Some(work) }
    }
}

async fn send<T>(
    messages: impl Stream<Item = Result<T, Status>>,
    sender: Sender<Result<T, Status>>,
    patience: Duration,
) -> Result<(), Status> {
    let mut messages = pin!(messages);
    while let Some(message) = messages.next().await {
        match tokio::time::timeout(patience, sender.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(status(ErrorClass::Timeout, "the answer was read too slowly")),
        }
    }
    Ok(())
}

impl<T> Stream for Outbox<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(context)) {
            return Poll::Ready(Some(message));
        }
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        let ended = ready!(Pin::new(work).poll(context));
        self.work = None;
        Poll::Ready(match ended {
            Ok(Ok(())) => None,
            Ok(Err(status)) => Some(Err(status)),
            Err(error) => {
                let message = format!("the answer was given up: {error}");
                Some(Err(status(ErrorClass::Internal, &message)))
            }
        })
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::stream;

    use super::super::error::class_of;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn counted(given: &Arc<AtomicUsize>) -> impl Stream<Item = Result<usize, Status>> + use<> {
        let given = Arc::clone(given);
        stream::iter(0..100).map(move |number| {
            given.fetch_add(1, Ordering::SeqCst);
            Ok(number)
        })
    }

    #[tokio::test]
    async fn everything_comes_in_order() {
        let outbox = Outbox::of(counted(&Arc::default()), PATIENCE);
        let taken: Vec<usize> = outbox.map(Result::unwrap).collect().await;
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn f_62_a_reader_who_takes_nothing_is_given_up_and_told() {
        let given = Arc::default();
        let mut outbox = Outbox::of(counted(&given), PATIENCE);
        assert_eq!(outbox.next().await.unwrap().unwrap(), 0);
        tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
        // One is taken, three are ready, one waits for room.
        assert_eq!(given.load(Ordering::SeqCst), 5);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let rest: Vec<_> = outbox.collect().await;
        assert_eq!(rest.len(), 4);
        assert_eq!(class_of(rest[3].as_ref().unwrap_err()), ErrorClass::Timeout);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_no_end() {
        let panics = stream::iter(0..2).map(|number| match number {
            0 => Ok(0),
            _ => panic!("a bug"),
        });
        let told: Vec<_> = Outbox::of(panics, PATIENCE).collect().await;
        assert_eq!(told.len(), 2);
        assert_eq!(class_of(told[1].as_ref().unwrap_err()), ErrorClass::Internal);
    }

    #[tokio::test]
    async fn f_61_a_reader_who_leaves_ends_the_work() {
        let held = Arc::new(());
        let of_work = Arc::clone(&held);
        let endless = stream::pending::<Result<(), Status>>().map(move |never| {
            let _ = &of_work;
            never
        });
        drop(Outbox::of(endless, PATIENCE));
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
