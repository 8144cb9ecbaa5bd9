"""The error a checker raises, shared by every kind of plan."""


class InvalidPlan(ValueError):
    """The plan breaks a rule of its instance; the message is the sentence that says which."""
