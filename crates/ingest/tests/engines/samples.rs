//! What an engine would send is what its own adapter takes.

use crate::openssl::RsaKey;
use crate::stories::{attendance, events};
use rollbook_core::time::{DAY, SECOND, Timestamp};
use rollbook_ingest::engine::{self, Delivery, Engine, Secret, Settings};
use rollbook_ingest::sample::{Samples, Visit};
use std::sync::Arc;

/// 2024-11-19T07:00:00Z.
const SEVEN: Timestamp = Timestamp::from_micros(1_731_999_600 * SECOND);
const PATH: &str = "/v1/accounts/acme/apps/school/engines/x";

fn opened(name: &str, secret: Option<&str>) -> Arc<dyn Engine> {
    let secrets = secret.map(|secret| Secret::new("API\"xyz", secret)).into_iter().collect();
    engine::open(name, &Settings { secrets, ..Settings::default() }).unwrap()
}

/// Who was in once an engine took the samples of another.
fn taken(engine: &dyn Engine, samples: &Samples) -> Vec<String> {
    let all = (1..).zip(&samples.deliveries).flat_map(|(second, sample)| {
        let headers: Vec<_> = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let headers = [&headers[..], &[("host", &b"rollbook.example.org"[..])]].concat();
        let target = format!("{PATH}{}", sample.below);
        let delivery =
            Delivery { headers: &headers, target: &target, body: sample.body.as_bytes(), received_at: SEVEN.plus(second * SECOND) };
        events(engine.receive(&delivery, !samples.proved)).events
    });
    attendance(&all.collect::<Vec<_>>(), SEVEN.plus(DAY))
}

#[test]
fn every_engine_takes_its_own_samples() {
    let address = format!("https://rollbook.example.org{PATH}");
    let visit = Visit { left_at: SEVEN, mark: "mark-1", address: &address };
    let key = RsaKey::generate().public();
    // In base64, as Daily's are.
    let secret = |name: &str| if ["realtimekit", "videosdk"].contains(&name) { key.clone() } else { "c2VjcmV0".to_owned() };
    for name in engine::names() {
        for secret in [None, Some(secret(name))] {
            let engine = opened(name, secret.as_deref());
            let samples = engine.samples(&visit).unwrap();
            assert_eq!(samples.proved, secret.is_some() && !["realtimekit", "videosdk"].contains(&name), "{name}");
            let rows = taken(&*engine, &samples);
            assert!(rows.len() == 1 && !rows[0].contains("live") && !rows[0].contains(" by "), "{name}: {rows:?}");
            // VideoSDK tells no times.
            let stay = if name == "videosdk" { "07:00:01-07:00:02" } else { "06:59:00-07:00:00" };
            assert!(rows[0].ends_with(stay), "{name}: {rows:?}");
            assert!(rows[0].contains("rollbook") || rows[0].contains("mark-1"), "{name}: {rows:?}");
        }
    }
}
