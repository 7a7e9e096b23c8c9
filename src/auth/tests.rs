use super::*;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn public(prefixes: &[&str]) -> Config {
    let both = Config::public_scope(prefixes.iter().copied()).unwrap();
    Config { public: Public { both, ..Public::default() }, ..Config::default() }
}

fn open(config: &Config) -> Auth {
    Auth::open(config).unwrap()
}

async fn ask(auth: &Auth, target: &str) -> Result<Grant, Refusal> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    auth.authorize(&auth.request(path, Some(query)).unwrap()).await
}

#[tokio::test]
async fn anonymous_sessions_get_what_is_public_below_their_path() {
    let auth = open(&public(&["anon", "demo"]));
    let grant = ask(&auth, "/anon/room").await.unwrap();
    assert_eq!((&grant.root, grant.publish.prefixes()), (&path("anon/room"), &[path("anon/room")][..]));
    assert_eq!((&grant.publish, grant.expires, grant.cluster), (&grant.subscribe, None, false));

    let grant = ask(&auth, "/").await.unwrap();
    assert_eq!(grant.subscribe.prefixes(), [path("anon"), path("demo")]);
    assert!(grant.root.is_empty());
}

#[tokio::test]
async fn everything_public_is_everything() {
    assert_eq!(ask(&open(&public(&[""])), "/").await.unwrap().publish, Scope::everything());
}

#[tokio::test]
async fn publishing_and_watching_may_be_public_apart() {
    let mut config = public(&["anon"]);
    config.public.subscribe = Config::public_scope(["demo"]).unwrap();
    let auth = open(&config);
    let grant = ask(&auth, "/demo").await.unwrap();
    assert!(grant.publish.is_empty() && grant.subscribe.allows(&path("demo/x")));
    let grant = ask(&auth, "/").await.unwrap();
    assert_eq!(grant.publish.prefixes(), [path("anon")]);
    assert_eq!(grant.subscribe.prefixes(), [path("anon"), path("demo")]);
}

#[tokio::test]
async fn other_paths_are_refused() {
    assert_eq!(ask(&open(&public(&["anon"])), "/private").await.unwrap_err().reason, Reason::NotPublic);
    assert_eq!(ask(&open(&Config::default()), "/").await.unwrap_err().reason, Reason::NotPublic);
}

#[tokio::test]
async fn a_token_nobody_can_read_is_refused_even_where_public() {
    let auth = open(&public(&[""]));
    let refusal = ask(&auth, "/?jwt=ey.secret.x").await.unwrap_err();
    assert_eq!((refusal.reason, refusal.reason.name()), (Reason::NoKey, "auth/no-key"));
    assert!(!refusal.to_string().contains("secret") && !format!("{refusal:?}").contains("secret"));
    assert!(ask(&auth, "/?jwt=").await.is_ok(), "an empty token is none");
}

/// Made by published tools of the field, in JavaScript and in Rust.
#[test]
fn tokens_of_other_tools_are_read() {
    const SECRET: &str = r#"{"kty":"oct","alg":"HS256","k":"xm6xsSkfFqzPU3KfcbAcF2_h0OkStxQ_nNqVPYl0ync","kid":"js-test-key","key_ops":["sign","verify"],"guest":[],"guest_sub":[],"guest_pub":[]}"#;
    const EDWARDS: &str = r#"{"kty":"OKP","alg":"EdDSA","crv":"Ed25519","x":"UiU9fT_SdBBpkFtJPRCY0gX1jK_Dr9syYLFuEz4QUM4","kid":"js-eddsa-key","key_ops":["verify"]}"#;
    for (key, token, root, publish) in [
        (
            SECRET,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImpzLXRlc3Qta2V5In0.eyJyb290IjoibGl2ZSIsInB1dCI6WyJjYW1lcmExIl0sImdldCI6WyJjYW1lcmExIiwiY2FtZXJhMiJdLCJpYXQiOjE3NzUxNzY3NTR9.tHNQtHh_HCIKxXOexDCM7AkjqWzbULLZzjEckfOGRfY",
            "live",
            "live/camera1",
        ),
        (
            EDWARDS,
            "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImpzLWVkZHNhLWtleSJ9.eyJyb290Ijoic3RyZWFtIiwicHV0IjpbInZpZGVvIl0sImlhdCI6MTc3NTE3Njc1Nn0.l9rUMHjPSXWKSXRP3mmeMgTAywtqpdqQehhViWaPrKxax1Y2D9KRIYTixYz-b6PI-AoHQYusHWeeLu_HRw2cAg",
            "stream",
            "stream/video",
        ),
    ] {
        let rights = check(&Token::new(token).unwrap(), &Jwk::parse(key).unwrap()).unwrap();
        assert_eq!((rights.root.as_str(), rights.publish.prefixes()), (root, &[path(publish)][..]));
    }
}

#[tokio::test]
async fn a_token_in_the_path_counts_where_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let key = Jwk::generate("HS256", None).unwrap();
    std::fs::write(folder.path().join("key"), key.to_json()).unwrap();
    let source = Source::File(folder.path().join("key"));
    let paths = vec![(path("demo"), source.clone())];
    let config = Config { key: Some(source), paths, token_in_path: true, ..Config::default() };
    let (on, off) = (open(&config), open(&Config { token_in_path: false, ..config.clone() }));
    let signer = Signer::new(&key).unwrap();
    // As releases up to 0.7.5 had it: the token says what comes below the path in front of it.
    let old = signer.sign(br#"{"path":"bbb","pub":"","sub":""}"#).unwrap();
    let grant = ask(&on, &format!("/demo/{old}.jwt")).await.unwrap();
    assert_eq!((grant.root.as_str(), grant.publish.prefixes()), ("demo/bbb", &[path("demo/bbb")][..]));
    let new = signer.sign(br#"{"root":"demo","get":""}"#).unwrap();
    assert_eq!(ask(&on, &format!("/{new}/demo/x")).await.unwrap().root.as_str(), "demo/x");
    assert_eq!(ask(&on, &format!("/{new}/other")).await.unwrap_err().reason, Reason::RootMismatch);
    assert_eq!(ask(&off, &format!("/{new}/demo")).await.unwrap_err().reason, Reason::NotPublic);
    // Nobody moves a token to where its key does not begin, or one of the query to anywhere.
    for target in [format!("/victim/{old}.jwt"), format!("/victim/x.jwt?jwt={old}"), format!("/demo/x.jwt?jwt={old}")] {
        assert_eq!(ask(&on, &target).await.unwrap_err().reason, Reason::RootMismatch, "{target}");
    }
}

#[tokio::test]
async fn below_some_paths_other_keys_count() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let key = Jwk::generate("HS256", None).unwrap();
        std::fs::write(folder.path().join(name), key.to_json()).unwrap();
        (Signer::new(&key).unwrap(), Source::File(folder.path().join(name)))
    };
    let ((root, all), (demo, below)) = (key("root"), key("demo"));
    let auth = open(&Config { key: Some(all), paths: vec![(path("demo"), below)], ..Config::default() });
    let target = |signer: &Signer, at: &str| format!("/{at}?jwt={}", signer.sign(br#"{"get":""}"#).unwrap());
    for (signer, at, expected) in [
        (&root, "room", Ok(())),
        (&demo, "demo/x", Ok(())),
        (&demo, "demo", Ok(())),
        (&demo, "room", Err(Reason::Signature)),
        (&root, "demo/x", Err(Reason::Signature)),
        (&demo, "", Err(Reason::Signature)),
        (&root, "demolition", Ok(())),
    ] {
        let found = ask(&auth, &target(signer, at)).await.map(drop).map_err(|refusal| refusal.reason);
        assert_eq!(found, expected, "{at}");
    }
}
