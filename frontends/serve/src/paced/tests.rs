use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::*;

/// A stream that takes all it is given, and never ends.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_client_that_does_not_take_the_end_is_given_up() {
    let connections = Connections {
        write: Duration::from_millis(20),
        ..Connections::default()
    };
    let mut paced = Paced::new(Endless, axum::Router::new(), Arc::default(), connections);
    let since = Instant::now();
    let ended = timeout(Duration::from_secs(20), paced.shutdown()).await;
    assert_eq!(ended.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(since.elapsed() >= connections.write);
}
