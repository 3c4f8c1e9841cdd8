//! Whether a browser sent a request on behalf of another site's page.

use http::header::{HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether another site's page made a browser send this. `authority` is what the request called us.
///
/// A browser names the page's origin on each request that could change something, and programs that are no
/// browser name none. Where it names none (pictures, scripts), it says in `Sec-Fetch-Site` whether the page
/// is another's; a link to us may be followed from anywhere, since what comes of it is shown and not read.
pub(crate) fn is_foreign(request: &Parts, authority: &str) -> bool {
    let origins = request.headers.get_all(ORIGIN);
    let mut named = false;
    for origin in origins {
        named = true;
        let ours = origin
            .to_str()
            .ok()
            .and_then(|origin| {
                origin
                    .strip_prefix("http://")
                    .or_else(|| origin.strip_prefix("https://"))
            })
            .is_some_and(|origin| origin.eq_ignore_ascii_case(authority));
        if !ours {
            return true;
        }
    }
    !named && asked_across_sites(&request.headers) && !is_followed_link(request)
}

fn asked_across_sites(headers: &HeaderMap) -> bool {
    headers
        .get(FETCH_SITE)
        .is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_followed_link(request: &Parts) -> bool {
    request.method == Method::GET
        && request
            .headers
            .get(FETCH_MODE)
            .is_some_and(|mode| mode == "navigate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(method: Method, headers: &[(&'static str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        is_foreign(&parts, "localhost:8000")
    }

    #[test]
    fn a_program_that_names_no_origin_is_let_in() {
        assert!(!foreign(Method::POST, &[]));
    }

    #[test]
    fn our_own_page_is_let_in() {
        assert!(!foreign(
            Method::POST,
            &[
                ("origin", "http://localhost:8000"),
                ("sec-fetch-site", "same-origin")
            ]
        ));
        assert!(!foreign(
            Method::GET,
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]
        ));
    }

    #[test]
    fn another_page_is_not() {
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost",
            "http://localhost:8001",
            "http://127.0.0.1:8000",
            "http://localhost:8000.evil.example",
            "file://localhost:8000",
            "",
        ] {
            assert!(foreign(Method::POST, &[("origin", origin)]), "{origin}");
            assert!(foreign(Method::GET, &[("origin", origin)]), "{origin}");
        }
        assert!(foreign(
            Method::POST,
            &[
                ("origin", "http://localhost:8000"),
                ("origin", "http://evil.example")
            ]
        ));
    }

    #[test]
    fn another_page_s_picture_is_not_and_its_link_is() {
        for site in ["cross-site", "same-site"] {
            assert!(foreign(
                Method::GET,
                &[("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")]
            ));
            assert!(!foreign(
                Method::GET,
                &[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")]
            ));
            assert!(foreign(
                Method::POST,
                &[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")]
            ));
        }
    }
}
