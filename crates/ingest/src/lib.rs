//! Translation of deliveries into events.

pub mod json;
