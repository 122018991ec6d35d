//! lease — a request on a connection, until its answer is complete: then the connection is free for the next.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::Response;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::CONNECTION;
use mesh::pool::{Connection, Request as Number};

use super::cluster::{Cluster, Sender};

/// An answer: the side-car's own, or one that comes by.
pub(super) type Answer = Either<Full<Bytes>, Lease>;

/// A request's place in its cluster. Dropped, the request is called off, and its connection is closed.
pub(super) struct Ticket {
    cluster: Arc<Cluster>,
    number: Number,
    connection: Option<Connection>,
    is_over: bool,
}

impl Ticket {
    pub fn new(cluster: Arc<Cluster>, number: Number) -> Ticket {
        Ticket {
            cluster,
            number,
            connection: None,
            is_over: false,
        }
    }

    pub fn on(mut self, connection: Connection) -> Ticket {
        self.connection = Some(connection);
        self
    }

    /// The cluster has forgotten the request already.
    pub fn forget(mut self) {
        self.is_over = true;
    }

    /// The answer is complete; the connection is free for another.
    pub fn finish(mut self, sender: Sender) {
        if let Some(connection) = self.connection {
            self.is_over = true;
            self.cluster.finish(self.number, connection, sender);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_over {
            self.cluster.leave(self.number);
        }
    }
}

/// The body of an answer, which holds the connection that it comes on.
pub(crate) struct Lease {
    body: Incoming,
    held: Option<(Ticket, Sender)>,
}

impl Lease {
    /// The answer, its connection given back as soon as it is complete; at once if there is nothing to come.
    pub fn of(answer: Response<Incoming>, ticket: Ticket, sender: Sender) -> Response<Answer> {
        let (parts, body) = answer.into_parts();
        let closes = parts
            .headers
            .get(CONNECTION)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
        // Held by nothing, a connection that its host closes is gone with the ticket.
        let held = (!closes).then_some((ticket, sender));
        let mut lease = Lease { body, held };
        if lease.body.is_end_stream() {
            lease.release();
        }
        Response::from_parts(parts, Either::Right(lease))
    }

    fn release(&mut self) {
        if let Some((ticket, sender)) = self.held.take() {
            ticket.finish(sender);
        }
    }
}

impl Body for Lease {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.release();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
