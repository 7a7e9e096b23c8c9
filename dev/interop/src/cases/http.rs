//! A broadcast published over QUIC is listed and fetched over HTTP.

use anyhow::{Context, Result, ensure};

use super::{Live, Setting};
use crate::content::{self, TRACK};
use crate::http;

/// The complete list, and the part below a prefix without it.
pub async fn listed(setting: Setting) -> Result<()> {
    let _live = setting.live().await?;
    let (prefix, rest) = setting.name.split_once('/').context("the name has two parts")?;
    entry(&setting, "/announced", &setting.name).await?;
    entry(&setting, &format!("/announced/{prefix}"), rest).await
}

/// The complete list again, the way people type it.
pub async fn listed_with_slash(setting: Setting) -> Result<()> {
    let _live = setting.live().await?;
    entry(&setting, "/announced/", &setting.name).await
}

/// The newest group by default, any other by number.
pub async fn group(setting: Setting) -> Result<()> {
    let _live = two_groups(&setting).await?;
    body(&setting, "", &whole(1)).await?;
    body(&setting, "?group=0", &whole(0)).await
}

/// One frame alone.
pub async fn frame(setting: Setting) -> Result<()> {
    let _live = two_groups(&setting).await?;
    body(&setting, "?group=0&frame=3", &content::frame(0, 3).payload).await
}

/// A broadcast whose groups 0 and 1 have reached a viewer.
async fn two_groups(setting: &Setting) -> Result<Live> {
    let mut live = setting.live().await?;
    for sequence in 0..2 {
        live.broadcast.whole(sequence)?;
        live.watching.expect(sequence).await?.whole(setting.publisher).await?;
    }
    Ok(live)
}

async fn entry(setting: &Setting, listing: &str, entry: &str) -> Result<()> {
    let lines = http::lines(setting.relay.main, listing).await?;
    ensure!(lines.iter().any(|line| line == entry), "GET {listing} lists {lines:?}, not {entry}");
    Ok(())
}

async fn body(setting: &Setting, query: &str, expected: &[u8]) -> Result<()> {
    let path = format!("/fetch/{}/{TRACK}{query}", setting.name);
    let body = http::get(setting.relay.main, &path).await?;
    ensure!(body == expected, "GET {path}: {} bytes instead of {}", body.len(), expected.len());
    Ok(())
}

fn whole(sequence: u64) -> Vec<u8> {
    content::group(sequence).iter().flat_map(|frame| frame.payload.to_vec()).collect()
}
