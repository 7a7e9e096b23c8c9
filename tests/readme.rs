//! What the README says that is not a command: configurations, settings, files, versions. Its commands are run by
//! `dev/readme-test`.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use moq_relay::wire::Dialect;

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// The contents of its blocks in one language.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split_once("```").expect("an end of the block").0.to_owned()).collect()
}

/// Runs the program, which ends by itself, in a folder.
fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_moq-relay")).current_dir(folder).env_clear().args(args).output().unwrap()
}

#[test]
fn configurations_start_a_relay() {
    let configurations = blocks(&readme(), "toml");
    assert!(configurations.len() >= 2);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    // All is well with a relay that only misses its port.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for configuration in configurations {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(folder.path().join("relay.toml"), &configuration).unwrap();
        let output = run(folder.path(), &["relay.toml", "--server-listen", &address]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&format!("error: cannot serve on {address}")), "{configuration}\n{error}");
    }
}

#[test]
fn the_configuration_of_the_old_docs_is_shown_as_it_stands() {
    let old = fs::read_to_string("tests/configs/old-docs.toml").unwrap();
    assert!(blocks(&readme(), "toml").contains(&old));
}

#[test]
fn every_setting_is_listed_with_its_default() {
    let readme = readme();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let listed: Vec<_> = rows
        .filter_map(|(key, rest)| Some((key, rest.split_once(" | ")?.0)))
        .map(|(key, default)| {
            let variable = key.replace('.', "_").to_uppercase();
            format!("[default: {default}] [env: MOQ_{variable}]")
        })
        .collect();

    let help = String::from_utf8(run(Path::new("/"), &["--help"]).stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let is = help.split("[default: ").skip(1).map(|rest| format!("[default: {}]", rest.split("] [").next().unwrap()));
    let variables = help.split("[env: ").skip(1).map(|rest| format!("[env: {}]", rest.split(']').next().unwrap()));
    let is: Vec<_> = is.zip(variables).map(|(default, variable)| format!("{default} {variable}")).collect();
    assert_eq!(listed, is);
}

#[test]
fn every_file_it_links_to_is_there() {
    let readme = readme();
    let links: Vec<_> = readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    let files: Vec<_> = links.into_iter().filter(|link| !link.contains("://")).collect();
    assert!(files.contains(&"src/lib.rs"));
    for file in files {
        assert!(Path::new(file).exists(), "{file}");
    }
}

#[test]
fn every_dialect_is_named() {
    let readme = readme();
    let versions: Vec<_> =
        Dialect::ALL.iter().rev().filter_map(|dialect| dialect.name.strip_prefix("moq-lite-")).collect();
    assert_eq!(versions.len(), Dialect::ALL.len(), "a dialect of another family: name it in the README");
    let (last, others) = versions.split_last().unwrap();
    assert!(readme.contains(&format!("moq-lite {} and {last}", others.join(", "))), "{versions:?}");
    for dialect in Dialect::UNFINISHED {
        assert!(readme.contains(dialect.name));
    }
}
