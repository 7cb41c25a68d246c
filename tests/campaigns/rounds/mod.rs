//! `muxbench run`: who is measured when, what is left when it ends before its time, and what goes wrong.

mod place;

mod against;
mod end;
mod faults;
mod measured;
mod refused;
mod scenarios;
