//! From normalised events to releases.
//!
//! # Entities
//!
//! - A **component** ([`Component`](component::Component)) is what is released: its repositories, its channel
//!   rules and its triggers. It is stored once in its tenant's list, and copied under each repository name,
//!   so that an event finds its components by one query. All copies are written in one transaction.
//! - The **version map** has a [`TagState`](version::TagState) for each kind of event and each tag: what the
//!   tag points at, and what it pointed at before. A **version** is one entry of it.
//! - Each push of a tag has a [`Place`](content::Place) among the others, and the
//!   [`Timeline`](timeline::Timeline) keeps them in that order, whatever the order in which they are processed.
//! - A **channel** ([`channel_of`](channel::channel_of)) is the maturity of a version, by its tag.
//! - A **tag prefix** ([`TagPrefixes`](tag_prefix::TagPrefixes)) selects the tags of a component that shares
//!   its repositories with others. Channel, range and release name are those of the rest of the tag.
//! - A **trigger** ([`Trigger`](trigger::Trigger)) selects events that create a release. It is stored inside
//!   its component.
//! - A **decision** ([`Decision`](decision::Decision)) is what one event changes at one component: a
//!   [`Change`](version::Change) of the tag, and [`PlannedRelease`](decision::PlannedRelease)s.
//! - A **release** ([`Release`](release::Release)) is a component at one version. It publishes the domain
//!   event `release.created`, whose fan-out is in [`outbound`](crate::domain::outbound).
//!
//! # From an event to a release
//!
//! ```text
//!  NormalisedEvent ──▶ lookup_names ──▶ components ──▶ tag as stored
//!                                           │               │
//!                                           ▼               ▼
//!                                         decide ◀──────────┘
//!                                           │
//!                      ┌────────────────────┼─────────────────────────┐
//!                      ▼                    ▼                         ▼
//!                 tag, version      release × n, event × n    de-duplication keys
//!                      └───────────── one transaction ────────────────┘
//!                                           │
//!                     written ──▶ processed │ refused ──▶ duplicate, or decide again
//! ```
//!
//! 1. [`select`](tag_prefix::TagPrefixes::select) drops tags without a prefix of the component, and
//!    [`version_tag`](version::version_tag) tells whether the event makes a version. A finished pipeline
//!    makes none, and may still activate triggers. Other kinds are ignored.
//! 2. [`change`](version::change) puts the push in its place: the tag is new or moved, has more facts, or a newer
//!    push is known already. [`deletion`](version::deletion) marks a tag as deleted.
//! 3. For a new or moved version, and for a pipeline, each trigger is evaluated
//!    ([`refusal`](trigger::Trigger::refusal)), with a budget of its own. At most one release for each trigger is
//!    planned.
//! 4. `app::releases::process` writes the decision in one transaction:
//!
//! | Item | Condition |
//! |---|---|
//! | each de-duplication key | absent, or no longer live |
//! | the tag's state | absent, or of the revision that was read |
//! | the version in the list by time, in place of the one before | – |
//! | a guard for each release, if the event adds no version | absent |
//! | each release, and its event `release.created` | absent |
//!
//! If a key is refused, the event is a duplicate. If the tag or a guard is refused, another event was first:
//! the decision is made again with what is stored, at most 12 times. Then the request is queued.
//!
//! # Invariants
//!
//! 1. There is one release for each [`identity`](release::identity): of a version because the tag's state is
//!    written once, of a pipeline because of its guard. The identity has the number of retags, so a tag that
//!    is moved from A to B and back to A releases three times.
//! 2. A release, its event and its version exist together or not at all.
//! 3. What a tag points at and its history are a function of the set of pushes, whatever their order, repetition
//!    and delay. `revision` increases with each write, and `listed_at` with each move.
//! 4. Every release is of a push that was the newest one known when it was written, and none is of a push that is
//!    older than one that was written before.
//! 5. A decision is pure: it depends on the component, the event, the stored tag, the time and the minted
//!    ids. What is decided again costs its budget once.
//! 6. Every transaction fits DynamoDB's limits, 100 writes and 4 MB:
//!    [`MAX_TRIGGERS`](component::MAX_TRIGGERS), [`MAX_REPOSITORIES`](component::MAX_REPOSITORIES) and
//!    [`MAX_BYTES`](component::MAX_BYTES) see to that.
//!
//! # Races
//!
//! - *Two events for one tag*: one transaction is refused by the tag's revision, and is decided again on top
//!   of the other.
//! - *One event twice at once*: one transaction is refused by the keys, and is a duplicate.
//! - *One pipeline in two events at once*: one is refused by the guard, and is decided again without that
//!   release.
//! - *Two transactions on the same items*: DynamoDB cancels one. It is tried three times, 5 to 30 ms apart,
//!   and then the request is queued.
//! - *A component is changed while an event is decided*: the event is decided with the copy that was read. A
//!   trigger that was removed a moment ago may still create a release.
//! - *Two changes of a component*: the second names a revision that is no longer stored, and is refused
//!   (409).
//!
//! # Limit of releases
//!
//! A component may create a number of releases a minute
//! ([`release_rate`](crate::domain::shared::release_rate)). Beyond it, a request takes a slot in a later
//! minute, is queued until then, and keeps its slot in the message. A duplicate waits for nothing. The limit
//! bounds loops that no other bound stops, and is not exact: each further environment may add a sixtieth of
//! it.
//!
//! # Known quirks
//!
//! - A registry that sends no digest retags with each push, because nothing shows that the content is the
//!   same. Triggers with `requireDigest` ignore such pushes.
//! - An event that adds nothing and is not a known duplicate is `processed`, with no version and no release.
//! - The versions and releases of a deleted component are kept. Its versions are no longer listed.
//! - The image `v1`, the git tag `v1` and the release `v1` are three versions, and each may create a release.

pub mod channel;
pub mod component;
pub mod component_view;
pub mod content;
pub mod decision;
pub mod release;
pub mod release_name;
pub mod release_view;
pub mod tag_prefix;
pub mod tag_version;
pub mod timeline;
pub mod trigger;
pub mod trigger_view;
pub mod version;
pub mod version_range;
pub mod version_view;
