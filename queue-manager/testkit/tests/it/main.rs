//! End to end, on real parts, and mostly about failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "tests say what they expect, and nobody imports them"
)]

mod bad_input;
mod bad_lines;
mod behind_nginx;
mod configuration;
mod container_seats;
mod contract;
mod crashes;
mod custom_nodes;
mod dashboard;
mod doors;
mod failing;
mod health;
mod healthchecks;
mod in_a_browser;
mod kept_comfyui;
mod leaving;
mod light_seats;
mod light_seats_in_a_browser;
mod logs;
mod next_job;
mod operating;
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
mod room_forms;
mod room_hostile;
mod room_live;
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
mod settings;
mod shares;
mod signing_in;
mod start_and_stop;
mod steering;
mod stopping;
mod tabs;
mod tidy;
mod two_people;
mod unsafe_starts;
