//! Bounds of connections and statements, and how long unused ones last.

use std::time::Duration;

use super::*;

async fn open(client: &Client, id: &str) -> Result<Value, Failure> {
    client.try_ask(json!({"request": "openConnection", "connectionId": id})).await
}

async fn create(client: &Client, id: &str) -> Result<Value, Failure> {
    client.try_ask(json!({"request": "createStatement", "connectionId": id})).await
}

#[tokio::test]
async fn a_connection_has_so_many_statements_and_no_more() {
    let client = Client::connected(Fake::default()).await;
    for _ in 0..4 {
        create(&client, "c").await.unwrap();
    }
    let error = create(&client, "c").await.unwrap_err();
    assert!(error.to_string().contains("too many statements"), "{error}");
    let close = json!({"request": "closeStatement", "connectionId": "c", "statementId": 2});
    client.ask(close).await;
    assert_eq!(create(&client, "c").await.unwrap()["statementId"], 5);
}

#[tokio::test(start_paused = true)]
async fn h_63_connections_without_statements_make_room_and_others_do_not() {
    let client = Client::of(Fake::default());
    for index in 0..25 {
        open(&client, &format!("c{index}")).await.unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert!(open(&client, "c3").await.unwrap_err().to_string().contains("already open"));
    // The one that was not used for longest goes.
    open(&client, "one more").await.unwrap();
    assert!(matches!(create(&client, "c0").await, Err(Failure::NoConnection(_))));
    for index in 1..25 {
        create(&client, &format!("c{index}")).await.unwrap();
    }
    create(&client, "one more").await.unwrap();
    let error = open(&client, "too many").await.unwrap_err();
    assert!(error.to_string().contains("too many connections"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_is_closed_after_five_minutes() {
    let client = Client::connected(Fake::default()).await;
    open(&client, "used").await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(70)).await;
        create(&client, "used").await.unwrap();
    }
    assert!(create(&client, "c").await.is_ok());
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert!(matches!(create(&client, "c").await, Err(Failure::NoConnection(_))));
    assert!(matches!(create(&client, "used").await, Err(Failure::NoConnection(_))));
    // The client may open it anew under the same name.
    open(&client, "c").await.unwrap();
}
