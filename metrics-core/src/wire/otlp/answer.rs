//! What an exporter is answered: `ExportMetricsServiceResponse`, or `google.rpc.Status` for a refusal.

use super::OtlpEncoding;
use crate::encode::text::{push_count, push_string};
use crate::wire::protobuf::{push_bytes, push_number};

/// The answer to a request that was taken: nothing, or how many of its data points were rejected and why.
///
/// ```
/// use metrics_core::wire::otlp::{OtlpEncoding, export_answer};
/// assert_eq!(export_answer(OtlpEncoding::Json, 0, ""), b"{}");
/// let partial = br#"{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"why"}}"#;
/// assert_eq!(export_answer(OtlpEncoding::Json, 2, "why"), partial);
/// assert_eq!(export_answer(OtlpEncoding::Protobuf, 2, "why"), b"\x0a\x07\x08\x02\x12\x03why");
/// ```
pub fn export_answer(encoding: OtlpEncoding, rejected: u64, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        OtlpEncoding::Protobuf if rejected > 0 => {
            let mut partial = Vec::new();
            push_number(&mut partial, 1, rejected);
            push_bytes(&mut partial, 2, message.as_bytes());
            push_bytes(&mut out, 1, &partial);
        }
        OtlpEncoding::Protobuf => {}
        OtlpEncoding::Json if rejected > 0 => {
            out.extend_from_slice(b"{\"partialSuccess\":{\"rejectedDataPoints\":\"");
            push_count(&mut out, rejected);
            out.extend_from_slice(b"\",\"errorMessage\":");
            push_string(&mut out, message);
            out.extend_from_slice(b"}}");
        }
        OtlpEncoding::Json => out.extend_from_slice(b"{}"),
    }
    out
}

/// A refusal, by a code of `google.rpc.Code`.
///
/// ```
/// use metrics_core::wire::otlp::{OtlpEncoding, status};
/// assert_eq!(status(OtlpEncoding::Json, 3, "no"), br#"{"code":3,"message":"no"}"#);
/// assert_eq!(status(OtlpEncoding::Protobuf, 3, "no"), b"\x08\x03\x12\x02no");
/// ```
pub fn status(encoding: OtlpEncoding, code: u32, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        OtlpEncoding::Protobuf => {
            push_number(&mut out, 1, u64::from(code));
            push_bytes(&mut out, 2, message.as_bytes());
        }
        OtlpEncoding::Json => {
            out.extend_from_slice(b"{\"code\":");
            push_count(&mut out, u64::from(code));
            out.extend_from_slice(b",\"message\":");
            push_string(&mut out, message);
            out.push(b'}');
        }
    }
    out
}
