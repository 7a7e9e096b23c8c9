//! Keys and tokens of the published libraries behind `moq-token`, checked by the relay's own tool, and the other way
//! round, for every algorithm.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::report::Case;

/// What all of them know since keys come in pairs.
const ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"];

/// A line of the library.
#[derive(Clone, Copy)]
struct Line {
    name: &'static str,
    /// A key, its public half where it has one, and a token for publishing at demo/cam and watching all of demo.
    make: fn(&str) -> Result<Made>,
    /// What a token grants, by a key.
    read: Option<fn(&str, &str) -> Result<Rights>>,
}

struct Made {
    key: String,
    public: Option<String>,
    token: String,
}

/// Root, names to publish, names to watch.
type Rights = (String, Vec<String>, Vec<String>);

const LINES: [Line; 3] = [
    Line { name: "moq-token 0.4", make: make_04, read: None },
    Line { name: "moq-token 0.5", make: make_05, read: Some(read_05) },
    Line { name: "moq-token 0.7", make: make_07, read: Some(read_07) },
];

pub fn cases(relay: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for line in LINES {
        for algorithm in ALGORITHMS {
            if line.read.is_none() && !algorithm.starts_with("HS") {
                continue;
            }
            let tool = relay.to_owned();
            let name = format!("tokens {algorithm}: {} to the relay", line.name);
            cases.push(Case::new(name, async move { theirs(&tool, line, algorithm).await }));
            if let Some(read) = line.read {
                let tool = relay.to_owned();
                let name = format!("tokens {algorithm}: the relay to {}", line.name);
                cases.push(Case::new(name, async move { ours(&tool, read, algorithm).await }));
            }
        }
    }
    cases
}

async fn theirs(tool: &Path, line: Line, algorithm: &'static str) -> Result<()> {
    let made = tokio::task::spawn_blocking(move || (line.make)(algorithm)).await??;
    let other = tokio::task::spawn_blocking(move || (line.make)(algorithm)).await??;
    let folder = Folder::new(&format!("{}-{algorithm}", line.name))?;
    for (name, key) in [("private", Some(made.key)), ("public", made.public)] {
        let Some(key) = key else { continue };
        let path = folder.write(name, &key)?;
        let told = run(tool, &["token", "verify", "--key", &path], &made.token).await?;
        ensure!(told.contains("publish    /demo/cam\nsubscribe  /demo\n"), "{name}: {told}");
        let refused = run(tool, &["token", "verify", "--key", &path], &other.token).await;
        let reason = refused.err().context("a token of another key was taken")?.to_string();
        ensure!(reason.contains("auth/signature"), "{name}: {reason}");
    }
    Ok(())
}

async fn ours(tool: &Path, read: fn(&str, &str) -> Result<Rights>, algorithm: &'static str) -> Result<()> {
    let key = run(tool, &["token", "generate", "--algorithm", algorithm], "").await?;
    let sign =
        ["token", "sign", "--key", "-", "--root", "demo", "--publish", "cam", "--subscribe", "", "--expires", "1h"];
    let token = run(tool, &sign, &key).await?;
    let rights = tokio::task::spawn_blocking(move || read(key.trim(), token.trim())).await??;
    ensure!(rights == ("demo".to_owned(), vec!["cam".to_owned()], vec![String::new()]), "{rights:?}");
    Ok(())
}

/// What the relay's tool prints, given some input; its complaint is the error.
async fn run(tool: &Path, args: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new(tool)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("no input")?;
    // A tool that does not read leaves its input.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("interop-{}-{}", std::process::id(), name.replace(' ', "-")));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.0.join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn make_04(algorithm: &str) -> Result<Made> {
    let algorithm = match algorithm {
        "HS384" => moq_token_04::Algorithm::HS384,
        "HS512" => moq_token_04::Algorithm::HS512,
        _ => moq_token_04::Algorithm::HS256,
    };
    let key = moq_token_04::Key::generate(algorithm, Some("k".to_owned()));
    let claims = moq_token_04::Claims {
        path: "demo/".to_owned(),
        publish: Some("cam".to_owned()),
        subscribe: Some(String::new()),
        ..Default::default()
    };
    Ok(Made { key: key.to_str()?, public: None, token: key.sign(&claims)? })
}

fn make_05(algorithm: &str) -> Result<Made> {
    let key = moq_token_05::Key::generate(algorithm.parse()?, Some(moq_token_05::KeyId::decode("k")?))?;
    let claims = moq_token_05::Claims {
        root: "demo".to_owned(),
        publish: vec!["cam".to_owned()],
        subscribe: vec![String::new()],
        ..Default::default()
    };
    let public = key.to_public().ok().map(|public| public.to_str()).transpose()?;
    Ok(Made { key: key.to_str()?, public, token: key.encode(&claims)? })
}

fn make_07(algorithm: &str) -> Result<Made> {
    let key = moq_token::Key::generate(algorithm.parse()?, Some(moq_token::KeyId::decode("k")?))?;
    let claims = moq_token::Claims::default().with_root("demo").with_publish(["cam"]).with_subscribe([""]);
    let public = key.to_public().ok().map(|public| public.to_str()).transpose()?;
    Ok(Made { key: key.to_str()?, public, token: key.sign(&claims)? })
}

fn read_05(key: &str, token: &str) -> Result<Rights> {
    let claims = moq_token_05::Key::from_str(key)?.decode(token)?;
    Ok((claims.root, claims.publish, claims.subscribe))
}

fn read_07(key: &str, token: &str) -> Result<Rights> {
    let claims = moq_token::Key::from_str(key)?.verify(token)?;
    Ok((claims.root, claims.publish, claims.subscribe))
}
