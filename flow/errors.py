"""The one exception that reaches the user as a sentence."""


class UserError(Exception):
    """Something the user can put right.

    The message is one clear sentence with what to do; `python -m flow` prints it and exits with status 2, without a stack trace.
    `detail` holds lines to show below the sentence (first compiler errors, end of a log).
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail
