//! Translation of deliveries into events.
