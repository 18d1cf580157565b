//! The last resort against readers of other libraries that panic on damaged bytes.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// What is said of bytes on which a reader panicked.
pub(super) const CONTRADICTION: &str = "its structure contradicts itself";

thread_local! {
    /// Whether this thread's panics are answers.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs such a reader; none where it panicked: then its input is refused, the process goes on, and the reader must not
/// be used again.
///
/// A panic's message goes to standard error by the process's hook, from where damaged bodies could flood the
/// operator's log. So the hook that is there is wrapped once: of this thread, and only while the reader runs, it hears
/// nothing; of all others what it always heard. A hook that somebody sets later replaces the wrapper, and hears all.
pub(super) fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    static WRAPPED: Once = Once::new();
    WRAPPED.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                hook(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    EXPECTED.set(false);
    result.ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set where the test runs itself to see what is printed.
    const INNER: &str = "METRICS_TEST_OF_GUARD";

    #[test]
    fn a_readers_panic_is_an_answer_and_all_others_are_heard() {
        if std::env::var_os(INNER).is_some() {
            assert_eq!(guarded(|| 1), Some(1));
            let other = || std::thread::spawn(|| panic!("of another thread")).join().is_err();
            let guarded_panic = guarded(|| {
                assert!(other());
                panic!("of the reader")
            });
            assert_eq!(guarded_panic, None::<()>);
            assert!(catch_unwind(|| panic!("of this thread, later")).is_err());
            return;
        }
        let mut inner = Command::new(std::env::current_exe().expect("this test runs"));
        inner.args(["--exact", "wire::guard::tests::a_readers_panic_is_an_answer_and_all_others_are_heard"]);
        let ran = inner.arg("--nocapture").env(INNER, "1").output().expect("it starts");
        let printed = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{printed}");
        assert!(printed.contains("of another thread") && printed.contains("of this thread, later"), "{printed}");
        assert!(!printed.contains("of the reader"), "{printed}");
    }
}
