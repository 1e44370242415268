//! The reference of all settings, written from their definitions.

use std::fmt::Write as _;

use super::sections::Setting;
use super::{
    CacheConfig, ClusterConfig, GrpcConfig, HistoricalConfig, IngestionConfig, LimitsConfig,
    LogConfig, MemoryConfig, MetadataConfig, QueryConfig, ServerConfig, SqlConfig, StorageConfig,
};

const HEAD: &str = "# Configuration

Written by `henge config reference`; a test compares. One TOML file (`henge server --config henge.toml`), then \
variables of the environment, then options of the command line. A setting `name` of the section `section` is \
`HENGE_SECTION__NAME` in the environment. Unknown names are refused. `henge config check` prints what is in effect on the machine it runs on.
";

impl ServerConfig {
    /// All settings as Markdown: defaults, units and what each does.
    #[must_use]
    pub fn reference_markdown() -> String {
        let defaults = toml::Table::try_from(Self::default()).unwrap_or_default();
        let (_, top) = Self::reference();
        let sections = [
            ("grpc", GrpcConfig::reference()),
            ("cluster", ClusterConfig::reference()),
            ("limits", LimitsConfig::reference()),
            ("memory", MemoryConfig::reference()),
            ("metadata", MetadataConfig::reference()),
            ("ingestion", IngestionConfig::reference()),
            ("historical", HistoricalConfig::reference()),
            ("query", QueryConfig::reference()),
            ("sql", SqlConfig::reference()),
            ("cache", CacheConfig::reference()),
            ("storage", StorageConfig::reference()),
            ("log", LogConfig::reference()),
        ];
        let mut text = HEAD.to_owned();
        let own: Vec<Setting> = top
            .into_iter()
            .filter(|setting| sections.iter().all(|(name, _)| *name != setting.name))
            .collect();
        table(&mut text, &own, &defaults);
        for (name, (about, settings)) in sections {
            let _ = write!(text, "\n## `[{name}]`\n\n{about}\n");
            let values = defaults.get(name).and_then(toml::Value::as_table);
            table(&mut text, &settings, &values.cloned().unwrap_or_default());
        }
        text
    }
}

fn table(text: &mut String, settings: &[Setting], defaults: &toml::Table) {
    text.push_str("\n| setting | default | |\n| --- | --- | --- |\n");
    for Setting { name, about } in settings {
        let default = defaults.get(*name).map_or_else(String::new, |value| shown(name, value));
        let _ = writeln!(text, "| `{name}` | {default} | {about} |");
    }
}

/// A default with its unit, which the name says.
fn shown(name: &str, value: &toml::Value) -> String {
    match value.as_integer() {
        Some(bytes) if name.contains("bytes") && bytes > 0 && bytes % (1 << 20) == 0 => {
            format!("{bytes} ({} MiB)", bytes >> 20)
        }
        Some(ms) if name.ends_with("_ms") && ms >= 60_000 && ms % 60_000 == 0 => {
            format!("{ms} ({} min)", ms / 60_000)
        }
        _ => format!("`{}`", value.to_string().trim()),
    }
}
