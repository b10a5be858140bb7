//! What the disk and one connection can do.

use rollbook_store::suite::fixtures::id;
use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::NoTls;

static NEXT: AtomicI64 = AtomicI64::new(0);

/// Syncs a second of 200 bytes each, in a file that was written before.
pub(crate) async fn fdatasync(span: Duration) -> f64 {
    let measure = move || {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![0; 16 << 20]).unwrap();
        file.sync_all().unwrap();
        let (began, mut count) = (Instant::now(), 0_u64);
        while began.elapsed() < span {
            file.seek(SeekFrom::Start(count * 200 % (15 << 20))).unwrap();
            file.write_all(&[1; 200]).unwrap();
            file.sync_data().unwrap();
            count += 1;
        }
        count as f64 / began.elapsed().as_secs_f64()
    };
    tokio::task::spawn_blocking(measure).await.unwrap()
}

/// Commits a second of one connection that adds one row each.
pub(crate) async fn one_row(url: &str, span: Duration) -> f64 {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let table = "CREATE TABLE IF NOT EXISTS raw (stream uuid, seq bigint, batch bytea, PRIMARY KEY (stream, seq))";
    client.batch_execute(table).await.unwrap();
    let insert = client.prepare("INSERT INTO raw VALUES ($1, $2, $3)").await.unwrap();
    let (began, mut count) = (Instant::now(), 0_u64);
    while began.elapsed() < span {
        client.execute(&insert, &[&id(1), &NEXT.fetch_add(1, Ordering::Relaxed), &[0_u8; 200].as_slice()]).await.unwrap();
        count += 1;
    }
    count as f64 / began.elapsed().as_secs_f64()
}
