//! The clouds' public host names on this machine: an HTTPS proxy that answers for them itself, with certificates of a
//! test CA, and lets nothing else out. What is tested through it uses the very URLs that the clouds hand out.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use super::http::{self, Listener, Open, Response, lock, read_head};
use super::site::{Route, Site, close_gently};

/// Host names and what is deployed there.
#[derive(Clone, Default)]
pub struct Hosts(Arc<Mutex<HashMap<String, Arc<Site>>>>);

impl Hosts {
    /// `*.example.com` stands for every host below that has no site itself.
    pub fn publish(&self, host: &str, site: &Arc<Site>) {
        lock(&self.0).insert(host.to_owned(), Arc::clone(site));
    }

    pub fn withdraw(&self, host: &str) {
        lock(&self.0).remove(host);
    }

    pub fn site(&self, host: &str) -> Option<Arc<Site>> {
        let sites = lock(&self.0);
        let fallback = || {
            let (_, parent) = host.split_once('.')?;
            sites.get(&format!("*.{parent}"))
        };
        sites.get(host).or_else(fallback).cloned()
    }
}

/// The proxy, until it is dropped.
pub struct Edge {
    pub hosts: Hosts,
    listener: Listener,
    refused: Arc<Mutex<Vec<String>>>,
    ca_file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Edge {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (authority, pem) = Authority::new();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, pem).expect("the CA can be written");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows the protocol versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(authority));
        let config = Arc::new(config);
        let hosts = Hosts::default();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let (to_find, to_refuse) = (hosts.clone(), Arc::clone(&refused));
        let listener = http::connections(move |stream, open| {
            let _ = serve(stream, open, &config, &to_find, &to_refuse);
        });
        Edge { hosts, listener, refused, ca_file, _folder: folder }
    }

    /// What a child needs to reach the sites by their names: a proxy and the CA that vouches for them.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HTTPS_PROXY", self.listener.url()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
            ("SSL_CERT_FILE", self.ca_file.display().to_string()),
        ]
    }

    pub fn ca_pem(&self) -> Vec<u8> {
        std::fs::read(&self.ca_file).expect("the CA is there as long as this is")
    }

    pub fn proxy_url(&self) -> String {
        self.listener.url()
    }

    /// The hosts that somebody wanted to reach and that are nobody's here: empty when nothing phones home.
    pub fn refused(&self) -> Vec<String> {
        lock(&self.refused).clone()
    }
}

/// A connection to the proxy: `CONNECT`, then TLS; or TLS at once, for clients that resolve names to this port.
fn serve(
    mut stream: TcpStream,
    open: &Open,
    config: &Arc<ServerConfig>,
    hosts: &Hosts,
    refused: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut first = [0; 1];
    if stream.peek(&mut first)? == 0 {
        return Ok(());
    }
    let mut site = None;
    if first[0] != TLS_HANDSHAKE {
        let mut buffer = Vec::new();
        let Some((head, length)) = read_head(&mut stream, &mut buffer)? else {
            return Ok(());
        };
        debug_assert_eq!(length, buffer.len(), "a client waits for the tunnel");
        let host = head.target.rsplit_once(':').map_or(head.target.as_str(), |(host, _)| host);
        if head.method == "CONNECT" && matches!(host, "127.0.0.1" | "localhost") {
            return tunnel(stream, &head.target, open);
        }
        site = hosts.site(host);
        if head.method != "CONNECT" || site.is_none() {
            lock(refused).push(head.target.clone());
            return stream.write_all(&Response::empty(502).with("connection", "close").bytes(false));
        }
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    }
    let (reader, writer) = accept_tls(&stream, config)?;
    let name = lock(&writer.tls.connection).server_name().unwrap_or_default().to_owned();
    let site = hosts.site(&name).or(site).unwrap_or_else(|| {
        let nothing = Response::new(404, "text/plain", "no such host\n");
        Site::new(Route::Nothing(nothing), &Arc::default(), &[])
    });
    let end = writer.clone();
    let hang_up = || {
        end.end();
        close_gently(&stream);
    };
    let served = site.serve(reader, writer, hang_up, open);
    end.end();
    let _ = stream.shutdown(Shutdown::Both);
    served
}

/// Not every tool heeds `NO_PROXY`.
fn tunnel(mut stream: TcpStream, to: &str, open: &Open) -> io::Result<()> {
    let mut backend = TcpStream::connect(to)?;
    let _place = open.add(&backend);
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    thread::scope(|scope| {
        let (mut from, mut to) = (stream.try_clone()?, backend.try_clone()?);
        scope.spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let _ = io::copy(&mut backend, &mut stream);
        stream.shutdown(Shutdown::Both)
    })
}

const TLS_HANDSHAKE: u8 = 22;

/// A TLS connection that one thread reads while another writes.
#[derive(Clone)]
struct Tls {
    connection: Arc<Mutex<ServerConnection>>,
    stream: Arc<TcpStream>,
}

struct TlsReader {
    tls: Tls,
}

#[derive(Clone)]
struct TlsWriter {
    tls: Tls,
}

fn accept_tls(stream: &TcpStream, config: &Arc<ServerConfig>) -> io::Result<(TlsReader, TlsWriter)> {
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = stream.try_clone()?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let tls = Tls { connection: Arc::new(Mutex::new(connection)), stream: Arc::new(stream) };
    Ok((TlsReader { tls: tls.clone() }, TlsWriter { tls }))
}

impl Tls {
    fn flush(&self, connection: &mut ServerConnection) -> io::Result<()> {
        while connection.wants_write() {
            connection.write_tls(&mut &*self.stream)?;
        }
        Ok(())
    }
}

impl Read for TlsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut connection = lock(&self.tls.connection);
            match connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            drop(connection);
            // Not under the lock: the other thread writes meanwhile.
            let mut piece = [0; 16 * 1024];
            let read = (&*self.tls.stream).read(&mut piece)?;
            let mut connection = lock(&self.tls.connection);
            let mut piece = &piece[..read];
            if piece.is_empty() {
                connection.read_tls(&mut piece)?;
            }
            while !piece.is_empty() {
                connection.read_tls(&mut piece)?;
                connection.process_new_packets().map_err(io::Error::other)?;
            }
            self.tls.flush(&mut connection)?;
        }
    }
}

impl TlsWriter {
    fn end(&self) {
        let mut connection = lock(&self.tls.connection);
        connection.send_close_notify();
        let _ = self.tls.flush(&mut connection);
    }
}

impl Write for TlsWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut connection = lock(&self.tls.connection);
        let written = connection.writer().write(bytes)?;
        self.tls.flush(&mut connection)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tls.flush(&mut lock(&self.tls.connection))
    }
}

/// A certificate authority that signs for any name it is asked for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    known: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    fn new() -> (Self, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "mcp-deploy tests");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        (Authority { issuer: Issuer::new(params, key), known: Mutex::default() }, pem)
    }

    fn sign(&self, name: &str) -> Arc<CertifiedKey> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a host name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = ring::sign::any_supported_type(&key).expect("ring made this key");
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        Arc::new(CertifiedKey::new(chain, key))
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_owned();
        let mut known = lock(&self.known);
        Some(Arc::clone(known.entry(name.clone()).or_insert_with(|| self.sign(&name))))
    }
}
