//! dns-01: DN1 to DN5.

use crate::kit::{Dns, Said, cname, digest, digest_of, fqdn, look, settings, txt, validation};
use certwright_app::ChallengeCheck;
use certwright_app::Validator as _;
use certwright_domain::acme::{FailureKind, Method};
use certwright_domain::san::San;
use certwright_validation::Validation;
use certwright_validation::dns::Servers;
use hickory_proto::op::ResponseCode;

fn asking(dns: &Dns) -> Validation {
    validation(settings(80, &[]), Servers::new(vec![dns.address]))
}

const PLACE: &str = "_acme-challenge.www.example.com";

#[tokio::test]
async fn dn1_the_digest_of_the_key_authorization_is_looked_for_at_its_place() {
    let dns = Dns::with(vec![(PLACE, txt(&[&digest()]))]).await;
    assert_eq!(look(&asking(&dns), Method::Dns01, "www.example.com").await, Ok(()));
    assert_eq!(dns.asked().len(), 1);
    assert_eq!(dns.asked()[0].0, fqdn(PLACE));
    // A wildcard is proved at its base.
    assert_eq!(look(&asking(&dns), Method::Dns01, "*.www.example.com").await, Ok(()));
    for wrong in [digest().to_lowercase(), format!("{}=", digest()), format!(" {}", digest()), String::new()] {
        let dns = Dns::with(vec![(PLACE, txt(&[&wrong]))]).await;
        let failure = look(&asking(&dns), Method::Dns01, "www.example.com").await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unauthorized, "{wrong}");
        assert!(failure.detail.contains(PLACE), "{failure:?}");
    }
}

#[tokio::test]
async fn dn2_any_of_several_values_counts_and_split_strings_are_joined() {
    let digest = digest();
    let (first, second) = digest.split_at(20);
    let dns = Dns::with(vec![(PLACE, txt(&["SECRET"])), (PLACE, txt(&[first, second])), (PLACE, txt(&["z"]))]).await;
    assert_eq!(look(&asking(&dns), Method::Dns01, "www.example.com").await, Ok(()));
    // Parts of two records are not one.
    let dns = Dns::with(vec![(PLACE, txt(&[first])), (PLACE, txt(&[second]))]).await;
    let failure = look(&asking(&dns), Method::Dns01, "www.example.com").await.unwrap_err();
    assert!(failure.detail.contains("None of the 2 TXT records"), "{failure:?}");
}

#[tokio::test]
async fn dn3_aliases_are_followed_within_an_answer_and_over_zones() {
    let target = Dns::with(vec![("proof.acme.example.net", txt(&[&digest()]))]).await;
    let dns = Dns::with(vec![(PLACE, cname("proof.acme.example.net"))]).await;
    let servers = Servers::new(vec![dns.address]).with_zone("acme.example.net", vec![target.address]);
    assert_eq!(look(&validation(settings(80, &[]), servers), Method::Dns01, "www.example.com").await, Ok(()));
    assert_eq!(target.asked().len(), 1);

    let whole = Dns::answering(|name, _, _| {
        Said::Records(vec![
            (name.to_owned(), cname("a.example.net")),
            (fqdn("b.example.net"), txt(&[&digest()])),
            (fqdn("a.example.net"), cname("b.example.net")),
        ])
    })
    .await;
    assert_eq!(look(&asking(&whole), Method::Dns01, "www.example.com").await, Ok(()));
    assert_eq!(whole.asked().len(), 1, "the answer held the whole chain");
}

#[tokio::test]
async fn dn4_what_does_not_exist_and_what_fails_is_dns() {
    for (code, word) in [
        (ResponseCode::NXDomain, "NXDOMAIN"),
        (ResponseCode::ServFail, "SERVFAIL"),
        (ResponseCode::Refused, "REFUSED"),
        (ResponseCode::NoError, "no such record"),
    ] {
        let dns = Dns::answering(move |_, _, _| Said::Code(code)).await;
        let failure = look(&asking(&dns), Method::Dns01, "www.example.com").await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Dns, "{code}");
        assert!(failure.detail.contains(word) && failure.detail.contains(PLACE), "{failure:?}");
    }
}

#[tokio::test]
async fn dn4_nothing_is_kept_between_two_attempts() {
    let dns = Dns::answering(|name, _, before| match before {
        0 => Said::Code(ResponseCode::NXDomain),
        1 => Said::Records(vec![(name.to_owned(), txt(&["not yet"]))]),
        2 => Said::Records(vec![(name.to_owned(), txt(&[&digest()]))]),
        _ => Said::Code(ResponseCode::NXDomain),
    })
    .await;
    let validation = asking(&dns);
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(look(&validation, Method::Dns01, "www.example.com").await.map_err(|failure| failure.kind));
    }
    let expected = [Err(FailureKind::Dns), Err(FailureKind::Unauthorized), Ok(()), Err(FailureKind::Dns)];
    assert_eq!(outcomes, expected);
}

#[tokio::test]
async fn dn5_a_wildcard_and_its_base_have_a_value_each_at_one_place() {
    let both =
        Dns::with(vec![(PLACE, txt(&[&digest_of("base.thumb")])), (PLACE, txt(&[&digest_of("wild.thumb")]))]).await;
    let base = Dns::with(vec![(PLACE, txt(&[&digest_of("base.thumb")]))]).await;
    for (dns, name, key_authorization, expected) in [
        (&both, "www.example.com", "base.thumb", true),
        (&both, "*.www.example.com", "wild.thumb", true),
        (&base, "www.example.com", "base.thumb", true),
        (&base, "*.www.example.com", "wild.thumb", false),
    ] {
        let identifier = San::parse(name).unwrap();
        let method = Method::Dns01;
        let check = ChallengeCheck { method, identifier: &identifier, token: "t", key_authorization, allowed: &[] };
        assert_eq!(asking(dns).validate(&check).await.is_ok(), expected, "{name} {key_authorization}");
    }
}
