//! Kinds that a later release has added, as this one reads them in a store that the later one wrote.

use minicbor::{Decode, Decoder, decode::Error};

/// The kind that is stored, or the default for one that is not known here: a record tells more than its kinds, so it
/// is read all the same. For enums of numbers only (`index_only`); of an optional enum with fields minicbor itself
/// makes `None`.
pub(super) fn known_or_default<'b, C, T: Decode<'b, C> + Default>(
    decoder: &mut Decoder<'b>,
    context: &mut C,
) -> Result<T, Error> {
    match decoder.decode_with(context) {
        Err(error) if error.is_unknown_variant() => Ok(T::default()),
        known => known,
    }
}
