"""The words macli uses, each with one meaning, and what other systems call the same thing."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Term:
    """A word, what it means here, and its names elsewhere."""

    word: str
    means: str
    elsewhere: str = ""


def _term(word: str, means: str, elsewhere: str = "") -> Term:
    return Term(word=word, means=means, elsewhere=elsewhere)


TERMS = (
    _term("category", "a name and a colour that sort segments, templates and campaigns", "folder, tag"),
    _term("contact", "a person we may write to", "lead, target, recipient, subscriber, klient"),
    _term("attribute", "a fact about a contact, by name and of one type", "detail, field, trait"),
    _term("tag", "a word on a contact, there or not there", "label"),
    _term("event", "something that happened to a contact, at a time; it never changes", "activity, external event"),
    _term("property", "a fact about an event"),
    _term("rule", "text that selects contacts: country = \"Canada\" and orders >= 3", "filter, query, segment rules"),
    _term("predicate", "a word in a rule that takes arguments: opened, received, tagged"),
    _term("segment", "a named rule (dynamic) or a named set of contacts (static)", "group, list, target list"),
    _term("consent", "a contact's yes or no, per channel and topic, with its evidence", "subscription, opt-in"),
    _term("topic", "what messages are about, which contacts say yes or no to", "list, newsletter, interest"),
    _term("double opt-in", "a yes that counts once the owner of the address confirmed it", "confirmed opt-in"),
    _term("suppression", "an address never to be written to, and why; it outlives the contact", "blocklist"),
    _term("erasure", "a person goes and leaves nothing personal, but a keyed hash that remembers the no"),
    _term("channel", "a way to reach people: e-mail, SMS, push, webhook", "medium"),
    _term("provider", "who carries a channel's messages: SMTP, SMTP2GO, Twilio, web push, the outbox", "backend, ESP"),
    _term("template", "what is written: subject, HTML and text, with places for attributes", "component, creative"),
    _term("page", "a landing page that macli serve shows, with forms, banners and downloads in it", "component"),
    _term("form", "what a visitor fills in: fields, consents, and what follows", "component, sign-up form"),
    _term("banner", "a picture or words in a page or mail, whose clicks are counted"),
    _term("asset", "a file people download, and who did", "lead magnet"),
    _term("visitor", "a browser on your pages; nobody, until it says who it is or follows a link", "anonymous contact"),
    _term("tracker", "the script and the clients that tell macli of visits and events", "pixel, web tracking"),
    _term("URL rule", "a tag or segment for whoever visits pages that fit", "tagging rule"),
    _term("device", "a browser that takes push messages", "push subscription"),
    _term("hook", "an address where providers and your own systems report what happened", "webhook, callback"),
    _term("hit", "one request for a pixel or a link in a mail, by a person or a program", "open, click"),
    _term("human, machine, suspected", "who caused a hit, by rules; only human ones count by default", "bot click"),
    _term("bounce", "a mail that came back: hard, the address is dead; soft, not this time"),
    _term("complaint", "a recipient called the mail spam", "feedback loop, FBL"),
    _term("mailbox", "where bounces, complaints and answers come by mail, and macli reads them"),
    _term("campaign", "an entry and steps: one step is a newsletter, several are a workflow", "broadcast, journey"),
    _term("workflow", "a campaign of several steps", "automation, journey, automated campaign"),
    _term("step", "a place in a campaign", "node, element"),
    _term("action", "what is done at a step: send, wait, if, split, tag, set, end"),
    _term("entry, exit, goal", "the rules that let in, take out wherever they stand, and count as success", "trigger"),
    _term("conversion", "what a campaign is for, counted once for the message last clicked or opened", "goal"),
    _term("enrollment", "one contact's way through a campaign", "journey instance"),
    _term("round", "the how-manieth time a contact goes through a campaign"),
    _term("send", "the ledger's row: one per campaign, step, contact and round", "job, delivery"),
    _term("message", "the rendered thing that leaves: a mail, a text message, a posted document"),
    _term("outcome", "what the provider answered", "result"),
    _term("ledger", "the table of sends: by its unique index nobody gets a message twice; points have one, too"),
    _term("unknown", "a send that may have left while nobody said so; never sent again by itself"),
    _term("tick", "one pass over everything that is due", "scheduler run"),
    _term("lease", "the right to make a tick, held by one process at a time", "lock"),
    _term("workspace", "a directory with macli.toml: the store, campaigns/, out/, secrets/", "project"),
    _term("store", "the database everything is in"),
    _term("point rule", "what an event is worth in a contact's scores", "scoring rule, action points"),
    _term("score", "the sum of a contact's points; each change is a row in the ledger of points", "lead score"),
    _term("scope", "what points are counted for: the contact, a named group, a tag, a stage of a funnel"),
    _term("preset", "a set of point rules that is put in force at once"),
    _term("readiness", "a band of the score with a name: cold, warm, hot", "grade"),
    _term("decay", "points that lose their worth as time passes"),
    _term("watched value", "a value of a score whose reaching is told as an event", "score trigger"),
    _term("stage", "a place in the lifecycle that a score leads up to, one per contact", "lifecycle stage"),
    _term("funnel", "ordered stages a contact is moved through, one in each funnel", "SALESmanago campaign"),
    _term("RFM", "bands of how recently, how often and for how much a contact bought", "customer value segments"),
    _term("prediction", "how likely a contact has left for good, or buys again, by a published model or imported"),
    _term("likelihood", "a prediction as a word: small, medium, high, very high", "churn band"),
    _term("staff", "who works with macli at our company; each may have roles and groups", "user, agent"),
    _term("role", "what staff may see and change, by category; admin may do everything", "permission group"),
    _term("grant", "what a role may do with what is in a category: none, view or edit", "permission, ACL"),
    _term("owner", "the member of staff responsible for a contact; others may be co-owners", "opiekun, main owner"),
    _term("owner rule", "which new contacts get which owner, or one of a group in turn", "assignment rule"),
    _term("note", "what somebody wrote about a contact", "comment"),
    _term("task", "something to do, by whom and until when", "to-do, zadanie"),
    _term("deal", "business with a contact that may be won or lost, and what it is worth", "opportunity"),
    _term("call", "a telephone call with a contact, and what came of it"),
    _term("letter", "a mail that a person wrote to us and a mailbox took in", "incoming mail, message"),
    _term("inbox", "the letters people wrote"),
)  # fmt: skip
