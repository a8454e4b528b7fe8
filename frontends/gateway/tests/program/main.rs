//! The program, over real sockets.

mod commands;
mod edges;
mod limits;
mod proxy;
mod scenarios;
mod serving;
mod support;
