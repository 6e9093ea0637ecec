//! End to end, on real parts, and mostly about failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "tests say what they expect, and nobody imports them"
)]

mod account_page;
mod any_bytes;
mod bad_input;
mod bad_lines;
mod behind_nginx;
mod canaries;
mod configuration;
mod container_seats;
mod contract;
mod crashes;
mod cross_site_in_a_browser;
mod custom_nodes;
mod dashboard;
mod doors;
mod failing;
mod health;
mod healthchecks;
mod hook_server;
mod hostile_paths;
mod hostile_requests;
mod hostile_words;
mod in_a_browser;
mod joining;
mod kept_comfyui;
mod large_workflows;
mod leaving;
mod light_seats;
mod light_seats_in_a_browser;
mod logs;
mod monitoring;
mod next_job;
mod operating;
mod operators_day;
mod operators_evening;
mod operators_mistakes;
mod own_tokens;
mod pages;
mod paid_nodes;
mod panel_in_a_browser;
mod plain_page;
mod png_text;
mod proxied;
mod proxy_server;
mod rehearsing;
mod revoking;
mod roles;
mod room_accessible;
mod room_actions;
mod room_api;
mod room_dashboard;
mod room_details;
mod room_forms;
mod room_hostile;
mod room_live;
mod room_proof;
mod room_table;
mod same_box;
mod seat_check;
mod seat_in_a_browser_breaking;
mod seat_in_a_browser_errors;
mod seat_in_a_browser_keeping;
mod seat_in_a_browser_privacy;
mod seat_in_a_browser_queue;
mod seat_in_a_browser_results;
mod seat_lists;
mod seat_prompt;
mod seat_uploads;
mod seat_view;
mod seats;
mod sessions;
mod settings;
mod shares;
mod signing_in;
mod start_and_stop;
mod steering;
mod stolen_tokens;
mod stopping;
mod store_away;
mod store_principals;
mod tabs;
mod tidy;
mod told_again;
mod two_people;
mod two_queue_managers;
mod unsafe_starts;
mod webhook;
mod workflow_files;
