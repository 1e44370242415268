//! Starts a process: takes its folder and its ports, starts its roles, joins the cluster, opens the door.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use henge_broker::Sql;
use henge_platform::config::ServerConfig;
use henge_platform::metadata::SqlOptions;
use henge_platform::runtime::{raise_handle_limit, spawn};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::{Company, Ports};
use crate::compaction;
use crate::data_folder::{DataFolder, DataFolderLock};
use crate::front::Front;
use crate::gate::Gate;
use crate::ground::Ground;
use crate::grpc;
use crate::memory;
use crate::nodes;
use crate::options::Options;
use crate::registration::Registration;
use crate::roles::Roles;
use crate::router::{self, Around};
use crate::shown;
use crate::sql::{self, Processes};

/// How long an end waits until what is buffered is published.
const LONGEST_DRAIN: Duration = Duration::from_secs(30);
/// How long it waits for the metadata at last. They may be away, and what is not given back runs out by itself.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// A server at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the port it really got.
    pub url: String,
    /// Where it listens for gRPC, if it does.
    pub grpc: Option<SocketAddr>,
    /// How long it took from the start until it was ready.
    pub startup: Duration,
    /// Segments served at the start.
    pub segments: usize,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    roles: Roles,
    company: Option<Company>,
    registration: Option<Arc<Registration>>,
    lock: DataFolderLock,
}

impl Running {
    /// Stops taking requests, finishes those at work, and waits for it. What is buffered stays in the
    /// log, or, in a cluster, is published if that does not take long. The data folder is free for others
    /// once the lock is dropped.
    pub async fn stop(self) -> DataFolderLock {
        if let (Some(realtime), Some(_)) = (&self.roles.realtime, &self.company)
            && tokio::time::timeout(LONGEST_DRAIN, realtime.drain()).await.is_err()
        {
            tracing::warn!("what is buffered takes long to be published, and stays in the log");
        }
        // Others ask somebody else from now on.
        if let Some(company) = &self.company {
            company.leave().await;
        }
        self.stop.send_replace(true);
        let _ = self.served.await;
        let farewell = farewell(&self.roles, self.registration.as_deref());
        if tokio::time::timeout(LONGEST_FAREWELL, farewell).await.is_err() {
            tracing::warn!(
                "the metadata do not answer: the leases of this process run out by themselves"
            );
        }
        self.lock
    }

    /// Hands off everything that is buffered.
    pub async fn flush(&self) {
        if let Some(realtime) = &self.roles.realtime {
            realtime.flush().await;
        }
    }

    /// Completes when the process has to start again because another realtime node goes on with its logs.
    pub async fn lost(&self) {
        match &self.roles.realtime {
            Some(realtime) => realtime.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Completes when the process has to stop because another one has its name in the cluster.
    pub async fn superseded(&self) {
        match &self.company {
            Some(company) => company.superseded().await,
            None => std::future::pending().await,
        }
    }
}

/// Starts the roles of a process and the servers of HTTP and gRPC; returns when everything that was stored
/// on it is queryable. In a cluster, what is away is waited for. `settings` is the file that the configuration
/// was read from, if it was: tasks do not read it, and commands that errors give to operators name it.
///
/// # Errors
/// When the data directory cannot be used or belongs to another server, stored state is damaged or
/// a port is taken.
pub async fn start(config: &ServerConfig, settings: Option<&Path>) -> Result<Running> {
    let started = Instant::now();
    let folder = DataFolder::of(config)?.with_settings(settings);
    let lock = folder.own()?;
    let mut options = Options::new(&memory::fitted(config), &folder, raise_handle_limit());
    options.realtime.own_files.extend(settings.map(Path::to_owned));
    let listener = listen(&options.bind, "port").await?;
    let address = listener.local_addr().context("read the port")?;
    options.realtime.http_address = options.node.reached_at(address.port());
    let (rpc_listener, grpc) = listen_for_grpc(&options).await?.unzip();
    let (stop, stopped) = watch::channel(false);
    let gate = Gate::default();
    let over_http = henge_platform::http::serve(
        listener,
        gate.router(),
        options.serve,
        is_set(stopped.clone()),
    );
    let over_http = spawn(over_http);
    let ground = Ground::lay(&options, &folder, &gate).await?;
    let registration = register(&options, &folder, &ground).await;
    let roles = Roles::start(&options, &folder, &ground, &gate).await?;
    let url = format!("http://{address}");
    let own = nodes::alone(&options.node, ground.incarnation, &url, grpc);
    let processes = Arc::new(Processes::new(own, config, &roles));
    let sql = sql::start(&options, &ground, &roles, &processes)?;
    let front = Arc::new(OnceLock::new());
    let over_grpc =
        spawn(serve_grpc(rpc_listener, &options, &ground, &roles, sql.as_ref(), &front, stopped));
    let ports = grpc.map(|grpc| Ports { http: address, grpc });
    let company = match ports.filter(|_| options.node.is_in_cluster) {
        Some(ports) => Some(join(&options, &ground, ports, &processes, &front).await?),
        None => None,
    };
    if let Some(coordinator) = &roles.coordinator {
        shown::coordinator(&ground.metrics, coordinator);
    }
    let (others, door) = (company.as_ref(), front.get());
    let around = Around { company: others, front: door, own_url: &url, grpc };
    gate.open(router::of(&options, &ground, &roles, sql, around));
    compaction::start(&roles, others, door);
    let served = spawn(async move {
        let _ = tokio::join!(over_http, over_grpc);
    });
    let historical = roles.historical.as_ref();
    Ok(Running {
        url,
        grpc,
        startup: started.elapsed(),
        segments: historical.map_or(0, |historical| historical.segment_count()),
        stop,
        served,
        roles,
        company,
        registration,
        lock,
    })
}

/// Gives back all leases of the process, that over its life at last: from then on somebody may replace the
/// metadata.
async fn farewell(roles: &Roles, registration: Option<&Registration>) {
    if let Some(coordinator) = &roles.coordinator
        && let Err(error) = coordinator.resign().await
    {
        tracing::warn!(%error, "the lease of the leader runs out by itself");
    }
    if let Some(realtime) = &roles.realtime {
        realtime.resign().await;
    }
    if let Some(registration) = registration {
        registration.end().await;
    }
}

/// Metadata in the data folder are this process's alone, which the folder's lock says.
async fn register(
    options: &Options,
    folder: &DataFolder,
    ground: &Ground,
) -> Option<Arc<Registration>> {
    let metadata = Arc::clone(&ground.metadata);
    let begun = Registration::begin(metadata, &options.node.name, ground.incarnation);
    match folder.metadata_store() {
        SqlOptions::Postgres(_) => Some(begun.await),
        SqlOptions::Sqlite(_) => None,
    }
}

/// Joins the cluster, and tells of it whoever asks other processes.
async fn join(
    options: &Options,
    ground: &Ground,
    ports: Ports,
    processes: &Processes,
    front: &OnceLock<Arc<Front>>,
) -> Result<Company> {
    let company = Company::join(&options.node, ground, ports).await?;
    processes.join(&company);
    let (limits, token) = (options.body.clone(), options.node.token.clone());
    let metadata = ground.metadata.clone();
    front.get_or_init(|| Arc::new(Front::new(company.clone(), metadata, limits, token)));
    shown::cluster(&ground.metrics, &company);
    Ok(company)
}

/// What takes calls of gRPC, where it is on, and its address.
async fn listen_for_grpc(options: &Options) -> Result<Option<(TcpListener, SocketAddr)>> {
    let Some(bind) = &options.grpc_bind else { return Ok(None) };
    let listener = listen(bind, "grpc.listen").await?;
    let address = listener.local_addr().context("read the port of gRPC")?;
    Ok(Some((listener, address)))
}

async fn listen((host, port): &(String, u16), setting: &str) -> Result<TcpListener> {
    let bound = TcpListener::bind((host.as_str(), *port)).await;
    bound.with_context(|| {
        format!("listen on {host}:{port} ({setting}): is another server running there?")
    })
}

/// Completes when the server stops.
async fn is_set(mut stopped: watch::Receiver<bool>) {
    // Without its sender the start failed, and nothing is left to serve.
    let _ = stopped.wait_for(|is_stopping| *is_stopping).await;
}

/// Serves gRPC, where it is on, until the server stops.
fn serve_grpc(
    listener: Option<TcpListener>,
    options: &Options,
    ground: &Ground,
    roles: &Roles,
    sql: Option<&Arc<Sql>>,
    front: &Arc<OnceLock<Arc<Front>>>,
    stopped: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + use<> {
    let limits = options.rpc_limits(stopped.clone());
    let services = grpc::services(options, ground, roles, sql, front, &limits);
    let rpc = options.rpc();
    async move {
        let Some(listener) = listener else { return };
        let served = henge_platform::rpc::serve(listener, services, rpc, is_set(stopped)).await;
        if let Err(error) = served {
            tracing::error!(%error, "gRPC is served no more");
        }
    }
}
