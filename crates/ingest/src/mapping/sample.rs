//! Samples of what a mapping file describes: a body is put together from the places where the file looks.

use super::file::{Act, Fields, File, Pointers, Time, TimeUnit};
use crate::sample::Visit;
use rollbook_core::time::{SECOND, Timestamp};
use std::collections::BTreeMap;

/// A join and a leave, and an end where the file has one; none where it has no join or no leave.
pub(super) fn bodies(file: &File, visit: &Visit<'_>) -> Option<Vec<String>> {
    let find = |act| file.events.iter().find(|(_, fields)| fields.is == Some(act));
    let told = [find(Act::PeerJoined)?, find(Act::PeerLeft)?].into_iter().chain(find(Act::SessionEnded));
    Some(told.map(|(word, own)| Sampled { file, own, visit }.body(word)).collect())
}

#[derive(Clone, Copy)]
struct Sampled<'m> {
    file: &'m File,
    own: &'m Fields,
    visit: &'m Visit<'m>,
}

impl<'m> Sampled<'m> {
    fn field<T>(&self, get: impl Fn(&'m Fields) -> Option<&'m T>) -> Option<&'m T> {
        get(self.own).or_else(|| get(&self.file.fields))
    }

    fn body(&self, word: &str) -> String {
        let (mut item, mut body) = (Node::default(), Node::default());
        let mut put = |pointers: Option<&Pointers>, leaf: String| {
            let Some(pointer) = pointers.and_then(|pointers| pointers.0.first()) else { return };
            match pointer.strip_prefix('^') {
                Some(pointer) => body.put(pointer, leaf),
                None => item.put(pointer, leaf),
            }
        };
        put(Some(&self.file.word), quoted(word));
        let joins = self.own.is == Some(Act::PeerJoined);
        let at = if joins { self.visit.joined_at() } else { self.visit.left_at };
        if let Some(time) = self.field(|fields| fields.time.as_ref()) {
            let plus = time.plus_seconds.as_ref();
            let base = if plus.is_some() { self.visit.joined_at() } else { at };
            put(Some(&time.at), written(time, base));
            put(plus, (at.since(base) / SECOND).to_string());
        }
        if let Some(time) = self.field(|fields| fields.joined_at.as_ref()) {
            put(Some(&time.at), written(time, self.visit.joined_at()));
        }
        // The title first: where the same member is the meeting too, it is both.
        put(self.field(|fields| fields.title.as_ref()), quoted(&self.visit.title()));
        let mark = quoted(self.visit.mark);
        put(self.field(|fields| fields.id.as_ref()), quoted(&format!("{}-{word}", self.visit.mark)));
        put(self.field(|fields| fields.session.as_ref()), mark.clone());
        put(self.field(|fields| fields.meeting.as_ref()), mark.clone());
        put(self.field(|fields| fields.peer.as_ref()), mark);
        put(self.field(|fields| fields.custom_participant_id.as_ref()), quoted(Visit::ID));
        put(self.field(|fields| fields.display_name.as_ref()), quoted(Visit::NAME));
        match &self.file.items {
            None => item.text(),
            Some(items) => {
                body.put(items, format!("[{}]", item.text()));
                body.text()
            }
        }
    }
}

fn written(Time { unit, .. }: &Time, time: Timestamp) -> String {
    match unit {
        TimeUnit::Rfc3339 => quoted(&String::from_utf8_lossy(&time.to_millis_text())),
        TimeUnit::Seconds => (time.micros() / SECOND).to_string(),
        TimeUnit::Milliseconds => (time.micros() / 1000).to_string(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A JSON value in the making: an object, or a value that is written already.
#[derive(Default)]
struct Node {
    members: BTreeMap<String, Node>,
    leaf: Option<String>,
}

impl Node {
    /// Puts a value where a JSON pointer leads, unless something is there. Numbers in a pointer are names, which is read just the same.
    fn put(&mut self, pointer: &str, leaf: String) {
        let node = pointer
            .split('/')
            .skip(1)
            .fold(self, |node, token| node.members.entry(token.replace("~1", "/").replace("~0", "~")).or_default());
        node.leaf.get_or_insert(leaf);
    }

    fn text(&self) -> String {
        match &self.leaf {
            Some(leaf) if self.members.is_empty() => leaf.clone(),
            _ => {
                let members: Vec<_> = self.members.iter().map(|(name, node)| format!("{}:{}", quoted(name), node.text())).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}
