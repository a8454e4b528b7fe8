//! Servers of tests, which answer each command by its name, on free ports of the loopback, until the process ends.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use redis::{Parser, Value};

use crate::config::Address;

/// A server whose address is known before it answers: others may have to name it.
pub(crate) fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, Address::new("127.0.0.1", port))
}

/// Answers commands from now on, what greets a server with `OK`. Of some commands, their second word tells which they are.
pub(crate) fn serve(
    listener: TcpListener,
    answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, answer) = (client.unwrap(), Arc::clone(&answer));
            thread::spawn(move || {
                let mut parser = Parser::new();
                while let Ok(Value::Array(request)) = parser.parse_value(&client) {
                    let Some(Value::BulkString(name)) = request.first() else {
                        return;
                    };
                    let mut name = String::from_utf8(name.clone()).unwrap();
                    if let ("CLUSTER" | "SENTINEL", Some(Value::BulkString(which))) =
                        (&name[..], request.get(1))
                    {
                        name = format!("{name} {}", std::str::from_utf8(which).unwrap());
                    }
                    let said = answer(&name).unwrap_or_else(|| b"+OK\r\n".to_vec());
                    if std::io::Write::write_all(&mut &client, &said).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// The answer that says which nodes have which slots.
pub(crate) fn slots(all: &[(u16, u16, &Address)]) -> Vec<u8> {
    let ranges = all.iter().map(|(first, last, address)| {
        let Address { host, port, .. } = address;
        let n_bytes = host.len();
        format!("*3\r\n:{first}\r\n:{last}\r\n*2\r\n${n_bytes}\r\n{host}\r\n:{port}\r\n")
    });
    let ranges: String = ranges.collect();
    format!("*{}\r\n{ranges}", all.len()).into_bytes()
}

/// The answer that names a master.
pub(crate) fn master(address: &Address) -> Vec<u8> {
    let parts = [address.host.clone(), address.port.to_string()];
    let parts = parts.map(|part| format!("${}\r\n{part}\r\n", part.len()));
    format!("*2\r\n{}", parts.concat()).into_bytes()
}
