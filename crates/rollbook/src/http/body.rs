//! Bodies of deliveries: bounded in size, in time and in number before anything of them is understood.

use super::Http;
use super::error::ApiError;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which memory for bodies is handed out.
pub(super) const BLOCK: usize = 4096;

/// A delivery in memory, decompressed.
pub(super) struct Delivery {
    /// All headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Bytes,
    /// Its share of the memory for bodies, until it is dealt with.
    _memory: Option<OwnedSemaphorePermit>,
}

impl Delivery {
    /// The content type.
    pub(super) fn content_type(&self) -> Option<String> {
        self.headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// All headers, as plain pairs.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    /// Whether reading it takes long enough to be in the way of other requests.
    pub(super) fn is_heavy(&self) -> bool {
        self.body.len() > 64 << 10
    }
}

impl FromRequest<Http> for Delivery {
    type Rejection = ApiError;

    async fn from_request(request: Request, http: &Http) -> Result<Self, ApiError> {
        Self::read(request, http, http.limits.body_bytes).await
    }
}

impl Delivery {
    /// Reads a body of at most `limit` bytes.
    pub(super) async fn read(request: Request, http: &Http, limit: usize) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let buffer = Buffer { bytes: Vec::new(), limit, memory: None, blocks: http.blocks.clone() };
        let read = read(&parts.headers, body, buffer);
        let buffer = tokio::time::timeout(http.limits.body_timeout, read).await.map_err(|_| ApiError::too_slow())??;
        Ok(Self { headers: parts.headers, body: buffer.bytes.into(), _memory: buffer.memory })
    }
}

async fn read(headers: &HeaderMap, mut body: Body, buffer: Buffer) -> Result<Buffer, ApiError> {
    let limit = buffer.limit;
    // A length that is announced needs no waiting for.
    if body.size_hint().lower() > limit as u64 {
        return Err(ApiError::too_large(limit));
    }
    let mut sink = Sink::of(headers, buffer)?;
    while let Some(frame) = body.frame().await {
        // The connection broke: whoever sent this does not read the answer any more.
        let frame = frame.map_err(|_| ApiError::bad_request("the body is cut short"))?;
        let Ok(chunk) = frame.into_data() else { continue };
        sink.take(&chunk).map_err(|error| refusal(&error, limit))?;
    }
    sink.finish().map_err(|error| refusal(&error, limit))
}

fn refusal(error: &io::Error, limit: usize) -> ApiError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Full>()) {
        Some(Full::Body) => ApiError::too_large(limit),
        Some(Full::Memory) => ApiError::unavailable("the memory for bodies is full"),
        None => ApiError::bad_request("the body is not valid gzip, as its content encoding promises"),
    }
}

/// Where a body goes, chunk by chunk.
enum Sink {
    Plain(Buffer),
    Gzip(Box<MultiGzDecoder<Buffer>>),
}

impl Sink {
    fn of(headers: &HeaderMap, buffer: Buffer) -> Result<Self, ApiError> {
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
        match (encodings.next().as_deref(), encodings.next()) {
            (None | Some(b"" | b"identity"), None) => Ok(Self::Plain(buffer)),
            (Some(b"gzip" | b"x-gzip"), None) => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(buffer)))),
            _ => Err(ApiError::unsupported_encoding()),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(buffer) => buffer.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
        }
    }

    fn finish(self) -> io::Result<Buffer> {
        match self {
            Self::Plain(buffer) => Ok(buffer),
            Self::Gzip(decoder) => decoder.finish(),
        }
    }
}

/// Memory that grows only as far as one body may, and as all bodies together may.
struct Buffer {
    bytes: Vec<u8>,
    limit: usize,
    memory: Option<OwnedSemaphorePermit>,
    blocks: Arc<Semaphore>,
}

/// Why a buffer does not grow.
#[derive(Debug, thiserror::Error)]
enum Full {
    #[error("the body is too large")]
    Body,
    #[error("the memory for bodies is full")]
    Memory,
}

impl Write for Buffer {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let needed = self.bytes.len() + chunk.len();
        if needed > self.limit {
            return Err(io::Error::other(Full::Body));
        }
        let held = self.memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(needed.div_ceil(BLOCK).saturating_sub(held)).unwrap_or(u32::MAX);
        if more > 0 {
            let more = self.blocks.clone().try_acquire_many_owned(more).map_err(|_| io::Error::other(Full::Memory))?;
            match &mut self.memory {
                Some(memory) => memory.merge(more),
                None => self.memory = Some(more),
            }
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
