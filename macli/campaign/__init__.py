"""Campaigns: what they are, read from files and commands, kept as versions, started and stopped."""


def reference() -> str:
    """The reference of campaign files, made of the docstrings of what they hold."""
    from macli.campaign.manual import written

    return written()
