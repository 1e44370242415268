//! Who answers, and how many at once.

use super::*;

#[tokio::test(start_paused = true)]
async fn f_68_a_coordinator_that_does_not_lead_says_who_does() {
    let setup = Setup::new();
    let first = setup.coordinator(1, setup.by_lease("a/1"));
    let second = setup.coordinator(1, setup.by_lease("b/1"));
    let mut running = Vec::new();
    for coordinator in [&first, &second] {
        let coordinator = Arc::clone(coordinator);
        running.push(henge_platform::runtime::spawn(async move {
            coordinator.run_woken_by(&tokio::sync::Notify::new()).await;
        }));
        setup.pass(1_000).await;
    }
    setup.pass(5_000).await;
    let router = crate::router(Arc::clone(&second));
    for path in [format!("{V1}/rules"), format!("{HENGE}/nodes")] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        // Whoever sends it on may ask the next one.
        assert!(answer.headers().contains_key("x-henge-not-taken"));
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(message(&body).contains("node 'a' does"), "{body}");
        assert_eq!(body["context"]["leader"], "a");
    }
    let request = Request::builder().uri(format!("{V1}/rules")).body(Body::empty()).unwrap();
    let answer = crate::router(first).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    running.iter().for_each(tokio::task::JoinHandle::abort);
}
