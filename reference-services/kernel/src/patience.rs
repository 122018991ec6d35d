//! patience — a connection on which half a request came and then nothing is closed. One that is only kept open may be silent for
//! as long as it likes, and an answer may take its time.

use axum::body::{Body, Bytes, HttpBody};
use http::Request;
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

/// A head must be whole so soon after its first byte, and no body may pause for so long: servers usually wait half a minute or one.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far the requests of one connection have come.
#[derive(Default)]
pub struct Course {
    /// So many heads and bodies are whole.
    whole: AtomicU64,
    /// A body is being read.
    in_body: AtomicBool,
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
        let whole = self.whole();
        self.alarm.take_if(|(began, _)| *began != whole);
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
