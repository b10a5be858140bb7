//! Rosters of ended sessions in each node's own folder: a cache that may be there or not.

use super::{LIST, SESSION, Server, event, schema, token};
use std::path::{Path, PathBuf};

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_node_serves_from_its_own_folder_and_without_one_at_once() {
    let url = schema();
    let token = token(&url);
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let segments = old.path().join("segments");
    let lists = [format!("{LIST}/{SESSION}/participants"), format!("{LIST}/{SESSION}/participants?view=consolidated")];
    let ask = |node: &Server| lists.each_ref().map(|list| node.get(list, &token));
    let a = Server::start_on(old.path(), &url);
    for peer in 0..10 {
        a.post(&event(peer, "joined", peer), &token);
        a.post(&event(peer, "left", 30 + peer), &token);
    }
    a.post(&event(99, "left", 59).replace("peer.left", "session.ended"), &token);
    let answers = ask(&a);
    assert!(answers[0].0 == 200 && answers[0].1.contains("Peer 7"), "{answers:?}");
    let kept = files(&segments);
    assert_eq!(kept.len(), 2, "{kept:?}");
    let b = Server::start_on(new.path(), &url);
    assert_eq!(ask(&b), answers, "a node without a folder answers too");

    // Whoever answers with this has read it in the file.
    a.stop("TERM");
    for file in kept {
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.windows(6).position(|part| part == b"Peer 7").unwrap();
        bytes[at..at + 6].copy_from_slice(b"Filed!");
        std::fs::write(file, bytes).unwrap();
    }
    let a = Server::start_on(old.path(), &url);
    assert!(ask(&a).iter().all(|(_, body)| body.contains("Filed!")), "not served from the folder");

    std::fs::remove_dir_all(&segments).unwrap();
    assert!(ask(&a).iter().all(|(_, body)| body.contains("Filed!")), "what is mapped stays");
    b.post(&event(11, "joined", 1), &token);
    b.post(&event(11, "left", 2), &token);
    let answers = ask(&a);
    assert!(answers.iter().all(|(_, body)| body.contains("Peer 11") && body.contains("Peer 7")), "{answers:?}");
    assert_eq!(ask(&b), answers);
    assert_eq!(files(&segments).len(), 2);
}

/// A folder that was another ledger's has nothing to tell of this one.
#[test]
fn a_folder_is_kept_for_each_ledger_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let list = format!("{LIST}/{SESSION}/participants");
    for (peer, kept) in [(1, 1), (2, 2)] {
        let url = schema();
        let (node, token) = (Server::start_on(folder.path(), &url), token(&url));
        node.post(&event(peer, "joined", 1), &token);
        node.post(&event(peer, "left", 2), &token);
        node.post(&event(99, "left", 59).replace("peer.left", "session.ended"), &token);
        let (_, body) = node.get(&list, &token);
        assert!(body.contains(&format!("Peer {peer}")) && body.contains(r#""total_count":1"#), "{body}");
        assert_eq!(files(&folder.path().join("segments")).len(), kept);
    }
}
