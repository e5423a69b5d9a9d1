//! Other protocols on a connection that started with HTTP.

use tenon_model_derive::Read;

/// Another protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum Upgrade {
    /// WebSocket, which is possible where nothing else is said.
    Websocket(UpgradeSpec),
    /// `CONNECT`, which is forwarded.
    Connect(UpgradeSpec),
    /// `CONNECT`, whose payload is forwarded as TCP.
    ConnectTerminate(UpgradeSpec),
}

impl Upgrade {
    /// The protocol, as Envoy calls it.
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Websocket(_) => "websocket",
            Self::Connect(_) | Self::ConnectTerminate(_) => "CONNECT",
        }
    }

    /// Whether it is possible.
    pub fn is_enabled(&self) -> bool {
        let (Self::Websocket(spec) | Self::Connect(spec) | Self::ConnectTerminate(spec)) = self;
        spec.enabled
    }
}

/// Whether it is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct UpgradeSpec {
    /// It is, where this is left out.
    #[read(default = true)]
    pub enabled: bool,
}
