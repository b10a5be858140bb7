//! What must hold of the reference itself, over random histories.
mod reference;
