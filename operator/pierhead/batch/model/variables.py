"""What containers of every platform have: variables, secrets by reference, and what they need.

Invariant: no value of a secret is in a spec, and no variable has a name that Batch or the index contract
owns.
"""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from pierhead.batch.submitting.contract import RESERVED_PREFIXES
from pierhead.model import ListMap, Model, Rule

VariableName = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
]


def _not_reserved(variable: "Variable | SecretVariable") -> bool:
    return not variable.name.startswith(RESERVED_PREFIXES)


_NOT_RESERVED = Rule(
    " && ".join(f"!self.name.startsWith('{prefix}')" for prefix in RESERVED_PREFIXES),
    f"names that begin with {' or '.join(RESERVED_PREFIXES)} are reserved",
    _not_reserved,
)


class Variable(Model):
    """One environment variable. Batch shows it to everybody who may describe jobs: not for secrets."""

    __rules__: ClassVar[tuple[Rule, ...]] = (_NOT_RESERVED,)

    name: VariableName
    """The variable."""

    value: Annotated[str, StringConstraints(max_length=8192)]
    """Its value."""


class SecretVariable(Model):
    """One environment variable whose value only the container sees."""

    __rules__: ClassVar[tuple[Rule, ...]] = (_NOT_RESERVED,)

    name: VariableName
    """The variable."""

    value_from: Annotated[
        str,
        StringConstraints(
            max_length=2048, pattern=r"^arn:aws[a-z-]*:(secretsmanager|ssm):[a-z0-9-]+:[0-9]{12}:[!-~]+$"
        ),
    ]
    """ARN of a Secrets Manager secret or of a Parameter Store parameter; the execution role reads it."""


Image = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[!-~]+$")]
Environment = Annotated[list[Variable], ListMap("name"), Field(max_length=100)]
Command = Annotated[list[Annotated[str, StringConstraints(max_length=8192)]], Field(max_length=64)]


class Resources(Model):
    """What each index needs."""

    vcpu: Annotated[float, Field(ge=0.25, le=256)] = 1
    """Virtual CPUs. Defaults to 1."""

    memory_mib: Annotated[int, Field(alias="memoryMiB", ge=4, le=4_194_304)] = 2048
    """Memory in MiB. Defaults to 2048."""

    gpu: Annotated[int, Field(ge=1, le=16)] | None = None
    """Graphics processors."""
