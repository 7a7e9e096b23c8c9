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
