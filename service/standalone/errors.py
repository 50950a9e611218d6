"""What can go wrong while one machine is brought up, in words a person can act on."""


class UpError(Exception):
    """Something outside our code stands in the way.

    Parameters
    ----------
    message : what is wrong, one sentence.
    remedy : what to do about it, one sentence.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}. {remedy}")
        self.message = message
        self.remedy = remedy
