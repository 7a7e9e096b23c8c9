//! Why a subscription was woken: streams that refuse bytes are tried again only when there is room, not for every frame
//! that arrives meanwhile. A stalled viewer costs next to nothing that way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
    task::{Context, Wake, Waker},
};

use futures::task::AtomicWaker;

/// The waker that streams are written with.
#[derive(Debug)]
pub(super) struct Room {
    made: Arc<Made>,
    waker: Waker,
}

#[derive(Default, Debug)]
struct Made {
    made: AtomicBool,
    task: AtomicWaker,
}

impl Default for Room {
    fn default() -> Self {
        let made = Arc::<Made>::default();
        Self { waker: made.clone().into(), made }
    }
}

impl Room {
    /// Keeps the task to wake. Called before anything is written.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.made.task.register(cx.waker());
    }

    /// Whether a stream has woken us since the last call.
    pub(super) fn take(&self) -> bool {
        self.made.made.swap(false, AcqRel)
    }

    /// What streams are polled with.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }
}

impl Wake for Made {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.made.swap(true, AcqRel);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_once() {
        let room = Room::default();
        room.register(&Context::from_waker(Waker::noop()));
        assert!(!room.take());
        room.context().waker().wake_by_ref();
        assert!(room.take() && !room.take());
    }
}
