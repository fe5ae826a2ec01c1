//! What a receiver gets: a CloudEvents 1.0 event as JSON, signed after the scheme of Standard Webhooks.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certwright_domain::event::Event;
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::time::Timestamp;
use serde_json::{Map, Value, json};

/// In front of every type.
const TYPE_PREFIX: &str = "dev.certwright.";
/// In front of a secret's text.
const SECRET_PREFIX: &str = "whsec_";

/// Headers and body of a delivery.
pub(super) struct Message {
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// The event as it is sent at `now`. The body depends on event and source alone: every attempt sends the same bytes.
pub(super) fn message(event: &Event, source: &str, secret: &SecretBytes, now: Timestamp) -> Message {
    let body = body(event, source);
    let timestamp = now.unix_s().to_string();
    let headers = vec![
        ("content-type", "application/cloudevents+json; charset=utf-8".to_owned()),
        ("user-agent", concat!("certwright/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("webhook-id", event.id.to_string()),
        ("webhook-signature", signature(secret, event.id.as_str(), &timestamp, &body)),
        ("webhook-timestamp", timestamp),
    ];
    Message { headers, body }
}

/// The text of a secret, as off-the-shelf libraries take it.
pub(super) fn secret_text(secret: &SecretBytes) -> SecretText {
    SecretText::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(secret.expose())))
}

fn body(event: &Event, source: &str) -> Vec<u8> {
    let details: Map<String, Value> =
        event.details.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let event = json!({
        "specversion": "1.0",
        "id": event.id.as_str(),
        "source": source,
        "type": format!("{TYPE_PREFIX}{}", event.kind),
        "time": event.at.to_string(),
        "subject": format!("{}/{}", event.subject_kind, event.subject_id),
        "datacontenttype": "application/json",
        "data": {
            "kind": event.subject_kind,
            "id": event.subject_id,
            "name": event.subject_name,
            "requestId": event.request_id,
            "details": details,
        },
    });
    event.to_string().into_bytes()
}

fn signature(secret: &SecretBytes, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let mut context = hmac::Context::with_key(&key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_domain::event::EventKind;
    use certwright_domain::id::EventId;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let secret = SecretBytes::new(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret_text(&secret).expose(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn the_body_is_a_cloud_event() {
        let event = Event {
            id: EventId::new(Timestamp::from_unix_s(1_800_000_000), [0; 10]),
            kind: EventKind::CaRenewed,
            at: Timestamp::from_unix_s(1_800_000_000),
            subject_kind: "ca".to_owned(),
            subject_id: "ca_01".to_owned(),
            subject_name: "issuing-1".to_owned(),
            request_id: "r".to_owned(),
            details: vec![("version".to_owned(), "2".to_owned())],
        };
        let secret = SecretBytes::new(vec![1]);
        let message = message(&event, "https://ca.example.com", &secret, Timestamp::from_unix_s(1_800_000_007));
        let sent: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(
            sent,
            json!({
                "specversion": "1.0",
                "id": event.id.as_str(),
                "source": "https://ca.example.com",
                "type": "dev.certwright.ca.renewed",
                "time": "2027-01-15T08:00:00Z",
                "subject": "ca/ca_01",
                "datacontenttype": "application/json",
                "data": {"kind": "ca", "id": "ca_01", "name": "issuing-1", "requestId": "r", "details": {"version": "2"}},
            })
        );
        let header = |name| message.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(header("webhook-id"), Some(event.id.as_str()));
        assert_eq!(header("webhook-timestamp"), Some("1800000007"));
    }
}
