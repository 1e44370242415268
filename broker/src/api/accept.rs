//! Which form of an answer a request accepts.

use axum::http::{HeaderMap, header};
use henge_answer::Form;

/// An Arrow IPC stream.
const ARROW: &str = "application/vnd.apache.arrow.stream";
const JSON: &str = "application/json";

/// Arrow where `Accept` names it and likes it at least as much as JSON, else JSON.
pub(super) fn form_of(headers: &HeaderMap, pretty: bool) -> Form {
    let ranges: Vec<(String, f32)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(range)
        .collect();
    let quality = |wanted: &str| {
        let of_range = |(_, quality): &(String, f32)| *quality;
        ranges.iter().filter(|(range, _)| range == wanted).map(of_range).reduce(f32::max)
    };
    // The range that says most about JSON counts.
    let json = [JSON, "application/*", "*/*"].into_iter().find_map(quality).unwrap_or(0.0);
    match quality(ARROW) {
        Some(arrow) if arrow > 0.0 && arrow >= json => Form::Arrow,
        _ if pretty => Form::IndentedJson,
        _ => Form::Json,
    }
}

/// The content type of a form.
pub(super) fn media_type(form: Form) -> &'static str {
    match form {
        Form::Json | Form::IndentedJson => JSON,
        Form::Arrow => ARROW,
    }
}

/// A media range and how much it is liked, from 0 to 1.
fn range(text: &str) -> (String, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let given = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().unwrap_or(0.0))
    });
    let quality =
        given.filter(|quality| quality.is_finite()).map(|quality| quality.clamp(0.0, 1.0));
    (name, quality.unwrap_or(if given.is_some() { 0.0 } else { 1.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accepts: &[&str]) -> Form {
        let mut headers = HeaderMap::new();
        for accept in accepts {
            headers.append(header::ACCEPT, accept.parse().unwrap());
        }
        form_of(&headers, false)
    }

    #[test]
    fn arrow_is_named_or_it_is_json() {
        for accepts in [
            &["application/vnd.apache.arrow.stream"][..],
            &["Application/VND.Apache.Arrow.Stream; q=0.5"],
            &["application/vnd.apache.arrow.stream, application/json"],
            &["application/vnd.apache.arrow.stream, */*;q=0.1"],
            &["application/json;q=0.4, application/vnd.apache.arrow.stream;q=0.5"],
            &["text/html", "application/vnd.apache.arrow.stream"],
            &["application/vnd.apache.arrow.stream;q=0.5, application/json;q=0.1, */*"],
        ] {
            assert_eq!(form(accepts), Form::Arrow, "{accepts:?}");
        }
        for accepts in [
            &[][..],
            &["*/*"],
            &["application/*"],
            &["text/html"],
            &["application/vnd.apache.arrow.file"],
            &["application/vnd.apache.arrow.stream;q=0"],
            &["application/vnd.apache.arrow.stream;q=x"],
            &["application/vnd.apache.arrow.stream;q=NaN"],
            &["application/vnd.apache.arrow.stream;q=0.4, application/json;q=0.5"],
            &["application/vnd.apache.arrow.stream;q=0.4, */*"],
            &[",;=,"],
        ] {
            assert_eq!(form(accepts), Form::Json, "{accepts:?}");
        }
    }

    #[test]
    fn only_json_is_indented() {
        let mut headers = HeaderMap::new();
        assert_eq!(form_of(&headers, true), Form::IndentedJson);
        headers.insert(header::ACCEPT, ARROW.parse().unwrap());
        assert_eq!(form_of(&headers, true), Form::Arrow);
    }
}
