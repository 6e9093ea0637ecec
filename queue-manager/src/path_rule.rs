//! One rule for paths, applied to the raw request path before anything decodes it: a path that one server sees decoded
//! and another raw is two paths.

use queue_protocol::AccountName;

/// Whether a raw path may be routed at all. `%2f` is allowed behind `userdata/` only, where ComfyUI's frontend puts
/// a workflow's folder into one segment.
#[must_use]
pub fn is_allowed(raw: &str) -> bool {
    let lower = raw.to_ascii_lowercase();
    let dots = lower.split('/').any(|segment| segment == ".." || segment == ".");
    let encoded_dot = lower.contains("%2e");
    let odd = lower.contains("//") || lower.contains("%5c") || lower.contains('\\') || lower.contains("%00");
    let odd = odd || lower.contains(char::is_control);
    let slash = lower.find("%2f").is_some_and(|at| !lower[..at].contains("/userdata/"));
    // Behind userdata the decoded text is checked once more when it becomes a file's path.
    !(dots || encoded_dot && !lower.contains("/userdata/") || odd || slash)
}

/// The participant a raw path names, and the rest of it, beginning with `/`; the rest is `None` for `/user001`, which
/// needs its slash.
#[must_use]
pub fn participant_of(raw: &str) -> Option<(AccountName, Option<&str>)> {
    let path = raw.strip_prefix('/')?;
    match path.find('/') {
        Some(at) => Some((path[..at].parse().ok()?, Some(&path[at..]))),
        None => Some((path.parse().ok()?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_another_path_are_refused() {
        for path in [
            "/user001/../user002/view",
            "/user001/%2e%2e/user002",
            "/user001//view",
            "/user001%2fview",
            "/user001/view%5cx",
            "/%2E./user002/",
            "/user001/api/./prompt",
            "/user001/\0view",
        ] {
            assert!(!is_allowed(path), "{path}");
        }
    }

    #[test]
    fn a_workflow_saved_in_a_folder_is_one_segment() {
        assert!(is_allowed("/user001/api/userdata/workflows%2Fa.json"));
        assert!(is_allowed("/user001/api/userdata/workflows%2Fa.json/move/workflows%2Fb.json"));
        assert!(is_allowed("/user001/api/userdata/workflows%2F.index.json"));
    }

    #[test]
    fn the_participant_is_the_first_segment() {
        assert_eq!(
            participant_of("/user001/api/prompt"),
            Some(("user001".parse().unwrap(), Some("/api/prompt")))
        );
        assert_eq!(participant_of("/user001"), Some(("user001".parse().unwrap(), None)));
        assert_eq!(participant_of("/api/v1/jobs"), None);
        assert_eq!(participant_of("/User001/"), None);
    }
}
