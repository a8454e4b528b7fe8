//! The other commands of the program, and its settings.

use std::path::Path;

use super::program::{Started, file, program, run, text};

#[tokio::test]
async fn m_060_m_061_m_065_the_command_mints_what_the_server_takes() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
    let settings = format!(
        "[accounts.acme.caches.default-cache]\n[[signing_keys]]\nid = \"k\"\nalgorithm = \"HS256\"\nsecret = {secret:?}\n"
    );
    let path = file("mint.toml", &settings);
    let path = path.to_str().unwrap();
    let mint = async |args: &[&str]| {
        let all = [&["token", "--config", path, "--account", "acme"], args].concat();
        run(&all).await
    };
    let allow = r#"[{"role":"readonly","cache":"default-cache"}]"#;
    for args in [
        &["--ttl-seconds", "60"][..],
        &["--permissions", allow],
        &["--permissions", allow, "--ttl-seconds", "90001"],
        &["--permissions", "[{}]", "--ttl-seconds", "60"],
        &["--super-user"],
    ] {
        let output = mint(args).await;
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{args:?}"
        );
    }
    for (account, ttl, said) in [
        (
            "acme",
            "-60",
            "ttl_seconds has to be a whole number from 1 to 90000",
        ),
        ("acne", "60", "there is no account acne"),
    ] {
        let args = [
            "token",
            "--config",
            path,
            "--account",
            account,
            "--ttl-seconds",
            ttl,
        ];
        let output = run(&[&args[..], &["--permissions", allow]].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let told = text(&output.stderr);
        assert!(told.contains(said), "{told}");
    }
    let output = mint(&["--permissions", allow, "--ttl-seconds", "60"]).await;
    let token = text(&output.stdout);
    let server = Started::with(&["--config", path]).await;
    let export = format!("TOKEN={}", token.trim());
    let get = r#"curl -s -o /dev/null -w '%{http_code}' "http://localhost:8080/cache/default-cache?key=a&token=$TOKEN""#;
    assert_eq!(server.shell(&export, get).await, "404");
    let put = r#"curl -s -o /dev/null -w '%{http_code}' -X PUT "http://localhost:8080/cache/default-cache?key=a&ttl_seconds=5&token=$TOKEN""#;
    assert_eq!(server.shell(&export, put).await, "403");
    server.ends().await;
}

#[tokio::test]
async fn m_065_what_the_command_prints_of_a_static_token_is_what_the_settings_need() {
    let allow = r#"[{"role":"readonly"},{"role":"readwrite","cache":"default-cache","key_prefix":"a\"\u00e9"}]"#;
    let drawn = ["token", "--static", "--account", "acme"];
    let output = run(&[&drawn[..], &["--permissions", allow]].concat()).await;
    let printed = text(&output.stdout);
    let (token, key) = printed.split_once('\n').unwrap();
    let settings = format!("[accounts.acme.caches.default-cache]\n{key}");
    let path = file("static.toml", &settings);
    let read = larder_http::Settings::read(Some(&path)).unwrap();
    let allowed: Vec<larder_http::auth::Permission> = serde_json::from_str(allow).unwrap();
    assert_eq!((&read.keys[0].permissions, read.keys.len()), (&allowed, 1));
    let server = Started::with(&["--config", path.to_str().unwrap()]).await;
    let get = r#"curl -s -o /dev/null -w '%{http_code}' "http://localhost:8080/cache/default-cache?key=a&token=$TOKEN""#;
    assert_eq!(server.shell(&format!("TOKEN={token}"), get).await, "404");
    server.ends().await;
    // What it would leave out of account, it refuses.
    for more in [
        &["--super-user", "--ttl-seconds", "60"][..],
        &["--super-user", "--id", "x"],
        &["--super-user", "--permissions", allow],
    ] {
        let output = run(&[&drawn[..], more].concat()).await;
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
}

#[tokio::test]
async fn m_065_settings_are_checked_and_the_example_holds() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("larder-http.example.toml");
    let output = run(&["check-config", "--config", example.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // What the example has commented out are the defaults.
    let shown = std::fs::read_to_string(&example).unwrap();
    let defaults: String = shown
        .lines()
        .map(|line| line.strip_prefix("#= ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let path = file("defaults.toml", &defaults);
    let read = |path: &Path| larder_http::Settings::read(Some(path)).unwrap();
    assert_eq!(read(&path), read(&example));
    assert!(defaults.contains("\nprofile = "));
    // So are those of the level, once its section is there.
    let section: String = shown
        .lines()
        .skip_while(|line| *line != "# [level]")
        .map_while(|line| line.strip_prefix("# "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let level = read(&file("section.toml", &section)).level.unwrap();
    let known = larder_serve::Level {
        servers: vec!["127.0.0.1:6379".into()],
        ..Default::default()
    };
    assert_eq!(level, known);
    for (broken, said) in [
        ("unknown = 1", "unknown field `unknown`"),
        (
            "profile = \"closed\"",
            "\"closed\" can't be meant; it has to be \"open\" or \"vendor\" for key `profile`",
        ),
        (
            "[[keys]]\naccount = \"nobody\"\nsha256 = \"00\"",
            "there is no account nobody",
        ),
        (
            "operator = \"nobody\"",
            "operator: there is no account nobody",
        ),
        ("max_bytes = -1", "for key `max_bytes`"),
        (
            "[accounts.a]\noperations_per_second = \"lots\"",
            "a limit is a whole number, or \"unlimited\" for key `accounts.a.operations_per_second`",
        ),
        ("[accounts.a.caches.\" \"]", "account a: "),
        (
            "[[signing_keys]]\nid = \"k\"\nalgorithm = \"none\"",
            "the key of k: ",
        ),
        (
            "[[signing_keys]]\nid = \"k\"\nalgorithm = \"HS256\"\nsecret = \"c2hvcnQ\"",
            "the key of k: ",
        ),
        (
            "[tls]\ncertificates = \"/nowhere\"\nkey = \"/nowhere\"",
            "/nowhere: ",
        ),
        ("[log]\nfilter = \"==\"", "for key `log.filter`"),
        (
            "[connections]\nmax = 0",
            "0 is below 1 for key `connections.max`",
        ),
        (
            "[connections]\nheader_ms = 0",
            "0 is below 1 for key `connections.header_ms`",
        ),
        (
            "[connections]\nhead_bytes_max = 8191",
            "8191 is below 8192 for key `connections.head_bytes_max`",
        ),
        // What the start refuses.
        (
            "listen = \"0.0.0.0:8080\"",
            "listening beyond this machine needs keys",
        ),
        (
            "listen = \"8080\"",
            "\"8080\" can't be meant; it has to be an address and a port, such as 127.0.0.1:8080",
        ),
        ("body_bytes_max = 0", "0 is below 1 for key"),
        ("bodies_bytes_max = 0", "0 is below 1 for key"),
        ("level_requests_max = 0", "0 is below 1 for key"),
        ("[connections]\nheaders_max = 0", "0 is below 1 for key"),
        (
            "[connections]\nheaders_max = 16385",
            "16385 is above 16384 for key `connections.headers_max`",
        ),
        (
            "cors = \"https://app.example/\"",
            "cors: \"https://app.example/\" can't be meant; it has to be an origin",
        ),
        ("cors = \"app.example\"", "it has to be an origin"),
        (
            "[log]\nfilter = \"inof\"",
            "it has to be off, error, warn, info, debug or trace",
        ),
        (
            "[accounts.a]\n[[keys]]\naccount = \"a\"\nsha256 = \"00\"",
            "sha256 has to be the 64 hexadecimal digits",
        ),
        (
            "[accounts.a]\n[[keys]]\naccount = \"a\"\nsha256 = \"00\"\npermissions = [{ role = \"write\" }]",
            "it has to be \"readwrite\" or \"readonly\" or \"writeonly\"",
        ),
        (
            "[level]\nservers = [\"a:1\"]\nkind = \"single\"",
            "it has to be \"one\" or \"sentinel\" or \"cluster\"",
        ),
        ("[warm]\nfile = \"/\"", "warm.file: /: "),
    ] {
        let path = file("broken.toml", broken);
        let output = run(&["check-config", "--config", path.to_str().unwrap()]).await;
        assert_eq!(output.status.code(), Some(2), "{broken}");
        let told = text(&output.stderr);
        assert!(told.contains(said), "{broken}: {told}");
    }
}

#[tokio::test]
async fn m_086_the_environment_goes_before_the_file() {
    let path = file(
        "over.toml",
        "profile = \"open\"\n[accounts.\"A.b\".caches.\"C.d\"]\n",
    );
    let check = async |value: &str| {
        let mut command = program();
        command.args(["check-config", "--config"]).arg(&path);
        command.env("LARDER_PROFILE", value);
        command.env("LARDER_CONNECTIONS__MAX", "5");
        command.output().await.unwrap().status.code()
    };
    assert_eq!(check("vendor").await, Some(0));
    assert_eq!(check("closed").await, Some(2));
    let settings = larder_http::Settings::read(Some(&path)).unwrap();
    assert!(settings.accounts["A.b"].caches.contains_key("C.d"));
    // Which one is refused is seen, and no value of any.
    let mut command = program();
    command.arg("check-config").env("LARDER_PORT", "sesame");
    let output = command.output().await.unwrap();
    let errors = text(&output.stderr);
    assert!(
        errors.contains("the environment has LARDER_PORT"),
        "{errors}"
    );
    assert!(!errors.contains("sesame"), "{errors}");
}

#[tokio::test]
async fn what_is_wrong_with_a_level_is_named_with_what_is_right() {
    let cases = [
        (
            "",
            "level.servers: no server is given; right would be servers = [\"127.0.0.1:6379\"]",
        ),
        (
            "servers = [\"redis://user:sesame@host:1\"]",
            "level.servers: \"host:1\" can't be meant; it has to be host:port",
        ),
        (
            "servers = [\"host\"]",
            "level.servers: \"host\" can't be meant; it has to be host:port",
        ),
        (
            "servers = [\"a:1\", \"b:2\"]",
            "level.servers: several servers need kind = \"cluster\" or kind = \"sentinel\"",
        ),
        (
            "servers = [\"a:1\"]\nkind = \"sentinel\"",
            "level.master: sentinels need the name",
        ),
        (
            "servers = [\"a:1\"]\nmaster = \"m\"",
            "level.master: it goes with kind = \"sentinel\"",
        ),
        (
            "servers = [\"a:1\"]\nkind = \"cluster\"\ndatabase = 2",
            "level.database: a cluster has no other than 0",
        ),
        (
            "servers = [\"a:1\"]\nprotocol = 4",
            "level.protocol: 4 can't be meant; it has to be 2 or 3",
        ),
        (
            "servers = [\"a:1\"]\ntimeout_ms = 0",
            "level.timeout_ms: 0 can't be meant; it has to be at least 1",
        ),
        (
            "servers = [\"a:1\"]\nuser = \"u\"",
            "level.user: a user needs a password",
        ),
        (
            "servers = [\"a:1\"]\npassword_file = \"/nowhere\"",
            "level.password_file: /nowhere: ",
        ),
        (
            "servers = [\"a:1\"]\npassword = \"sesame\"\npassword_file = \"f\"",
            "level.password_file: the secret itself or its file, not both",
        ),
        (
            "servers = [\"a:1\"]\n[level.tls]\nauthorities = \"/nowhere\"",
            "level.tls.authorities: /nowhere: ",
        ),
        (
            "servers = [\"a:1\"]\n[level.breaker]\npause_min_ms = 10\npause_max_ms = 5",
            "level.breaker: pause_min_ms",
        ),
        (
            "servers = [\"a:1\"]\nmode = \"both\"",
            "\"both\" is no mode: there are l1, l1+l2 and l2",
        ),
        ("servers = [\"a:1\"]\nsever = 1", "unknown field"),
    ];
    for (n, (section, told)) in cases.into_iter().enumerate() {
        let path = file(&format!("level-{n}.toml"), &format!("[level]\n{section}\n"));
        let output = run(&["check-config", "--config", path.to_str().unwrap()]).await;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{section}");
        assert!(errors.contains(told), "{section}\n{errors}");
        assert!(!errors.contains("sesame"), "{errors}");
    }
}
