"""The report of a date: one page of HTML and one of Markdown, from the stored tables alone.

`gather` reads what is shown; `results` and `groups` say what each test found, `sentences` in which words; `overview`,
`section_of_test` and `sections` make blocks of it, and `content` puts them in order. `page` and `markdown` render the
blocks, and `wording` holds the words that no report may use. Nothing here computes evidence, except that `rerun` asks
for the tests of a date anew.
"""
