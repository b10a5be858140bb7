//! The streams of many events, one after the other.

use super::{App, Stream};
use crate::event::Event;
use std::sync::Arc;

/// Names the streams of events. Most belong where the one before them did, and a stream's id is a digest.
#[derive(Debug)]
pub struct Streams<'e> {
    app: &'e App,
    last: Option<(&'e Event, Stream)>,
}

impl<'e> Streams<'e> {
    /// For the events of one app.
    #[must_use]
    pub fn new(app: &'e App) -> Self {
        Self { app, last: None }
    }

    /// See [`App::stream_of`].
    pub fn of(&mut self, event: &'e Event) -> Stream {
        match self.last {
            Some((last, stream)) if at_one_home(last, event) => stream,
            _ => {
                let stream = self.app.stream_of(event);
                self.last = Some((event, stream));
                stream
            }
        }
    }
}

fn at_one_home(a: &Event, b: &Event) -> bool {
    match (a.shared_place(), b.shared_place()) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.home == b.home,
        (None, None) => a.source == b.source,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Place};
    use crate::id::{Home, Name};
    use crate::time::Timestamp;

    #[test]
    fn each_is_that_of_its_event() {
        let app = App::new("acme", "school").unwrap();
        let named = |key: &str, meeting: Option<Name>| Home::Session { session: Name::key(key), meeting };
        let homes = [
            Some(named("algebra", None)),
            Some(named("algebra", None)),
            Some(named("algebra", Some(Name::key("room")))),
            Some(named("history", None)),
            Some(Home::Meeting(Name::key("history"))),
            None,
            None,
            Some(named("algebra", None)),
        ];
        let event = |(ix, home): (usize, Option<Home>)| Event {
            source: if ix == 6 { "b".into() } else { "a".into() },
            id: ix.to_string().into(),
            time: Timestamp::default(),
            body: home.map_or(Body::SourceStarted, |home| Body::SessionStarted(Place::new(home).into())),
        };
        let events: Vec<Event> = homes.into_iter().enumerate().map(event).collect();
        let mut streams = Streams::new(&app);
        for event in &events {
            assert_eq!(streams.of(event), app.stream_of(event), "{event:?}");
        }
    }
}
