//! A server process with its folder and ports, and the smallest client that will do.

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a process may take for anything; only reached when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that may be started more than once; its folder goes with it.
pub(crate) struct Server {
    home: tempfile::TempDir,
    data: PathBuf,
    ports: (u16, u16),
    database_url: Option<String>,
    process: Option<Child>,
}

/// An answer.
pub(crate) struct Answer {
    /// Status.
    pub(crate) status: u16,
    /// Head and body.
    pub(crate) text: String,
    /// The certificate that the server showed.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Server {
    pub(crate) fn new(database_url: Option<&str>) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("certwright.toml"), "").unwrap();
        Self {
            data: home.path().join("data"),
            home,
            ports: free_ports(),
            database_url: database_url.map(str::to_owned),
            process: None,
        }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn api_port(&self) -> u16 {
        self.ports.0
    }

    pub(crate) fn plain_port(&self) -> u16 {
        self.ports.1
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub(crate) fn config(&self, text: &str) {
        fs::write(self.home.path().join("certwright.toml"), text).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.data().join("admin.token")).unwrap().trim().to_owned()
    }

    pub(crate) fn root(&self) -> String {
        fs::read_to_string(self.data().join("tls/ca.pem")).unwrap()
    }

    /// Starts serving and waits until the server is ready.
    pub(crate) fn start(&mut self, arguments: &[&str]) {
        self.spawn(arguments);
        self.wait_until_ready();
    }

    /// Starts serving.
    pub(crate) fn spawn(&mut self, arguments: &[&str]) {
        self.spawn_verb("serve", arguments);
    }

    /// Starts it with this verb.
    pub(crate) fn spawn_verb(&mut self, verb: &str, arguments: &[&str]) {
        let log = File::create(self.home.path().join("log")).unwrap();
        let mut command = self.prepared(&[verb]);
        command.args(arguments).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    /// Starts it with this verb and with a standard output that nobody reads any more; waits until it is ready.
    pub(crate) fn start_unread(&mut self, verb: &str) {
        let log = File::create(self.home.path().join("log")).unwrap();
        let mut process = self.prepared(&[verb]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        drop(process.stdout.take());
        self.process = Some(process);
        self.wait_until_ready();
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let port = self.plain_port();
        self.wait_for("readiness", |server| {
            let ended = server.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {}", server.log());
            try_get(port, None, "/readyz", None).is_ok_and(|answer| answer.status == 200)
        });
    }

    /// Starts a server that is to refuse to; its exit code and what it said. One that comes up after all is a failure.
    pub(crate) fn refusal(&mut self) -> (Option<i32>, String) {
        self.spawn(&[]);
        let port = self.plain_port();
        let mut code = None;
        self.wait_for("the end", |server| {
            code = server.process.as_mut().unwrap().try_wait().unwrap().map(|status| status.code());
            let is_up = code.is_none() && try_get(port, None, "/healthz", None).is_ok();
            assert!(!is_up, "the server started: {}", server.log());
            code.is_some()
        });
        self.process = None;
        (code.flatten(), self.log())
    }

    /// SIGTERM; returns when the server has stopped accepting.
    pub(crate) fn begin_to_stop(&mut self) {
        self.signal(Signal::TERM);
        self.wait_for("the end of listening", |server| connect(server.api_port()).is_err());
    }

    /// Runs another command with the same settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        self.prepared(arguments).output().unwrap()
    }

    /// GET on the plain listener.
    pub(crate) fn plain(&self, path: &str) -> Answer {
        get(self.plain_port(), None, path, None)
    }

    /// GET on the API with the service CA's root.
    pub(crate) fn api(&self, path: &str, token: Option<&str>) -> Answer {
        get(self.api_port(), Some(&self.root()), path, token)
    }

    /// GET on the API with another root.
    pub(crate) fn api_trusting(&self, root: &str, path: &str) -> Answer {
        get(self.api_port(), Some(root), path, None)
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.end(Signal::TERM)
    }

    /// SIGINT; the exit code.
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        self.end(Signal::INT)
    }

    /// SIGHUP; returns when the log says `word` once more than before.
    pub(crate) fn reload(&mut self, word: &str) {
        let before = self.log().matches(word).count();
        self.signal(Signal::HUP);
        self.wait_for(word, |server| server.log().matches(word).count() > before);
    }

    fn end(&mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        let mut process = self.process.take().unwrap();
        process.wait().unwrap().code()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    fn wait_for(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < PATIENCE, "waited for {what}: {}", self.log());
            // Another process is waited for: there is nothing to await.
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(arguments)
            .env("CERTWRIGHT_CONFIG", self.home.path().join("certwright.toml"))
            .env("CERTWRIGHT_DATA", self.data())
            .env("CERTWRIGHT_LISTEN", format!("127.0.0.1:{}", self.ports.0))
            .env("CERTWRIGHT_HTTP_LISTEN", format!("127.0.0.1:{}", self.ports.1))
            .current_dir(self.home.path());
        if let Some(url) = &self.database_url {
            command.env("CERTWRIGHT_DATABASE_URL", url);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Runs the binary without a server.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    binary().args(arguments).envs(environment.iter().copied()).output().unwrap()
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// GET over HTTP/1.1, with TLS when there is a root to trust.
pub(crate) fn get(port: u16, root: Option<&str>, path: &str, token: Option<&str>) -> Answer {
    try_get(port, root, path, token).unwrap()
}

/// Sends these bytes and reads until the server closes.
pub(crate) fn raw(port: u16, bytes: &[u8]) -> String {
    let mut stream = connect(port).unwrap();
    // A server that has answered what it saw may close before it has seen everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Connects and says nothing; how many bytes come before the server closes.
pub(crate) fn silence(port: u16) -> usize {
    let mut stream = connect(port).unwrap();
    io::copy(&mut stream, &mut io::sink()).map_or(0, |bytes| usize::try_from(bytes).unwrap())
}

/// A request over plain HTTP whose body never comes; returns once the server works on it.
pub(crate) fn stuck_request(port: u16, token: &str) -> TcpStream {
    let mut stream = connect(port).unwrap();
    let request = format!(
        "POST /v1/vaults HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    stream
}

fn try_get(port: u16, root: Option<&str>, path: &str, token: Option<&str>) -> io::Result<Answer> {
    let stream = connect(port)?;
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{authorization}Connection: close\r\n\r\n");
    let Some(root) = root else { return talk(stream, &request).map(|(text, _)| answer(text, None)) };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let (text, tls) = talk(StreamOwned::new(client, stream), &request)?;
    let leaf = tls.conn.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
    Ok(answer(text, leaf))
}

fn talk<S: Read + Write>(mut stream: S, request: &str) -> io::Result<(String, S)> {
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // A refused head is answered before all of it was read; what came counts.
        Err(_) if !bytes.is_empty() => {}
        other => {
            other?;
        }
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), stream))
}

fn answer(text: String, certificate: Option<Vec<u8>>) -> Answer {
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{text}"));
    Answer { status, text, certificate }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certwright"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CERTWRIGHT_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Two ports that were free a moment ago.
fn free_ports() -> (u16, u16) {
    let sockets = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let [api, plain] = sockets.each_ref().map(|socket| socket.local_addr().unwrap().port());
    (api, plain)
}
