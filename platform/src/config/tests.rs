//! Layers, unknown names and values that cannot work.

use std::path::PathBuf;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(text: &str, pairs: &[(&str, &str)]) -> Result<ServerConfig, ConfigError> {
    ServerConfig::from_parts(text, variables(pairs))
}

#[test]
fn nothing_gives_the_defaults_and_they_are_valid() {
    let config = load("", &[("PATH", "/bin")]).unwrap();
    assert_eq!(config, ServerConfig::default());
    assert_eq!((config.host.as_str(), config.port), ("127.0.0.1", 8888));
    assert_eq!(config.query.timeout_ms, 300_000);
}

#[test]
fn variables_win_over_the_file() {
    let text = "port = 9000\n[query]\ntimeout_ms = 1\nthreads = 3\n";
    let config = load(
        text,
        &[("HENGE_PORT", "9001"), ("HENGE_QUERY__TIMEOUT_MS", "7"), ("HENGE_DATA_DIR", "/d")],
    )
    .unwrap();
    assert_eq!(config.port, 9001);
    assert_eq!((config.query.timeout_ms, config.query.threads), (7, 3));
    assert_eq!(config.data_dir, PathBuf::from("/d"));
    let config = load("[query.lanes]\nreporting = 25\n", &[("HENGE_QUERY__LANES__LOW", "10")]);
    let lanes = config.unwrap().query.lanes;
    assert_eq!((lanes["reporting"], lanes["low"]), (25, 10));
}

#[test]
fn errors_name_the_field() {
    let message = |text: &str, pairs: &[(&str, &str)]| load(text, pairs).unwrap_err().to_string();
    assert!(message("prot = 1", &[]).contains("prot"));
    assert!(message("[query]\ntimeout = 1", &[]).contains("timeout"));
    assert!(message("port = 70000", &[]).contains("70000"));
    assert!(message("port = ", &[]).contains("configuration"));
    assert!(message("", &[("HENGE_PROT", "1")]).contains("'prot'"));
    let told = message("", &[("HENGE_QUERY__TIMEOUT", "5")]);
    assert!(told.contains("no setting 'timeout' here; did you mean timeout_ms?"), "{told}");
    assert!(message("", &[("HENGE_CACHE__X", "5")]).contains("there are max_entry_bytes, "));
    // What a client of the server reads is no setting of it.
    assert!(load("", &[("HENGE_URL", "http://localhost:1")]).is_ok());
    assert!(load("", &[("HENGE_BINARY", "/usr/bin/henge")]).is_ok());
    assert!(message("", &[("HENGE_PORT", "x")]).contains("'x' is not a number"));
    assert!(load("", &[("HENGE_QUERY__STRICT", "true")]).unwrap().query.strict);
    let told = message("", &[("HENGE_QUERY__STRICT", "yes")]);
    assert!(told.contains("'yes' is neither true nor false"), "{told}");
    assert!(message("", &[("HENGE_QUERIES__A", "1")]).contains("'queries'"));
    assert!(message("[query]\ntimeout_ms = 0", &[]).contains("query.timeout_ms"));
    assert!(message("[limits]\nevent_bytes = 0", &[]).contains("limits.event_bytes"));
    assert!(message("[limits]\ninflated_body_bytes = 1", &[]).contains("inflated_body_bytes"));
    assert!(message("[ingestion]\nhandoff_rows = 5000000000", &[]).contains("handoff_rows"));
    assert!(message("[query.lanes]\nlow = 0", &[]).contains("query.lanes"));
    let budgets = "[query]\nmemory_budget_bytes = 2\ntotal_memory_bytes = 1";
    assert!(message(budgets, &[]).contains("query.total_memory_bytes"));
    // What is 0 follows from the machine's memory.
    assert!(load("[query]\nmemory_budget_bytes = 2\ntotal_memory_bytes = 0", &[]).is_ok());
    assert!(load("[query]\nmemory_budget_bytes = 0\ntotal_memory_bytes = 1", &[]).is_ok());
}

#[test]
fn a_tier_has_a_plain_name() {
    for tier in ["", "a b", "hot/1", "h\u{e9}"] {
        let error = load(&format!("[historical]\ntier = '{tier}'"), &[]).unwrap_err();
        assert!(error.to_string().contains("historical.tier"), "{tier}: {error}");
    }
    let config = load("[historical]\ntier = 'hot-1'\npriority = -2", &[]).unwrap().historical;
    assert_eq!((config.tier.as_str(), config.priority), ("hot-1", -2));
}

#[test]
fn seeds_are_hosts_with_ports() {
    for seed in ["", "10.0.0.1", "h:", ":8890", "h:0", "h:x", "h:99999", "http://h"] {
        let error = load(&format!("[cluster]\nseeds = ['h:1', '{seed}']"), &[]).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(&format!("cluster.seeds has '{seed}'")), "{seed}: {told}");
        assert!(told.contains("[\"10.0.0.1:8890\", "), "{told}");
    }
    // What is wrong next is something else.
    let next = load("[cluster]\nseeds = ['a.example:8890', '[::1]:8890']", &[]).unwrap_err();
    assert!(next.to_string().contains("metadata.url"), "{next}");
}

#[test]
fn h_77_only_loopback_without_a_token() {
    for host in ["127.0.0.1", "127.1.2.3", "::1", "localhost"] {
        assert!(load(&format!("host = '{host}'"), &[]).is_ok(), "{host}");
    }
    for host in ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", ""] {
        let error = load(&format!("host = '{host}'"), &[]).unwrap_err();
        assert!(error.to_string().contains("host"), "{host}");
    }
}

#[test]
fn a_bucket_is_named_by_a_url_and_credentials_come_from_the_file_or_the_environment() {
    let aws = [
        ("AWS_ACCESS_KEY_ID", "from the environment"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_REGION", "eu-north-1"),
        ("AWS_PAGER", "less"),
        ("AZURE_CLIENT_ID", "another's"),
    ];
    assert_eq!(load("", &aws).unwrap().storage, StorageConfig::default());
    let config = load("[storage]\nurl = 's3://bucket/prefix'", &aws).unwrap().storage;
    assert_eq!(config.region, "eu-north-1");
    let names: Vec<&str> = config.options.keys().map(String::as_str).collect();
    assert_eq!(names, ["aws_access_key_id", "aws_secret_access_key"]);
    let text = "[storage]\nurl = 's3://b'\nregion = 'r'\n[storage.options]\naccess_key_id = 'file'";
    let config = load(text, &aws).unwrap();
    assert_eq!(config.storage.region, "r");
    assert_eq!(config.storage.options["access_key_id"].reveal(), "file");
    assert_eq!(config.storage.options["aws_secret_access_key"].reveal(), "hush");
    let shown = format!("{} {config:?}", config.render());
    assert!(!shown.contains("hush") && !shown.contains("'file'"), "{shown}");
    assert!(shown.contains("(hidden)"), "{shown}");
    let own = [("AWS_ENDPOINT_URL", "http://store:9000"), ("AWS_BUCKET", "another")];
    let told = load("[storage]\nurl = 's3://b'", &own).unwrap_err().to_string();
    assert!(told.contains("'http://store:9000' is not encrypted"), "{told}");
    let hidden = "[storage]\nurl = 's3://b'\n[storage.options]\naccess_key_id = '(hidden)'";
    assert!(load(hidden, &[]).unwrap_err().to_string().contains("not shown"));
}

#[test]
fn settings_of_a_bucket_that_cannot_work_name_the_fix() {
    let message = |text: &str| load(&format!("[storage]\n{text}"), &[]).unwrap_err().to_string();
    assert!(message("url = 'ftp://b'").contains("none of s3://, gs://, az:// and file://"));
    assert!(message("endpoint = 'http://h'").contains("storage.url is missing"));
    assert!(message("url = 's3://b'\nendpoint = 'h:1'").contains("storage.endpoint 'h:1'"));
    let told = message("url = 's3://b'\nendpoint = 'http://h:1'");
    assert!(told.contains("set storage.allow_http"), "{told}");
    let told = message("url = 's3://b'\n[storage.options]\nacces_key_id = 'k'");
    assert!(told.contains("'acces_key_id'"), "{told}");
    let text = "[storage]\nurl = 's3://b'\nendpoint = 'http://h:1'\nallow_http = true";
    load(text, &[]).unwrap();
}

#[test]
fn grpc_listens_beside_http_or_where_it_is_told_to() {
    for (text, bind) in [
        ("", Some(("127.0.0.1", 8889))),
        ("port = 9000", Some(("127.0.0.1", 9001))),
        ("port = 0", Some(("127.0.0.1", 0))),
        ("grpc.listen = 'off'", None),
        ("grpc.listen = '127.0.0.2:1234'", Some(("127.0.0.2", 1234))),
        ("grpc.listen = '[::1]:1234'", Some(("::1", 1234))),
        ("grpc.listen = 'localhost:0'", Some(("localhost", 0))),
    ] {
        let found = load(text, &[]).unwrap().grpc_bind().unwrap();
        assert_eq!(found, bind.map(|(host, port)| (host.to_owned(), port)), "{text}");
    }
    for text in [
        "port = 65535",
        "grpc.listen = '127.0.0.1'",
        "grpc.listen = '127.0.0.1:x'",
        "grpc.listen = '0.0.0.0:8889'",
        "grpc.listen = ':8889'",
    ] {
        let error = load(text, &[]).unwrap_err();
        assert!(error.to_string().contains("grpc.listen"), "{text}: {error}");
    }
}

#[test]
fn what_is_rendered_is_read_back() {
    let config = load("port = 9000", &[]).unwrap();
    assert_eq!(load(&config.render(), &[]).unwrap(), config);
}

#[test]
fn a_missing_file_is_named() {
    let error = ServerConfig::load(Some(Path::new("/no/such/henge.toml"))).unwrap_err();
    assert!(error.to_string().contains("/no/such/henge.toml"));
}

#[test]
fn lists_come_from_variables_parted_by_commas() {
    let pairs = [
        ("HENGE_INGESTION__LOCAL_ROOTS", "/data, /more"),
        ("HENGE_LIMITS__ALLOWED_HOSTS", "henge.example,"),
    ];
    let config = load("", &pairs).unwrap();
    assert_eq!(config.ingestion.local_roots, [PathBuf::from("/data"), PathBuf::from("/more")]);
    assert_eq!(config.limits.allowed_hosts, ["henge.example"]);
}

#[test]
fn the_reference_is_current() {
    let written = include_str!("../../../docs/configuration.md");
    let now = ServerConfig::reference_markdown();
    assert!(written == now, "run: cargo run -- config reference > docs/configuration.md");
}

/// There is no reload: a file that is wrong or half written stops the start, as a whole, and says where.
#[test]
fn h_107_a_half_written_file_is_refused_with_its_place() {
    let whole =
        "port = 9000\n[query]\ntimeout_ms = 1000\n[limits]\nallowed_hosts = ['henge.example']\n";
    assert!(load(whole, &[]).is_ok());
    for cut in [
        "port",
        "port =",
        "[que",
        "[query]\ntimeout_ms",
        "allowed_hosts = [",
        "allowed_hosts = ['hen",
    ] {
        let text = &whole[..whole.find(cut).unwrap() + cut.len()];
        let error = load(text, &[]).unwrap_err().to_string();
        assert!(error.contains("line"), "{text}: {error}");
    }
    for wrong in
        ["\0", "port = 9000\nport = 9001", "port = \"9000\"", "[query]\n[query]", "port = -1"]
    {
        assert!(load(wrong, &[]).is_err(), "{wrong}");
    }
}

#[test]
fn a_password_is_shown_nowhere() {
    let secret = "hunter2";
    for address in [
        "postgresql://henge:hunter2@db.example:5433/meta",
        "postgresql://henge:hun@ter:hunter2@db.example/meta?sslmode=disable",
        "postgresql://henge@db.example/meta?password=hunter2",
    ] {
        let config = load(&format!("[metadata]\nurl = '{address}'"), &[]).unwrap();
        for shown in [config.render(), format!("{config:?}")] {
            assert!(shown.contains("db.example") && !shown.contains(secret), "{shown}");
        }
        assert_eq!(config.metadata.url.with_password(), address);
        let from_variable = load("", &[("HENGE_METADATA__URL", address)]).unwrap();
        assert_eq!(from_variable.metadata, config.metadata);
    }
    for wrong in ["hunter2", "mysql://u:hunter2@h/d", "postgresql://u:hunter2@[::1/d"] {
        let error = load("", &[("HENGE_METADATA__URL", wrong)]).unwrap_err().to_string();
        assert!(error.contains("metadata.url") && !error.contains(secret), "{error}");
    }
}
