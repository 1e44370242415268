//! `HENGE_PORT=8889` sets `port`; `HENGE_QUERY__TIMEOUT_MS=1000` sets `query.timeout_ms`.

use super::{ConfigError, Secret, ServerConfig, StorageConfig};
use crate::storage::{Provider, ProviderOption};

const PREFIX: &str = "HENGE_";
/// Of those that ask a server: no setting of one, though both may run in one environment.
const OF_CLIENTS: &[&str] = &["URL", "BINARY"];

/// Sets what the variables say over what the file says.
pub(super) fn apply(
    table: &mut toml::Table,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    // The defaults know every name and its type.
    let known = toml::Table::try_from(ServerConfig::default())
        .map_err(|error| ConfigError::Parse(error.to_string()))?;
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX).filter(|path| !OF_CLIENTS.contains(path)) else {
            continue;
        };
        let path = path.to_ascii_lowercase();
        set(table, &known, &path, &text)
            .map_err(|reason| ConfigError::Variable { name: name.clone(), reason })?;
    }
    Ok(())
}

/// Adds what the variables of the object store's provider say and no setting does.
pub(super) fn add_provider_options(
    storage: &mut StorageConfig,
    variables: impl IntoIterator<Item = (String, String)>,
) {
    let Some(provider) = Provider::of(&storage.url) else { return };
    for (name, value) in variables {
        if !name.starts_with(provider.variable_prefix()) || value.is_empty() {
            continue;
        }
        let option = name.to_ascii_lowercase();
        match provider.option(&option) {
            ProviderOption::Region if storage.region.is_empty() => storage.region = value,
            ProviderOption::Endpoint if storage.endpoint.is_empty() => storage.endpoint = value,
            ProviderOption::Plain => {
                // An option may be written with or without the provider before it.
                let bare = &option[provider.variable_prefix().len()..];
                let names = [option.as_str(), bare];
                let is_set = names.iter().any(|name| storage.options.contains_key(*name));
                if !is_set {
                    storage.options.insert(option, Secret::from(value.as_str()));
                }
            }
            // What the settings say wins; the bucket, and whether it may be asked in the open, they alone say.
            ProviderOption::Region
            | ProviderOption::Endpoint
            | ProviderOption::Url
            | ProviderOption::AllowHttp
            | ProviderOption::Unknown => {}
        }
    }
}

fn set(table: &mut toml::Table, known: &toml::Table, path: &str, text: &str) -> Result<(), String> {
    if let Some((section, rest)) = path.split_once("__") {
        let unknown = || {
            let is_section = |(_, value): &(&String, &toml::Value)| value.is_table();
            let sections: Vec<&str> =
                known.iter().filter(is_section).map(|(name, _)| name.as_str()).collect();
            format!("there is no section '{section}', only {}", sections.join(", "))
        };
        let known = known.get(section).and_then(toml::Value::as_table).ok_or_else(unknown)?;
        let inner = table
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("'{section}' is not a section in the file"))?;
        return set(inner, known, rest, text);
    }
    let default = known.get(path).ok_or_else(|| no_setting(known, path))?;
    let value = match default {
        toml::Value::Integer(usual) => {
            let number = text.trim().parse().map_err(|_| {
                format!("'{text}' is not a number: write a whole one, such as {usual}")
            })?;
            toml::Value::Integer(number)
        }
        toml::Value::Boolean(_) => {
            let is_set = text.trim().parse();
            toml::Value::Boolean(is_set.map_err(|_| format!("'{text}' is neither true nor false"))?)
        }
        // Names and folders, parted by commas.
        toml::Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect())
        }
        toml::Value::Table(_) => return Err(format!("'{path}' is a section: add __ and a name")),
        toml::Value::String(_) | toml::Value::Float(_) | toml::Value::Datetime(_) => {
            toml::Value::String(text.to_owned())
        }
    };
    table.insert(path.to_owned(), value);
    Ok(())
}

/// A setting that is not there, with those that may be meant: most often a unit is missing.
#[cold]
fn no_setting(known: &toml::Table, path: &str) -> String {
    let is_near = |name: &&str| name.starts_with(path) || path.starts_with(*name);
    let near: Vec<&str> = known.keys().map(String::as_str).filter(is_near).collect();
    let (lead, names) = match near.is_empty() {
        true => ("there are", known.keys().map(String::as_str).collect()),
        false => ("did you mean", near),
    };
    let end = if lead == "there are" { "" } else { "?" };
    format!(
        "there is no setting '{path}' here; {lead} {}{end} (a section is parted from its setting by two \
         underscores)",
        names.join(", ")
    )
}
