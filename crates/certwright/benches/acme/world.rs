//! What lies around the clients: a name server for which every name is this machine, and a web server that shows proofs.

use anyhow::Result;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

type Proofs = Arc<RwLock<HashMap<String, String>>>;

/// Everything around the clients.
pub(crate) struct World {
    /// Port of the name server.
    pub(crate) dns: u16,
    /// Port of the web server.
    pub(crate) http: u16,
    proofs: Proofs,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let names = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let web = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (dns, http) = (names.local_addr()?.port(), web.local_addr()?.port());
        let proofs: Proofs = Arc::default();
        tokio::spawn(answer_names(names));
        let shown = Arc::clone(&proofs);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = web.accept().await {
                let shown = Arc::clone(&shown);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 4096];
                    let mut filled = 0_usize;
                    while let Ok(read) = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await {
                        filled = filled.saturating_add(read);
                        let request = String::from_utf8_lossy(buffer.get(..filled).unwrap_or_default()).into_owned();
                        if read == 0 || request.contains("\r\n\r\n") {
                            let path = request.split(' ').nth(1).unwrap_or_default();
                            let token = path.rsplit('/').next().unwrap_or_default();
                            let shown = shown.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned();
                            let body = shown.unwrap_or_default();
                            let head = format!(
                                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                                body.len()
                            );
                            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                            return;
                        }
                    }
                });
            }
        });
        Ok(Self { dns, http, proofs })
    }

    /// Shows a key authorization.
    pub(crate) fn show(&self, token: &str, key_authorization: String) {
        self.proofs.write().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), key_authorization);
    }

    pub(crate) fn hide(&self, token: &str) {
        self.proofs.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }
}

/// A is 127.0.0.1 for every name; of other types there is nothing (RFC 1035 section 4).
async fn answer_names(socket: UdpSocket) {
    let mut buffer = vec![0; 1500];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let Some(answer) = answer(buffer.get(..length).unwrap_or_default()) else { continue };
        let _ = socket.send_to(&answer, peer).await;
    }
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let end = question.get(12..)?.iter().position(|byte| *byte == 0)?.checked_add(13)?;
    let kind = question.get(end..end.checked_add(2)?)?;
    let asked = question.get(12..end.checked_add(4)?)?;
    let is_a = kind == [0, 1];
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x84, 0, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(asked);
    if is_a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
