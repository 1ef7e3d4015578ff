"""The demo's acts about selling: who is ready to buy, and who in the shop sees to it."""

from macli.demo.stage import Stage


def see_who_is_ready(stage: Stage) -> None:
    stage.act(
        "Who is ready to buy",
        "Opens and clicks have been worth points all along: 5 and 10, those of programs nothing. The shop knows "
        "better what matters here, so it adds a rule, lets old points fade, and looks before it counts anew.",
    )
    stage.macli(
        *("points", "rule", "add", "a purchase", "--event", "order.paid"),
        *("--points", "20", "--at-most", "2 per 30 days"),
    )
    stage.macli("settings", "set", "points.decay", "50 % every 60 days")
    stage.macli("points", "replay", first=19)
    stage.macli("points", "replay", "--apply", "--yes", first=0, last=1)
    stage.macli("points", "list", "--limit", "5")
    stage.macli("contact", "show", nearest(stage), first=44)


def hand_over(stage: Stage) -> None:
    stage.act(
        "Whose they are",
        "Points say who to call; somebody has to. Sigrún gets the hot ones, the hottest with a task, and the shop "
        "sees its customers sorted by how lately, how often and for how much they bought.",
    )
    stage.macli("staff", "add", "sigrun", "--full-name", "Sigrún Jónsdóttir", "--group", "sales")
    stage.macli("owner", "set", "--where", "readiness is hot", "sigrun", "--yes")
    stage.macli(
        *("task", "add", "ask about the spring harvest", "--contact", hottest(stage)),
        *("--for", "sigrun", "--due", "tomorrow 10:00"),
    )
    stage.macli("task", "list", "--where", "assignee = sigrun and due within next 2 days")
    stage.macli(
        *("rfm", "create", "Customers", "--recency", "short 60 days, medium 180 days"),
        *("--frequency", "common 5, regular 2", "--monetary", "spender 200, medium 60"),
    )
    stage.macli("rfm", "show", "Customers", first=9)
    stage.macli(
        *("segment", "preview", "--sample", "3"),
        *("--rule", "rfm Customers monetary spender and not rfm Customers recency short and score < 50"),
    )


def hottest(stage: Stage) -> str:
    """Who has most points."""
    return str(stage.ask("points", "list", "--limit", "1")[0]["contact"])


def nearest(stage: Stage) -> str:
    """Who has most points of those the highest stage still lies before."""
    rows = stage.ask("points", "list", "--where", "stage is Purchase", "--limit", "1")
    return str(rows[0]["contact"]) if rows else hottest(stage)
