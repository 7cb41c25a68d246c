//! The trial of a mechanism: a server and a client find out whether it works here.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use super::{Mechanism, Options, start};

/// The longest time that a server on another thread of this process may take, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a server of `mechanism`, sends it a byte, awaits the reply, and ends it.
///
/// # Errors
///
/// Why that cannot be done: a kernel lacks a call, or a sandbox refuses it.
pub fn try_out(mechanism: &'static Mechanism) -> Result<(), String> {
    let options = Options { listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))], ..Options::default() };
    let running = start(mechanism, &options).map_err(|error| error.to_string())?;
    let control = running.control();
    let (sender, ended) = mpsc::channel();
    // A loop that cannot be ended is waited for by nobody.
    let waits = std::thread::Builder::new().spawn(move || sender.send(running.wait()));
    let answered = waits.map(drop).and_then(|()| round_trip(control.address()));
    control.stop();
    match (ended.recv_timeout(PATIENCE), answered) {
        (Ok(Err(error)), _) => Err(error.to_string()),
        (_, Err(error)) => Err(format!("a server of it does not answer: {error}")),
        (Err(_), _) => Err("a server of it does not end".to_owned()),
        (Ok(Ok(())), Ok(())) => Ok(()),
    }
}

fn round_trip(server: SocketAddr) -> io::Result<()> {
    let mut client = TcpStream::connect_timeout(&server, PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.write_all(b"?")?;
    client.read_exact(&mut [0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanisms;

    #[test]
    fn every_mechanism_of_this_build_that_this_kernel_has_works() {
        for mechanism in mechanisms::compiled().filter(|mechanism| (mechanism.probe)().is_ok()) {
            assert_eq!(try_out(mechanism), Ok(()), "{}", mechanism.name);
        }
    }
}
