use ppool::task;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Secret(u64);

#[task]
pub fn reveal(secret: Secret) -> u64 {
    secret.0
}

fn main() {}
