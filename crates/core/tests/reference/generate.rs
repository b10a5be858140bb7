//! Random histories in a small world.
