//! A DNS server, HTTP servers, and the validator between them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::{ChallengeCheck, Validator};
use certwright_domain::acme::{Failure, Method};
use certwright_domain::egress::EgressRules;
use certwright_domain::san::San;
use certwright_testkit::ambient::SeededEntropy;
use certwright_validation::dns::Servers;
use certwright_validation::{Limits, Settings, Validation};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

pub(crate) const TOKEN: &str = "tok-en_1";
pub(crate) const PROOF: &str = "tok-en_1.thumbprint-of-the-account";

/// base64url(SHA-256([`PROOF`])).
pub(crate) fn digest() -> String {
    digest_of(PROOF)
}

/// What dns-01 shows for a key authorization.
pub(crate) fn digest_of(key_authorization: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key_authorization.as_bytes()))
}

/// What the DNS server says to one question.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// These records, each with its name.
    Records(Vec<(String, RData)>),
    /// Nothing but this code.
    Code(ResponseCode),
    /// Nothing at all.
    Silence,
    /// Over UDP: "ask over TCP"; over TCP, these.
    Truncated(Vec<(String, RData)>),
    /// Over UDP: an answer with another id, one to another question, and rubbish; then these.
    AfterStrays(Vec<(String, RData)>),
    /// Over UDP: these with the question in lower case; over TCP, as asked.
    LowerCase(Vec<(String, RData)>),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A question that was asked: lower-case name with its final dot, type, and whether over TCP.
pub(crate) type Asked = (String, RecordType, bool);

/// A DNS server on loopback, over UDP and TCP on one port.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    raw: Arc<Mutex<Vec<Name>>>,
}

type Book = Arc<dyn Fn(&str, RecordType, usize) -> Said + Send + Sync>;

impl Dns {
    /// One that answers from this book: lower-case name with its final dot, type, and how often it was asked before.
    pub(crate) async fn answering(book: impl Fn(&str, RecordType, usize) -> Said + Send + Sync + 'static) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let dns = Self { address, asked: Arc::default(), raw: Arc::default() };
        let book: Book = Arc::new(book);
        let answer = {
            let (asked, raw) = (Arc::clone(&dns.asked), Arc::clone(&dns.raw));
            move |bytes: &[u8], tcp: bool| reply(&book, &asked, &raw, bytes, tcp)
        };
        let over_udp = answer.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                for datagram in over_udp(&buffer[..length], false) {
                    udp.send_to(&datagram, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let Ok(length) = stream.read_u16().await else { continue };
                let mut question = vec![0; usize::from(length)];
                stream.read_exact(&mut question).await.unwrap();
                for message in answer(&question, true) {
                    stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
                    stream.write_all(&message).await.unwrap();
                }
            }
        });
        dns
    }

    /// One that knows these records; other names do not exist.
    pub(crate) async fn with(records: Vec<(&str, RData)>) -> Self {
        let records: Vec<(String, RData)> = records.into_iter().map(|(name, data)| (fqdn(name), data)).collect();
        Self::answering(move |name, kind, _| {
            let here: Vec<_> = records.iter().filter(|(owner, _)| owner == name).cloned().collect();
            if here.is_empty() {
                return Said::Code(ResponseCode::NXDomain);
            }
            let wanted = |data: &RData| data.record_type() == kind || data.record_type() == RecordType::CNAME;
            Said::Records(here.into_iter().filter(|(_, data)| wanted(data)).collect())
        })
        .await
    }

    /// The questions so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The names as they were written in them.
    pub(crate) fn written(&self) -> Vec<Name> {
        self.raw.lock().unwrap().clone()
    }
}

pub(crate) fn fqdn(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn reply(book: &Book, asked: &Mutex<Vec<Asked>>, raw: &Mutex<Vec<Name>>, bytes: &[u8], tcp: bool) -> Vec<Vec<u8>> {
    let question = Message::from_vec(bytes).unwrap();
    let query = question.queries[0].clone();
    let name = query.name().to_ascii().to_ascii_lowercase();
    let before = {
        let mut asked = asked.lock().unwrap();
        let before = asked.iter().filter(|(known, kind, _)| *known == name && *kind == query.query_type()).count();
        asked.push((name.clone(), query.query_type(), tcp));
        before
    };
    raw.lock().unwrap().push(query.name().clone());
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.add_query(query.clone());
    let fill = |message: &mut Message, records: Vec<(String, RData)>| {
        for (name, data) in records {
            message.add_answer(Record::from_rdata(Name::from_ascii(name).unwrap(), 300, data));
        }
    };
    match book(&name, query.query_type(), before) {
        Said::Records(records) => fill(&mut message, records),
        Said::Code(code) => message.metadata.response_code = code,
        Said::Silence => return Vec::new(),
        Said::Truncated(_) if !tcp => message.metadata.truncation = true,
        Said::LowerCase(records) if !tcp => {
            message.queries[0].set_name(Name::from_ascii(&name).unwrap());
            fill(&mut message, records);
        }
        Said::Truncated(records) | Said::LowerCase(records) => fill(&mut message, records),
        Said::AfterStrays(records) => {
            let text = || vec![(name.clone(), txt(&["a lie"]))];
            let mut other_id = Message::response(question.metadata.id ^ 1, OpCode::Query);
            other_id.add_query(query.clone());
            fill(&mut other_id, text());
            let mut other_question = message.clone();
            other_question.queries[0].set_name(Name::from_ascii("other.example.com.").unwrap());
            fill(&mut other_question, text());
            let mut not_an_answer = question.clone();
            fill(&mut not_an_answer, text());
            fill(&mut message, records);
            let all = [other_id, other_question, not_an_answer].map(|stray| stray.to_vec().unwrap());
            return all.into_iter().chain([b"rubbish".to_vec(), message.to_vec().unwrap()]).collect();
        }
        Said::Bytes(bytes) => return vec![bytes],
    }
    vec![message.to_vec().unwrap()]
}

pub(crate) fn ip(text: &str) -> RData {
    match text.parse().unwrap() {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}

pub(crate) fn txt(strings: &[&str]) -> RData {
    RData::TXT(TXT::new(strings.iter().map(|text| (*text).to_owned()).collect()))
}

pub(crate) fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(Name::from_ascii(fqdn(target)).unwrap()))
}

/// Limits that are small enough to be met in a test.
pub(crate) fn limits() -> Limits {
    Limits { dns_try: Duration::from_millis(300), ..Limits::default() }
}

pub(crate) fn settings(port: u16, allowed: &[&str]) -> Settings {
    Settings {
        http_port: port,
        tls_port: port,
        rules: EgressRules::parse(allowed.iter().copied()).unwrap(),
        own: Vec::new(),
        limits: limits(),
        user_agent: "certwright-test".to_owned(),
    }
}

pub(crate) fn validation(settings: Settings, servers: Servers) -> Validation {
    Validation::new(settings, servers, Arc::new(SeededEntropy::new(11))).unwrap()
}

/// Looks, with this validator, at the challenge that [`TOKEN`] and [`PROOF`] belong to. No failure tells the token.
pub(crate) async fn look(validation: &Validation, method: Method, name: &str) -> Result<(), Failure> {
    let identifier = San::parse(name).unwrap();
    let check =
        ChallengeCheck { method, identifier: &identifier, token: TOKEN, key_authorization: PROOF, allowed: &[] };
    let outcome = validation.validate(&check).await;
    if let Err(Failure { detail, .. }) = &outcome {
        assert!(!detail.contains(TOKEN) && !detail.contains("thumbprint"), "HT9: {detail}");
        assert!(!detail.contains("SECRET"), "A13: {detail}");
    }
    outcome
}

/// An HTTP server on loopback that answers each request with bytes.
pub(crate) struct Web {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    hits: Arc<AtomicUsize>,
}

impl Web {
    /// At 127.0.0.1, answering with what `page` makes of a request head.
    pub(crate) async fn new(page: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", page).await.unwrap()
    }

    /// At this address; nothing where it cannot be had.
    pub(crate) async fn at(address: &str, page: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Option<Self> {
        let listener = TcpListener::bind(address).await.ok()?;
        let web = Self { port: listener.local_addr().unwrap().port(), heads: Arc::default(), hits: Arc::default() };
        let (heads, hits, page) = (Arc::clone(&web.heads), Arc::clone(&web.hits), Arc::new(page));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                hits.fetch_add(1, Ordering::SeqCst);
                let (heads, page) = (Arc::clone(&heads), Arc::clone(&page));
                tokio::spawn(async move {
                    let head = head(&mut stream).await;
                    heads.lock().unwrap().push(head.clone());
                    // What is unfinished stays so until the other side has had enough.
                    let _ = stream.write_all(&page(&head)).await;
                    let _ = stream.read(&mut [0]).await;
                });
            }
        });
        Some(web)
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Connections so far.
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

/// Reads a request's head.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn page(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn redirect(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 6\r\n\r\nSECRET").into_bytes()
}
