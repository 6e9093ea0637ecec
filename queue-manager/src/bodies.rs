//! Bodies that are taken into memory as a whole. Room for one is found before any of it is read, so that neither one account
//! nor a whole room takes more than there is; and whoever sends too slowly is given up, as others wait for that room.

use std::error::Error;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use bytes::BytesMut;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};
use queue_protocol::AccountName;
use tokio::time::timeout;

use crate::problem::Trouble;
use crate::turns::{Costly, Turn};

/// How long a body may take: the largest, on a line of one Mbit/s, takes 84 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long the rest of a body is awaited that nobody wants: whoever sends fast is through by then.
const REST: Duration = Duration::from_secs(2);

/// A body, lent to whoever answers.
pub(crate) struct Lent(Arc<Mutex<Body>>);

impl Lent {
    /// The body to lend.
    pub(crate) fn of(body: Body) -> (Self, Body) {
        let shared = Arc::new(Mutex::new(body));
        (Self(Arc::clone(&shared)), Body::new(Self(shared)))
    }

    fn lock(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what was not read, if nobody reads it any more, and throws it away: who is still sending hears no answer, and
    /// a connection that is closed before may take the answer with it.
    pub(crate) async fn take_back(mut self) {
        if Arc::strong_count(&self.0) > 1 || self.is_end_stream() {
            return;
        }
        let rest = async { while let Some(Ok(_)) = self.frame().await {} };
        // Whether it came or not.
        let _ = timeout(REST, rest).await;
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}

/// A whole body, and its room until it is dropped.
pub(crate) struct Held {
    bytes: Bytes,
    room: Turn,
}

impl Held {
    /// The room alone, for what was made of it.
    pub(crate) fn into_room(self) -> Turn {
        self.room
    }
}

impl Deref for Held {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

/// Bytes that a body of at most `limit` will take.
pub(crate) fn size(body: &Body, limit: usize) -> usize {
    body.size_hint()
        .upper()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .map_or(limit, |bytes| bytes.min(limit))
}

/// Waits for room for so many bytes.
///
/// # Errors
/// [`Trouble::TooFast`] when too many bodies of this account wait already.
pub(crate) async fn room(costly: &Costly, account: &AccountName, size: usize) -> Result<Turn, Trouble> {
    costly.bodies.take_of_size(account, u32::try_from(size.div_ceil(1024)).unwrap_or(u32::MAX)).await
}

/// Waits for what reads a body.
///
/// # Errors
/// [`Trouble::BadRequest`] when it takes too long.
pub(crate) async fn in_time<T>(reading: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let slow = |_| Trouble::BadRequest("The request took too long to come. Try again.".to_owned());
    timeout(PATIENCE, reading).await.map_err(slow)?
}

/// Takes in a body of at most `limit` bytes, once there is room for `times` as many: what is read into a tree takes a multiple.
///
/// # Errors
/// [`Trouble::TooLarge`], [`Trouble::TooFast`], or [`Trouble::BadRequest`] for one that breaks off or does not come.
pub(crate) async fn hold(
    costly: &Costly,
    account: &AccountName,
    body: Body,
    limit: usize,
    times: usize,
) -> Result<Held, Trouble> {
    let room = room(costly, account, size(&body, limit).saturating_mul(times)).await?;
    let whole = async { whole(body, limit).await.map_err(|error| broken(error.as_ref(), limit)) };
    Ok(Held { bytes: in_time(whole).await?, room })
}

/// In one piece from the start where the length is said: pieces that are joined at the end take twice as much.
async fn whole(body: Body, limit: usize) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let said = body.size_hint().exact().map_or(0, |_| size(&body, limit));
    let (mut whole, mut body) = (BytesMut::with_capacity(said), Limited::new(body, limit));
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            whole.extend_from_slice(&piece);
        }
    }
    Ok(whole.freeze())
}

fn broken(error: &(dyn Error + Send + Sync + 'static), limit: usize) -> Trouble {
    if error.is::<LengthLimitError>() || error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
        return Trouble::TooLarge(limit);
    }
    Trouble::BadRequest("The request ended before its body did.".to_owned())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use queue_protocol::limits;

    use super::*;

    async fn held(costly: &Costly, body: Body) -> Result<Held, Trouble> {
        hold(costly, &"ada".parse().unwrap(), body, 8, 1).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_too_large_or_does_not_come_is_given_up() {
        let costly = Costly::default();
        assert_eq!(held(&costly, Body::from("12345678")).await.unwrap()[..], b"12345678"[..]);
        assert!(matches!(held(&costly, Body::from("123456789")).await, Err(Trouble::TooLarge(8))));
        let never = Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>());
        assert!(matches!(held(&costly, never).await, Err(Trouble::BadRequest(_))));
    }

    #[tokio::test]
    async fn the_third_of_the_largest_waits_before_it_is_read() {
        let (costly, ada) = (Costly::default(), "ada".parse().unwrap());
        let unknown = Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>());
        let largest = size(&unknown, limits::BODY);
        assert_eq!((largest, size(&Body::from("1234"), limits::BODY)), (limits::BODY, 4));
        let first = room(&costly, &ada, largest).await.unwrap();
        let _second = room(&costly, &ada, largest).await.unwrap();
        let third = room(&costly, &ada, largest);
        tokio::pin!(third);
        assert!(futures_util::poll!(&mut third).is_pending());
        room(&costly, &"ben".parse().unwrap(), largest).await.unwrap();
        drop(first);
        third.await.unwrap();
    }
}
