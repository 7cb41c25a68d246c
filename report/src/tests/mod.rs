//! Tests of `model` on results that are made up here.

mod reading;
mod schema;
