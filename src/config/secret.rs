//! What must not be read over somebody's shoulder: tokens in URLs.

/// The text with `jwt=…` in place of each token.
pub(super) fn hide(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(TOKEN) {
        shown.push_str(before);
        shown.push_str(TOKEN);
        rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.~%+/=".contains(c));
        if rest.len() < after.len() {
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
    }
}
