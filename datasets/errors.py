"""The one exception that means "the user's input is at fault"."""


class InputError(ValueError):
    """What was given cannot be used: the message says what, where, and what to do.

    The command line prints the message on one line and exits with code 2; everything else is a
    defect of ours and keeps its traceback.
    """
