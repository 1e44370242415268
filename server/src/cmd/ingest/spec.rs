//! From whatever form a spec has to the task that the server takes.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use super::existing::Existing;

const TASK_TYPE: &str = "index_parallel";

/// Keys of flat specs that tell people something and the server nothing.
const INFORMATION: [&str; 3] = ["files", "source", "note"];

const FORMS: &str = "give a task ({\"type\": \"index_parallel\", \"spec\": {...}}), its spec \
({\"dataSchema\": {...}}), or an object with timestampSpec, dimensionsSpec, metricsSpec and \
granularitySpec";

/// What the command line adds to a spec.
#[derive(Debug, Clone)]
pub(super) struct TaskOptions<'a> {
    /// Goes before the spec's own.
    pub(super) datasource: Option<&'a str>,
    /// Goes before the spec's own.
    pub(super) input_source: Option<Value>,
    /// What the files look like, where the spec does not say.
    pub(super) format: Option<Value>,
    /// What happens to rows that are there, where the command line says so.
    pub(super) existing: Option<Existing>,
}

/// The task, and the name of its datasource. What is inside the schema is for the server to judge.
///
/// # Errors
/// When the spec has none of the known forms, or names no datasource or no input.
pub(super) fn task(spec: Value, options: &TaskOptions<'_>) -> Result<(Value, String)> {
    let mut task = whole_task(spec)?;
    let Some(spec) = task.get_mut("spec").and_then(Value::as_object_mut) else {
        bail!("spec must be an object: {FORMS}");
    };
    let datasource = set_datasource(spec, options.datasource)?;
    set_input(spec, options)?;
    Ok((Value::Object(task), datasource))
}

/// What a task says of rows that are there; `None` when it leaves that open.
pub(super) fn existing_of(task: &Value) -> Option<Existing> {
    let io = task.pointer("/spec/ioConfig")?;
    let is_set = |name: &str| io.get(name).and_then(Value::as_bool);
    match (is_set("appendToExisting"), is_set("dropExisting")) {
        (Some(true), _) => Some(Existing::Append),
        (Some(false), _) | (_, Some(true)) => Some(Existing::Replace),
        _ => None,
    }
}

fn whole_task(spec: Value) -> Result<Map<String, Value>> {
    let Value::Object(mut spec) = spec else { bail!("it is not a JSON object: {FORMS}") };
    if spec.contains_key("spec") {
        spec.entry("type").or_insert_with(|| TASK_TYPE.into());
        return Ok(spec);
    }
    if !spec.contains_key("dataSchema") {
        spec = from_flat(spec)?;
    }
    Ok(Map::from_iter([("type".to_owned(), TASK_TYPE.into()), ("spec".to_owned(), spec.into())]))
}

/// Keys that are not known go into the schema, where the server refuses them by name: a misspelt
/// key must not be lost.
fn from_flat(mut flat: Map<String, Value>) -> Result<Map<String, Value>> {
    if !["timestampSpec", "dimensionsSpec"].iter().any(|key| flat.contains_key(*key)) {
        bail!("it is no ingestion spec: {FORMS}");
    }
    for key in INFORMATION {
        flat.remove(key);
    }
    let mut io = json!({ "type": TASK_TYPE });
    if let Some(format) = flat.remove("inputFormat") {
        io["inputFormat"] = format;
    }
    let tuning = flat.remove("tuningConfig");
    let mut spec = Map::from_iter([
        ("dataSchema".to_owned(), Value::Object(flat)),
        ("ioConfig".to_owned(), io),
    ]);
    spec.extend(tuning.map(|tuning| ("tuningConfig".to_owned(), tuning)));
    Ok(spec)
}

fn set_datasource(spec: &mut Map<String, Value>, given: Option<&str>) -> Result<String> {
    let Some(schema) = spec.get_mut("dataSchema").and_then(Value::as_object_mut) else {
        bail!("dataSchema must be an object");
    };
    if let Some(given) = given {
        schema.insert("dataSource".to_owned(), given.into());
    }
    match schema.get("dataSource").and_then(Value::as_str) {
        Some(name) => Ok(name.to_owned()),
        None => bail!("it names no datasource: add --datasource NAME"),
    }
}

fn set_input(spec: &mut Map<String, Value>, options: &TaskOptions<'_>) -> Result<()> {
    let io = spec.entry("ioConfig").or_insert_with(|| json!({ "type": TASK_TYPE }));
    let Some(io) = io.as_object_mut() else { bail!("ioConfig must be an object") };
    if let Some(source) = &options.input_source {
        io.insert("inputSource".to_owned(), source.clone());
        let guess = options.format.clone().unwrap_or_else(|| json!({ "type": "json" }));
        io.entry("inputFormat").or_insert(guess);
    } else if !io.contains_key("inputSource") {
        bail!("nothing to read: name at least one FILE");
    }
    if let Some(existing) = options.existing {
        let append = existing == Existing::Append;
        io.insert("appendToExisting".to_owned(), append.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_OPTIONS: TaskOptions<'_> =
        TaskOptions { datasource: None, input_source: None, format: None, existing: None };

    fn with_file(spec: Value) -> (Value, String) {
        let source = json!({ "type": "local", "files": ["/data/a.json"] });
        let options =
            TaskOptions { datasource: Some("d"), input_source: Some(source), ..NO_OPTIONS };
        task(spec, &options).unwrap()
    }

    fn refused(spec: Value) -> String {
        task(spec, &NO_OPTIONS).unwrap_err().to_string()
    }

    #[test]
    fn all_forms_give_the_same_task() {
        let schema = json!({ "dataSource": "d", "timestampSpec": { "column": "t" } });
        let spec = json!({ "dataSchema": schema });
        let (expected, name) = with_file(json!({ "type": TASK_TYPE, "spec": spec }));
        assert_eq!(name, "d");
        let source = json!({ "type": "local", "files": ["/data/a.json"] });
        assert_eq!(expected["spec"]["ioConfig"]["inputSource"], source);
        assert_eq!(expected["spec"]["dataSchema"], schema);
        assert_eq!(with_file(json!({ "spec": spec })).0, expected);
        assert_eq!(with_file(spec).0, expected);
        assert_eq!(with_file(schema.clone()).0, expected);
        let mut flat = schema;
        flat["inputFormat"] = json!({ "type": "json" });
        flat["files"] = json!(["a.json"]);
        flat["source"] = "a test".into();
        flat["note"] = "for people".into();
        assert_eq!(with_file(flat).0, expected);
    }

    #[test]
    fn misspelt_keys_reach_the_server() {
        let (task, _) = with_file(json!({ "timestampSpec": {}, "metricSpec": [] }));
        assert_eq!(task["spec"]["dataSchema"]["metricSpec"], json!([]));
    }

    #[test]
    fn the_command_line_goes_first_and_the_rest_stays() {
        let inline = json!({ "type": "inline", "data": "{}" });
        let spec = json!({
            "dataSchema": { "dataSource": "own" },
            "ioConfig": { "type": "index_parallel", "inputSource": inline },
            "tuningConfig": { "maxRowsInMemory": 5 },
        });
        let (own, name) = task(spec.clone(), &NO_OPTIONS).unwrap();
        assert_eq!((name.as_str(), &own["spec"]), ("own", &spec));
        let existing = Some(Existing::Append);
        let options = TaskOptions { datasource: Some("given"), existing, ..NO_OPTIONS };
        let (given, name) = task(spec, &options).unwrap();
        assert_eq!(name, "given");
        assert_eq!(given["spec"]["dataSchema"]["dataSource"], "given");
        assert_eq!(given["spec"]["ioConfig"]["appendToExisting"], true);
        assert_eq!((existing_of(&own), existing_of(&given)), (None, Some(Existing::Append)));
        assert_eq!(given["spec"]["tuningConfig"]["maxRowsInMemory"], 5);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(refused(json!([])).contains("not a JSON object"));
        assert!(refused(json!({ "a": 1 })).contains("no ingestion spec"));
        assert!(refused(json!({ "timestampSpec": {} })).contains("--datasource"));
        assert!(refused(json!({ "dataSchema": 1 })).contains("dataSchema"));
        assert!(refused(json!({ "spec": 1 })).contains("spec must be an object"));
        let flat = json!({ "dataSource": "d", "timestampSpec": {} });
        assert!(refused(flat).contains("at least one FILE"));
        let io = json!({ "dataSchema": { "dataSource": "d" }, "ioConfig": 1 });
        assert!(refused(io).contains("ioConfig"));
    }
}
