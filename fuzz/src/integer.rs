//! Integers in both forms, and zigzag.

use moq_relay::wire::{
    Decoder,
    integer::{Form, MAX, unzigzag, zigzag},
};

use crate::{memory::bounded, samples};

pub const FORMS: [Form; 2] = [Form::Quic, Form::LeadingOnes];

pub fn body(data: &[u8]) {
    for form in FORMS {
        let got = bounded(data, || form.get(data));
        // Byte by byte it is the same number, once it is there.
        let first = (0..=data.len()).find_map(|len| form.get(&data[..len]));
        assert_eq!(first, got);
        let read = Decoder::new(data, form).varint().ok();
        assert_eq!(read, got.map(|(value, _)| value).filter(|value| *value <= MAX));
        let Some((value, len)) = got else { continue };
        assert!(len <= Form::MOST && len <= data.len());
        // Seven bytes are read and never written.
        assert!(form.len(value) <= len || (form, len) == (Form::LeadingOnes, 7));
        let mut out = Vec::new();
        form.put(&mut out, value);
        let value = value.min(MAX);
        assert_eq!(form.get(&out), Some((value, out.len())));
        assert_eq!(form.len(value), out.len());
        assert_eq!(zigzag(unzigzag(value)), value);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    samples::table("integer.txt").iter().map(|[_, _, bytes, _]| samples::hex(bytes)).collect()
}
