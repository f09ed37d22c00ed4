"""What the Batch API answers instead of doing it.

Invariant: the message names the parameter and the bound. The texts are ours, since AWS documents none.
"""


class ClientError(Exception):
    """HTTP 400 `ClientException`: the request cannot be carried out as written."""

    status = 400
    code = "ClientException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnknownOperation(ClientError):
    """HTTP 404: this stand-in does not play the operation."""

    status = 404
    code = "UnknownOperationException"
