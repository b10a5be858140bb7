use super::*;
use std::collections::BTreeSet;

async fn document(api: &Api) -> Value {
    let answer = api.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    answer.json()
}

#[tokio::test]
async fn it_names_every_operation_with_its_failures() {
    let document = document(&Api::new().await).await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let kit = "/client/v4/accounts/{account_id}/realtime/kit/{app_id}/sessions";
    for path in ["", "/{session_id}", "/{session_id}/participants", "/{session_id}/participants/{participant_id}", "/peer-report/{peer_id}"]
    {
        let operation = &paths[&format!("{kit}{path}")]["get"];
        for status in ["200", "400", "401", "403", "404", "503"] {
            assert!(operation["responses"][status].is_object(), "{path} {status}");
        }
        let named = path.matches('{').count() + 2;
        let parameters = operation["parameters"].as_array().unwrap();
        assert_eq!(parameters.iter().filter(|parameter| parameter["in"] == "path").count(), named, "{path}");
        assert_eq!(operation["security"].as_array().unwrap().len(), 2);
    }
    for path in ["/v1/accounts/{account_id}/apps/{app_id}/events", "/v1/accounts/{account_id}/apps/{app_id}/engines/{engine}"] {
        for status in ["200", "400", "401", "403", "404", "408", "413", "415", "503"] {
            assert!(paths[path]["post"]["responses"][status].is_object(), "{path} {status}");
        }
    }
    for status in ["200", "400", "401", "403", "404", "503"] {
        assert!(paths["/v1/accounts/{account_id}/apps/{app_id}/quarantine/retry"]["post"]["responses"][status].is_object(), "{status}");
    }
    assert_eq!(paths.len(), 10);
    assert_eq!(document["components"]["securitySchemes"].as_object().unwrap().len(), 4);
}

#[tokio::test]
async fn answers_are_what_it_says() {
    let api = with_a_lesson().await;
    let document = document(&api).await;
    let kit = "/client/v4/accounts/{account_id}/realtime/kit/{app_id}/sessions";
    let extras = "include_peer_events=true&include_stays=true";
    for (template, path) in [
        (kit.to_owned(), format!("{KIT}/sessions")),
        (format!("{kit}/{{session_id}}"), format!("{KIT}/sessions/{SESSION}?include_breakout_rooms=true")),
        (format!("{kit}/{{session_id}}/participants"), format!("{KIT}/sessions/{SESSION}/participants?{extras}")),
        (format!("{kit}/{{session_id}}/participants/{{participant_id}}"), format!("{KIT}/sessions/{SESSION}/participants/{BEN}?{extras}")),
        (format!("{kit}/peer-report/{{peer_id}}"), format!("{KIT}/sessions/peer-report/{ANA}?{extras}")),
    ] {
        let responses = &document["paths"][&template]["get"]["responses"];
        let good = api.get(&path).await.json();
        check(&document, &responses["200"]["content"]["application/json"]["schema"], &good, &template);
        let bad = api.get_as("nobody", &path).await.json();
        check(&document, &responses["401"]["content"]["application/json"]["schema"], &bad, &template);
    }
    let responses = &document["paths"]["/v1/accounts/{account_id}/apps/{app_id}/events"]["post"]["responses"];
    let bad = api.post(EVENTS, "application/x-ndjson", "{}").await.json();
    check(&document, &responses["400"]["content"]["application/json"]["schema"], &bad, "events");
    let good = api.post(EVENTS, "application/x-ndjson", "").await.json();
    check(&document, &responses["200"]["content"]["application/json"]["schema"], &good, "events");
}

/// The part of JSON Schema that the document uses; beyond it, no member may be there that the schema does not name.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let (mut named, mut required) = (BTreeSet::new(), BTreeSet::new());
    walk(document, schema, value, at, &mut named, &mut required);
    if let Some(members) = value.as_object() {
        let given: BTreeSet<String> = members.keys().cloned().collect();
        assert!(given.is_subset(&named), "{at}: {given:?} are not all of {named:?}");
        assert!(required.is_subset(&given), "{at}: {required:?} are not all in {given:?}");
    }
}

fn walk(document: &Value, schema: &Value, value: &Value, at: &str, named: &mut BTreeSet<String>, required: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return walk(document, target, value, at, named, required);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        walk(document, part, value, at, named, required);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let fits = |kind: &str| match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: the type {other}"),
    };
    assert!(types.is_empty() || types.iter().any(|kind| fits(kind)), "{at}: {value} is no {types:?}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value} is none of {words:?}");
    }
    for item in value.as_array().into_iter().flatten() {
        check(document, &schema["items"], item, &format!("{at}[]"));
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        named.insert(name.clone());
        if let Some(value) = value.get(name) {
            check(document, member, value, &format!("{at}.{name}"));
        }
    }
    required.extend(schema["required"].as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())));
}
