use rollbook_core::event::Body;
use rollbook_core::id::{App, Name};
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::engine::{self, Delivery, Secret, Settings};
use rollbook_ingest::janus::asking::{self, Asker, Here, Person, Room};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_micros(1_795_526_285_000_000);

fn room() -> Room {
    Room { emitter: "janus-a".into(), plugin: "videoroom", id: "r1".into() }
}

fn person(id: &str, display: Option<&str>) -> Person {
    Person { id: id.into(), display: display.map(Into::into) }
}

/// What a plugin says, around its data.
fn said(data: &str) -> Vec<u8> {
    format!(r#"{{"janus":"success","session_id":1,"transaction":"rollbook","sender":2,"plugindata":{{"plugin":"janus.plugin.videoroom","data":{data}}}}}"#).into_bytes()
}

#[test]
fn requests_carry_the_secrets_that_they_take() {
    let plain = Asker::default();
    assert_eq!(plain.create(), r#"{"janus":"create","transaction":"rollbook"}"#);
    assert_eq!(plain.attach("videoroom"), r#"{"janus":"attach","plugin":"janus.plugin.videoroom","transaction":"rollbook"}"#);
    assert_eq!(
        plain.list_participants("r\"1", false),
        r#"{"janus":"message","body":{"request":"listparticipants","room":"r\"1"},"transaction":"rollbook"}"#
    );
    assert!(plain.list_participants("1234", true).contains(r#""room":1234}"#));
    let secret = |id: &str| Secret::new(id, &format!("the {id}"));
    let asker = Asker::new(vec![secret("apisecret"), secret("admin_key")]).unwrap();
    assert_eq!(
        asker.list(),
        r#"{"janus":"message","body":{"request":"list","admin_key":"the admin_key"},"transaction":"rollbook","apisecret":"the apisecret"}"#
    );
    assert_eq!(asker.destroy(), r#"{"janus":"destroy","transaction":"rollbook","apisecret":"the apisecret"}"#);
    assert_eq!(Asker::new(vec![secret("password")]).unwrap_err(), "secrets: \"password\" is none of apisecret, token, admin_key");
}

/// As Debian's Janus 1.1.2 answers, some members left out.
#[test]
fn answers_of_a_real_janus() {
    assert_eq!(
        asking::emitter(br#"{"janus":"server_info","name":"Janus WebRTC Server","version":1102,"server-name":"janus-a"}"#),
        Ok("janus-a".into())
    );
    assert!(asking::emitter(br#"{"janus":"server_info"}"#).unwrap_err().to_string().contains("server-name"));
    assert_eq!(
        asking::created(br#"{"janus":"success","transaction":"x","data":{"id":8472903847293847}}"#),
        Ok(Some("8472903847293847".into()))
    );
    let no_plugin =
        br#"{"janus":"error","session_id":1,"transaction":"x","error":{"code":460,"reason":"No such plugin 'janus.plugin.audiobridge'"}}"#;
    assert_eq!(asking::created(no_plugin), Ok(None));
    let refused =
        br#"{"janus":"error","transaction":"x","error":{"code":403,"reason":"Unauthorized request (wrong or missing secret/token)"}}"#;
    assert!(asking::created(refused).unwrap_err().to_string().ends_with("Unauthorized request (wrong or missing secret/token) (403)"));

    let listed =
        r#"{"videoroom":"success","list":[{"room":"r1","description":"R","num_participants":1},{"room":1234,"num_participants":0}]}"#;
    assert_eq!(asking::rooms(&said(listed)), Ok(vec![("r1".into(), 1), ("1234".into(), 0)]));
    assert!(asking::rooms(&said("{}")).is_err() && asking::rooms(refused).is_err() && asking::rooms(b"<html>").is_err());

    let here = r#"{"videoroom":"participants","room":"r1","participants":[{"id":"ann","display":"Ann","publisher":false},{"id":7}]}"#;
    assert_eq!(asking::participants(&said(here)), Ok(Here::People(vec![person("ann", Some("Ann")), person("7", None)])));
    for (code, expected) in [(426, Here::NoRoom), (485, Here::NoRoom), (430, Here::WrongType), (484, Here::WrongType)] {
        assert_eq!(asking::participants(&said(&format!(r#"{{"videoroom":"event","error_code":{code},"error":"x"}}"#))), Ok(expected));
    }
    let other = asking::participants(&said(r#"{"videoroom":"event","error_code":433,"error":"Unauthorized (wrong secret)"}"#));
    assert!(other.unwrap_err().to_string().ends_with("Unauthorized (wrong secret) (433)"));
}

#[test]
fn a_roster_is_of_the_same_room_and_the_same_places_as_what_janus_reports() {
    let app = App::new("acme", "school").unwrap();
    let janus = engine::open("janus", &Settings::default()).unwrap();
    let body = br#"[{"emitter":"janus-a","type":64,"timestamp":1795526285129001,"session_id":1,"handle_id":2,"event":{"plugin":"janus.plugin.videoroom","data":{"event":"joined","room":"r1","id":"ann","display":"Ann"}}}]"#;
    let reported = janus.translate(&Delivery { body, ..Delivery::default() }).unwrap().events.remove(0);
    let Body::PeerJoined(place, ann) = &reported.body else { panic!("{reported:?}") };

    let known = Uuid::from_u128(7);
    let people = || vec![(person("bob", None), Err(NOW.plus(-15 * SECOND))), (person("ann", Some("Ann")), Ok(known))];
    let roster = room().roster(people(), NOW, 6 * SECOND);
    assert_eq!((&roster.source, app.stream_of(&roster)), (&reported.source, app.stream_of(&reported)));
    assert_eq!(room().stream(&app), app.stream_of(&reported));
    let Body::SessionRoster(told, roll) = &roster.body else { panic!("{roster:?}") };
    assert_eq!((told, roll.tolerance), (place, 6 * SECOND));
    let [first, second] = &roll.present[..] else { panic!("{roll:?}") };
    assert_eq!((&first.peer.name, &first.peer.slot, first.joined_at), (&Name::id(known), &ann.slot, None));
    assert_eq!((&second.peer.name, second.joined_at), (&Name::key("seen/videoroom/r1/bob"), Some(NOW.plus(-15 * SECOND))));
    assert_eq!((second.peer.slot.as_deref(), second.peer.custom_participant_id.as_deref()), (Some("videoroom/r1/bob"), Some("bob")));
    assert_eq!(roster, room().roster(people().into_iter().rev().collect(), NOW, 6 * SECOND), "one roster is one event");
}
