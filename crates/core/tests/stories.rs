//! The rules as stories: each file of `tests/stories` tells what engines reported and what the ledger then answers.
//!
//! ```text
//! session algebra title="Algebra I" parent=school      places first; the first is where things happen unless `in=` says else
//! meeting room keep_alive=120                          a meeting whose sessions have no name
//! now 12:00:00                                         when the questions are asked, unless a question says `now=`
//!
//! 10:00:00 zoom joined ana slot=3 user=u1              time, source, what, who, and what else the event carries
//!
//! ? participants algebra                               a question, and the table that answers it
//! | ana | 10:00:00 | | 2:00:00 | 10:00:00- | |
//! ```
//!
//! Times are of one day; `2/10:00:00` is of the day after. A session is named as it is declared, an unnamed one by its meeting and
//! start: `room@10:00:00`. A stay is `in-out`, then what closed it if not its leave, then `~` how uncertain that is.
//! Every story is told three times: as it stands, backwards, and with each event twice.

mod incremental;
mod reference;

#[path = "stories/dsl.rs"]
mod dsl;

use dsl::Story;
use incremental::Folded;
use reference::{Ledger, World};
use rollbook_core::event::Event;
use rollbook_core::id::App;
use rollbook_core::time::Timestamp;

type Answer = for<'a> fn(&'a App, &'a [Event], Timestamp) -> Box<dyn Ledger + 'a>;

/// Whoever answers: one line each.
const LEDGERS: &[(&str, Answer)] = &[
    ("reference", |app, events, now| Box::new(World { app, events, now })),
    ("fold", |app, events, now| Box::new(Folded::whole(app, events, now))),
];

#[test]
fn stories_come_true() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    files.sort();
    assert!(files.len() >= 25, "{files:?}");
    let mut wrong = String::new();
    for file in files {
        let story = Story::read(&std::fs::read_to_string(&file).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let (told, mut backwards) = (story.events.clone(), story.events.clone());
        backwards.reverse();
        let twice = [told.clone(), backwards.clone()].concat();
        for (who, answer) in LEDGERS {
            for (how, events) in [("as told", &told), ("backwards", &backwards), ("twice", &twice)] {
                for question in &story.questions {
                    let ledger = answer(&story.app, events, question.now);
                    let found = story.answer(question, &*ledger);
                    if found != question.expected {
                        let place = format!("{}:{} ({who}, {how})", file.display(), question.line);
                        wrong.push_str(&format!(
                            "\n{place}\n  expected\n{}\n  found\n{}\n",
                            question.expected.join("\n"),
                            found.join("\n")
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
