use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Flags {
    #[serde(with = "ppool::raw")]
    names: Vec<String>,
}

fn main() {}
