//! The behaviour of the ADS server, seen by a gRPC client over loopback.
//!
//! What a correct server does, and the tests that say so (D: over delta, S: over state of the world):
//!
//! | behaviour | tests |
//! |---|---|
//! | 1 nonces are fresh, for each stream and type | `nonces_are_fresh_on_every_response` (D, S) |
//! | 2 a stale nonce is ignored | `an_answer_with_an_old_nonce_is_no_answer` (D), `an_answer_with_an_old_nonce_is_ignored_without_a_reply` (S) |
//! | 3 a NACK is known by its error; no loops; the last good form stays, the next one is sent | `a_nack_is_known_by_its_error_even_if_it_is_empty`, `a_refused_version_is_not_sent_again_and_the_next_one_is`, `going_back_to_the_good_version_is_sent_and_recovers` (D), `an_answer_is_a_nack_by_its_error_and_not_by_its_version`, `a_bad_cluster_is_found_while_its_neighbours_keep_their_last_good_form` (S) |
//! | 4 an ACK is of one node and its resources | `what_one_node_refuses_another_has`, `a_resource_that_one_of_two_envoys_refuses_has_not_recovered` (D) |
//! | 5 absence deletes clusters, listeners and scopes (which are never absent), not routes and endpoints | `clusters_come_in_full_and_absence_deletes`, `scopes_come_in_full_and_stay`, `routes_come_alone_and_absence_deletes_nothing` (S) |
//! | 6 a change of names is answered without one of versions | `a_new_name_is_answered_without_a_change_of_version`, `other_names_of_a_type_in_full_are_answered_in_full` (S) |
//! | 7 an empty list after names is not "all" | `an_empty_list_after_names_ends_them_and_does_not_mean_all`, `an_empty_configuration_is_told` (S) |
//! | 8 "*", an empty first request, "*" with names | `an_empty_first_request_means_all_and_is_answered_even_if_there_is_nothing`, `a_star_and_names_may_be_mixed_and_unsubscribing_the_star_keeps_the_names`, `a_star_brings_what_there_is_beside_the_names_asked_for_before` (D) |
//! | 9 a known name that is asked for is sent again | `subscribing_to_a_known_name_sends_it_again` (D) |
//! | 10 a missing name is told at once | `a_missing_name_is_removed_at_once_and_sent_when_it_appears` (D) |
//! | 11 only what the client has is removed | `only_names_that_the_client_has_are_removed` (D) |
//! | 12 a client that comes back is sent differences | `a_client_that_comes_back_is_sent_only_differences`, `a_client_that_comes_back_keeps_to_all_of_a_type` (D), `a_client_that_comes_back_with_the_same_version_is_sent_nothing` (S) |
//! | 13 unsubscribing an unknown name is silent | `unsubscribing_an_unknown_name_is_silent` (D) |
//! | 14 order, make before break | `order` (D), `a_cluster_goes_after_the_route_that_left_it_was_accepted` (S) |
//! | 15 endpoints come again with their cluster | `endpoints_come_again_with_their_updated_cluster` (D, S), `a_cluster_that_changed_while_the_client_was_away_gets_its_endpoints_again` (D) |
//! | 16 one response of a type in flight, changes merged | `changes_while_a_response_is_in_flight_are_merged` (D, S) |
//! | 17 times to live: nothing of ours has one | `clients_that_know_of_times_to_live_get_resources_that_stay` (D) |
//! | 18 secrets | `secrets` (D, S) |
//! | 19 on demand | `what_is_asked_for_on_demand_is_sent_at_once` (D); virtual hosts (VHDS) are not served, and nothing that is served asks for them: `types_that_are_not_served_disturb_nobody` |
//! | 20 nodes and streams | `roles`, `streams` (D) |
//! | 21 versions are of content | `a_client_that_has_everything_is_sent_nothing_by_a_new_server`, `another_server_gives_the_same_secret_the_same_version` (D), `a_client_that_comes_back_with_the_same_version_is_sent_nothing` (S) |
//! | 22 the same input in any order, the same bytes | `the_same_content_is_the_same_bytes_in_whatever_order_it_came` (D, S) |
//! | 23 a bad resource delays no other | `nack` (D), `a_bad_cluster_is_found_while_its_neighbours_keep_their_last_good_form` (S) |

mod client;
mod delta;
mod nack;
mod order;
mod roles;
mod secrets;
mod state_of_the_world;
mod streams;
mod tls;
