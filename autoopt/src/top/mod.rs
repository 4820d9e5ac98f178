//! The live view of everything: what it knows ([`Picture`]), how that is drawn ([`frame`]), and the terminal it is drawn on.

mod fetch;
mod pace;
mod picture;
mod terminal;
mod view;

pub(crate) use fetch::{DAY, seen};
pub(crate) use picture::Picture;
pub(crate) use terminal::live;
pub(crate) use view::{Page, frame};
