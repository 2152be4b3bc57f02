//! Starting the process at the other end.

use super::{
    Channel,
    end::{End, Role},
};
use crate::{
    codec::{ArgList, CodecError, Encoder, IntoArg, IntoArgs, Lane},
    error::{SpawnError, SpawnErrorKind},
    process::{Arguments, Process, ProcessBuilder, encode},
    sys::limits,
    task::Task,
};

/// The parameters of a task whose first one is a [`Channel`].
#[diagnostic::on_unimplemented(
    message = "the first parameter of the task is no `Channel`",
    label = "a task that is started with a channel must take a `Channel` first",
    note = "its parameters are `{Self}`"
)]
pub trait ChannelFirst: ArgList {
    /// What the task sends through its channel.
    type Sends;
    /// What the task receives from it.
    type Receives;
    /// The parameters that follow.
    type Rest: ArgList;

    #[doc(hidden)]
    fn encode_all<A: IntoArgs<Self::Rest>>(
        channel: &Channel<Self::Sends, Self::Receives>,
        rest: &A,
        lanes: &Self::Lanes,
        out: &mut Encoder,
    ) -> Result<(), CodecError>;
}

macro_rules! channel_first {
    ($(($($parameter:ident . $index:tt)*))*) => { $(
        impl<S, R, $($parameter),*> ChannelFirst for (Channel<S, R>, $($parameter,)*) {
            type Sends = S;
            type Receives = R;
            type Rest = ($($parameter,)*);

            fn encode_all<A: IntoArgs<($($parameter,)*)>>(
                channel: &Channel<S, R>,
                rest: &A,
                lanes: &(Lane<Channel<S, R>>, $(Lane<$parameter>,)*),
                out: &mut Encoder,
            ) -> Result<(), CodecError> {
                out.begin_parameter(0);
                channel.encode_arg(&lanes.0, out)?;
                out.begin_parameter(0);
                let rest = rest.encode_args(&($(lanes.$index,)*), out);
                // To the rest, the channel's parameter is not there.
                rest.inspect_err(|_| out.begin_parameter(out.parameter() + 1))
            }
        }
    )* };
}
channel_first! {
    ()
    (P1.1)
    (P1.1 P2.2)
    (P1.1 P2.2 P3.3)
    (P1.1 P2.2 P3.3 P4.4)
    (P1.1 P2.2 P3.3 P4.4 P5.5)
    (P1.1 P2.2 P3.3 P4.4 P5.5 P6.6)
    (P1.1 P2.2 P3.3 P4.4 P5.5 P6.6 P7.7)
    (P1.1 P2.2 P3.3 P4.4 P5.5 P6.6 P7.7 P8.8)
    (P1.1 P2.2 P3.3 P4.4 P5.5 P6.6 P7.7 P8.8 P9.9)
    (P1.1 P2.2 P3.3 P4.4 P5.5 P6.6 P7.7 P8.8 P9.9 P10.10)
    (P1.1 P2.2 P3.3 P4.4 P5.5 P6.6 P7.7 P8.8 P9.9 P10.10 P11.11)
}

/// The end that this side has of the channel to a task: it receives what the task sends.
pub type OtherEnd<T> = Channel<
    <<T as Task>::Args as ChannelFirst>::Receives,
    <<T as Task>::Args as ChannelFirst>::Sends,
>;

/// Starts a process that runs `task`, whose first parameter is a [`Channel`]; `args` are the others: a
/// tuple of them, or the bare value where there is one, or `()`. Gives this side's end.
///
/// What the task returns is thrown away, unless it is an `Err`. A task that fails (by an `Err` or a
/// panic) sends how it failed, and this side's [`receive`](Channel::receive) and
/// [`send`](Channel::send) give that as [`Remote`](super::ChannelError::Remote). The task's end closes
/// when the task closes it or ends. At this process's exit the channel is hung up, and the exit waits
/// until the process has ended.
///
/// If the process can't be started, the channel says why at its first use; [`try_start`] says it at
/// once.
pub fn start<T, A>(task: T, args: A) -> OtherEnd<T>
where
    T: Task,
    T::Args: ChannelFirst,
    A: IntoArgs<<T::Args as ChannelFirst>::Rest>,
{
    try_start(task, args).unwrap_or_else(|error| Channel::new(End::not_started(error)))
}

/// [`start`] that says at once when the process can't be started.
///
/// # Errors
/// As [`Process::spawn`].
pub fn try_start<T, A>(task: T, args: A) -> Result<OtherEnd<T>, SpawnError>
where
    T: Task,
    T::Args: ChannelFirst,
    A: IntoArgs<<T::Args as ChannelFirst>::Rest>,
{
    start_with(Process::builder(), task, args)
}

/// [`try_start`] of a process with settings of its own: a name, a directory, the environment, or that
/// it is a daemon.
///
/// # Errors
/// As [`ProcessBuilder::spawn`].
pub fn start_with<T, A>(
    settings: ProcessBuilder,
    _task: T,
    args: A,
) -> Result<OtherEnd<T>, SpawnError>
where
    T: Task,
    T::Args: ChannelFirst,
    A: IntoArgs<<T::Args as ChannelFirst>::Rest>,
{
    let entry = T::entry();
    let pair = Channel::pair().map_err(|source| {
        let kind = SpawnErrorKind::System {
            what: "make a channel",
            shortage: limits::is_shortage(&source),
            source,
        };
        SpawnError::new(entry.name(), kind)
    });
    let (mut ours, theirs) = pair?;
    let arguments = encode(entry, |out| {
        T::Args::encode_all(&theirs, &args, &T::lanes(), out)
    })?;
    let arguments = Arguments {
        // It was encoded first.
        channel: Some(0),
        ..arguments
    };
    let process = settings.start(entry, arguments)?;
    ours.set_role(Role::Parent(process));
    Ok(ours)
}
