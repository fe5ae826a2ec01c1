//! Where there is nothing, the door says so itself (T1, N2, T15).

use crate::client::Client;
use crate::server::{PUBLIC, Server};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};

#[tokio::test]
async fn t1_a_directory_with_nothing_behind_it_is_an_absence_in_words_of_acme() {
    let mut server = Server::new().await;
    // As the server has it: beside an API that answers whatever is nobody else's.
    server.router = server.router.merge(Router::new().fallback(async || (StatusCode::IM_A_TEAPOT, "the API's")));
    let client = Client::new(&server).await;
    for path in ["/acme/default", "/acme/default/", "/acme/default/x", "/acme/default/order", "/acme/nobody/x/y/z"] {
        let name = path.split('/').nth(2).unwrap();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let reply = client.send(request).await.is(404);
            assert_eq!(reply.links(), [format!("<{PUBLIC}/acme/{name}/directory>;rel=\"index\"")], "{method} {path}");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
            assert_eq!(reply.header("replay-nonce").is_some(), method == "POST", "N2 {method} {path}");
            if method != "HEAD" {
                reply.refused(404, "malformed");
            }
        }
        let preflight = Request::builder().method("OPTIONS").uri(path).body(Body::empty()).unwrap();
        assert!(client.send(preflight).await.status.is_success(), "T15 {path}");
    }
}
