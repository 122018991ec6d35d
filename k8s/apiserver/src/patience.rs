//! patience — a connection on which half a request came and then nothing is closed. One that is only kept open may be silent for
//! as long as it likes, and so may a watch, an exec or an answer that takes its time.

use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response, StatusCode};
use hyper::body::{Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A head must be whole so soon after its first byte, and no body may pause for so long: the API server of Kubernetes waits 32 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far the requests of one connection have come.
#[derive(Default)]
pub struct Course {
    /// So many heads and bodies are whole.
    whole: AtomicU64,
    /// A body is being read.
    in_body: AtomicBool,
    /// It is no HTTP any more.
    is_upgraded: AtomicBool,
}

impl Course {
    /// A head is whole; its body is watched.
    pub fn begin<B>(self: &Arc<Course>, request: Request<B>) -> Request<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        self.whole.fetch_add(1, Relaxed);
        if request.body().is_end_stream() {
            return request.map(Body::new);
        }
        self.in_body.store(true, Relaxed);
        let course = self.clone();
        request.map(|body| Body::new(Watched { body, course }))
    }

    /// What the answer says of the connection.
    pub fn answered<B>(&self, response: &Response<B>) {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.is_upgraded.store(true, Relaxed);
        }
    }
}

/// A body that says when it is whole, or nobody wants the rest.
struct Watched<B> {
    body: B,
    course: Arc<Course>,
}

impl<B: HttpBody + Unpin> HttpBody for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        self.course.in_body.store(false, Relaxed);
        self.course.whole.fetch_add(1, Relaxed);
    }
}

/// A connection that fails when it was waited for in vain.
pub struct Patient<T> {
    io: T,
    course: Arc<Course>,
    /// Rings when patience ends with what is half; beside it, how much was whole when that began.
    alarm: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<T> Patient<T> {
    pub fn new(io: T, course: Arc<Course>) -> Patient<T> {
        Patient {
            io,
            course,
            alarm: None,
        }
    }

    /// A head has its time in all, a body from each part to the next.
    fn heard(&mut self) {
        let is_new = self
            .alarm
            .as_ref()
            .is_none_or(|(began, _)| *began != self.whole());
        if is_new || self.course.in_body.load(Relaxed) {
            self.wait();
        }
    }

    fn wait(&mut self) {
        self.alarm = Some((self.whole(), Box::pin(sleep(PATIENCE))));
    }

    fn whole(&self) -> u64 {
        self.course.whole.load(Relaxed)
    }

    /// Whether something is half, and has been for too long.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let (whole, is_upgraded) = (self.whole(), self.course.is_upgraded.load(Relaxed));
        self.alarm
            .take_if(|(began, _)| *began != whole || is_upgraded);
        if self.alarm.is_none() && self.course.in_body.load(Relaxed) {
            self.wait();
        }
        let alarm = self.alarm.as_mut();
        alarm.is_some_and(|(_, alarm)| alarm.as_mut().poll(context).is_ready())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.heard(),
            Poll::Pending if self.is_over(context) => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            _ => {}
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        Router,
        routing::{get, post},
    };
    use hyper_util::rt::TokioIo;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
        time::Instant,
    };

    const HOUR: Duration = Duration::from_secs(3600);

    fn connection() -> DuplexStream {
        let late = async || {
            sleep(HOUR).await;
            "late"
        };
        let router = Router::new()
            .route("/", get("soon"))
            .route("/late", get(late))
            .route("/", post(async |body: String| body));
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(crate::door::serve(router, TokioIo::new(far)));
        near
    }

    async fn ends_with(near: &mut DuplexStream, request: &str, end: &str) -> String {
        near.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        while !said.ends_with(end) {
            let read = near.read_u8().await.expect("it is answered");
            said.push(char::from(read));
        }
        said
    }

    /// After how long the server ends a connection on which this was said.
    async fn ended_after(near: &mut DuplexStream, half: &str) -> Duration {
        let began = Instant::now();
        near.write_all(half.as_bytes()).await.unwrap();
        let mut rest = vec![];
        let _ = near.read_to_end(&mut rest).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_and_half_a_body_are_waited_for_in_vain_only_for_a_while() {
        for half in [
            "GET / HT",
            "GET / HTTP/1.1\r\nhost: a\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf",
        ] {
            assert_eq!(
                ended_after(&mut connection(), half).await,
                PATIENCE,
                "{half}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_a_connection_or_waits_for_an_answer_may_be_silent() {
        let mut near = connection();
        for _ in 0..2 {
            ends_with(&mut near, "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "soon").await;
            sleep(HOUR).await;
            ends_with(&mut near, "GET /late HTTP/1.1\r\nhost: a\r\n\r\n", "late").await;
            let body = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody";
            ends_with(&mut near, body, "\r\n\r\nbody").await;
        }
        sleep(HOUR).await;
        assert_eq!(ended_after(&mut near, "GET / HT").await, PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_come_slowly_and_a_head_may_not() {
        let mut near = connection();
        let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n";
        near.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..3 {
            sleep(PATIENCE / 2).await;
            near.write_all(b"x").await.unwrap();
        }
        ends_with(&mut near, "y", "xxxy").await;
        let mut near = connection();
        let mut sent = 0;
        while near.write_all(b"G").await.is_ok() {
            sleep(PATIENCE / 10).await;
            sent += 1;
        }
        assert!((10..=12).contains(&sent), "{sent}");
    }
}
