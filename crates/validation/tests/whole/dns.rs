//! The DNS client: DN4, A16, and what liars try.

use crate::kit::{Dns, Said, cname, digest, fqdn, look, settings, txt, validation};
use certwright_domain::acme::{FailureKind, Method};
use certwright_testkit::ambient::SeededEntropy;
use certwright_validation::dns::{Client, Data, Kind, LookupError, Resolve as _, Servers};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

fn client(servers: Vec<SocketAddr>) -> Client {
    Client::new(Servers::new(servers), Duration::from_millis(300), Arc::new(SeededEntropy::new(5)))
}

fn texts(found: Result<Vec<Data>, LookupError>) -> Result<Vec<String>, LookupError> {
    let text = |data| match data {
        Data::Text(text) => String::from_utf8(text).unwrap(),
        other => panic!("not a text: {other:?}"),
    };
    Ok(found?.into_iter().map(text).collect())
}

#[tokio::test]
async fn dn4_a_truncated_answer_is_fetched_over_tcp() {
    // Larger than any datagram that we would take.
    let many = || (0..100).map(|n| (fqdn("big.example.com"), txt(&[&format!("{n:0>100}")]))).collect::<Vec<_>>();
    let dns = Dns::answering(move |_, _, _| Said::Truncated(many())).await;
    let found = texts(client(vec![dns.address]).lookup("big.example.com", Kind::Txt).await).unwrap();
    assert_eq!(found.len(), 100);
    let over: Vec<bool> = dns.asked().into_iter().map(|(_, _, tcp)| tcp).collect();
    assert_eq!(over, [false, true]);
}

#[tokio::test]
async fn dn4_the_next_server_is_asked_when_one_fails_or_is_silent() {
    let good = Dns::with(vec![("www.example.com", txt(&["here"]))]).await;
    for said in [Said::Code(ResponseCode::ServFail), Said::Code(ResponseCode::Refused), Said::Silence] {
        let bad = Dns::answering(move |_, _, _| said.clone()).await;
        let found = client(vec![bad.address, good.address]).lookup("www.example.com", Kind::Txt).await;
        assert_eq!(texts(found), Ok(vec!["here".to_owned()]));
        assert_eq!(bad.asked().len(), 1);
    }
    // NXDOMAIN is an answer.
    let none = Dns::with(vec![]).await;
    let found = client(vec![none.address, good.address]).lookup("www.example.com", Kind::Txt).await;
    assert_eq!(texts(found), Err(LookupError::NoSuchName));
}

#[tokio::test]
async fn dn4_tries_are_bounded() {
    let silent = Dns::answering(|_, _, _| Said::Silence).await;
    let found = client(vec![silent.address; 9]).lookup("www.example.com", Kind::Txt).await;
    assert_eq!(texts(found), Err(LookupError::Silent));
    assert_eq!(silent.asked().len(), 6, "three servers, two rounds");
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(texts(client(vec![nobody]).lookup("www.example.com", Kind::Txt).await), Err(LookupError::Silent));
}

#[tokio::test]
async fn dn4_names_are_absolute_and_no_file_is_asked() {
    let dns = Dns::with(vec![]).await;
    for name in ["localhost", "www", "www.example.com."] {
        assert_eq!(
            texts(client(vec![dns.address]).lookup(name, Kind::A).await),
            Err(LookupError::NoSuchName),
            "{name}"
        );
    }
    let asked: Vec<String> = dns.asked().into_iter().map(|(name, _, _)| name).collect();
    assert_eq!(asked, ["localhost.", "www.", "www.example.com."]);
}

#[tokio::test]
async fn a16_strays_and_rubbish_are_passed_over() {
    let dns = Dns::answering(|name, _, _| Said::AfterStrays(vec![(name.to_owned(), txt(&["the truth"]))])).await;
    let found = client(vec![dns.address]).lookup("www.example.com", Kind::Txt).await;
    assert_eq!(texts(found), Ok(vec!["the truth".to_owned()]));
    let rubbish = Dns::answering(|_, _, _| Said::Bytes(b"rubbish".to_vec())).await;
    let found = client(vec![rubbish.address]).lookup("www.example.com", Kind::Txt).await;
    assert_eq!(texts(found), Err(LookupError::Silent));
}

#[tokio::test]
async fn a16_the_case_of_names_is_random_and_must_come_back() {
    let name = "a-rather-long-name-with-many-letters.example.com";
    let dns = Dns::answering(|name, _, _| Said::LowerCase(vec![(name.to_owned(), txt(&["here"]))])).await;
    let found = client(vec![dns.address]).lookup(name, Kind::Txt).await;
    assert_eq!(texts(found), Ok(vec!["here".to_owned()]));
    let over: Vec<bool> = dns.asked().into_iter().map(|(_, _, tcp)| tcp).collect();
    assert_eq!(over, [false, true], "what might have been guessed is asked for again over TCP");
    let written = dns.written()[0].to_ascii();
    assert!(written.chars().any(char::is_uppercase) && written.chars().any(char::is_lowercase), "{written}");
}

#[tokio::test]
async fn a16_aliases_in_circles_and_long_chains_end() {
    let circle =
        Dns::with(vec![("a.example.com", cname("b.example.com")), ("b.example.com", cname("a.example.com"))]).await;
    let itself = Dns::with(vec![("a.example.com", cname("a.example.com"))]).await;
    let endless =
        Dns::answering(|name, _, _| Said::Records(vec![(name.to_owned(), cname(&format!("x.{name}")))])).await;
    for dns in [circle, itself, endless] {
        let client = client(vec![dns.address]);
        // Whoever does not end by count ends here, as a failure.
        let found = tokio::time::timeout(Duration::from_secs(20), client.lookup("a.example.com", Kind::Txt)).await;
        assert_eq!(texts(found.unwrap()), Err(LookupError::Aliases));
        assert!(dns.asked().len() <= 9, "{:?}", dns.asked());
    }
}

#[tokio::test]
async fn a16_records_of_other_names_and_sections_do_not_count() {
    let dns = Dns::answering(|_, _, _| Said::Records(vec![(fqdn("other.example.com"), txt(&[&digest()]))])).await;
    assert_eq!(texts(client(vec![dns.address]).lookup("a.example.com", Kind::Txt).await), Err(LookupError::NoRecords));
    let failure =
        look(&validation(settings(80, &[]), Servers::new(vec![dns.address])), Method::Dns01, "a.example.com").await;
    assert_eq!(failure.unwrap_err().kind, FailureKind::Dns);
}

#[tokio::test]
async fn ca5_records_are_fetched_as_they_stand() {
    use certwright_validation::dns::CaaRecord;
    use hickory_proto::rr::RData;
    use hickory_proto::rr::rdata::CAA;
    let name = hickory_proto::rr::Name::from_ascii("ca.example.net").unwrap();
    let dns = Dns::with(vec![("example.com", RData::CAA(CAA::new_issue(true, Some(name), Vec::new())))]).await;
    let found = client(vec![dns.address]).lookup("example.com", Kind::Caa).await.unwrap();
    let expected = CaaRecord { critical: true, tag: "issue".to_owned(), value: b"ca.example.net".to_vec() };
    assert_eq!(found, [Data::Caa(expected)]);
    assert_eq!(dns.asked()[0].1, RecordType::CAA);
}
