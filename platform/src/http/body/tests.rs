//! H-15 and H-60: bodies are bounded while they are read.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::HeaderValue;
use futures::stream;
use hyper::body::{Frame, SizeHint};

use super::*;

fn limits() -> BodyLimits {
    BodyLimits { max_body_bytes: 100, ..BodyLimits::default() }
}

fn pieces(sizes: &[usize]) -> Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        sizes.iter().map(|&size| Ok(Bytes::from(vec![b'x'; size]))).collect();
    Body::from_stream(stream::iter(pieces))
}

fn encoded(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_str(value).unwrap());
    headers
}

#[tokio::test]
async fn h_60_the_limit_is_exact_and_holds_while_reading() {
    let headers = HeaderMap::new();
    assert_eq!(read_body(&headers, pieces(&[40, 59]), &limits()).await.unwrap().len(), 99);
    assert_eq!(read_body(&headers, pieces(&[40, 60]), &limits()).await.unwrap().len(), 100);
    let error = read_body(&headers, pieces(&[40, 61]), &limits()).await.unwrap_err();
    assert_eq!(error.status, 413);
    // A body without end and without length is cut off as well.
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"xxxx")));
    let error = read_body(&headers, Body::from_stream(endless), &limits()).await.unwrap_err();
    assert_eq!(error.status, 413);
}

#[tokio::test]
async fn an_empty_body_is_empty() {
    assert!(read_body(&HeaderMap::new(), Body::empty(), &limits()).await.unwrap().is_empty());
}

#[tokio::test]
async fn h_15_encodings() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"[1,2,3]").unwrap();
    let gzip = encoder.finish().unwrap();
    let read = read_body(&encoded("gzip"), Body::from(gzip.clone()), &limits()).await.unwrap();
    assert_eq!(&read[..], b"[1,2,3]");
    let wrong = read_body(&encoded("zstd"), Body::from(gzip), &limits()).await.unwrap_err();
    assert_eq!(wrong.status, 400);
    let unknown = read_body(&encoded("br"), Body::empty(), &limits()).await.unwrap_err();
    assert_eq!(unknown.status, 415);
    let mut twice = encoded("gzip");
    twice.append(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let error = read_body(&twice, Body::empty(), &limits()).await.unwrap_err();
    assert_eq!(error.status, 400);
}

#[tokio::test]
async fn h_15_a_large_bomb_is_413() {
    let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap();
    let limits = BodyLimits { max_body_bytes: 16 << 20, ..BodyLimits::default() };
    let error = read_body(&encoded("zstd"), Body::from(bomb), &limits).await.unwrap_err();
    assert_eq!(error.status, 413);
}

#[tokio::test]
async fn h_54_a_slow_body_is_cut_off() {
    let limits = BodyLimits { idle_timeout: Duration::from_millis(200), ..limits() };
    let drip = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
    });
    let started = Instant::now();
    let error = read_body(&HeaderMap::new(), Body::from_stream(drip), &limits).await.unwrap_err();
    assert_eq!(error.status, 408);
    let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let error = read_body(&HeaderMap::new(), silent, &limits).await.unwrap_err();
    assert_eq!(error.status, 408);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn h_60_all_bodies_together_are_bounded_until_nothing_of_them_is_left() {
    let account = MemoryAccount::root("requests", "memory.requests_bytes", 150);
    let limits = BodyLimits { account: account.clone(), ..limits() };
    let headers = HeaderMap::new();
    let first = read_body(&headers, pieces(&[100]), &limits).await.unwrap();
    let refused = read_body(&headers, pieces(&[51]), &limits).await.unwrap_err();
    assert_eq!(refused.status, 429);
    assert!(refused.error_message.contains("memory.requests_bytes"), "{}", refused.error_message);
    let kept = first.slice(3..4);
    drop(first);
    assert_eq!(account.used_bytes(), 100);
    drop(kept);
    assert_eq!(account.used_bytes(), 0);
    assert_eq!(read_body(&headers, pieces(&[30, 30]), &limits).await.unwrap().len(), 60);
}

/// Says that it is so long, and has pieces of 10 bytes.
struct Promised {
    says: u64,
    left: usize,
}

impl HttpBody for Promised {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(left) = self.left.checked_sub(10) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"0123456789")))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.says)
    }
}

#[tokio::test]
async fn h_60_a_promised_length_takes_no_more_than_eight_times_what_came() {
    let account = MemoryAccount::unbounded();
    let limits = BodyLimits { account: account.clone(), ..limits() };
    let held = |says, left| {
        let body = Body::new(Promised { says, left });
        let (limits, account) = (limits.clone(), account.clone());
        async move {
            let read = read_body(&HeaderMap::new(), body, &limits).await.unwrap();
            (read.len(), account.used_bytes())
        }
    };
    assert_eq!(held(70, 70).await, (70, 70));
    assert_eq!(held(0, 70).await, (70, 80));
    let limits = BodyLimits { max_body_bytes: 10_000, ..limits.clone() };
    let body = Body::new(Promised { says: 9_000, left: 30 });
    let read = read_body(&HeaderMap::new(), body, &limits).await.unwrap();
    assert_eq!((read.len(), account.used_bytes()), (30, 160));
}

#[tokio::test]
async fn h_59_what_says_that_it_is_no_utf_8_is_refused_unread() {
    let sent = |value: &'static str| async move {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
        read_body(&headers, Body::from("[1]"), &limits()).await
    };
    for taken in [
        "application/json",
        "APPLICATION/JSON; Charset=\"UTF-8\"",
        "text/plain;charset=us-ascii",
        "application/x-ndjson; a=b",
        "application/x-www-form-urlencoded",
        "",
    ] {
        assert_eq!(sent(taken).await.unwrap(), "[1]", "{taken}");
    }
    for refused in [
        "application/json; charset=utf-16",
        "application/json;a=b; charset=UTF-7",
        "text/plain; charset=iso-8859-1",
        "application/json; charset=",
        "multipart/form-data; boundary=x",
        "application/x-jackson-smile",
    ] {
        let error = sent(refused).await.unwrap_err();
        assert_eq!(error.status, 415, "{refused}");
        assert!(format!("{error:?}").contains("application/json"), "{error:?}");
    }
}
