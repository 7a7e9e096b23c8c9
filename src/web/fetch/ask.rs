//! What a request for a group asks for.

use std::borrow::Cow;

use axum::http::Uri;

use crate::web::{access, problem::Problem};

/// `/fetch/{broadcast}/{track}?group=N&frame=N`.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Ask {
    /// As it stands in the URL.
    pub(super) broadcast: String,
    /// The last segment.
    pub(super) track: String,
    pub(super) which: Which,
    /// This frame alone.
    pub(super) frame: Option<u64>,
}

/// Which group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Which {
    Latest,
    Number(u64),
}

impl Ask {
    pub(super) fn parse(uri: &Uri) -> Result<Self, Problem> {
        let name = access::below(uri, "/fetch").trim_matches('/');
        let (broadcast, track) = name.rsplit_once('/').ok_or(NO_BROADCAST)?;
        let which = match access::parameter(uri, "group") {
            None | Some("latest") => Which::Latest,
            Some(text) => Which::Number(number(text).ok_or(BAD_GROUP)?),
        };
        let frame = access::parameter(uri, "frame").map(|text| number(text).ok_or(BAD_FRAME)).transpose()?;
        Ok(Self { broadcast: broadcast.to_owned(), track: track.to_owned(), which, frame })
    }
}

/// Digits, as far as the wire can carry them.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < 1 << 62)
}

const NO_BROADCAST: Problem = Problem::BadRequest(Cow::Borrowed("expected /fetch/{broadcast}/{track}"));
const BAD_GROUP: Problem = Problem::BadRequest(Cow::Borrowed("group: expected a number or \"latest\""));
const BAD_FRAME: Problem = Problem::BadRequest(Cow::Borrowed("frame: expected a number"));

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Option<(String, String, Which, Option<u64>)> {
        let ask = Ask::parse(&uri.parse().unwrap()).ok()?;
        Some((ask.broadcast, ask.track, ask.which, ask.frame))
    }

    #[test]
    fn the_last_segment_is_the_track() {
        let ask =
            |broadcast: &str, track: &str, which, frame| Some((broadcast.to_owned(), track.to_owned(), which, frame));
        assert_eq!(parse("/fetch/a/video"), ask("a", "video", Which::Latest, None));
        assert_eq!(parse("/fetch//a//b/video/"), ask("a//b", "video", Which::Latest, None));
        assert_eq!(parse("/fetch/a/v%20?group=latest&x"), ask("a", "v%20", Which::Latest, None));
        assert_eq!(parse("/fetch/a/v?group=7&frame=0"), ask("a", "v", Which::Number(7), Some(0)));
    }

    #[test]
    fn nonsense_is_refused() {
        for uri in [
            "/fetch",
            "/fetch/",
            "/fetch/video",
            "/fetch//video",
            "/fetch/a/v?group=",
            "/fetch/a/v?group=-1",
            "/fetch/a/v?group=+1",
            "/fetch/a/v?group=newest",
            "/fetch/a/v?group=4611686018427387904",
            "/fetch/a/v?frame=latest",
        ] {
            assert_eq!(parse(uri), None, "{uri}");
        }
    }
}
