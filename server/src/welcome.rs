//! `GET /`: what this is, how much it holds and where to go, for whoever opens the address in a browser or with curl.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use henge_broker::{Broker, Holding};
use henge_platform::membership::Role;

use crate::options::Options;
use crate::roles::Roles;

/// Datasources that are listed; the others are counted.
const MAX_LISTED: usize = 100;

/// Where to go: a path and what is there, of processes with a broker or without.
const PLACES: [(&str, &str, bool); 7] = [
    ("/druid/v2/datasources", "the datasources; native queries go to POST /druid/v2", true),
    ("/druid/v2/sql", "statements of SQL, by POST; henge sql is a shell for them", true),
    ("/v1/schema/query", "how native queries are written, as JSON Schema", true),
    ("/status", "the program and this process", false),
    ("/status/ready", "what it waits for, and what cannot be answered", false),
    ("/henge/v1/nodes", "the processes of the cluster", false),
    ("/metrics", "numbers, in Prometheus' text format", false),
];

/// The route.
pub(crate) fn router(options: &Options, roles: &Roles) -> Router {
    let host = Host {
        node: Arc::clone(&options.node.name),
        roles: options.node.roles.iter().copied().collect(),
        broker: roles.broker.clone(),
    };
    Router::new().route("/", get(welcome)).with_state(Arc::new(host))
}

/// Who welcomes.
#[derive(Debug)]
struct Host {
    node: Arc<str>,
    roles: Vec<Role>,
    broker: Option<Arc<Broker>>,
}

async fn welcome(State(host): State<Arc<Host>>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let holdings = match &host.broker {
        Some(broker) => match broker.holdings().await {
            Ok(holdings) => Holdings::Known(holdings),
            Err(error) => Holdings::Away(error.to_string()),
        },
        None => Holdings::Elsewhere,
    };
    let page = Page { node: &host.node, roles: &host.roles, holdings: &holdings };
    match accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        true => Html(page.html()).into_response(),
        false => page.text().into_response(),
    }
}

/// What can be queried here.
enum Holdings {
    Known(Vec<Holding>),
    /// Why that is not known.
    Away(String),
    /// The process has no broker.
    Elsewhere,
}

/// All that is shown.
struct Page<'a> {
    node: &'a str,
    roles: &'a [Role],
    holdings: &'a Holdings,
}

impl Page<'_> {
    fn head(&self) -> [String; 2] {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        [
            format!(
                "Henge {}: a columnar database for real-time analytics, with Druid's query API and SQL.",
                env!("CARGO_PKG_VERSION")
            ),
            format!("Process '{}': {}.", self.node, roles.join(", ")),
        ]
    }

    /// How much there is, in a sentence.
    fn sum(&self) -> String {
        match self.holdings {
            Holdings::Away(reason) => format!("How much there is is not known: {reason}."),
            Holdings::Elsewhere => "Ask a broker how much there is.".to_owned(),
            Holdings::Known(holdings) if holdings.is_empty() => {
                "There are no data yet: henge ingest FILE loads some.".to_owned()
            }
            Holdings::Known(holdings) => {
                let sum = |part: fn(&Holding) -> u64| holdings.iter().map(part).sum::<u64>();
                let segments = sum(|of| of.segments as u64);
                let buffered = sum(|of| of.buffered as u64);
                let (bytes, datasources) = (size(sum(|of| of.size_bytes)), holdings.len());
                format!(
                    "Datasources: {datasources}, with {segments} segments of {bytes} and {buffered} that are buffered."
                )
            }
        }
    }

    fn listed(&self) -> &[Holding] {
        match self.holdings {
            Holdings::Known(holdings) => &holdings[..holdings.len().min(MAX_LISTED)],
            Holdings::Away(_) | Holdings::Elsewhere => &[],
        }
    }

    fn places(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let is_broker = !matches!(self.holdings, Holdings::Elsewhere);
        let places = PLACES.into_iter().filter(move |(_, _, of_brokers)| is_broker || !of_brokers);
        places.map(|(path, about, _)| (path, about))
    }

    // Writing to a string cannot fail.
    fn text(&self) -> String {
        let mut page = self.head().join("\n");
        let _ = writeln!(page, "\n{}\n", self.sum());
        for of in self.listed() {
            let Holding { datasource, segments, buffered, interval, .. } = of;
            let bytes = size(of.size_bytes);
            let _ = writeln!(
                page,
                "{datasource}: {segments} segments, {bytes}, {buffered} buffered, {interval}"
            );
        }
        for (path, about) in self.places() {
            let _ = writeln!(page, "{path:24}{about}");
        }
        page
    }

    fn html(&self) -> String {
        let [what, who] = self.head();
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Henge</title>\
             <style>body{{font:1em/1.5 sans-serif;margin:2em;max-width:60em}}td,th{{padding:0 1em 0 0;text-align:left}}\
             </style></head><body><h1>Henge</h1><p>{}</p><p>{}</p><p>{}</p>",
            escaped(&what),
            escaped(&who),
            escaped(&self.sum())
        );
        if !self.listed().is_empty() {
            page.push_str(
                "<table><tr><th>datasource<th>segments<th>bytes<th>buffered<th>time</tr>",
            );
        }
        for of in self.listed() {
            let Holding { segments, buffered, interval, .. } = of;
            let (name, bytes) = (escaped(&of.datasource), size(of.size_bytes));
            let _ = write!(
                page,
                "<tr><td>{name}<td>{segments}<td>{bytes}<td>{buffered}<td>{interval}</tr>"
            );
        }
        if !self.listed().is_empty() {
            page.push_str("</table>");
        }
        page.push_str("<ul>");
        for (path, about) in self.places() {
            let _ = write!(page, "<li><a href=\"{path}\">{path}</a>: {}", escaped(about));
        }
        page.push_str("</ul></body></html>");
        page
    }
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            return format!("{size:.1} {unit}").replace(".0 B", " B");
        }
        size /= 1024.0;
    }
    format!("{size:.1} PiB")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use henge_types::Interval;

    use super::*;

    fn page(holdings: &Holdings) -> Page<'_> {
        Page { node: "b1", roles: &[Role::Broker], holdings }
    }

    fn holding(datasource: &str) -> Holding {
        let interval = Interval::parse("2026-01-01/2026-01-02").unwrap();
        let datasource = datasource.to_owned();
        Holding { datasource, segments: 3, buffered: 1, size_bytes: 1 << 20, interval }
    }

    #[test]
    fn what_is_held_is_summed_up_and_listed() {
        let holdings = Holdings::Known(vec![holding("visits"), holding("clicks")]);
        let text = page(&holdings).text();
        assert!(text.contains("2, with 6 segments of 2.0 MiB and 2 that are buffered"), "{text}");
        assert!(text.contains("visits: 3 segments, 1.0 MiB, 1 buffered, 2026-01-01"), "{text}");
        assert!(text.contains("/metrics"), "{text}");
    }

    #[test]
    fn names_are_text_in_html() {
        let html = page(&Holdings::Known(vec![holding("<script>\"&")])).html();
        assert!(html.contains("&lt;script&gt;&quot;&amp;") && !html.contains("<script>"), "{html}");
    }

    #[test]
    fn an_empty_server_says_how_to_load_and_a_process_without_a_broker_whom_to_ask() {
        assert!(page(&Holdings::Known(Vec::new())).text().contains("henge ingest"));
        let elsewhere = page(&Holdings::Elsewhere).text();
        assert!(elsewhere.contains("Ask a broker") && !elsewhere.contains("/druid/v2"));
    }
}
