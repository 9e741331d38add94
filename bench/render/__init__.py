"""Results as text, Markdown, HTML and figures; nothing here prints."""
