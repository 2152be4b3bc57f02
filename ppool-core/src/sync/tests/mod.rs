//! Several handles and threads in one process, and other processes played by children that do nothing:
//! what they "hold" is entered into shared memory in their name.

mod barriers;
mod deaths;
mod handles;
mod locks;
mod semaphores;
mod support;
