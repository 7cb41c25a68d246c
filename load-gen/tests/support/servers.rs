//! Servers on threads of the test's own, each with one habit.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

/// Serves every connection with `serve`, which is told the how many-th it is, each on a thread of its own, until
/// the process ends.
pub fn server(serve: impl Fn(TcpStream, usize) + Clone + Send + 'static) -> SocketAddr {
    serve_on(TcpListener::bind("127.0.0.1:0").expect("loopback"), serve)
}

/// As [`server`], where `listener` listens.
pub fn serve_on(
    listener: TcpListener,
    serve: impl Fn(TcpStream, usize) + Clone + Send + 'static,
) -> SocketAddr {
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for (index, stream) in listener.incoming().flatten().enumerate() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream, index));
        }
    });
    address
}

/// Hands each read to `reply`; what that returns is written, and nothing ends the connection.
pub fn replying(reply: impl Fn(&[u8], u64) -> Option<Vec<u8>> + Clone + Send + 'static) -> SocketAddr {
    server(move |mut stream, _| {
        let mut buffer = vec![0; 1 << 16];
        for turn in 0.. {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(length) => match reply(&buffer[..length], turn) {
                    Some(bytes) if stream.write_all(&bytes).is_ok() => {}
                    _ => return,
                },
            }
        }
    })
}

/// Answers the same bytes.
pub fn echo() -> SocketAddr {
    replying(|bytes, _| Some(bytes.to_vec()))
}

/// Reads everything and answers nothing.
pub fn mute() -> SocketAddr {
    server(|stream, _| read_all(&stream))
}

/// Reads until the peer has nothing more to say.
pub fn read_all(mut stream: &TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// Waits until the peer is gone, and reads nothing meanwhile.
pub fn hold(stream: &TcpStream) {
    // Asked for nothing, poll(2) still reports an error and the end of both directions.
    let _ = poll(&mut [PollFd::new(stream, PollFlags::empty())], None);
}

/// Echoes `replies` requests of `size` bytes.
pub fn echo_some(mut stream: &TcpStream, replies: usize, size: usize) {
    let mut buffer = vec![0; size];
    for _ in 0..replies {
        if stream.read_exact(&mut buffer).and_then(|()| stream.write_all(&buffer)).is_err() {
            return;
        }
    }
}

/// Closes with a reset (socket(7), SO_LINGER with no time).
pub fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).expect("linger");
    drop(stream);
}

/// Gives the port up at once. A child that another test starts at this moment has the descriptor until its execve(2):
/// closed here alone, the socket would go on listening there.
pub fn stop_listening(listener: TcpListener) {
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).expect("it listens");
}

/// Sends the end of the stream and goes on reading.
pub fn half_close(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    read_all(stream);
}

/// Echoes on all connections in one thread, each as soon as it is readable: all that are ready are answered in a row.
pub fn echoing_in_one_thread() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    rustix::net::listen(&listener, 4096).expect("a bound socket");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let mut streams: Vec<TcpStream> = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let mut watched = vec![PollFd::new(&listener, PollFlags::IN)];
            watched.extend(streams.iter().map(|stream| PollFd::new(stream, PollFlags::IN)));
            poll(&mut watched, None).expect("enough memory");
            let ready: Vec<bool> = watched.iter().map(|watched| !watched.revents().is_empty()).collect();
            let mut ready = ready.into_iter();
            let is_awaited = ready.next() == Some(true);
            streams.retain_mut(|stream| {
                !ready.next().unwrap_or(false)
                    || stream
                        .read(&mut buffer)
                        .is_ok_and(|length| length > 0 && stream.write_all(&buffer[..length]).is_ok())
            });
            if is_awaited {
                streams.push(listener.accept().expect("somebody waits").0);
            }
        }
    });
    address
}
