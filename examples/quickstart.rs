//! The cache in forty lines: keys of parts, values in place, deadlines, and a bound in bytes.

use std::error::Error;
use std::time::Duration;

use larder::Cache;

fn main() -> Result<(), Box<dyn Error>> {
    // Values are bytes, stored inside their entries; at most 64 MiB, keys and overhead included.
    let cache: Cache<[u8]> = Cache::builder().max_bytes(64 << 20).build()?;

    // A key is one part or a tuple of parts. A refusal is an error that gives the value back.
    cache.insert("motd", b"welcome")?;
    cache.insert_with_ttl(
        ("user", 42u64, "profile"),
        b"{\"name\":\"Ada\"}",
        Duration::from_secs(60),
    )?;

    // `get` hands out a counted handle; nothing is copied, and it stays valid whatever happens to the cache.
    if let Some(profile) = cache.get(("user", 42u64, "profile")) {
        println!("profile: {}", String::from_utf8_lossy(&profile));
    }

    // `read` looks at the value in place: no count, no copy, no write that another thread would feel.
    let len = cache.read("motd", |value| value.len());
    println!("motd has {} bytes", len.unwrap_or(0));

    // Handles are cheap: a clone is the same cache.
    let shared = cache.clone();
    let worker = std::thread::spawn(move || shared.insert("from a thread", b"hello").is_ok());
    println!(
        "the other thread stored it: {}",
        worker.join().is_ok_and(|stored| stored)
    );

    // A miss is `None`, and so is what was removed.
    cache.remove("motd");
    println!("motd is still there: {}", cache.contains_key("motd"));
    println!("{} entries, {} bytes charged", cache.len(), cache.weight());
    Ok(())
}
