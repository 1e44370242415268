//! Listings of what there is, column by column as java.sql's DatabaseMetaData has them.

use super::*;

fn listed() -> Fake {
    let schemata = "SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA ORDER BY 1";
    let tables = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES \
                  ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME";
    let columns = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, ORDINAL_POSITION \
         FROM INFORMATION_SCHEMA.COLUMNS ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION";
    Fake::default()
        .on(
            schemata,
            vec![(
                "SCHEMA_NAME",
                "VARCHAR",
                texts(&["INFORMATION_SCHEMA", "druid", "lookup", "sys"]),
            )],
            &[],
            10,
        )
        .on(
            tables,
            vec![
                ("TABLE_SCHEMA", "VARCHAR", texts(&["sys", "druid", "druid"])),
                ("TABLE_NAME", "VARCHAR", texts(&["segments", "wikipedia", "wiki_x"])),
                ("TABLE_TYPE", "VARCHAR", texts(&["SYSTEM_TABLE", "TABLE", "TABLE"])),
            ],
            &[],
            10,
        )
        .on(
            columns,
            vec![
                ("TABLE_SCHEMA", "VARCHAR", texts(&["druid", "druid", "sys"])),
                ("TABLE_NAME", "VARCHAR", texts(&["wikipedia", "wikipedia", "segments"])),
                ("COLUMN_NAME", "VARCHAR", texts(&["__time", "channel", "size"])),
                ("DATA_TYPE", "VARCHAR", texts(&["TIMESTAMP", "VARCHAR", "BIGINT"])),
                ("IS_NULLABLE", "VARCHAR", texts(&["NO", "YES", "NO"])),
                ("ORDINAL_POSITION", "BIGINT", longs([1, 2, 1])),
            ],
            &[],
            10,
        )
}

async fn rows(client: &Client, mut request: Value) -> (Vec<String>, Value) {
    request["connectionId"] = json!("c");
    let set = client.ask(request).await;
    assert_eq!((&set["response"], &set["ownStatement"]), (&json!("resultSet"), &json!(true)));
    assert_eq!(set["firstFrame"]["done"], true);
    let columns = set["signature"]["columns"].as_array().unwrap().clone();
    let labels = columns.iter().map(|column| column["label"].as_str().unwrap().to_owned());
    (labels.collect(), set["firstFrame"]["rows"].clone())
}

#[tokio::test]
async fn golden_catalogs_schemas_and_kinds_of_tables() {
    let client = Client::connected(listed()).await;
    let (labels, found) = rows(&client, json!({"request": "getCatalogs"})).await;
    assert_eq!((labels, found), (vec!["TABLE_CAT".to_owned()], json!([["druid"]])));
    let asked = json!({"request": "getSchemas", "catalog": null, "schemaPattern": "%u%"});
    let (labels, found) = rows(&client, asked).await;
    assert_eq!(labels, ["TABLE_SCHEM", "TABLE_CATALOG"]);
    assert_eq!(found, json!([["druid", "druid"], ["lookup", "druid"]]));
    let (_, found) = rows(&client, json!({"request": "getTableTypes"})).await;
    assert_eq!(found, json!([["SYSTEM_TABLE"], ["TABLE"]]));
}

#[tokio::test]
async fn golden_tables() {
    let client = Client::connected(listed()).await;
    let asked =
        json!({"request": "getTables", "schemaPattern": "druid", "tableNamePattern": "wiki\\_%"});
    let (labels, found) = rows(&client, asked).await;
    let expected = "TABLE_CAT,TABLE_SCHEM,TABLE_NAME,TABLE_TYPE,REMARKS,TYPE_CAT,TYPE_SCHEM,TYPE_NAME,\
                    SELF_REFERENCING_COL_NAME,REF_GENERATION";
    assert_eq!(labels.join(","), expected);
    let row = json!([["druid", "druid", "wiki_x", "TABLE", null, null, null, null, null, null]]);
    assert_eq!(found, row);
    let (_, found) =
        rows(&client, json!({"request": "getTables", "typeList": ["SYSTEM_TABLE"]})).await;
    assert_eq!(found[0][2], "segments");
    assert_eq!(found.as_array().unwrap().len(), 1);
    let (_, found) = rows(&client, json!({"request": "getTables", "catalog": "other"})).await;
    assert_eq!(found, json!([]));
}

#[tokio::test]
async fn golden_columns() {
    let client = Client::connected(listed()).await;
    let asked =
        json!({"request": "getColumns", "schemaPattern": "druid", "tableNamePattern": "wikipedia"});
    let (labels, found) = rows(&client, asked).await;
    let expected = "TABLE_CAT,TABLE_SCHEM,TABLE_NAME,COLUMN_NAME,DATA_TYPE,TYPE_NAME,COLUMN_SIZE,BUFFER_LENGTH,\
                    DECIMAL_DIGITS,NUM_PREC_RADIX,NULLABLE,REMARKS,COLUMN_DEF,SQL_DATA_TYPE,SQL_DATETIME_SUB,\
                    CHAR_OCTET_LENGTH,ORDINAL_POSITION,IS_NULLABLE,SCOPE_CATALOG,SCOPE_SCHEMA,SCOPE_TABLE,\
                    SOURCE_DATA_TYPE,IS_AUTOINCREMENT,IS_GENERATEDCOLUMN";
    assert_eq!(labels.join(","), expected);
    let row = json!([
        "druid",
        "druid",
        "wikipedia",
        "__time",
        93,
        "TIMESTAMP",
        -1,
        null,
        null,
        -1,
        0,
        null,
        null,
        null,
        null,
        -1,
        1,
        "NO",
        null,
        null,
        null,
        null,
        "NO",
        "NO",
    ]);
    assert_eq!(found[0], row);
    assert_eq!(found.as_array().unwrap().len(), 2);
    let asked = json!({"request": "getColumns", "columnNamePattern": "s%"});
    let (_, found) = rows(&client, asked).await;
    assert_eq!((&found[0][2], &found[0][4]), (&json!("segments"), &json!(-5)));
}

#[tokio::test]
async fn types_are_listed_with_their_numbers() {
    let client = Client::connected(listed()).await;
    let (labels, found) = rows(&client, json!({"request": "getTypeInfo"})).await;
    assert_eq!((labels.len(), &found[0][0], &found[0][1]), (18, &json!("VARCHAR"), &json!(12)));
}
