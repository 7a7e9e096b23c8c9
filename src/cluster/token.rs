//! The token that this node shows to others.

use std::path::PathBuf;

use super::peers::{Token, Wanted};
use crate::transport::Target;

/// Where a node is to be dialed, with a token for it: one that is for this node alone, that of its URL, or else that
/// of the file, which is read anew each time. Blocks on the file.
pub(super) fn authorized(wanted: &Wanted, file: Option<&PathBuf>) -> Result<Target, String> {
    let target = wanted.target.clone();
    if let Some(Token(token)) = &wanted.token {
        return Ok(target.with("jwt", token));
    }
    match file {
        Some(file) if target.parameter("jwt").is_none_or(|token| token.is_empty()) => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|error| format!("cannot read the token in {}: {error}", file.display()))?;
            Ok(target.with("jwt", text.trim()))
        }
        _ => Ok(target),
    }
}
