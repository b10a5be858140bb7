//! The router over a ledger, asked as clients ask.
