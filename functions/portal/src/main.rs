//! The `portal` function on Lambda.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    stella::function::run(stella_portal::start).await
}
