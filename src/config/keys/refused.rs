//! Rows that are known and refused, because ignoring them would be a danger.

use crate::config::schema::{KEY, Key, Kind, Section, State};

const NO_TLS: State = State::Refused(
    "TLS is not part of this version: data would travel in the clear",
    "set tls.enabled = false or remove tls.*, and put a proxy that speaks TLS in between",
);

pub(super) const TLS: Section = Section {
    title: "TLS",
    keys: &[
        Key {
            path: "tls.enabled",
            kind: Kind::Bool(|_, _| {}),
            default: "false",
            doc: "Only false is taken; the other keys of tls are then passed over.",
            state: NO_TLS,
            ..KEY
        },
        text(
            "tls.cert_file",
            "/etc/ssl/certs/otlp.crt",
            NO_TLS,
            "The certificate.",
            false,
        ),
        text(
            "tls.key_file",
            "/etc/ssl/private/otlp.key",
            NO_TLS,
            "The certificate's key.",
            false,
        ),
        text(
            "tls.ca_file",
            "/etc/ssl/certs/ca.crt",
            NO_TLS,
            "The authorities to trust.",
            false,
        ),
    ],
};

const NO_AUTH: State = State::Refused(
    "authentication by OAuth2 is not part of this version: collectors would be asked without it",
    "remove auth.*; a fixed token can go into headers, for example \
     headers.authorization = \"Bearer ${file:/run/secrets/token}\"",
);

pub(super) const AUTH: Section = Section {
    title: "Authentication",
    keys: &[
        text("auth.type", "oauth2", NO_AUTH, "How to authenticate.", true),
        text(
            "auth.client_id",
            "otlp-client",
            NO_AUTH,
            "The client's name.",
            true,
        ),
        text(
            "auth.client_secret",
            "${env:CLIENT_SECRET}",
            NO_AUTH,
            "The client's secret.",
            true,
        ),
        text(
            "auth.token_url",
            "http://auth:8080/oauth/token",
            NO_AUTH,
            "Where tokens come from.",
            true,
        ),
    ],
};

const fn text(
    path: &'static str,
    example: &'static str,
    state: State,
    doc: &'static str,
    secret: bool,
) -> Key {
    Key {
        path,
        kind: Kind::Text {
            form: "a text",
            parse: |text| Ok(text.to_owned()),
            set: |_, _| {},
        },
        example,
        doc,
        secret,
        state,
        ..KEY
    }
}
