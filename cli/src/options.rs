//! The command-line options.

mod resources;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::resources::{
    ComponentMembers, Components, ConfigMembers, Configs, SubscriptionMembers, Subscriptions, TriggerMembers,
    Triggers,
};

/// The heading of the options that every command takes.
const GLOBAL: &str = "Global options";

/// Command-line client of Stella Webhooks
#[derive(Debug, Parser)]
#[command(name = "stella", version, propagate_version = true)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: Server,

    /// Print JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The server to call, and the API key to call it with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    #[arg(
        long,
        env = "STELLA_URL",
        global = true,
        help_heading = GLOBAL,
        help = "Server URL [default: the profile's, else http://127.0.0.1:8787]"
    )]
    pub(crate) url: Option<String>,

    /// API key [default: the profile's]
    #[arg(long, env = "STELLA_KEY", global = true, hide_env_values = true, help_heading = GLOBAL)]
    pub(crate) key: Option<String>,

    /// Profile written by `stella login` [default: default]
    #[arg(long, env = "STELLA_PROFILE", global = true, help_heading = GLOBAL)]
    pub(crate) profile: Option<String>,

    #[arg(long, env = "XDG_CONFIG_HOME", hide = true, global = true)]
    pub(crate) config_home: Option<PathBuf>,

    #[arg(long, env = "HOME", hide = true, global = true)]
    pub(crate) home: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a component, a trigger and a webhook config, and print the URL to paste into the sender
    Init(Init),
    /// Forward deliveries to a local server and print its responses
    Listen(Listen),
    /// Publish an event
    Trigger(Trigger),
    /// Post a signed example request of a sender to a webhook config
    Send(Send),
    /// Inspect and redeliver deliveries
    #[command(subcommand)]
    Deliveries(Deliveries),
    /// Redeliver the failed and skipped deliveries of a subscription
    Recover(Recover),
    /// Manage subscriptions
    #[command(subcommand)]
    Subscriptions(Subscriptions),
    /// Manage inbound webhook configs
    #[command(subcommand)]
    Configs(Configs),
    /// Manage components
    #[command(subcommand)]
    Components(Components),
    /// Manage the triggers of a component
    #[command(subcommand)]
    Triggers(Triggers),
    /// Inspect releases
    #[command(subcommand)]
    Releases(Releases),
    /// Verify the signature of a received webhook, and explain a failure
    Verify(Verify),
    /// Inspect and redrive dead letters (operator)
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Manage API keys
    #[command(subcommand)]
    Keys(Keys),
    /// Manage tenants (operator)
    #[command(subcommand)]
    Tenants(Tenants),
    /// Check a deployment end to end
    Doctor(Doctor),
    /// Create a single-use sign-in link to the portal with the key's role
    Portal {
        /// Validity in seconds
        #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(60..=86_400))]
        ttl: u64,
    },
    /// Save a server URL and an API key as a profile
    Login {
        /// Profile name
        #[arg(long, default_value = "default")]
        name: String,
    },
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The maximum number of rows.
#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// Maximum number of rows
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Component name; prompted for if omitted
    #[arg(long)]
    pub(crate) component: Option<String>,
    /// Repository, for example ghcr.io/myorg/myapp; prompted for if omitted
    #[arg(long)]
    pub(crate) repository: Option<String>,
    /// Sender: dockerhub, ghcr, harbor, github, gitlab, …; prompted for if omitted
    #[arg(long)]
    pub(crate) sender: Option<String>,
    /// Secret shared with the sender [default: generated if the sender uses one]
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) secret: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// URL to forward to, for example `http://localhost:3000/hook`
    #[arg(long)]
    pub(crate) forward: String,
    /// Event types: names, `deployment.*` or `*`
    #[arg(long, value_delimiter = ',', default_value = "*")]
    pub(crate) events: Vec<String>,
    /// Id of an existing pull subscription [default: a temporary one]
    #[arg(long)]
    pub(crate) subscription: Option<String>,
    /// Signing secret of the temporary subscription [default: generated]
    #[arg(long, conflicts_with = "subscription", allow_hyphen_values = true)]
    pub(crate) secret: Option<String>,
    /// Exit after this many deliveries
    #[arg(long, hide = true)]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Trigger {
    /// Event type, for example deployment.completed
    pub(crate) event: String,
    /// Event data: JSON, @FILE, or - for standard input [default: the event type's example]
    #[arg(long)]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// Sender; lists all examples if omitted
    pub(crate) sender: Option<String>,
    /// Example; lists the sender's examples if omitted
    pub(crate) event: Option<String>,
    /// Id of the webhook config to post to
    #[arg(long)]
    pub(crate) config: Option<String>,
    /// The config's secret
    #[arg(long, env = "STELLA_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) secret: Option<String>,
    /// URL token, if the config has one
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) token: Option<String>,
    /// Tag to send [default: the example's]
    #[arg(long)]
    pub(crate) tag: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deliveries {
    /// List a subscription's deliveries, newest first
    List {
        /// Subscription id
        subscription: String,
        /// Only this status
        #[arg(long)]
        status: Option<String>,
        /// Only this event type
        #[arg(long)]
        event: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one delivery with its attempts
    Show {
        /// Delivery id
        id: String,
    },
    /// Stream deliveries as their status changes
    Tail {
        /// Subscription id
        subscription: String,
    },
    /// Redeliver one
    Redeliver {
        /// Delivery id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Subscription id
    pub(crate) subscription: String,
    /// Only events since this time (RFC 3339), or within the last 90m, 24h, 7d
    #[arg(long)]
    pub(crate) from: String,
    /// Only events before this time [default: now]
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// Only this final status [default: failed and skipped]
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only count the matching deliveries
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Releases {
    /// List releases, newest first
    List(Limit),
    /// Show one release
    Show {
        /// Release id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The subscription's signing secret
    #[arg(long, env = "STELLA_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) secret: String,
    /// A request header, for example 'X-Stella-Signature: 5f…'; repeatable
    #[arg(long = "header", short = 'H')]
    pub(crate) headers: Vec<String>,
    /// File with the exact request body, or - for standard input
    #[arg(long, default_value = "-")]
    pub(crate) body: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Show the approximate number of dead letters per queue, and a sample
    List,
    /// Move dead letters back to their source queues
    Redrive {
        /// deliveries, retries, commands or inbound-retry [default: all]
        queue: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// List the tenant's API keys
    List(Limit),
    /// Create an API key, shown once
    Create {
        /// Name
        name: String,
        /// viewer, publisher or admin
        #[arg(long, default_value = "viewer")]
        role: String,
        /// Id of another tenant (operator)
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Revoke an API key
    Revoke {
        /// Key id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tenants {
    /// List tenants
    List(Limit),
    /// Create a tenant
    Create {
        /// Name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Also publish a release.created event, which every matching subscription receives
    #[arg(long)]
    pub(crate) publish: bool,
}
