"""Users, keys and organisations over the wire."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

from trialsight.home import ORGANISATION_ID
from trialsight_serving.access.passwords import LONGEST, SHORTEST
from trialsight_serving.access.principal import Role
from trialsight_serving.schemas.time import ZonedTime

NAME = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NAME)]
Password = Annotated[str, StringConstraints(min_length=SHORTEST, max_length=LONGEST)]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NAME)]
PersonsRole = Literal[Role.REVIEWER, Role.ENGINEER, Role.ADMINISTRATOR]


class MeOut(BaseModel):
    """Who the caller is. `lines`: the only ones that it may use; null for all."""

    organisation: str
    name: str
    role: Role
    lines: list[str] | None


class UserIn(BaseModel):
    """One who comes in by a password, through the OpenID provider, or by both ways."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "mei", "role": "reviewer", "password": "a sentence is fine"},
                {"name": "li", "role": "engineer", "subject": "f4b1c2d8-…"},
            ],
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}} for name in ("password", "subject")
            ],
        },
    )
    name: Name
    role: PersonsRole
    password: Password | None = None
    subject: Subject | None = Field(default=None, description="Their `sub` at the OpenID provider of the settings")

    @model_validator(mode="after")
    def _can_come_in(self) -> "UserIn":
        if self.password is None and self.subject is None:
            raise ValueError("give a password, or the subject by which the OpenID provider lets them in")
        return self


class UserChange(BaseModel):
    """What is left out, or null, stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "engineer"}]})
    role: PersonsRole | None = None
    password: Password | None = None
    disabled: StrictBool | None = None
    subject: Subject | None = Field(default=None, description="Their `sub` at the OpenID provider of the settings")


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    role: Role
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None
    subject: str | None = Field(
        description="The OpenID provider's issuer, `#`, and its name for them",
        examples=["https://login.example.com/realms/factory#f4b1c2d8"],
    )
    has_password: bool


class KeyIn(BaseModel):
    """`lines`: the only ones that the key may use; null for all."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "camera of L1", "role": "camera", "lines": ["L1"]}]},
    )
    name: Name
    role: Role
    lines: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] | None = Field(
        default=None, min_length=1, max_length=100
    )
    expires_at: ZonedTime | None = None


class KeyOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    role: Role
    lines: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyOut(BaseModel):
    """`key` is shown this once."""

    key: str


class OrganisationIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": "acme", "name": "Acme Precision Parts"}]}
    )
    id: Annotated[str, StringConstraints(pattern=f"^{ORGANISATION_ID}$")]
    name: Name


class OrganisationOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    created_at: datetime


class NewOrganisationOut(OrganisationOut):
    """`administrator`: its first key, shown this once."""

    administrator: str
