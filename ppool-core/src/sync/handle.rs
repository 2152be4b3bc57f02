//! What all handles have in common: they travel.

/// `Serialize` and `Deserialize` for a handle `struct Name { object: Arc<Object> }` of one kind.
macro_rules! travels {
    ($name:ident, $kind:expr) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.object.serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let object = $crate::sync::object::Object::deserialize($kind, deserializer)?;
                Ok($name { object })
            }
        }
    };
}
pub(crate) use travels;

/// For constructors that can't fail but for a shortage.
pub(crate) fn made<T>(made: std::io::Result<T>, what: &str) -> T {
    match made {
        Ok(made) => made,
        Err(error) => panic!("a {what} can't be made: {error}"),
    }
}
