//! Starts that make, restore or renew the key, or move a damaged store aside.

use super::*;
use std::path::Path;

const KEY: &str = "libp2p_private_key";
const COPY: &str = "libp2p_private_key.bak";

/// A stopped node after somebody or something has changed its files; then a start, cut everywhere: it is the same node
/// with the same job.
#[track_caller]
fn survives(change: impl FnOnce(&mut Image), flags: &[(&str, &str)]) -> (Watched, Vec<Image>) {
    let (mut image, id, promise) = stopped();
    change(&mut image);
    let engine = engine();
    let watched = serve(Tape::of(&image), &engine, None, |_| {});
    let promises = [promise];
    all_hold(&watched, 0..usize::MAX, &promises, &id, flags);
    let images = images(&watched.tape, 0..usize::MAX, Pages::All);
    (
        watched,
        images.into_iter().map(|(_, _, image)| image).collect(),
    )
}

#[test]
fn a_power_cut_while_a_lost_key_is_restored_leaves_the_same_node() {
    survives(|image| image.remove(&in_data(KEY)), &REFUSE);
}

#[test]
fn a_power_cut_while_a_damaged_key_is_restored_leaves_the_same_node_and_the_damaged_file() {
    let damaged = b"no key".to_vec();
    let (_, images) = survives(|image| image.set(&in_data(KEY), damaged.clone()), &REFUSE);
    for image in images {
        let aside = in_data(&format!("{KEY}.damaged"));
        let kept = [image.file(&in_data(KEY)), image.file(&aside)];
        assert!(kept.contains(&Some(&damaged)), "{kept:?}");
    }
}

#[test]
fn a_power_cut_while_the_copy_of_a_key_is_made_again_leaves_the_same_node() {
    survives(|image| image.remove(&in_data(COPY)), &REFUSE);
}

#[test]
fn a_power_cut_while_the_copy_of_another_key_is_replaced_leaves_the_same_node_and_that_copy() {
    let (other, _, _) = stopped();
    let other = other.file(&in_data(KEY)).unwrap().clone();
    let (_, images) = survives(|image| image.set(&in_data(COPY), other.clone()), &REFUSE);
    for image in images {
        let aside = in_data(&format!("{COPY}.old"));
        let kept = [image.file(&in_data(COPY)), image.file(&aside)];
        assert!(kept.contains(&Some(&other)), "another node's key is lost");
    }
}

#[test]
fn a_power_cut_while_an_interrupted_first_start_goes_on_leaves_a_node_that_starts() {
    let mut image = Image::default();
    image.set(Path::new("home"), None);
    image.set(Path::new(DATA), None);
    image.set(&in_data(KEY), Vec::new());
    let (watched, promises) = life(Tape::of(&image), None);
    let id = id_of(&tree::image(&watched.tape.live()));
    all_hold(&watched, 0..usize::MAX, &promises, &id, &REFUSE);
}

#[test]
fn a_power_cut_while_a_damaged_store_is_moved_aside_loses_no_byte_of_it() {
    for (role, file) in [("requester", "jobs.db"), ("compute", "executions.db")] {
        let (mut image, id, promise) = stopped();
        let path = in_data(&format!("{id}-{role}/{file}"));
        let mut damaged = image.file(&path).unwrap().clone();
        damaged[4_096..].fill(0x5a);
        image.set(&path, damaged.clone());
        let engine = engine();
        let watched = serve(Tape::of(&image), &engine, None, |_| {});
        // The other file has what was promised only if it is that of the jobs.
        let promises: &[Promise] = match role {
            "requester" => &[],
            _ => &[promise],
        };
        all_hold(&watched, 0..usize::MAX, promises, &id, &[]);
        let aside = in_data(&format!("{id}-{role}/{file}.damaged"));
        for (_, name, image) in images(&watched.tape, 0..usize::MAX, Pages::All) {
            let kept = [image.file(&path), image.file(&aside)];
            assert!(kept.contains(&Some(&damaged)), "{name}: it is gone");
        }
    }
}
