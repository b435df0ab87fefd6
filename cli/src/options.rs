//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Stella Webhooks from a terminal
#[derive(Debug, Parser)]
#[command(name = "stella", version, propagate_version = true)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: Server,

    /// JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which server, and with which key.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// The server's address; a stack of this machine where nothing is said
    #[arg(long, env = "STELLA_URL", global = true)]
    pub(crate) url: Option<String>,

    /// The API key
    #[arg(long, env = "STELLA_KEY", global = true, hide_env_values = true)]
    pub(crate) key: Option<String>,

    /// The profile that `stella login` wrote
    #[arg(long, env = "STELLA_PROFILE", global = true)]
    pub(crate) profile: Option<String>,

    #[arg(long, env = "XDG_CONFIG_HOME", hide = true, global = true)]
    pub(crate) config_home: Option<PathBuf>,

    #[arg(long, env = "HOME", hide = true, global = true)]
    pub(crate) home: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sets up a component, its trigger and a sender, step by step, and shows the URL to paste
    Init(Init),
    /// Forwards deliveries to a server on this machine, and shows what it answers
    Listen(Listen),
    /// Publishes an event; its type's example where no data is given
    Trigger(Trigger),
    /// Posts a signed example of a sender to a webhook config
    Send(Send),
    /// The delivery log
    #[command(subcommand)]
    Deliveries(Deliveries),
    /// Sends many failed or skipped deliveries again
    Recover(Recover),
    /// Who is told of what
    #[command(subcommand)]
    Subscriptions(Subscriptions),
    /// Who may tell us what
    #[command(subcommand)]
    Configs(Configs),
    /// What is released
    #[command(subcommand)]
    Components(Components),
    /// What triggers made
    #[command(subcommand)]
    Releases(Releases),
    /// Whether a request that a subscriber got is genuine, and if not, why
    Verify(Verify),
    /// What the service itself could not handle (operator)
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// API keys
    #[command(subcommand)]
    Keys(Keys),
    /// Tenants (operator)
    #[command(subcommand)]
    Tenants(Tenants),
    /// Whether a deployment works, from end to end
    Doctor(Doctor),
    /// A link to the portal, which can be used once and has the key's role
    Portal {
        /// How long it can be used, in seconds
        #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(60..=86_400))]
        ttl: u64,
    },
    /// Writes a server's address and a key down, for the commands to come
    Login {
        /// What the profile is called
        #[arg(long, default_value = "default")]
        name: String,
    },
    /// Completions for a shell
    Completions { shell: Shell },
}

/// How many rows to show.
#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// How many rows at most
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The component's name; asked for where it is not given
    #[arg(long)]
    pub(crate) component: Option<String>,
    /// Its repository, as in ghcr.io/myorg/myapp
    #[arg(long)]
    pub(crate) repository: Option<String>,
    /// Who tells of pushes: dockerhub, ghcr, harbor, github, gitlab, …
    #[arg(long)]
    pub(crate) sender: Option<String>,
    /// What the sender signs with, where it signs; one is made where none is given
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) secret: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Where to, as in `http://localhost:3000/hook`
    #[arg(long)]
    pub(crate) forward: String,
    /// Which events: names, `deployment.*`, or `*`
    #[arg(long, value_delimiter = ',', default_value = "*")]
    pub(crate) events: Vec<String>,
    /// A pull subscription that is there already, instead of one for as long as this runs
    #[arg(long)]
    pub(crate) subscription: Option<String>,
    /// The signing secret of the subscription that is made, so that the receiver can know it beforehand
    #[arg(long, conflicts_with = "subscription", allow_hyphen_values = true)]
    pub(crate) secret: Option<String>,
    /// End after so many deliveries
    #[arg(long, hide = true)]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Trigger {
    /// The event's type, as in deployment.completed
    pub(crate) event: String,
    /// Its data as JSON; @file reads a file, - the standard input
    #[arg(long)]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The sender; without one, all are listed
    pub(crate) sender: Option<String>,
    /// What happens there; without one, the sender's are listed
    pub(crate) event: Option<String>,
    /// The webhook config to post to
    #[arg(long)]
    pub(crate) config: Option<String>,
    /// The config's secret, to sign with
    #[arg(long, env = "STELLA_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) secret: Option<String>,
    /// The token of the config's address, where it has one
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) token: Option<String>,
    /// Another tag than the example's
    #[arg(long)]
    pub(crate) tag: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deliveries {
    /// Those of a subscription, newest first
    List {
        subscription: String,
        /// In this state
        #[arg(long)]
        status: Option<String>,
        /// Of this type of event
        #[arg(long)]
        event: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// One, with its attempts
    Show { id: String },
    /// Those to come, as they end
    Tail { subscription: String },
    /// One, once more
    Redeliver { id: String },
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    pub(crate) subscription: String,
    /// Of events from this moment on (RFC 3339), or the last 90m, 24h, 7d
    #[arg(long)]
    pub(crate) from: String,
    /// Up to this moment; now, where nothing is said
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// In this final state; failed and skipped, where nothing is said
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only count them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Subscriptions {
    /// All of them
    List(Limit),
    /// One
    Show { id: String },
    /// Makes one
    Create {
        #[arg(long)]
        name: String,
        /// The receiver's address, or pull:
        #[arg(long)]
        to: String,
        #[arg(long, value_delimiter = ',')]
        events: Vec<String>,
        /// Sign with a secret that is minted and shown this once
        #[arg(long)]
        sign: bool,
    },
    /// One attempt at once, with an event type's example
    Test {
        id: String,
        #[arg(default_value = "deployment.completed")]
        event: String,
    },
    /// Lets it get deliveries again
    Enable { id: String },
    /// Pauses what is open
    Disable { id: String },
    /// Mints another signing secret; the old one signs too for a day
    RotateSecret { id: String },
    /// Deletes it; what is open is cancelled
    Delete { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Configs {
    /// All of them
    List(Limit),
    /// One
    Show { id: String },
    /// Makes one
    Create {
        #[arg(long)]
        name: String,
        /// registry-push, ci-pipeline, github-app, gitlab-webhook or generic
        #[arg(long = "type")]
        kind: String,
        #[arg(long)]
        provider: Option<String>,
        #[arg(long, env = "STELLA_SECRET", hide_env_values = true, allow_hyphen_values = true)]
        secret: Option<String>,
    },
    /// What its sender posted, newest first
    Receipts {
        id: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// One request that its sender posted
    Receipt { id: String, receipt: String },
    /// Runs a request again
    Replay { id: String, receipt: String },
    /// Mints another token for its address
    RotateToken { id: String },
    /// Deletes it
    Delete { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Components {
    /// All of them
    List(Limit),
    /// One
    Show { id: String },
    /// Makes one
    Create {
        #[arg(long)]
        name: String,
        #[arg(long, value_delimiter = ',')]
        repositories: Vec<String>,
    },
    /// Its version map, last changed first
    Versions {
        id: String,
        #[arg(long)]
        channel: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Its triggers
    Triggers { id: String },
    /// Deletes it
    Delete { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Releases {
    /// Newest first
    List(Limit),
    /// One
    Show { id: String },
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The subscription's signing secret
    #[arg(long, env = "STELLA_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) secret: String,
    /// A header that came with it, as in 'X-Stella-Signature: 5f…'; several
    #[arg(long = "header", short = 'H')]
    pub(crate) headers: Vec<String>,
    /// The file with its exact body, or - for the standard input
    #[arg(long, default_value = "-")]
    pub(crate) body: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// About how many there are, and some of them
    List,
    /// Moves them back to the queue they came from
    Redrive {
        /// deliveries, retries, commands or inbound-retry; all where nothing is said
        queue: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Those of the tenant
    List(Limit),
    /// Makes one, and shows it this once
    Create {
        name: String,
        /// viewer, publisher or admin
        #[arg(long, default_value = "viewer")]
        role: String,
        /// Of another tenant (operator)
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Revokes one
    Revoke { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tenants {
    /// All of them
    List(Limit),
    /// Makes one
    Create { name: String },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Publish an event, too: every subscription that wants a release.created gets it
    #[arg(long)]
    pub(crate) publish: bool,
}
