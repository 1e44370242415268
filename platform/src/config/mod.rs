//! The server's configuration: defaults, then a TOML file, then `HENGE_...` variables. Unknown
//! names are refused, and everything is checked before anything starts.

mod address;
mod cluster;
mod env;
mod error;
mod kinds;
mod reference;
mod secret;
mod sections;
mod validate;

use std::path::Path;

pub use address::DatabaseAddress;
pub use error::ConfigError;
pub use secret::Secret;
pub use sections::{
    CacheConfig, ClusterConfig, GrpcConfig, HistoricalConfig, IngestionConfig, LimitsConfig,
    LogConfig, LogFormat, MemoryConfig, MetadataConfig, QueryConfig, Residency, ServerConfig,
    SqlConfig, StorageConfig, TierCodec,
};
pub use validate::is_loopback;

impl ServerConfig {
    /// Reads a file, if one is named, and the process's environment. The environment is read here
    /// and nowhere else.
    ///
    /// # Errors
    /// When the file cannot be read, a name is unknown or a value does not fit.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?,
            None => String::new(),
        };
        Self::from_parts(&text, std::env::vars())
    }

    /// Puts together the text of a file and `HENGE_...` variables, and checks the result.
    ///
    /// # Errors
    /// When a name is unknown or a value does not fit.
    fn from_parts(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| ConfigError::Parse(error.to_string()))?;
        let variables: Vec<(String, String)> = variables.into_iter().collect();
        env::apply(&mut table, variables.iter().cloned())?;
        kinds::check_kinds(&table)?;
        let mut config: Self =
            table.try_into().map_err(|error| ConfigError::Parse(error.to_string()))?;
        env::add_provider_options(&mut config.storage, variables);
        config.validate()?;
        Ok(config)
    }

    /// The settings in effect, as TOML; what is secret is never part of it.
    #[must_use]
    pub fn render(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

#[cfg(test)]
mod tests;
