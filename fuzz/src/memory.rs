//! How much a call allocates: the most bytes that live at a time, beyond those before it.

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What decoding may take beside its input.
const SLACK: usize = 64 << 10;

/// Decodes, and allows it as much memory as the input has bytes. Nothing else may run in this process.
#[track_caller]
pub fn bounded<T>(input: &[u8], decode: impl FnOnce() -> T) -> T {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let value = decode();
    let peak = HEAP.peak_usage().saturating_sub(before);
    assert!(peak <= input.len() + SLACK, "{peak} bytes allocated for {} bytes of input", input.len());
    value
}
