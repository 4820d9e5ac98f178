//! Calls that do not depend on each other, several under way at a time.

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::Cloud;

/// As many as a small control plane answers side by side.
const AT_ONCE: usize = 8;

impl Cloud {
    /// What each of `calls` gives, in their order; the first error ends them all.
    ///
    /// A simulated cloud, where what happens follows from the order of requests, gets one after the other.
    pub async fn together<T, E>(&self, calls: Vec<impl Future<Output = Result<T, E>>>) -> Result<Vec<T>, E> {
        let at_once = if self.clock().is_some() { 1 } else { AT_ONCE };
        together(calls, at_once).await
    }

    /// What two calls of different kinds give, in the same way.
    pub fn both<A, B, E>(
        &self,
        first: impl Future<Output = Result<A, E>>,
        second: impl Future<Output = Result<B, E>>,
    ) -> impl Future<Output = Result<(A, B), E>> {
        // a call is some 16 KB of state, which would be moved with every future around it
        let (first, second) = (Box::pin(first), Box::pin(second));
        async move {
            match self.clock() {
                Some(_) => Ok((first.await?, second.await?)),
                None => tokio::try_join!(first, second),
            }
        }
    }
}

async fn together<T, E>(calls: Vec<impl Future<Output = Result<T, E>>>, at_once: usize) -> Result<Vec<T>, E> {
    stream::iter(calls).buffered(at_once).try_collect().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn answers_keep_their_order_and_few_are_asked_at_once() {
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let call = async |i: usize| {
            most.fetch_max(under_way.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            for _ in 0..=i % 5 {
                tokio::task::yield_now().await;
            }
            under_way.fetch_sub(1, Ordering::Relaxed);
            Ok::<_, ()>(i)
        };
        assert_eq!(together((0..40).map(call).collect(), AT_ONCE).await, Ok((0..40).collect()));
        assert_eq!(most.into_inner(), AT_ONCE);
    }

    #[tokio::test]
    async fn an_error_ends_them() {
        let call = async |i: usize| if i == 1 { Err(i) } else { Ok(i) };
        assert_eq!(together((0..3).map(call).collect(), AT_ONCE).await, Err(1));
    }
}
