//! The same answers in protobuf.

use henge_proto::avatica as proto;
use prost::Message;

use super::super::protobuf;
use super::*;

async fn ask<M: Message + Default>(client: &Client, name: &str, message: &impl Message) -> M {
    let wire = proto::WireMessage {
        name: format!("org.apache.calcite.avatica.proto.Requests${name}Request"),
        wrapped_message: message.encode_to_vec().into(),
    };
    let asked = protobuf::read(&wire.encode_to_vec()).unwrap();
    let answer = client.service.answer(asked).await.unwrap();
    let wire = proto::WireMessage::decode(&protobuf::write(answer, SERVER)[..]).unwrap();
    assert!(wire.name.starts_with("org.apache.calcite.avatica.proto.Responses$"), "{}", wire.name);
    M::decode(wire.wrapped_message).unwrap()
}

#[tokio::test]
async fn statements_run_as_in_json() {
    let client = Client::connected(all_types()).await;
    let create = proto::CreateStatementRequest { connection_id: "c".into() };
    let created: proto::CreateStatementResponse = ask(&client, "CreateStatement", &create).await;
    assert_eq!(created.metadata.unwrap().server_address, SERVER);
    let run = proto::PrepareAndExecuteRequest {
        connection_id: "c".into(),
        statement_id: created.statement_id,
        sql: "SELECT 1".into(),
        // Clients that never set the other field mean: all rows.
        max_row_count: u64::MAX,
        ..Default::default()
    };
    let executed: proto::ExecuteResponse = ask(&client, "PrepareAndExecute", &run).await;
    assert!(!executed.missing_statement);
    let set = &executed.results[0];
    assert_eq!((set.update_count, set.own_statement), (u64::MAX, false));
    let signature = set.signature.clone().unwrap();
    let first = &signature.columns[0];
    let shown = first.r#type.clone().unwrap();
    assert_eq!((shown.id.cast_signed(), shown.rep()), (-5, proto::Rep::Long));
    let text = &signature.columns[3];
    assert_eq!((text.precision.cast_signed(), text.scale.cast_signed()), (-1, i32::MIN));
    assert_eq!(signature.cursor_factory.unwrap().style(), proto::CursorStyle::CursorList);
    let frame = set.first_frame.clone().unwrap();
    assert!(frame.done);
    let row = &frame.rows[0].value;
    let scalar = |index: usize| row[index].scalar_value.clone().unwrap();
    assert_eq!((scalar(0).number_value, scalar(0).r#type()), (39_244, proto::Rep::Long));
    assert_eq!((scalar(2).double_value, scalar(3).string_value.as_str()), (1.5, "#en"));
    assert!(row[6].has_array_value && row[6].array_value[1].null);
    assert!(scalar(7).null);
}

#[tokio::test]
async fn parameters_keep_their_types() {
    let fake = Fake::default().on("SELECT ?", vec![("n", "BIGINT", longs([1]))], &["VARCHAR"], 10);
    let client = Client::connected(fake).await;
    let prepare = proto::PrepareRequest {
        connection_id: "c".into(),
        sql: "SELECT ?".into(),
        ..Default::default()
    };
    let prepared: proto::PrepareResponse = ask(&client, "Prepare", &prepare).await;
    let statement_handle = prepared.statement;
    let of = |rep: proto::Rep| proto::TypedValue { r#type: rep.into(), ..Default::default() };
    let parameter_values = vec![
        proto::TypedValue { string_value: "x".into(), ..of(proto::Rep::String) },
        proto::TypedValue { number_value: -3, ..of(proto::Rep::PrimitiveInt) },
        proto::TypedValue { null: true, ..of(proto::Rep::Null) },
    ];
    let execute = proto::ExecuteRequest {
        statement_handle,
        parameter_values,
        has_parameter_values: true,
        ..Default::default()
    };
    let executed: proto::ExecuteResponse = ask(&client, "Execute", &execute).await;
    assert!(executed.results[0].first_frame.clone().unwrap().done);
    let ran = client.fake.ran.lock();
    let given: Vec<_> = ran[0].parameters.iter().map(|one| one.value.clone()).collect();
    assert_eq!(given, [json!("x"), json!(-3), Value::Null]);
}

#[tokio::test]
async fn errors_say_what_json_says() {
    let failure = Failure::NoConnection("c".into());
    let wire = proto::WireMessage::decode(&protobuf::refuse(&failure)[..]).unwrap();
    let error = proto::ErrorResponse::decode(wire.wrapped_message).unwrap();
    assert_eq!((error.error_code, error.severity()), (1, proto::Severity::ErrorSeverity));
    let failure = Failure::invalid("no");
    let wire = proto::WireMessage::decode(&protobuf::refuse(&failure)[..]).unwrap();
    let error = proto::ErrorResponse::decode(wire.wrapped_message).unwrap();
    assert_eq!((error.error_code.cast_signed(), error.error_message.as_str()), (-1, "no"));
    assert!(error.has_exceptions && error.exceptions.len() == 1);
    assert!(protobuf::read(b"\xff\xff").is_err());
}
