"""The page a Markdown template stands in: one column, readable on a phone, light or dark."""

PAGE = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
body { margin: 0; padding: 0; background-color: #f4f4f5; }
.page { width: 100%; background-color: #f4f4f5; }
.letter { width: 100%; max-width: 600px; background-color: #ffffff; color: #27272a; }
.words { padding: 32px; font-family: Helvetica, Arial, sans-serif; font-size: 16px; line-height: 1.5; }
.end { padding: 16px 32px 32px; font-family: Helvetica, Arial, sans-serif; font-size: 12px; color: #71717a; }
.end a { color: #71717a; }
.words h1 { margin: 0 0 16px; font-size: 26px; line-height: 1.25; }
.words h2 { margin: 24px 0 12px; font-size: 20px; line-height: 1.3; }
.words h3 { margin: 20px 0 8px; font-size: 17px; }
.words p { margin: 0 0 16px; }
.words ul, .words ol { margin: 0 0 16px; padding-left: 24px; }
.words blockquote { margin: 0 0 16px; padding-left: 16px; border-left: 3px solid #d4d4d8; color: #52525b; }
.words img { max-width: 100%; height: auto; border: 0; }
.words table { border-collapse: collapse; margin: 0 0 16px; }
.words th, .words td { padding: 6px 12px 6px 0; text-align: left; border-bottom: 1px solid #e4e4e7; }
.words hr { border: 0; border-top: 1px solid #e4e4e7; margin: 24px 0; }
.words code { font-family: Menlo, Consolas, monospace; font-size: 14px; }
.words a { color: #1d4ed8; }
@media (max-width: 480px) { .words { padding: 20px !important; } }
</style>
</head>
<body>
<table class="page" role="presentation" cellpadding="0" cellspacing="0" border="0" width="100%"><tr><td align="center">
<table class="letter" role="presentation" cellpadding="0" cellspacing="0" border="0" width="600">
<tr><td class="words">
$words
</td></tr>
{% if postal_address or unsubscribe_url %}
<tr><td class="end">{{ postal_address }}{% if unsubscribe_url %}<br>
<a href="{{ unsubscribe_url }}">Unsubscribe</a>{% endif %}</td></tr>
{% endif %}
</table>
</td></tr></table>
</body>
</html>
"""
