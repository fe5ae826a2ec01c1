//! The exchange with a DNS server: UDP with random case, id and port, and TCP where that is not enough.

use super::{CaaRecord, Data, Kind, LookupError, Resolve, Servers};
use async_trait::async_trait;
use certwright_domain::ambient::Entropy;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// CNAMEs that are followed.
const ALIASES: usize = 8;
/// Rounds over the servers.
const ROUNDS: usize = 2;
/// Datagrams that are not the answer, after which the port is given up.
const STRAYS: usize = 16;
/// What we take over UDP without fragments.
const DATAGRAM: u16 = 1232;
/// The largest datagram that is read whole.
const LARGEST: usize = 4096;
/// Records of one answer that count.
const RECORDS: usize = 128;

/// Asks real servers. Nothing is kept between two questions, and a port serves one question alone.
pub struct Client {
    servers: Servers,
    each: Duration,
    entropy: Arc<dyn Entropy>,
}

/// What a server said about one question.
struct Answer {
    found: Vec<Data>,
    /// Where the CNAMEs of the answer end.
    end: Name,
    aliases: usize,
    no_such_name: bool,
}

impl Client {
    /// Asks these servers; each has so long for an answer.
    pub fn new(servers: Servers, each: Duration, entropy: Arc<dyn Entropy>) -> Self {
        Self { servers, each, entropy }
    }

    /// Asks the servers in turn until one has an answer.
    async fn ask(&self, name: &Name, kind: Kind) -> Result<Answer, LookupError> {
        let servers = self.servers.of(&name.to_ascii()).await;
        let mut failed = LookupError::Silent;
        for server in std::iter::repeat_n(&servers, ROUNDS).flatten() {
            match self.ask_one(*server, name, kind).await {
                Ok(answer) => return Ok(answer),
                // What a server said weighs more than another's silence.
                Err(LookupError::Silent) => {}
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn ask_one(&self, server: SocketAddr, name: &Name, kind: Kind) -> Result<Answer, LookupError> {
        let mut random = [0; 34];
        self.entropy.fill(&mut random);
        let (id, case) = random.split_at(2);
        let id = id.iter().fold(0_u16, |id, byte| (id << 8) | u16::from(*byte));
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        let question = Query::query(in_random_case(name, case), record_type(kind));
        message.add_query(question.clone());
        let mut edns = Edns::new();
        edns.set_max_payload(DATAGRAM);
        message.set_edns(edns);
        let bytes = message.to_vec().map_err(|_| LookupError::BadName)?;

        let over_udp = timeout(self.each, datagram(server, &bytes, id, &question)).await;
        let answer = match over_udp {
            Ok(Ok(Some(answer))) => answer,
            // Truncated, or a server that changes the case of names (so that it cannot be told from somebody who guesses).
            Ok(Ok(None)) => self.over_tcp(server, &bytes, id, &question).await?,
            // Silence costs its time once; UDP that is refused outright may be closed on purpose.
            Ok(Err(_)) => self.over_tcp(server, &bytes, id, &question).await?,
            Err(_) => return Err(LookupError::Silent),
        };
        read(answer, name, kind)
    }

    async fn over_tcp(
        &self,
        server: SocketAddr,
        bytes: &[u8],
        id: u16,
        question: &Query,
    ) -> Result<Message, LookupError> {
        let answer = timeout(self.each, stream(server, bytes)).await;
        let answer = answer.map_err(|_| LookupError::Silent)?.map_err(|_| LookupError::Silent)?;
        let answer = Message::from_vec(&answer).map_err(|_| LookupError::Malformed)?;
        if !answers(&answer, id, question) {
            return Err(LookupError::Malformed);
        }
        Ok(answer)
    }
}

#[async_trait]
impl Resolve for Client {
    async fn lookup(&self, name: &str, kind: Kind) -> Result<Vec<Data>, LookupError> {
        let mut name = Name::from_ascii(name).map_err(|_| LookupError::BadName)?;
        name.set_fqdn(true);
        let mut aliases = 0_usize;
        // Every round follows at least one CNAME or ends.
        loop {
            let answer = self.ask(&name, kind).await?;
            aliases = aliases.saturating_add(answer.aliases);
            if aliases > ALIASES {
                return Err(LookupError::Aliases);
            }
            if !answer.found.is_empty() {
                return Ok(answer.found);
            }
            if answer.no_such_name {
                return Err(LookupError::NoSuchName);
            }
            if answer.aliases == 0 {
                return Err(LookupError::NoRecords);
            }
            name = answer.end;
        }
    }
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Txt => RecordType::TXT,
        Kind::Caa => RecordType::CAA,
    }
}

/// The name with each letter's case drawn (draft-vixie-dnsext-dns0x20): one more thing that a liar has to guess.
fn in_random_case(name: &Name, random: &[u8]) -> Name {
    let mut bits = random.iter().flat_map(|byte| (0..8).map(move |bit| (byte >> bit) & 1 == 1));
    let text: String = name
        .to_ascii()
        .chars()
        .map(|letter| if bits.next().unwrap_or(false) { letter.to_ascii_uppercase() } else { letter })
        .collect();
    Name::from_ascii(text).unwrap_or_else(|_| name.clone())
}

/// Is this message about our question?
fn answers(message: &Message, id: u16, question: &Query) -> bool {
    message.metadata.id == id
        && message.metadata.message_type == MessageType::Response
        && message.metadata.op_code == OpCode::Query
        && matches!(message.queries.as_slice(), [one] if one.name() == question.name()
            && one.query_type() == question.query_type()
            && one.query_class() == question.query_class())
}

/// One question over UDP, from a port of its own. `None`: ask over TCP.
async fn datagram(server: SocketAddr, bytes: &[u8], id: u16, question: &Query) -> io::Result<Option<Message>> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // A connected socket takes datagrams of its peer alone.
    socket.connect(server).await?;
    socket.send(bytes).await?;
    // Servers that do not heed what we ask for send more.
    let mut buffer = vec![0; LARGEST];
    for _ in 0..STRAYS {
        let length = socket.recv(&mut buffer).await?;
        let Some(Ok(message)) = buffer.get(..length).map(Message::from_vec) else { continue };
        if !answers(&message, id, question) {
            continue;
        }
        let same_case = message.queries.first().is_some_and(|one| one.name().eq_case(question.name()));
        return Ok((same_case && !message.metadata.truncation).then_some(message));
    }
    Ok(None)
}

/// One question over TCP (RFC 1035 section 4.2.2: two bytes of length first).
async fn stream(server: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// What the answer section says. Nothing else of the message counts.
fn read(message: Message, name: &Name, kind: Kind) -> Result<Answer, LookupError> {
    let no_such_name = match message.metadata.response_code {
        ResponseCode::NoError => false,
        ResponseCode::NXDomain => true,
        ResponseCode::ServFail => return Err(LookupError::Refused("SERVFAIL")),
        ResponseCode::Refused => return Err(LookupError::Refused("REFUSED")),
        ResponseCode::FormErr => return Err(LookupError::Refused("FORMERR")),
        ResponseCode::NotImp => return Err(LookupError::Refused("NOTIMP")),
        _ => return Err(LookupError::Refused("an error")),
    };
    let (mut end, mut aliases) = (name.clone(), 0_usize);
    let records = || message.answers.iter().filter(|record| record.dns_class == DNSClass::IN).take(RECORDS);
    let next = |at: &Name| {
        records().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *at => Some(target.0.clone()),
            _ => None,
        })
    };
    while let Some(target) = next(&end) {
        aliases = aliases.saturating_add(1);
        if aliases > ALIASES {
            return Err(LookupError::Aliases);
        }
        end = target;
    }
    let found = records().filter(|record| record.name == end).filter_map(|record| data(&record.data, kind)).collect();
    Ok(Answer { found, end, aliases, no_such_name })
}

/// The record, where it is one of this kind.
fn data(data: &RData, kind: Kind) -> Option<Data> {
    match (data, kind) {
        (RData::A(address), Kind::A) => Some(Data::Address(IpAddr::V4(address.0))),
        (RData::AAAA(address), Kind::Aaaa) => Some(Data::Address(IpAddr::V6(address.0))),
        (RData::TXT(text), Kind::Txt) => Some(Data::Text(text.txt_data.concat())),
        (RData::CAA(caa), Kind::Caa) => {
            Some(Data::Caa(CaaRecord { critical: caa.issuer_critical, tag: caa.tag.clone(), value: caa.value.clone() }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{CNAME, TXT};

    /// A16: whatever the bytes are, they are read without a panic, and into no more than there was.
    #[test]
    fn a16_damaged_answers_are_read_or_refused() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let mut message = Message::response(7, OpCode::Query);
        message.add_query(Query::query(name("www.example.com."), RecordType::TXT));
        let alias = RData::CNAME(CNAME(name("alias.example.com.")));
        message.add_answer(Record::from_rdata(name("www.example.com."), 60, alias));
        for text in ["one", "two"] {
            let text = RData::TXT(TXT::new(vec![text.to_owned(), "and more".to_owned()]));
            message.add_answer(Record::from_rdata(name("alias.example.com."), 60, text));
        }
        let whole = message.to_vec().unwrap();
        let mut understood = 0_u32;
        let mut see = |bytes: &[u8]| {
            if let Ok(message) = Message::from_vec(bytes) {
                for kind in [Kind::A, Kind::Aaaa, Kind::Txt, Kind::Caa] {
                    let answer = read(message.clone(), &name("www.example.com."), kind);
                    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.found.len() <= RECORDS));
                }
                understood = understood.saturating_add(1);
            }
        };
        for at in 0..whole.len() {
            see(whole.get(..at).unwrap());
            for byte in 0..=u8::MAX {
                let mut damaged = whole.clone();
                damaged.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
                see(&damaged);
            }
        }
        assert!(understood > 1_000, "{understood}");
    }

    /// A16: names that point at each other and thousands of records end.
    #[test]
    fn a16_many_records_are_cut_off() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let mut message = Message::response(7, OpCode::Query);
        for n in 0..3_000_u32 {
            let text = RData::TXT(TXT::new(vec![n.to_string()]));
            message.add_answer(Record::from_rdata(name("www.example.com."), 60, text));
        }
        let answer = read(message, &name("www.example.com."), Kind::Txt).ok().unwrap();
        assert_eq!(answer.found.len(), RECORDS);
        // A name that is compressed to itself.
        let mut circle = vec![0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        circle.extend([0xc0, 12, 0, 16, 0, 1]);
        assert!(Message::from_vec(&circle).is_err());
    }
}
