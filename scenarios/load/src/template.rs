//! A request of a job, checked once, and filled in each time it is sent.
use crate::expect;
use model::{Expected, Request, Saved, load::BODY_MAX, saved};
use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

/// What stands for the number of a request in its address, body and key.
const SEQ: &str = "{{seq}}";

/// A request that is known to be sendable.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    method: Method,
    headers: HeaderMap,
    request: Request,
    uses_saved: bool,
}

/// A request about to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) index: u32,
    pub(crate) seq: u64,
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<String>,
    pub(crate) key: Option<String>,
    /// So many bytes of a good answer's body are read into memory.
    pub(crate) keep: usize,
    /// So many of them are printed.
    pub(crate) print: usize,
    /// Headers of the answer that are kept.
    pub(crate) headers_asked: Vec<String>,
    /// What the answer must be to be a good one.
    pub(crate) expect: Option<Expected>,
}

impl Prepared {
    /// The request that follows a redirect with `status`: 307 and 308 repeat it, all others read.
    pub(crate) fn redirected(self, status: Option<u16>, url: Url) -> Prepared {
        if matches!(status, Some(307 | 308)) {
            return Prepared { url, ..self };
        }
        let mut headers = self.headers;
        headers.remove(CONTENT_TYPE);
        Prepared {
            url,
            method: Method::GET,
            headers,
            body: None,
            ..self
        }
    }
}

/// A request that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("request `{name}`: {because}")]
pub struct BadRequest {
    name: String,
    because: String,
}

/// All requests of a job, in order.
pub(crate) fn parse(requests: &[Request]) -> Result<Vec<Template>, BadRequest> {
    requests
        .iter()
        .map(|request| {
            Template::parse(request).map_err(|because| BadRequest {
                name: request.name.clone(),
                because,
            })
        })
        .collect()
}

impl Template {
    fn parse(request: &Request) -> Result<Template, String> {
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| format!("`{}` is not a method", request.method))?;
        // What is an address with the least and the greatest number is one with all between.
        for number in ["1", &u64::MAX.to_string()] {
            Url::parse(&request.url.replace(SEQ, number))
                .map_err(|e| format!("{}: {e}", request.url))?;
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let name = HeaderName::try_from(name).map_err(|e| format!("{name}: {e}"))?;
            let value = HeaderValue::try_from(value).map_err(|e| format!("{name}: {e}"))?;
            headers.append(name, value);
        }
        Ok(Template {
            method,
            headers,
            uses_saved: unfilled(request).is_some(),
            request: request.clone(),
        })
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether something of an earlier answer stands in it.
    pub(crate) fn uses_saved(&self) -> bool {
        self.uses_saved
    }

    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    /// The same with what was saved.
    ///
    /// # Errors
    /// What it needs was not saved, or makes no request of it.
    pub(crate) fn with(&self, saved: &Saved) -> Result<Template, String> {
        let request = saved.fill_request(&self.request);
        match unfilled(&request) {
            Some(name) => Err(format!("{{{{{name}}}}} was not saved")),
            None => Template::parse(&request),
        }
    }

    /// The request as number `seq` of the job.
    pub(crate) fn fill(&self, index: usize, seq: u64) -> Prepared {
        let number = seq.to_string();
        let filled = |text: &str| text.replace(SEQ, &number);
        let print = if self.request.keep_body { BODY_MAX } else { 0 };
        let expect = self.expected(&number);
        Prepared {
            index: index as u32,
            seq,
            name: self.request.name.clone(),
            method: self.method.clone(),
            url: Url::parse(&filled(&self.request.url))
                .expect("it was parsed with the least and the greatest number"),
            headers: self.headers.clone(),
            body: self.request.body.as_deref().map(filled),
            key: self.request.key.as_deref().map(filled),
            keep: print.max(expect::needed(expect.as_ref())),
            print,
            headers_asked: expect
                .iter()
                .flat_map(|e| &e.headers)
                .map(|(name, _)| name.clone())
                .collect(),
            expect,
        }
    }

    /// The number stands in it as text, as it does in the body.
    fn expected(&self, number: &str) -> Option<Expected> {
        let seq = || Saved::from([("seq".to_string(), number.into())]);
        self.request
            .expect
            .as_ref()
            .map(|expected| expected.with(&seq()))
    }
}

/// The first `{{name}}` of something saved that stands in a request or in what is expected of its answer.
fn unfilled(request: &Request) -> Option<String> {
    let headers = request.headers.iter().map(|(_, value)| value);
    let texts = headers.chain(&request.body).chain([&request.url]);
    let expect = request.expect.as_ref();
    let expect = expect.and_then(|e| serde_json::to_string(e).ok());
    let mut texts = texts.chain(&expect);
    texts
        .find_map(|text| saved::unfilled(text))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_expected_has_the_number_of_the_request_and_what_was_saved() {
        let expecting = Request {
            expect: Some(Expected {
                json: Some(json!({"name": "room-{{seq}}", "host": "{{seq}}", "id": "{{id}}"})),
                headers: vec![("etag".into(), "{{seq}}".into())],
                ..Expected::default()
            }),
            ..request("http://room:8080/rooms")
        };
        let template = parse(&[expecting]).unwrap().remove(0);
        assert!(template.uses_saved());
        let saved = Saved::from([("id".to_string(), json!(3))]);
        let filled = template.with(&saved).unwrap().fill(0, 17);
        assert_eq!(filled.headers_asked, ["etag"]);
        assert!(filled.keep > BODY_MAX && filled.print == 0);
        let expect = filled.expect.unwrap();
        assert_eq!(
            expect.json,
            Some(json!({"name": "room-17", "host": "17", "id": 3}))
        );
        assert!(template.with(&Saved::default()).is_err());
    }

    fn request(url: &str) -> Request {
        Request {
            name: "register".into(),
            method: "POST".into(),
            url: url.into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: Some(r#"{"name":"room-{{seq}}","host":"{{seq}}"}"#.into()),
            key: Some("room-{{seq}}".into()),
            ..Request::default()
        }
    }

    #[test]
    fn the_number_of_a_request_is_in_its_address_body_and_key() {
        let all = parse(&[request("http://room:8080/rooms?n={{seq}}")]).unwrap();
        let filled = all[0].fill(0, 17);
        assert_eq!(filled.url.as_str(), "http://room:8080/rooms?n=17");
        assert_eq!(
            filled.body.as_deref(),
            Some(r#"{"name":"room-17","host":"17"}"#)
        );
        assert_eq!(filled.key.as_deref(), Some("room-17"));
    }

    #[test]
    fn sge_15_a_header_given_twice_is_sent_twice() {
        let mut twice = request("http://room:8080/rooms");
        twice
            .headers
            .push(("Content-Type".into(), "text/plain".into()));
        let filled = parse(&[twice]).unwrap()[0].fill(0, 1);
        assert_eq!(filled.headers.get_all("content-type").iter().count(), 2);
    }

    #[test]
    fn a_redirected_write_becomes_a_read_unless_it_must_be_repeated() {
        let to = Url::parse("http://room:8080/other").unwrap();
        let write = || parse(&[request("http://room:8080/rooms")]).unwrap()[0].fill(0, 1);
        let read = write().redirected(Some(302), to.clone());
        assert_eq!((read.method, read.body), (Method::GET, None));
        let repeated = write().redirected(Some(307), to.clone());
        assert_eq!((repeated.method, repeated.url), (Method::POST, to));
        assert!(repeated.body.is_some());
    }

    #[test]
    fn a_request_that_cannot_be_sent_is_named() {
        assert!(parse(&[request("http://room:80{{seq}}/")]).is_err());
        let error = parse(&[request("/rooms")]).unwrap_err().to_string();
        assert!(error.starts_with("request `register`: /rooms: "), "{error}");
    }
}
