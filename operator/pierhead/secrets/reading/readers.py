"""What reads AWS for all SyncedSecrets."""

from collections.abc import Callable
from dataclasses import dataclass

from pierhead.aws.parameterpaths import ParameterPaths
from pierhead.aws.parameters import Parameter, ParameterReader
from pierhead.aws.secretlists import SecretLister
from pierhead.aws.secretsmanager import SecretReader
from pierhead.aws.session import AwsSessions
from pierhead.aws.sharing import Lane
from pierhead.secrets.reading.references import Version
from pierhead.secrets.reading.registries import RegistryReader


@dataclass(frozen=True, slots=True)
class Readers:
    """One reader for each way to read."""

    secrets: SecretReader
    parameters: ParameterReader
    registries: RegistryReader
    lists: SecretLister
    paths: ParameterPaths

    @classmethod
    def of(
        cls,
        sessions: AwsSessions,
        registries: RegistryReader,
        *,
        clock: Callable[[], float],
        wanted: Callable[[str], bool],
        back: Callable[[Lane], None],
    ) -> "Readers":
        """The readers of an operator; `wanted` says whether a name is going to be read again at once.

        `back` is told of who is answered again, and where, after an outage.
        """
        return cls(
            SecretReader(sessions, clock=clock, wanted=wanted, back=back),
            ParameterReader(sessions, clock=clock, wanted=wanted),
            registries,
            SecretLister(sessions, clock=clock),
            ParameterPaths(sessions, clock=clock),
        )

    def sweep(self) -> None:
        """Drops the answers that are not wanted any more."""
        self.secrets.sweep()
        self.parameters.sweep()

    async def close(self) -> None:
        """Gives up what is under way."""
        for reader in (self.secrets, self.parameters, self.lists, self.paths):
            await reader.close()


def version_of(parameter: Parameter) -> Version:
    """A parameter as what was read."""
    return Version(
        f"{parameter.version}@{parameter.made_at:.3f}",
        parameter.value,
        listed=parameter.type == "StringList",
    )
