use ppool::task;

struct Image;

impl Image {
    #[task]
    fn resize(&self, factor: f64) -> f64 {
        factor
    }
}

fn main() {
    Image.resize(2.0);
}
