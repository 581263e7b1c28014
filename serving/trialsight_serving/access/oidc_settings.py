"""How people log in through an OpenID provider, where one is configured (`oidc:` in the settings)."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from trialsight.home import ORGANISATION, ORGANISATION_ID
from trialsight_serving.access.principal import Role

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Oidc(BaseModel):
    """A claim's name may be a path: `realm_access.roles`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    issuer: str = Field(description="Its URL, under which `.well-known/openid-configuration` lies")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = Field(default=None, description="Left out: a public client, by PKCE alone")
    label: str = Field(default="OpenID Connect", min_length=1, max_length=60, description="On the login page's button")
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = Field(default="preferred_username", description="What a new user is called here")
    role_claim: str | None = None
    roles: dict[str, Literal[Role.REVIEWER, Role.ENGINEER, Role.ADMINISTRATOR]] = Field(
        default={}, description="The claim's value to a role; the highest counts. Empty: as the user has it here"
    )
    organisation: str = Field(default=ORGANISATION, pattern=f"^{ORGANISATION_ID}$")
    organisation_claim: str | None = Field(default=None, description="Names the organisation's id instead")
    register_users: bool = Field(default=False, description="Whoever has a role is added at the first login")

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("an https URL is expected")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _roles_have_a_source(self) -> "Oidc":
        if (self.role_claim is None) != (not self.roles):
            raise ValueError("role_claim and roles belong together")
        if self.register_users and not self.roles:
            raise ValueError("register_users needs role_claim and roles: they say who may come in")
        if "openid" not in self.scopes:
            raise ValueError("scopes must name openid")
        return self

    def subject(self, sub: str) -> str:
        """What `users.subject` holds: a provider's name for somebody means nothing without the provider."""
        return f"{self.issuer}#{sub}"
