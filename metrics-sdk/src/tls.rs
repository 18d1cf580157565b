//! Whom a client believes that it is the server.

use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::ClientError;

/// A connector that speaks TLS to `https` addresses: to servers whose certificate leads to one of the authorities in
/// `ca_certs` (PEM), or without these to one that this machine trusts.
pub(crate) fn connector(
    mut http: HttpConnector,
    is_https: bool,
    ca_certs: Option<&[u8]>,
) -> Result<HttpsConnector<HttpConnector>, ClientError> {
    http.enforce_http(false);
    let roots = match ca_certs {
        Some(pem) => named(pem)?,
        None if is_https => trusted_here()?,
        // Nobody is asked who they are.
        None => RootCertStore::empty(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Trust { reason: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(http))
}

/// What would help against a certificate that is not believed.
pub(crate) fn advice(why: &CertificateError) -> &'static str {
    // The name of this one stands in an error of another crate.
    if format!("{why:?}").contains("CaUsedAsEndEntity") {
        return "; it is the certificate of an authority: the server needs one of its own, made with CA:FALSE";
    }
    match why {
        CertificateError::UnknownIssuer => "; the authority of a private certificate must be named to be trusted",
        _ => "",
    }
}

fn named(pem: &[u8]) -> Result<RootCertStore, ClientError> {
    let wrong = |reason: String| ClientError::Trust { reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(format!("the authorities' certificates: {error}")))?;
        roots.add(certificate).map_err(|error| wrong(format!("an authority's certificate: {error}")))?;
    }
    match roots.is_empty() {
        true => Err(wrong("there is no certificate of an authority in what was given: PEM is required".to_owned())),
        false => Ok(roots),
    }
}

fn trusted_here() -> Result<RootCertStore, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems keep certificates that nobody can read any more beside the good ones.
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
    Err(ClientError::Trust {
        reason: format!("this machine trusts no authority{why}: name the server's own with ca_certs"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        let http = || HttpConnector::new();
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = connector(http(), true, Some(pem.as_bytes())).expect_err(pem);
            assert!(matches!(error, ClientError::Trust { .. }), "{error}");
        }
        assert!(connector(http(), false, None).is_ok(), "an http address needs no authority");
    }
}
