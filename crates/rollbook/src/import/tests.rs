use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

/// Takes everything, but for lines that say otherwise.
#[derive(Default)]
struct Recorder(Vec<(usize, u64, u64)>);

impl Target for Recorder {
    fn send(&mut self, batch: &Batch) -> Result<Receipt, SendError> {
        for (index, line) in batch.body().split(|byte| *byte == b'\n').enumerate() {
            match line {
                b"bad" => return Err(SendError::Refused { index, message: format!("line {}, column 1: not an event", index + 1) }),
                b"down" => return Err(SendError::Failed("nobody is there".into())),
                _ => {}
            }
        }
        let (first, last) = batch.span();
        self.0.push((batch.len(), first, last));
        Ok(Receipt { accepted: batch.len(), duplicates: 0 })
    }
}

fn import_text(text: &[u8]) -> (Recorder, Receipt, Result<(), String>) {
    let (mut target, mut total) = (Recorder::default(), Receipt::default());
    let result = import("a.ndjson", text, &mut target, &mut total).map_err(|error| error.to_string());
    (target, total, result)
}

#[test]
fn lines_travel_by_the_thousand_and_the_mebibyte() {
    let (target, total, result) = import_text("x\n".repeat(2500).as_bytes());
    assert_eq!((target.0, total.accepted, result), (vec![(1000, 1, 1000), (1000, 1001, 2000), (500, 2001, 2500)], 2500, Ok(())));

    // Two of these, with their line breaks, fill a batch to the byte.
    let long = "y".repeat(MAX_BYTES / 2 - 1);
    let (target, ..) = import_text(format!("{long}\n{long}\n{}\nz", "w".repeat(2 * MAX_BYTES)).as_bytes());
    assert_eq!(target.0, [(2, 1, 2), (1, 3, 3), (1, 4, 4)]);
}

#[test]
fn blank_lines_and_line_ends_of_any_kind_are_no_events() {
    let (target, total, result) = import_text(b"\n \r\nx\r\n\n\ny");
    assert_eq!((target.0, total.accepted, result), (vec![(2, 3, 6)], 2, Ok(())));
    assert_eq!(import_text(b"").1, Receipt::default());
}

#[test]
fn a_bad_line_is_named_by_its_place_in_the_file() {
    let text = format!("{}\n\nbad\nx\n", "x\n".repeat(1500));
    let (_, total, result) = import_text(text.as_bytes());
    assert_eq!(result.unwrap_err(), "a.ndjson:1503: column 1: not an event");
    assert_eq!(total.accepted, 1000);
    let (_, _, result) = import_text(b"x\ndown\n");
    assert_eq!(result.unwrap_err(), "a.ndjson, lines 1 to 2: nobody is there");
}

#[test]
fn gzip_is_seen_by_its_bytes_and_may_have_several_members() {
    let pack = |text: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    };
    let packed = [pack(b"x\ny\n"), pack(b"z\n")].concat();
    assert_eq!(import_text(&packed).1.accepted, 3);
    let cut = import_text(&packed[..packed.len() - 9]).2.unwrap_err();
    assert!(cut.starts_with("can't read a.ndjson after line 3: "), "{cut}");
}

#[test]
fn ids_of_any_text_are_one_segment_of_the_address() {
    assert_eq!(path_segment("a b/é.."), "a%20b%2F%C3%A9%2E%2E");
}
