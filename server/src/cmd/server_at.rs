//! The server that a command asks, and what its refusals mean to whoever gave the command.

use anyhow::{Error, Result, anyhow, ensure};
use clap::Args;
use henge_platform::membership::Role;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http::{Client, HttpError};
use super::shapes::ProgramVersion;

/// Which server.
#[derive(Debug, Args)]
pub(crate) struct ServerAt {
    /// A server of the cluster: a broker or a coordinator, whichever.
    #[arg(long, value_name = "URL", env = "HENGE_URL", default_value = "http://127.0.0.1:8888")]
    url: String,
    /// The token of the cluster, where the server asks for it.
    #[arg(long, value_name = "TOKEN", env = "HENGE_CLUSTER__TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ServerAt {
    /// The way to it.
    pub(crate) fn cluster(&self) -> Result<Cluster> {
        let client = Client::new(&self.url)?.with_token(self.token.as_deref());
        Ok(Cluster { client })
    }
}

/// The cluster that a server belongs to: what only the leader of the coordinators knows is asked of whichever
/// process was named, which sends it on.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    client: Client,
}

/// What `/status` says of a process; older releases say less.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Who {
    #[serde(flatten)]
    program: ProgramVersion,
    roles: Vec<String>,
}

impl Cluster {
    #[cfg(test)]
    pub(crate) fn of(client: Client) -> Self {
        Self { client }
    }

    /// The process that was named.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// `GET` of something that the leader, or the process itself, knows.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.understood(path, self.client.get(path))
    }

    /// `GET` of a text.
    pub(crate) fn get_text(&self, path: &str) -> Result<String> {
        self.client.get_text(path).map_err(|error| self.explained(path, error))
    }

    /// `PUT`
    pub(crate) fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.understood(path, self.client.put(path, body))
    }

    /// `POST`
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.understood(path, self.client.post(path, body))
    }

    /// `POST` with headers.
    pub(crate) fn post_with<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, String)],
    ) -> Result<T> {
        self.understood(path, self.client.post_with(path, body, headers))
    }

    /// `DELETE`
    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.delete_with(path, &[])
    }

    /// `DELETE` with headers.
    pub(crate) fn delete_with<T: DeserializeOwned>(
        &self,
        path: &str,
        headers: &[(&str, String)],
    ) -> Result<T> {
        self.understood(path, self.client.delete_with(path, headers))
    }

    fn understood<T: DeserializeOwned>(
        &self,
        path: &str,
        answer: Result<Value, HttpError>,
    ) -> Result<T> {
        let answer = answer.map_err(|error| self.explained(path, error))?;
        serde_json::from_value(answer).map_err(|error| {
            let url = self.client.base_url();
            anyhow!("{url}{path}: the answer is not as this program knows it: {error}")
        })
    }

    /// Fails for a process that neither leads nor sends on to who does.
    ///
    /// # Errors
    /// With the roles that it has; or when it cannot be asked.
    pub(crate) fn must_reach_leader(&self) -> Result<()> {
        self.reaches_leader(&self.get("/status")?)
    }

    fn reaches_leader(&self, Who { roles, .. }: &Who) -> Result<()> {
        let serves_all = [Role::Broker, Role::Coordinator].map(Role::name);
        ensure!(
            roles.is_empty() || roles.iter().any(|role| serves_all.contains(&role.as_str())),
            "{} is no coordinator: it has the role {}; name a broker or a coordinator with --url",
            self.client.base_url(),
            roles.join(", ")
        );
        Ok(())
    }

    /// A process that has no such path is of another release, or has no role that serves it.
    fn explained(&self, path: &str, error: HttpError) -> Error {
        if !error.is_no_route() {
            return error.into();
        }
        let url = self.client.base_url();
        let Ok(status) = self.client.get("/status") else { return error.into() };
        let who: Who = serde_json::from_value(status).unwrap_or_default();
        if let Err(error) = self.reaches_leader(&who) {
            return error;
        }
        let (theirs, ours) = (who.program.text(), env!("CARGO_PKG_VERSION"));
        let path = path.split('?').next().unwrap_or(path);
        Error::from(error).context(format!(
            "{url} (version {theirs}) does not serve {path}, which this program ({ours}) asks for"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fake_server::FakeServer;
    use super::*;

    #[test]
    fn a_process_that_is_no_coordinator_is_named_with_the_way_out() {
        let server = FakeServer::start();
        server.on("GET /status", json!({"version": "1.0", "roles": ["historical", "realtime"]}));
        let cluster = Cluster::of(server.client());
        let error = cluster.get::<Value>("/druid/coordinator/v1/rules").unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "http://{} is no coordinator: it has the role historical, realtime; name a broker or a \
                 coordinator with --url",
                server.address
            )
        );
        server.on("GET /status", json!({"version": "0.9", "roles": ["broker"]}));
        let error = cluster.get::<Value>("/henge/v1/nodes").unwrap_err();
        assert!(
            format!("{error:#}").contains("(version 0.9) does not serve /henge/v1/nodes"),
            "{error:#}"
        );
        // What the leader does not know is its own answer.
        let missing = json!({"errorMessage": "no server 'h9' is known"});
        server.on_status("DELETE /x", 404, missing);
        assert_eq!(
            cluster.delete::<Value>("/x").unwrap_err().to_string(),
            "no server 'h9' is known"
        );
    }

    #[test]
    fn h_77_the_token_is_shown_and_a_missing_one_is_said() {
        let server = FakeServer::asking_for(Some("0123456789abcdef"));
        server.on("GET /x", json!(1));
        let error = server.client().get("/x").unwrap_err();
        assert!(error.to_string().contains("--token or HENGE_CLUSTER__TOKEN"), "{error}");
        let client = server.client().with_token(Some("0123456789abcdef"));
        assert_eq!(client.get("/x").unwrap(), json!(1));
        assert_eq!(client.at(&server.address).get("/x").unwrap(), json!(1));
    }
}
