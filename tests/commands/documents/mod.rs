//! Tests of what is committed for readers: the reference results with their figures and page, the claims, the README, the links.

mod claims;
mod links;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod mechanism_costs;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod mechanisms_page;
mod page;
mod reference;
mod registry;
mod structure;
