"""The report of a date: one page of HTML and one of Markdown, from the stored tables alone.

`gather` reads what is shown, `content` says it in sections of plain blocks, `page` and `markdown` render the blocks,
and `wording` holds the words that no report may use. Nothing here computes evidence.
"""
