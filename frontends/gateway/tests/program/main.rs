//! The program, over real sockets.

mod bundles;
mod commands;
mod edges;
mod limits;
mod proxy;
mod scenarios;
mod serving;
mod support;
mod tls;
