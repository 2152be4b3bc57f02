//! One value that a manager keeps.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Of, proxy, sequence::Sequence};
use crate::manager::{ManagerError, error::ManagerErrorKind, handle::Remote, item::AsItem};

/// One value that a [`Manager`](crate::manager::Manager) keeps: what multiprocessing's
/// `Manager().Value()` is, and also what a type of one's own becomes that is registered there with
/// `Manager.register`. Its methods are called by [`update`](Value::update), and are atomic.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Default)]
/// struct Account {
///     balance: i64,
/// }
///
/// impl Account {
///     fn withdraw(&mut self, amount: i64) -> bool {
///         let covered = self.balance >= amount;
///         if covered {
///             self.balance -= amount;
///         }
///         covered
///     }
/// }
///
/// # fn main() -> Result<(), ManagerError> {
/// let account = Manager::start()?.value(Account { balance: 100 })?;
/// assert!(account.update(|account| account.withdraw(70))?);
/// assert!(!account.update(|account| account.withdraw(70))?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As with [`List`](super::List).
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Value<T> {
    remote: Remote,
    #[serde(skip)]
    types: Of<T>,
}

proxy!(Value<T>, types);

impl<T: Serialize + DeserializeOwned> Value<T> {
    /// The value, as a copy.
    ///
    /// # Errors
    /// See [`Value`].
    pub fn get(&self) -> Result<T, ManagerError> {
        let nothing = || ManagerErrorKind::Protocol("the value is missing".to_owned());
        self.sequence()
            .get(0)
            .and_then(|value| value.ok_or_else(nothing))
            .map_err(|kind| ManagerError::new("Value::get", kind))
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// See [`Value`].
    pub fn set(&self, value: impl AsItem<T>) -> Result<(), ManagerError> {
        self.replace(value).map(drop)
    }

    /// Replaces the value; the one that was there before.
    ///
    /// # Errors
    /// See [`Value`].
    pub fn replace(&self, value: impl AsItem<T>) -> Result<T, ManagerError> {
        self.sequence()
            .put(0, &value)
            .map_err(|kind| ManagerError::new("Value::set", kind))
    }

    /// Changes the value in place, atomically; what `change` returned.
    ///
    /// `change` runs here, on a copy. When others have changed the value meanwhile it runs again, on
    /// the new one, so it should do nothing but compute. Nobody waits for it.
    ///
    /// # Errors
    /// See [`Value`].
    pub fn update<R>(&self, change: impl FnMut(&mut T) -> R) -> Result<R, ManagerError> {
        self.sequence()
            .update(0, change)
            .map_err(|kind| ManagerError::new("Value::update", kind))
    }

    fn sequence(&self) -> Sequence<'_> {
        Sequence(&self.remote.0)
    }
}
