//! From the settings to a store: which provider a URL means, which options it takes.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ClientOptions, RetryConfig};

use super::super::error::{Result, StorageError};
use super::super::key::validate_key;
use super::failure::{Place, summary};
use super::{ObjectBackend, ObjectDeepStorage, TransferOptions};
use crate::config::StorageConfig;

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Who keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    S3,
    Google,
    Azure,
}

impl Provider {
    /// The provider of a URL.
    pub(crate) fn of(url: &str) -> Option<Self> {
        match url.split_once("://")?.0 {
            "s3" => Some(Self::S3),
            "gs" => Some(Self::Google),
            "az" => Some(Self::Azure),
            _ => None,
        }
    }

    /// How the provider's variables of the environment begin.
    pub(crate) fn variable_prefix(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Google => "GOOGLE_",
            Self::Azure => "AZURE_",
        }
    }

    /// What an option of this name is.
    pub(crate) fn option(self, name: &str) -> ProviderOption {
        let allow_http = ClientConfigKey::AllowHttp;
        match self {
            Self::S3 => match name.parse() {
                Ok(AmazonS3ConfigKey::Bucket) => ProviderOption::Url,
                Ok(AmazonS3ConfigKey::Region | AmazonS3ConfigKey::DefaultRegion) => {
                    ProviderOption::Region
                }
                Ok(AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint) => {
                    ProviderOption::Endpoint
                }
                Ok(AmazonS3ConfigKey::Client(key)) if key == allow_http => {
                    ProviderOption::AllowHttp
                }
                known => ProviderOption::of(known.is_ok()),
            },
            Self::Google => match name.parse() {
                Ok(GoogleConfigKey::Bucket) => ProviderOption::Url,
                Ok(GoogleConfigKey::BaseUrl) => ProviderOption::Endpoint,
                Ok(GoogleConfigKey::Client(key)) if key == allow_http => ProviderOption::AllowHttp,
                known => ProviderOption::of(known.is_ok()),
            },
            Self::Azure => match name.parse() {
                Ok(AzureConfigKey::ContainerName) => ProviderOption::Url,
                Ok(AzureConfigKey::Endpoint) => ProviderOption::Endpoint,
                Ok(AzureConfigKey::Client(key)) if key == allow_http => ProviderOption::AllowHttp,
                known => ProviderOption::of(known.is_ok()),
            },
        }
    }
}

/// What an option of a provider is to the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderOption {
    /// Part of `storage.url`.
    Url,
    /// The setting `storage.region`.
    Region,
    /// The setting `storage.endpoint`.
    Endpoint,
    /// The setting `storage.allow_http`.
    AllowHttp,
    /// One of `storage.options`.
    Plain,
    Unknown,
}

impl ProviderOption {
    fn of(is_known: bool) -> Self {
        if is_known { Self::Plain } else { Self::Unknown }
    }
}

/// Bucket and prefix of a URL.
fn bucket_and_prefix(url: &str) -> Result<(String, String)> {
    let path = url.split_once("://").map_or(url, |(_, path)| path).trim_end_matches('/');
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        return Err(StorageError::Settings(format!("storage.url '{url}' names no bucket")));
    }
    if !prefix.is_empty() {
        validate_key(prefix)?;
        return Ok((bucket.to_owned(), format!("{prefix}/")));
    }
    Ok((bucket.to_owned(), String::new()))
}

impl ObjectDeepStorage {
    /// The bucket that the settings name. Nothing is asked of it: see [`reach`](Self::reach).
    ///
    /// # Errors
    /// When the settings name no bucket that can be used.
    pub fn open(config: &StorageConfig, options: TransferOptions) -> Result<Self> {
        let (bucket, prefix) = bucket_and_prefix(&config.url)?;
        let store = match Provider::of(&config.url) {
            Some(Provider::S3) => s3(config, &bucket),
            Some(Provider::Google) => google(config, &bucket),
            Some(Provider::Azure) => azure(config, &bucket),
            None => return Err(StorageError::Settings("storage.url names no object store".into())),
        };
        let unusable = |error: &object_store::Error| {
            StorageError::Settings(format!("storage.url '{}': {}", config.url, summary(error)))
        };
        let store = store.map_err(|error| unusable(&error))?;
        let place = Place::new(&config.url, &config.endpoint);
        Ok(Self { store, place, prefix, options })
    }
}

type Opened = object_store::Result<Arc<dyn ObjectBackend>>;

/// No repetitions and no limit on the length of an answer: both are ours to decide.
fn client(config: &StorageConfig) -> (ClientOptions, RetryConfig) {
    let options = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout_disabled();
    (options, RetryConfig { max_retries: 0, ..RetryConfig::default() })
}

/// The options of the settings, by the provider's keys, over the client's own.
fn options<K: std::str::FromStr<Err = object_store::Error>>(
    config: &StorageConfig,
) -> impl Iterator<Item = object_store::Result<(K, String)>> {
    config.options.iter().map(|(name, value)| Ok((name.parse()?, value.reveal().to_owned())))
}

fn s3(config: &StorageConfig, bucket: &str) -> Opened {
    let (client, retry) = client(config);
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_bucket_name(bucket)
        .with_checksum_algorithm(Checksum::SHA256);
    if !config.region.is_empty() {
        builder = builder.with_region(&config.region);
    }
    if !config.endpoint.is_empty() {
        builder = builder.with_endpoint(&config.endpoint);
    }
    for option in options::<AmazonS3ConfigKey>(config) {
        let (key, value) = option?;
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.build()?))
}

fn google(config: &StorageConfig, bucket: &str) -> Opened {
    let (client, retry) = client(config);
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_bucket_name(bucket);
    if !config.endpoint.is_empty() {
        builder = builder.with_base_url(&config.endpoint);
    }
    for option in options::<GoogleConfigKey>(config) {
        let (key, value) = option?;
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.build()?))
}

fn azure(config: &StorageConfig, container: &str) -> Opened {
    let (client, retry) = client(config);
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_container_name(container);
    if !config.endpoint.is_empty() {
        builder = builder.with_endpoint(config.endpoint.clone());
    }
    for option in options::<AzureConfigKey>(config) {
        let (key, value) = option?;
        builder = builder.with_config(key, value);
    }
    let allow = AzureConfigKey::Client(ClientConfigKey::AllowHttp);
    Ok(Arc::new(builder.with_config(allow, config.allow_http.to_string()).build()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn config(url: &str, options: &[(&str, &str)]) -> StorageConfig {
        let options =
            options.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value)));
        StorageConfig { url: url.into(), options: options.collect(), ..StorageConfig::default() }
    }

    fn open(config: &StorageConfig) -> Result<ObjectDeepStorage> {
        ObjectDeepStorage::open(config, TransferOptions::default())
    }

    #[test]
    fn one_builder_serves_every_provider() {
        let key = [("access_key_id", "k"), ("secret_access_key", "s")];
        let s3 = open(&config("s3://bucket/a/b/", &key)).unwrap();
        assert_eq!(s3.prefix, "a/b/");
        assert_eq!(s3.path("k").unwrap().as_ref(), "a/b/k");
        let gs = open(&config("gs://bucket", &[("google_skip_signature", "true")])).unwrap();
        assert_eq!(gs.prefix, "");
        let account = [("azure_storage_account_name", "a"), ("azure_storage_account_key", "a2V5")];
        open(&config("az://container/p", &account)).unwrap();
    }

    #[test]
    fn settings_that_name_no_bucket_are_refused() {
        for url in ["s3://", "s3:///prefix", "s3://bucket/../x", "s3://bucket//x"] {
            let error = open(&config(url, &[])).unwrap_err();
            assert_eq!(error.class(), henge_types::ErrorClass::InvalidInput, "{url}: {error}");
        }
        let error = open(&config("az://container", &[])).unwrap_err().to_string();
        assert!(error.contains("storage.url 'az://container'"), "{error}");
    }

    /// Neither errors nor what is logged of a storage have a credential in them.
    #[test]
    fn credentials_are_not_shown() {
        let secret = [("access_key_id", "AKIAVISIBLE"), ("secret_access_key", "TOPSECRET")];
        let config = config("s3://bucket", &secret);
        let shown = format!("{config:?} {:?}", open(&config).unwrap());
        assert!(!shown.contains("TOPSECRET") && !shown.contains("AKIAVISIBLE"), "{shown}");
    }

    #[test]
    fn options_are_those_of_the_provider() {
        for (provider, name, option) in [
            (Provider::S3, "access_key_id", ProviderOption::Plain),
            (Provider::S3, "aws_session_token", ProviderOption::Plain),
            (Provider::S3, "aws_container_credentials_relative_uri", ProviderOption::Plain),
            (Provider::S3, "aws_metadata_endpoint", ProviderOption::Plain),
            (Provider::S3, "aws_bucket", ProviderOption::Url),
            (Provider::S3, "aws_default_region", ProviderOption::Region),
            (Provider::S3, "aws_endpoint_url_s3", ProviderOption::Endpoint),
            (Provider::S3, "aws_allow_http", ProviderOption::AllowHttp),
            (Provider::S3, "azure_client_id", ProviderOption::Unknown),
            (Provider::S3, "acces_key_id", ProviderOption::Unknown),
            (Provider::Google, "google_service_account", ProviderOption::Plain),
            (Provider::Google, "google_base_url", ProviderOption::Endpoint),
            (Provider::Azure, "azure_storage_account_key", ProviderOption::Plain),
            (Provider::Azure, "azure_container_name", ProviderOption::Url),
            (Provider::Azure, "azure_storage_endpoint", ProviderOption::Endpoint),
        ] {
            assert_eq!(provider.option(name), option, "{name}");
        }
    }
}
