//! From a domain event to its deliveries.
//!
//! # Entities
//!
//! - An **event** ([`Event`](event::Event)) is something that subscribers can receive. Its stored item is the
//!   **outbox**, and the only copy of its data: who writes it, alone or in a transaction, has published it.
//! - A **subscription** ([`Subscription`](subscription::Subscription)) says which events go to which address,
//!   how they are authenticated, and how often they are retried.
//! - **Fan-out** finds the subscriptions that want an event ([`matching`](matching::matching)), sends a
//!   message for each, and writes a **mark** ([`Mark`](fan_out::Mark)) beside the event.
//! - A **delivery** ([`Delivery`](delivery::Delivery)) is one event on its way to one subscription. Its id is
//!   derived from both ([`DeliveryId`](crate::domain::shared::delivery_id::DeliveryId)), and is the same on
//!   every attempt. Its row has all attempts, and normally does not exist before the first.
//! - An **attempt** ([`Attempt`](delivery::Attempt)) is one request to the receiver. Its message is an
//!   [`AttemptDue`](message::AttemptDue).
//!
//! # Path of an event
//!
//! ```text
//!  event ──stream──▶ fan-out ──┬──▶ fast lane ──▶ attempt ──▶ delivered or failed
//!    │                  ▲      │                   ▲   │
//!    │ no mark          │      └──▶ slow lane ─────┘   │ next attempt
//!    │ after 5 minutes  │             ▲  ▲             │
//!    └─────▶ sweep ─────┘             │  └── message ──┤ at most 1 hour off
//!              └──────── due ─────────┘                │
//!                         ▲                            │
//!                         └─────── due index ◀─────────┘ further off, or unknown
//! ```
//!
//! The **fast lane** has first attempts, the **slow lane** everything else: retries, first attempts at rate
//! limits, and at receivers without a success in the last hour, beyond a number a minute. Both serve
//! subscriptions fairly.
//!
//! # States of a delivery
//!
//! ```text
//!                   ┌────────────────── open ──────────────────┐
//!  fan-out ───────▶ │ pending ──attempt failed──▶ retrying     │─ 2xx ──────────────────────────▶ delivered
//!  redeliver, ────▶ │    ▲                        ▲            │─ final answer, no attempt left ▶ failed
//!  recover          │    └──────▶ paused ◀────────┘            │─ deleted, event gone, 30 days ─▶ cancelled
//!                   └──────────────────────────────────────────┘
//!  fan-out to a disabled subscription ──────────────────────────────────────────────────────────▶ skipped
//! ```
//!
//! [`Status`](delivery::Status) has them. [`Outcome::verdict`](outcome::Outcome::verdict) judges an answer,
//! and [`apply_attempt`](schedule::apply_attempt) decides what follows by the
//! [`RetryPolicy`](crate::domain::shared::retry::RetryPolicy). `paused`: the subscription is disabled, or its
//! credential cannot be read. A delivery that waits for a breaker, a slot or a reader stays `pending` or
//! `retrying`, with a [`Reason`](reason::Reason). No wait uses an attempt.
//!
//! # Generation and attempt token
//!
//! The **generation** counts the runs of the retry policy: 0, and one more with each redelivery. Attempts
//! count from 1 in each. A message is for one attempt of one generation. [`admit`](admission::admit) decides
//! whether it is made: only if the row [`awaits`](delivery::Delivery::awaits) it, and nothing has to be
//! waited for.
//!
//! The **attempt token** (stored as `ticket`) is a random value in a message, stored with the attempt. A
//! message that is received again after a crash finds its own token and sends the next attempt's message
//! again. A duplicate from another chain of messages finds another token and stops. So one chain continues,
//! and not two.
//!
//! # Waits
//!
//! - **Circuit breaker** ([`Breaker`](breaker::Breaker)): holds deliveries back from a receiver that is down.
//!   Five different deliveries in a row that fail in one environment open it for all.
//! - **Rate-limit slot** ([`SlotState`](crate::domain::shared::rate_slot::SlotState)): a delivery takes a
//!   slot once, by a write that moves the next slot of the subscription forward. The row keeps the slot.
//! - **Pull lease**: the delivery of a pull subscription waits until a reader fetches it. It belongs to that
//!   reader for the timeout and 30 seconds ([`fetched_until`](pull::fetched_until)), and then to the next
//!   one. A report is taken once.
//! - **Sweep**, each minute: sends what is due in the index, fans out events without a mark, and obeys
//!   [`Command`](message::Command)s for whole subscriptions. One of them runs a
//!   [`Recovery`](recovery::Recovery), which is `running` until it has visited all deliveries, and then
//!   `completed`.
//!
//! The states of the breaker:
//!
//! ```text
//!               5 failures in a row               time is over
//!     closed ──────────────────────▶ open ───────────────────────▶ half-open
//!       ▲                             ▲                             │  │ one attempt takes the probe
//!       │                             └── probe fails: 2 × as long ─┘  │ by a conditional write
//!       └──────────────────── the receiver answers ────────────────────┘
//! ```
//!
//! It is open for 1 minute, and at most for 15. The probe is a lease: if its process dies, another attempt
//! takes it after the timeout and 5 seconds. Waiting deliveries are spread over 30 seconds, so that one comes
//! first.
//!
//! # Invariants
//!
//! 1. An event is fanned out, or its mark says why not. Repeated fan-out means the same deliveries.
//! 2. Each write of a row names the revision that it replaces. The second of two writers reads the row again,
//!    and goes on only if it still awaits its attempt.
//! 3. An attempt is recorded once, and a final state is final until a redelivery begins the next generation.
//! 4. An open delivery has a message in a queue (or in its dead-letter queue), or a place in an index.
//!    Redeliver, recover and resume put the row into the due index before they send its message.
//! 5. Final rows are kept for 30 days. Open ones do not expire, except those that wait for a reader.
//!
//! | The process dies | Then |
//! |---|---|
//! | before an event's mark | the stream gives the event again, or sweep finds it; the deliveries are the same |
//! | before an attempt | the message is received again |
//! | after an attempt, before its write | the same, and the receiver gets a second request with the same id |
//! | after the write, before the next message | the message finds its own token, and sends the next message |
//! | after the next message, before acknowledging | the same; the second next message finds another token |
//! | after a redelivery's write, before its message | sweep sends it from the due index |
//!
//! # What is not needed for correctness
//!
//! Breaker, lanes and caches only save work: without them the same attempts would be made, at other times.
//! Health is counted in memory, and misses what a killed process had not written.
//!
//! # Known quirks
//!
//! - Events may arrive out of order, and an event more than once, with the same delivery id.
//! - If a rate limit is raised, deliveries keep the slots that they have.
//! - A delivery whose subscription is deleted, or whose event is gone, before its first attempt has no row.
//!
//! See `docs/architecture.md` and `docs/reliability.md` for how this runs and how it is tested.

pub mod admission;
pub mod breaker;
pub mod delivery;
pub mod delivery_view;
pub mod destination;
pub mod event;
pub mod event_type;
pub mod event_view;
pub mod fan_out;
pub mod health;
pub mod lineage;
pub mod matching;
pub mod message;
pub mod outcome;
pub mod overview;
pub mod pull;
pub mod reason;
pub mod recovery;
pub mod request;
pub mod schedule;
pub mod selection;
pub mod subscription;
pub mod subscription_view;
