//! The section `[warm]`, which keeps items beyond the process; and rates that servers keep to together.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder::ManualClock;
use larder_http::{AccountSettings, Bound, Settings};
use larder_serve::{Level, Mode, Warm, Warmed};

use super::program::{Started, file, run, text};
use super::redis_server::Server as Redis;
use super::support::{Server, engine, settings};

fn in_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("warm-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn warm(server: &Server, settings: &Settings) -> Warmed {
    let warm = settings.warm.as_ref().unwrap();
    server.app.warm(settings, warm).unwrap()
}

#[tokio::test]
async fn items_outlive_the_program_and_a_damaged_file_keeps_nobody_from_starting() {
    let minted = run(&["token", "--static", "--account", "acme", "--super-user"]).await;
    let minted = text(&minted.stdout);
    let (token, key) = minted.split_once('\n').unwrap();
    let warm = in_folder("program");
    let settings = format!(
        "[warm]\nfile = {warm:?}\ninterval_ms = 0\n[accounts.acme.caches.default-cache]\n{key}"
    );
    let config = file("warm.toml", &settings);
    let args = ["--config", config.to_str().unwrap()];
    let export = format!("TOKEN={token}");
    let put = r#"curl -s -w '%{http_code}' -X PUT -d 'kept' "http://localhost:8080/cache/default-cache?key=a&ttl_seconds=300&token=$TOKEN""#;
    let get = r#"curl -s -w '%{http_code}' "http://localhost:8080/cache/default-cache?key=a&token=$TOKEN""#;

    let server = Started::with(&args).await;
    assert_eq!(server.shell(&export, put).await, "204");
    let (code, log) = server.ends().await;
    assert_eq!(code, Some(0));
    let written =
        |line: &String| line.contains("the cache is written") && line.contains("entries=1");
    assert!(log.iter().any(written), "{log:?}");

    for _ in 0..2 {
        let server = Started::with(&args).await;
        assert_eq!(server.shell(&export, get).await, "kept200");
        assert_eq!(server.ends().await.0, Some(0));
    }

    std::fs::write(&warm, b"no snapshot").unwrap();
    let server = Started::with(&args).await;
    let missed = server.shell(&export, get).await;
    assert!(missed.ends_with("404"), "{missed}");
    server.ends().await;

    let nowhere = file("nowhere.toml", "[warm]\nfile = \"/no/such/folder/warm\"\n");
    for more in [&["check-config"][..], &[]] {
        let args = [
            &[
                "--listen",
                "127.0.0.1:0",
                "--config",
                nowhere.to_str().unwrap(),
            ],
            more,
        ];
        let output = run(&args.concat()).await;
        assert_eq!(output.status.code(), Some(2));
        let errors = text(&output.stderr);
        assert!(
            errors.contains("warm.file: /no/such/folder/warm"),
            "{errors}"
        );
    }
}

#[tokio::test]
async fn the_file_is_written_now_and_then() {
    let file = in_folder("interval");
    let settings = Settings {
        warm: Some(Warm {
            file: file.clone(),
            interval: Duration::from_millis(5),
        }),
        ..settings()
    };
    let one = Server::with(&settings).await;
    one.store("a", "kept").await;
    let _warmed = warm(&one, &settings);
    while !file.exists() {
        tokio::task::yield_now().await;
    }
    let two = Server::with(&settings).await;
    drop(warm(&two, &settings));
    two.load("a").await.is_value("kept");
}

#[tokio::test]
async fn what_comes_back_is_what_the_settings_have_and_no_copy_of_a_level() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let level = Level {
        servers: vec![format!("127.0.0.1:{}", redis.port)],
        timeout: Duration::from_secs(20),
        ..Level::default()
    };
    let mut settings = Settings {
        level: Some(level),
        warm: Some(Warm {
            file: in_folder("settings"),
            interval: Duration::ZERO,
        }),
        ..settings()
    };
    let cache = |settings: &mut Settings, name: &str, mode| {
        let account = settings.accounts.get_mut("acct").unwrap();
        account.caches.entry(name.into()).or_default().level = Some(mode);
    };
    for name in ["stays", "moves"] {
        cache(&mut settings, name, Mode::L1);
    }
    settings
        .accounts
        .insert("gone".into(), AccountSettings::default());
    let server = async |settings: &Settings| {
        let clock = ManualClock::new();
        let engine = engine(&clock).with_level(settings.level.as_ref()).unwrap();
        let server = Server::over(settings, engine, clock).await;
        let warmed = warm(&server, settings);
        (server, warmed)
    };
    let target = |cache: &str| format!("/cache/{cache}?key=a&ttl_seconds=60&token=RW");
    let (one, warmed) = server(&settings).await;
    for name in ["stays", "moves", "default-cache"] {
        one.put(&target(name), "old").await.is_stored();
    }
    assert_eq!(one.put("/caches/made?token=ADM", "").await.status, 201);
    warmed.finish();

    // Somebody else writes while it is away.
    let (other, _) = server(&Settings {
        warm: settings.warm.clone().map(|warm| Warm {
            file: in_folder("other"),
            ..warm
        }),
        ..settings.clone()
    })
    .await;
    other.put(&target("default-cache"), "new").await.is_stored();
    cache(&mut settings, "moves", Mode::L1L2);
    settings.accounts.remove("gone");
    let account = settings.accounts.get_mut("acct").unwrap();
    account.each_cache.item_bytes_max = Some(Bound::At(7));
    let (two, _warmed) = server(&settings).await;
    two.get(&target("stays")).await.is_value("old");
    two.get(&target("moves")).await.is(404, "KeyNotFound");
    two.get(&target("default-cache")).await.is_value("new");
    // A cache that a request made is there, with the limits that hold now.
    two.put(&target("made"), "123456").await.is_stored();
    assert_eq!(two.put(&target("made"), "1234567").await.status, 429);
    let tenants = two.app.engine().cache.tenants();
    assert!(tenants.iter().all(|(name, _)| name != "gone"));
}

#[tokio::test]
async fn e_82_servers_keep_to_a_rate_together_and_alone_while_the_level_is_away() {
    const LIMIT: u64 = 32;
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let mut settings = settings();
    let account = settings.accounts.get_mut("acct").unwrap();
    account.operations_per_second = Some(Bound::At(LIMIT));
    account.each_cache.level = Some(Mode::L1);
    let second = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap().as_secs()
    };
    let name_spaces = (0..).map(|n| format!("n{n}"));
    let mut has_refused = false;
    for name_space in name_spaces {
        settings.level = Some(Level {
            servers: vec![format!("127.0.0.1:{}", redis.port)],
            timeout: Duration::from_secs(20),
            shared_rates: true,
            name_space,
            ..Level::default()
        });
        let mut servers = Vec::new();
        for _ in 0..2 {
            let clock = ManualClock::new();
            let engine = engine(&clock).with_level(settings.level.as_ref()).unwrap();
            // Its own rate stands still, and lets each of them have all of it.
            servers.push(Server::over(&settings, engine, clock).await);
        }
        let (begun, mut n_passed) = (second(), 0);
        for _ in 0..LIMIT {
            for server in &servers {
                let answer = server.load("none").await;
                match answer.status {
                    404 => n_passed += 1,
                    _ => {
                        answer.is(429, "LimitExceeded");
                        assert!(
                            answer
                                .message()
                                .contains("account limit exceeded: 32 operations")
                        );
                        assert!(answer.header("retry-after").is_some());
                    }
                }
            }
        }
        if has_refused {
            // The level is away: each keeps to the rate alone.
            assert_eq!(n_passed, 2 * LIMIT);
            break;
        }
        // Of a window alone that is known, and a second may end meanwhile.
        if begun == second() {
            assert!((LIMIT - 2..=LIMIT).contains(&n_passed), "{n_passed}");
            has_refused = true;
            redis.kill();
        }
    }
}
