//! A connection whose client has to read: one that takes nothing, or next to nothing, of its answer
//! is cut off, and what waited for it is let go.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How fast a client has to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadPace {
    /// How long nothing may be taken.
    pub grace: Duration,
    /// Beyond the grace, the least rate.
    pub min_bytes_per_second: u64,
}

/// A stream whose writes fail once the other side reads too slowly.
pub(crate) struct Paced<S> {
    stream: S,
    pace: ReadPace,
    /// Set while there is something to write that the other side has not taken.
    waiting: Option<Waiting>,
}

struct Waiting {
    since: Instant,
    written_bytes: u64,
    alarm: Pin<Box<Sleep>>,
}

impl<S: AsyncWrite + Unpin> Paced<S> {
    pub(crate) fn new(stream: S, pace: ReadPace) -> Self {
        Self { stream, pace, waiting: None }
    }

    /// Notes what a write gave, and fails when it has waited for too long.
    fn note(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.written_bytes += bytes as u64;
                    let deadline = waiting.deadline(self.pace);
                    waiting.alarm.as_mut().reset(deadline);
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let pace = self.pace;
                let waiting = self.waiting.get_or_insert_with(|| Waiting::start(pace));
                ready!(waiting.alarm.as_mut().poll(context));
                Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client reads too slowly")))
            }
        }
    }
}

impl Waiting {
    fn start(pace: ReadPace) -> Self {
        let since = Instant::now();
        Self { since, written_bytes: 0, alarm: Box::pin(sleep_until(since + pace.grace)) }
    }

    /// Every byte taken earns time, at the least rate.
    fn deadline(&self, pace: ReadPace) -> Instant {
        let earned_ms = self.written_bytes.saturating_mul(1_000) / pace.min_bytes_per_second.max(1);
        self.since + pace.grace + Duration::from_millis(earned_ms)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called once everything was written: the client has kept up.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.waiting = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn pace(min_bytes_per_second: u64) -> ReadPace {
        ReadPace { grace: Duration::from_millis(50), min_bytes_per_second }
    }

    #[tokio::test]
    async fn f_62_a_client_that_reads_nothing_is_cut_off_after_the_grace() {
        let (near, _far) = duplex(1_000);
        let started = Instant::now();
        let error = Paced::new(near, pace(1)).write_all(&[0; 5_000]).await.unwrap_err();
        // The bytes that fit into the buffer were taken before it waited: they earn nothing.
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(started.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn f_62_a_client_that_drips_is_cut_off_and_one_that_keeps_up_is_not() {
        for (rate, keeps_up) in [(u64::MAX, false), (1, true)] {
            let (near, mut far) = duplex(100);
            let started = Instant::now();
            crate::runtime::spawn(async move {
                let mut taken = [0; 100];
                while far.read_exact(&mut taken).await.is_ok() {}
            });
            let mut near = Paced::new(near, pace(rate));
            let mut outcome = Ok(());
            // It takes what comes, but at the highest rate nothing is fast enough.
            while outcome.is_ok() && started.elapsed() < Duration::from_millis(500) {
                outcome = near.write_all(&[0; 1_000]).await;
            }
            assert_eq!(outcome.is_ok(), keeps_up, "{rate}");
        }
    }

    #[tokio::test]
    async fn time_between_answers_does_not_count() {
        let (near, mut far) = duplex(100);
        let mut near = Paced::new(near, pace(u64::MAX));
        for _ in 0..2 {
            let write = async {
                near.write_all(&[0; 5_000]).await.unwrap();
                near.flush().await.unwrap();
            };
            let mut taken = [0; 5_000];
            let ((), read) = tokio::join!(write, far.read_exact(&mut taken));
            read.unwrap();
            assert!(near.waiting.is_none());
        }
    }
}
