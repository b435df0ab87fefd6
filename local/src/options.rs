//! The options of the local stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgAction, Parser};
use ipnet::IpNet;
use sam_local::crash_point::{CrashInjector, CrashPoint};
use sam_local::{Data, Settings};
use stella_local::{AWS_TIMEOUT, settings};

/// Run Stella Webhooks on this machine: the API, its functions, and the AWS services that they use
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// Port of the API on 127.0.0.1; 0 picks a free one
    #[arg(long, env = "STELLA_PORT", default_value_t = 8787)]
    pub(crate) port: u16,

    /// Data directory, kept between starts
    #[arg(long, env = "STELLA_DATA_DIR", default_value = ".local", value_name = "FOLDER")]
    pub(crate) data_dir: PathBuf,

    /// Delete the data directory's data before starting
    #[arg(long, env = "STELLA_FRESH")]
    pub(crate) fresh: bool,

    /// Keep the data in memory; it is lost when the stack stops
    #[arg(long, env = "STELLA_EPHEMERAL")]
    pub(crate) ephemeral: bool,

    /// Private CIDR blocks that deliveries may reach
    #[arg(
        long,
        env = "STELLA_ALLOW_CIDR",
        value_name = "CIDR",
        num_args = 1..,
        value_delimiter = ',',
        default_values = ["127.0.0.0/8", "::1/128"],
    )]
    pub(crate) allow_cidr: Vec<IpNet>,

    /// Allow deliveries over plain http and to any port
    #[arg(
        long,
        env = "STELLA_ALLOW_HTTP",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = ArgAction::Set,
    )]
    pub(crate) allow_http: bool,

    /// Host names of the API besides 127.0.0.1, `[::1]` and localhost, for example a tunnel's
    #[arg(
        long,
        env = "STELLA_ALLOW_HOST",
        value_name = "NAME",
        num_args = 1..,
        value_delimiter = ',',
    )]
    pub(crate) allow_host: Vec<String>,

    /// Abort the process at a crash point, for example `after DeliverFunction UpdateItem 2` (for tests)
    #[arg(long, env = "STELLA_DIE", value_name = "POINT", hide_short_help = true)]
    pub(crate) die: Option<CrashPoint>,

    /// URL of another DynamoDB, SQS and Secrets Manager, which then hold the data (for tests)
    #[arg(long, env = "STELLA_AWS_ENDPOINT", value_name = "URL", hide_short_help = true)]
    pub(crate) aws_endpoint: Option<String>,
}

impl Options {
    /// Where the stack keeps its data.
    pub(crate) fn data(&self) -> Data {
        if self.ephemeral { Data::Memory } else { Data::Folder(self.data_dir.clone()) }
    }

    /// The settings of the stack.
    pub(crate) fn settings(&self) -> Settings {
        let ranges: Vec<String> = self.allow_cidr.iter().map(ToString::to_string).collect();
        let crash_injector = CrashInjector::default();
        if let Some(point) = &self.die {
            crash_injector.arm(point.clone());
        }
        Settings {
            data: self.data(),
            port: self.port,
            crash_injector,
            aws_endpoint: self.aws_endpoint.clone(),
            allow_hosts: self.allow_host.clone(),
            aws_timeout: Some(AWS_TIMEOUT),
            parameters: BTreeMap::from([
                ("AllowCidrs".to_owned(), ranges.join(",")),
                ("AllowHttp".to_owned(), self.allow_http.to_string()),
            ]),
            ..settings()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        Options::try_parse_from([&["local"], arguments].concat()).unwrap()
    }

    #[test]
    fn without_arguments_receivers_on_this_machine_work() {
        let options = options(&[]);
        assert_eq!(options.port, 8787);
        assert!(!options.fresh && !options.ephemeral);
        assert!(matches!(options.data(), Data::Folder(folder) if folder.as_os_str() == ".local"));
        let parameters = options.settings().parameters;
        assert_eq!(parameters["AllowCidrs"], "127.0.0.0/8,::1/128");
        assert_eq!(parameters["AllowHttp"], "true");
    }

    #[test]
    fn ranges_may_be_given_one_by_one_or_with_commas() {
        for arguments in [
            ["--allow-cidr", "10.0.0.0/8", "fd00::/8"].as_slice(),
            &["--allow-cidr", "10.0.0.0/8,fd00::/8"],
            &["--allow-cidr", "10.0.0.0/8", "--allow-cidr", "fd00::/8"],
        ] {
            assert_eq!(options(arguments).settings().parameters["AllowCidrs"], "10.0.0.0/8,fd00::/8");
        }
        assert!(Options::try_parse_from(["local", "--allow-cidr", "10.0.0.0/33"]).is_err());
    }

    #[test]
    fn the_names_of_tunnels_may_be_given() {
        assert!(options(&[]).settings().allow_hosts.is_empty());
        for arguments in
            [["--allow-host", "a.example", "b.example"].as_slice(), &["--allow-host=a.example,b.example"]]
        {
            assert_eq!(options(arguments).settings().allow_hosts, ["a.example", "b.example"]);
        }
    }

    #[test]
    fn plain_http_can_be_refused() {
        assert!(options(&["--allow-http"]).allow_http);
        assert!(!options(&["--allow-http=false"]).allow_http);
        assert!(matches!(options(&["--ephemeral"]).data(), Data::Memory));
    }
}
