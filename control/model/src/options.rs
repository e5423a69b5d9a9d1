//! What routes, their destinations and virtual hosts can be given of Envoy's own.

pub mod faults;
