//! A TCP proxy that can be cut: a server that goes away and comes back, without touching the server.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A proxy on 127.0.0.1 in front of another address.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: String,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `target` (`host:port`).
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let running = Some(Running::start(listener, target.to_owned()));
        Ok(Self { address, target: target.to_owned(), running })
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

    /// Lets connections through again, on the same port.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn restore(&mut self) -> io::Result<()> {
        if self.running.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.running = Some(Running::start(listener, self.target.clone()));
        }
        Ok(())
    }
}

impl Running {
    fn start(listener: TcpListener, target: String) -> Self {
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, target, stopped));
        Self { stop, accepting }
    }
}

async fn accept(listener: TcpListener, target: String, mut stopped: watch::Receiver<bool>) {
    loop {
        let client = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            client = listener.accept() => client,
        };
        let Ok((client, _)) = client else { continue };
        tokio::spawn(forward(client, target.clone(), stopped.clone()));
    }
}

async fn forward(mut client: TcpStream, target: String, mut stopped: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
    }
}
