//! A TCP proxy that can be cut, and before that loses answers: a server that goes away and comes back, without touching the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A proxy on 127.0.0.1 in front of another address.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: String,
    running: Option<Running>,
    /// Bound and never listening: while the proxy is cut nobody else gets its port, and whoever comes is refused.
    _held: TcpSocket,
}

#[derive(Debug)]
struct Running {
    stop: watch::Sender<bool>,
    is_losing: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `target` (`host:port`).
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: &str) -> io::Result<Self> {
        let held = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = held.local_addr()?;
        let running = Some(Running::start(bound(address)?.listen(1024)?, target.to_owned()));
        Ok(Self { address, target: target.to_owned(), running, _held: held })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection and refuses new ones.
    pub async fn cut(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.send_replace(true);
            // The listener closes with its task.
            let _ = running.accepting.await;
        }
    }

    /// From now on what the server says reaches nobody, until it is cut.
    pub fn lose_answers(&self) {
        if let Some(running) = &self.running {
            running.is_losing.store(true, Ordering::SeqCst);
        }
    }

    /// Lets connections through again, on the same port.
    ///
    /// # Errors
    /// When the system has no more sockets.
    pub async fn restore(&mut self) -> io::Result<()> {
        if self.running.is_none() {
            self.running = Some(Running::start(bound(self.address)?.listen(1024)?, self.target.clone()));
        }
        Ok(())
    }
}

/// A socket at this address, beside others of ours.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Running {
    fn start(listener: TcpListener, target: String) -> Self {
        let (stop, stopped) = watch::channel(false);
        let is_losing = Arc::<AtomicBool>::default();
        let accepting = tokio::spawn(accept(listener, target, stopped, Arc::clone(&is_losing)));
        Self { stop, is_losing, accepting }
    }
}

async fn accept(listener: TcpListener, target: String, mut stopped: watch::Receiver<bool>, is_losing: Arc<AtomicBool>) {
    loop {
        let client = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            client = listener.accept() => client,
        };
        let Ok((client, _)) = client else { continue };
        tokio::spawn(forward(client, target.clone(), stopped.clone(), Arc::clone(&is_losing)));
    }
}

async fn forward(client: TcpStream, target: String, mut stopped: watch::Receiver<bool>, is_losing: Arc<AtomicBool>) {
    let Ok(server) = TcpStream::connect(&target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut asks, mut hears), (mut answers, mut told)) = (client.into_split(), server.into_split());
    let back = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = answers.read(&mut buffer).await {
            let said = buffer.get(..read).unwrap_or_default();
            if !is_losing.load(Ordering::SeqCst) && hears.write_all(said).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = back => {}
        _ = tokio::io::copy(&mut asks, &mut told) => {}
    }
}
