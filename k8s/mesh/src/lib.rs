//! mesh — what a side-car of a service mesh decides, without doing any of it: Istio's rules as Envoy performs them.
//!
//! Everything here is data and functions of it. Time is an argument, counted from any fixed moment; chance is an argument, too. The
//! node's proxy asks, and does what is answered. Rules are numbered as in the tests: `ist_4_…` is statement IST-4.
//!
//! | module | |
//! |---|---|
//! | [`rules`] | DestinationRule and VirtualService as they are written |
//! | [`check`] | what can be wrong with them |
//! | [`profile`] | the Istio release whose behaviour is meant |
//! | [`names`] | which Service a host name of a rule means, and whose rule applies |
//! | [`policy`] | from a rule to the limits of one destination |
//! | [`pool`] | connections, requests that wait for one, and overflow |
//! | [`outlier`] | hosts that fail are left out for a while |
//! | [`protocol`] | whether a port speaks HTTP |
//! | [`retry`] | what is tried again, and when |
//! | [`route`] | where a request goes, and what is done to it on purpose |
//! | [`inject`] | which pods get a side-car |

pub mod check;
pub mod inject;
pub mod names;
pub mod outlier;
pub mod policy;
pub mod pool;
pub mod profile;
pub mod protocol;
pub mod retry;
pub mod route;
pub mod rules;
