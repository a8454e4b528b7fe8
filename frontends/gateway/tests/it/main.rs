//! The gateway through its public interface, number by number of the specification.

// Clippy doesn't see that functions beside the tests are tests' as well.
#![allow(clippy::unwrap_used)]

mod apigee_admin;
mod apigee_documents;
mod apigee_expiry;
mod apigee_flows;
mod apigee_invalidate;
mod apigee_keys;
mod apigee_levels;
mod apigee_policies;
mod apigee_world;
mod azure_caches;
mod azure_documents;
mod azure_limits;
mod azure_limits_by_key;
mod azure_messages;
mod azure_responses;
mod azure_scenarios;
mod azure_scenarios_tenants;
mod azure_subscriptions;
mod azure_tokens;
mod azure_value;
mod azure_values;
mod corpus;
mod inputs;
mod world;
