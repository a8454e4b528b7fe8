//! A server of our own that does what no server should, on request.
//!
//! It keeps texts under keys as the real one does, for the few commands that the level sends, and answers each by a script.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use larder_valkey::Address;

/// What becomes of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is sent.
    Right,
    /// Nothing is sent, and the connection stays.
    Hang,
    /// It is sent when the client has closed, or another client has come.
    Late,
    /// The answer to the request before is sent, whoever's that was.
    Previous,
    /// It is sent twice.
    Twice,
    /// It is sent, and the head of another with it.
    More,
    /// Half of it is sent, and the connection closed.
    Truncated,
    /// Half of it is sent, and the connection stays.
    Stalled,
    /// It is sent byte by byte, one a millisecond.
    Drip,
    /// Bytes that are no answer.
    Garbage,
    /// The length of something that doesn't come.
    Huge,
    /// The connection is closed.
    Close,
    /// What the server says that it can't be asked now, or here.
    Loading,
    Moved,
    Error,
    /// An answer of another kind.
    OtherKind,
}

pub(crate) const FAULTS: [Way; 15] = {
    use Way::*;
    [
        Hang, Late, Previous, Twice, More, Truncated, Stalled, Drip, Garbage, Huge, Close, Loading,
        Moved, Error, OtherKind,
    ]
};

type Script = dyn Fn(u64) -> Way + Send + Sync;
type Texts = HashMap<Vec<u8>, Vec<u8>>;

/// A running server, which ends with this value.
pub(crate) struct Faulty {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    texts: Mutex<Texts>,
    script: Mutex<Arc<Script>>,
    previous: Mutex<Vec<u8>>,
    n_requests: AtomicU64,
    n_faults: AtomicU64,
    is_over: AtomicBool,
    /// How many clients have come; who answers late waits for the next.
    n_clients: Mutex<u64>,
    came: Condvar,
}

impl Faulty {
    /// One that does all right.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            texts: Mutex::default(),
            script: Mutex::new(Arc::new(|_| Way::Right)),
            previous: Mutex::new(b"$-1\r\n".to_vec()),
            n_requests: AtomicU64::new(0),
            n_faults: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            n_clients: Mutex::new(0),
            came: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if own.is_over.load(Ordering::SeqCst) {
                    return;
                }
                *own.n_clients.lock().unwrap() += 1;
                own.came.notify_all();
                let own = Arc::clone(&own);
                thread::spawn(move || own.serve(client.unwrap()));
            }
        });
        Self { shared, port }
    }

    pub(crate) fn address(&self) -> Address {
        Address::new("127.0.0.1", self.port)
    }

    /// Answers the requests from now on by a script, which is given their numbers.
    pub(crate) fn follow(&self, script: impl Fn(u64) -> Way + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    pub(crate) fn all(&self, way: Way) {
        self.follow(move |_| way);
    }

    pub(crate) fn n_requests(&self) -> u64 {
        self.shared.n_requests.load(Ordering::SeqCst)
    }

    pub(crate) fn n_faults(&self) -> u64 {
        self.shared.n_faults.load(Ordering::SeqCst)
    }

    /// What it holds; given back, it is as if nothing had been since.
    pub(crate) fn texts(&self) -> Texts {
        self.shared.texts.lock().unwrap().clone()
    }

    pub(crate) fn fall_back(&self, texts: Texts) {
        *self.shared.texts.lock().unwrap() = texts;
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // The listener sees it by a client.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        self.shared.came.notify_all();
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) {
        let mut requests = BufReader::new(client.try_clone().unwrap());
        while let Some(request) = read(&mut requests) {
            let answer = self.answer(&request);
            let number = self.n_requests.fetch_add(1, Ordering::SeqCst);
            let script = Arc::clone(&self.script.lock().unwrap());
            let way = script(number);
            if way != Way::Right {
                self.n_faults.fetch_add(1, Ordering::SeqCst);
            }
            let before = std::mem::replace(&mut *self.previous.lock().unwrap(), answer.clone());
            if !self.send(&client, &mut requests, way, &answer, &before) {
                let _ = client.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    /// Sends an answer; whether the connection goes on.
    fn send(
        &self,
        mut client: &TcpStream,
        requests: &mut BufReader<TcpStream>,
        way: Way,
        answer: &[u8],
        before: &[u8],
    ) -> bool {
        let half = &answer[..answer.len() / 2];
        let mut say = |bytes: &[u8]| client.write_all(bytes).is_ok();
        match way {
            Way::Right => say(answer),
            Way::Hang => until_closed(requests),
            Way::Late => {
                self.pause(std::time::Duration::from_millis(60));
                say(answer)
            }
            Way::Previous => say(before),
            Way::Twice => say(&[answer, answer].concat()),
            Way::More => say(&[answer, b"*3\r\n$9\r\n"].concat()),
            Way::Truncated => {
                say(half);
                false
            }
            Way::Stalled => say(half) && until_closed(requests),
            Way::Drip => answer.chunks(1).all(|few| {
                self.pause(std::time::Duration::from_millis(1));
                say(few)
            }),
            Way::Garbage => say(b"\0\xFF HTTP/1.1 400 Bad Request\r\n\r\n"),
            Way::Huge => say(b"*2\r\n$99999999\r\nab") && until_closed(requests),
            Way::Close => false,
            Way::Loading => say(b"-LOADING Redis is loading the dataset in memory\r\n"),
            Way::Moved => say(b"-MOVED 3999 127.0.0.1:1\r\n"),
            Way::Error => say(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
            Way::OtherKind => say(b":42\r\n"),
        }
    }

    /// Waits for the next client, or the end, and so long at most: being slow is what is asked of it.
    fn pause(&self, limit: std::time::Duration) {
        let clients = self.n_clients.lock().unwrap();
        let now = *clients;
        let waited = self.came.wait_timeout_while(clients, limit, |n_clients| {
            *n_clients == now && !self.is_over.load(Ordering::SeqCst)
        });
        drop(waited);
    }

    fn answer(&self, request: &[Vec<u8>]) -> Vec<u8> {
        let mut texts = self.texts.lock().unwrap();
        let bulk = |text: Option<&Vec<u8>>| match text {
            None => b"$-1\r\n".to_vec(),
            Some(text) => [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat(),
        };
        let parts: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        match &parts[..] {
            [b"MGET", keys @ ..] => {
                let head = format!("*{}\r\n", keys.len()).into_bytes();
                let found = keys.iter().flat_map(|&key| bulk(texts.get(key)));
                head.into_iter().chain(found).collect()
            }
            [b"GET", key] => bulk(texts.get(*key)),
            [b"SET", key, text, options @ ..] => {
                if options.contains(&&b"NX"[..]) && texts.contains_key(*key) {
                    return b"$-1\r\n".to_vec();
                }
                texts.insert(key.to_vec(), text.to_vec());
                b"+OK\r\n".to_vec()
            }
            [b"DEL", key] => {
                let n_deleted = u8::from(texts.remove(*key).is_some());
                format!(":{n_deleted}\r\n").into_bytes()
            }
            [b"INCR", key] => {
                let text = texts.entry(key.to_vec()).or_insert_with(|| b"0".to_vec());
                let number: i64 = std::str::from_utf8(text).unwrap().parse().unwrap();
                *text = (number + 1).to_string().into_bytes();
                format!(":{}\r\n", number + 1).into_bytes()
            }
            _ => b"-ERR unknown command\r\n".to_vec(),
        }
    }
}

/// Reads what a client still says until it closes.
fn until_closed(requests: &mut BufReader<TcpStream>) -> bool {
    let _ = std::io::copy(requests, &mut std::io::sink());
    false
}

/// A request; `None` when the client has closed.
pub(crate) fn read(from: &mut BufReader<TcpStream>) -> Option<Vec<Vec<u8>>> {
    let n_parts = head(from, '*')?;
    (0..n_parts)
        .map(|_| {
            let mut part = vec![0; head(from, '$')? + 2];
            from.read_exact(&mut part).ok()?;
            part.truncate(part.len() - 2);
            Some(part)
        })
        .collect()
}

fn head(from: &mut BufReader<TcpStream>, kind: char) -> Option<usize> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    line.strip_prefix(kind)?.trim_end().parse().ok()
}
