"""What a user is asked for at a provider's consent page, whoever the provider is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user is asked for, and what proves that an answer belongs to it.

    `verifier` is PKCE's, `nonce` comes back in the ID token.  `prompt` has the
    provider's words: "consent" for a refresh token also if there was one,
    "select_account".  `kept` is what a library that brings proofs of its own needs
    again for the answer.
    """

    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    verifier: str
    nonce: str
    login_hint: str = ""
    prompt: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict)
