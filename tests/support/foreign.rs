//! Echo servers that nobody here wrote.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use super::{Process, wait_until};

/// A server of somebody else's; dropping it kills it.
pub struct Foreign {
    process: Process,
    pub address: SocketAddr,
    /// Its end, be it that this test is killed, ends the server.
    _stdin: ChildStdin,
}

impl Deref for Foreign {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Foreign {
    /// Starts the program and arguments that `command` makes of a free port, and waits until it takes
    /// connections.
    pub fn start(command: impl Fn(u16) -> Vec<String>) -> Self {
        let address = {
            let free = TcpListener::bind("127.0.0.1:0").expect("loopback");
            free.local_addr().expect("bound")
        };
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 3<&0; \"$@\" </dev/null 3<&- & read -r _ <&3; kill -KILL 0", "sh"]);
        shell.args(command(address.port())).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = Process::start(shell, true);
        let stdin = process.child().stdin.take().expect("piped");
        let server = Self { process, address, _stdin: stdin };
        let says = || format!("it listens; it says: {}", server.stderr());
        wait_until(|| TcpStream::connect(address).is_ok(), says);
        server
    }
}

/// The longest queue of connections that may wait; the kernel cuts it down to net.core.somaxconn.
const BACKLOG: u32 = 4096;

/// socat: a process a connection, which hands the bytes to a cat(1) of its own and back.
///
/// With `PIPE` in place of `EXEC:cat` a peer that has sent its end would lose what it has not read: nothing
/// tells an unnamed pipe's reader that its writer, which is the same process, has finished. `-t` is how long it waits
/// for the rest after one side has ended.
pub fn socat(port: u16) -> Vec<String> {
    let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog={BACKLOG}");
    ["socat", "-t", "60", &listen, "EXEC:cat"].map(Into::into).into()
}

/// Python's asyncio streams: one thread on epoll(7), level-triggered.
pub fn asyncio(port: u16) -> Vec<String> {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/servers/asyncio_echo.py");
    ["python3", server, &port.to_string()].map(Into::into).into()
}

/// redis-server, which keeps nothing.
pub fn redis(port: u16) -> Vec<String> {
    let port = port.to_string();
    ["redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        .map(Into::into)
        .into()
}

/// nginx as a proxy of TCP (ngx_stream_module) in front of `server`, in one process, with everything that it writes in
/// `folder`.
pub fn nginx(folder: &Path, port: u16, server: SocketAddr) -> Vec<String> {
    let here = folder.display();
    // Debian has the module in a package of its own; others have it in the program.
    let module = Path::new("/usr/lib/nginx/modules/ngx_stream_module.so");
    let load = if module.exists() { format!("load_module {};", module.display()) } else { String::new() };
    let configuration = format!(
        "{load} daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass {server}; }} }}\n"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, configuration).expect("a folder to write to");
    ["nginx", "-p", &here.to_string(), "-c", &path.display().to_string()].map(Into::into).into()
}
