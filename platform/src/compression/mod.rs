//! Inflating what clients send, with a bound on what comes out: the declared size of a compressed
//! body is never believed, and a bomb stops at the limit, not at the end of memory.

use std::io::Read;

use henge_types::ErrorClass;

use crate::runtime::{AccountFull, Charge, MemoryAccount};

/// The `Content-Encoding`s that requests may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentEncoding {
    /// As it is.
    Identity,
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 1950 (zlib), as HTTP's `deflate` is defined.
    Deflate,
}

impl ContentEncoding {
    /// The encoding of a header's value; an empty one is identity.
    ///
    /// # Errors
    /// `UnknownEncoding` for other names and for several encodings on top of each other.
    pub fn parse(value: &str) -> Result<Self, InflateError> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "deflate" => Ok(Self::Deflate),
            _ => Err(InflateError::UnknownEncoding(value.trim().chars().take(64).collect())),
        }
    }
}

/// Bounds of inflating one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InflateLimits {
    /// Most bytes that may come out.
    pub max_inflated_bytes: usize,
    /// Most bytes out a byte in, once `ratio_grace_bytes` have come out.
    pub max_ratio: usize,
    /// Highly compressible small bodies are fine: the ratio counts from here.
    pub ratio_grace_bytes: usize,
}

impl Default for InflateLimits {
    fn default() -> Self {
        Self { max_inflated_bytes: 64 << 20, max_ratio: 100, ratio_grace_bytes: 100 << 10 }
    }
}

/// Why a body could not be inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// Not an encoding that is accepted.
    #[error("content-encoding '{0}' is not supported: use identity, gzip, zstd or deflate")]
    UnknownEncoding(String),
    /// Compressed, though no header says so.
    #[error("the body is {0}: send `Content-Encoding: {0}` with it")]
    Undeclared(&'static str),
    /// More comes out than allowed.
    #[error("the body inflates to more than {0} bytes: send smaller batches")]
    TooLarge(usize),
    /// More comes out of each byte than any honest body gives.
    #[error("the body inflates to more than {0} times its size")]
    Ratio(usize),
    /// There is no memory for what comes out.
    #[error(transparent)]
    Memory(#[from] AccountFull),
    /// Not what the header says.
    #[error("the body is not valid {encoding:?}: {reason}")]
    Malformed {
        /// What the header says.
        encoding: ContentEncoding,
        /// What is wrong.
        reason: String,
    },
}

impl InflateError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownEncoding(_) => ErrorClass::Unsupported,
            Self::TooLarge(_) | Self::Ratio(_) => ErrorClass::ResourceLimit,
            Self::Memory(full) => full.class(),
            Self::Undeclared(_) | Self::Malformed { .. } => ErrorClass::InvalidInput,
        }
    }
}

/// Refuses a body without a `Content-Encoding` that begins as compressed ones do: no text does.
///
/// # Errors
/// `Undeclared`.
pub fn refuse_compressed(body: &[u8]) -> Result<(), InflateError> {
    const MAGIC: [(&[u8], &str); 2] =
        [(&[0x1f, 0x8b], "gzip"), (&[0x28, 0xb5, 0x2f, 0xfd], "zstd")];
    match MAGIC.iter().find(|(magic, _)| body.starts_with(magic)) {
        Some((_, name)) => Err(InflateError::Undeclared(name)),
        None => Ok(()),
    }
}

/// zstd windows above 8 MiB are refused, as RFC 9659 asks of HTTP: a header of a few bytes must not
/// make the decoder allocate more.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Inflates a whole body, and charges what comes out to an account before it is there.
///
/// # Errors
/// When the body is malformed, ends early, has anything behind its end, or passes a limit.
pub fn inflate(
    encoding: ContentEncoding,
    body: &[u8],
    limits: InflateLimits,
    account: &MemoryAccount,
) -> Result<(Vec<u8>, Charge), InflateError> {
    let mut out = Inflated { bytes: Vec::new(), charge: account.nothing() };
    match encoding {
        ContentEncoding::Identity => {
            if body.len() > limits.max_inflated_bytes {
                return Err(InflateError::TooLarge(limits.max_inflated_bytes));
            }
            out.append(body, limits)?;
        }
        ContentEncoding::Gzip => inflate_gzip(body, limits, &mut out)?,
        ContentEncoding::Deflate => {
            let mut decoder = flate2::bufread::ZlibDecoder::new(body);
            drain(&mut decoder, encoding, body.len(), limits, &mut out)?;
            refuse_rest(decoder.into_inner(), encoding)?;
        }
        ContentEncoding::Zstd => inflate_zstd(body, limits, &mut out)?,
    }
    Ok((out.bytes, out.charge))
}

/// What came out so far.
struct Inflated {
    bytes: Vec<u8>,
    charge: Charge,
}

impl Inflated {
    /// Appends a piece that the limits allow. Room doubles, as a vector's does, up to the limit.
    fn append(&mut self, piece: &[u8], limits: InflateLimits) -> Result<(), InflateError> {
        let total = self.bytes.len() + piece.len();
        if total > self.bytes.capacity() {
            let room = (self.bytes.capacity() * 2).min(limits.max_inflated_bytes).max(total);
            self.charge.set(room)?;
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

fn inflate_gzip(
    body: &[u8],
    limits: InflateLimits,
    out: &mut Inflated,
) -> Result<(), InflateError> {
    let mut rest = body;
    loop {
        let mut decoder = flate2::bufread::GzDecoder::new(rest);
        drain(&mut decoder, ContentEncoding::Gzip, body.len(), limits, out)?;
        rest = decoder.into_inner();
        // Members may follow each other; anything else behind a member is garbage.
        if !rest.starts_with(&[0x1f, 0x8b]) {
            return refuse_rest(rest, ContentEncoding::Gzip);
        }
    }
}

fn inflate_zstd(
    body: &[u8],
    limits: InflateLimits,
    out: &mut Inflated,
) -> Result<(), InflateError> {
    let encoding = ContentEncoding::Zstd;
    if body.is_empty() {
        return Err(malformed(encoding, "it is empty"));
    }
    // Reads frame after frame and fails on anything that is not a frame.
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)
        .map_err(|error| malformed(encoding, error.to_string()))?;
    decoder
        .window_log_max(ZSTD_WINDOW_LOG_MAX)
        .map_err(|error| malformed(encoding, error.to_string()))?;
    drain(&mut decoder, encoding, body.len(), limits, out)
}

fn drain(
    decoder: &mut impl Read,
    encoding: ContentEncoding,
    body_bytes: usize,
    limits: InflateLimits,
    out: &mut Inflated,
) -> Result<(), InflateError> {
    let by_ratio = body_bytes.saturating_mul(limits.max_ratio).max(limits.ratio_grace_bytes);
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = match decoder.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(malformed(encoding, error.to_string())),
        };
        let total = out.bytes.len() + read;
        if total > limits.max_inflated_bytes {
            return Err(InflateError::TooLarge(limits.max_inflated_bytes));
        }
        if total > by_ratio {
            return Err(InflateError::Ratio(limits.max_ratio));
        }
        out.append(&buffer[..read], limits)?;
    }
}

fn refuse_rest(rest: &[u8], encoding: ContentEncoding) -> Result<(), InflateError> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(malformed(encoding, format!("{} bytes behind its end", rest.len())))
}

fn malformed(encoding: ContentEncoding, reason: impl Into<String>) -> InflateError {
    InflateError::Malformed { encoding, reason: reason.into() }
}

#[cfg(test)]
mod tests;
