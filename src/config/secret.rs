//! What must not be read over somebody's shoulder: tokens, in URLs and by themselves.

/// The text with `…` in place of each token.
pub(super) fn hide(text: &str) -> String {
    // A JWT by itself: three parts, the first of them JSON in base64url.
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_token = |text: &str| text.starts_with("eyJ") && text.matches('.').count() == 2 && text.len() > 20;
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(word) {
        let (before, after) = rest.split_at(start);
        let end = after.find(|c| !word(c)).unwrap_or(after.len());
        let (found, after) = after.split_at(end);
        hidden.push_str(before);
        hidden.push_str(if is_token(found) { "…" } else { found });
        rest = after;
    }
    hide_in_urls(&(hidden + rest))
}

/// The text with `jwt=…` for whatever stands there.
fn hide_in_urls(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(TOKEN) {
        shown.push_str(before);
        shown.push_str(TOKEN);
        rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.~%+/=".contains(c));
        let is_shown_already = rest.starts_with('…');
        if rest.len() < after.len() && !is_shown_already {
            shown.push('…');
        }
    }
    shown + rest
}

const TOKEN: &str = "jwt=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hidden_and_nothing_else() {
        assert_eq!(hide("https://a/?jwt=ey.J-_.x&cost=1"), "https://a/?jwt=…&cost=1");
        assert_eq!(hide("['https://a/?jwt=a', 'https://b/?jwt=b']"), "['https://a/?jwt=…', 'https://b/?jwt=…']");
        assert_eq!(hide("a.jwt"), "a.jwt");
        assert_eq!(hide("jwt="), "jwt=");
        assert_eq!(hide("\"eyJhbGciOiJIUzI1NiJ9.eyJwdXQi.AAAA\""), "\"…\"");
        assert_eq!(hide("a/eyJhbGciOiJIUzI1NiJ9.eyJwdXQi.AAAA/?jwt=eyJhbGciOiJIUzI1NiJ9.eyJwdXQi.AAAA"), "a/…/?jwt=…");
        assert_eq!(hide("eye.example.com"), "eye.example.com");
    }
}
