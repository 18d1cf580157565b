"""What is read from the chart page, as JavaScript, and the ranges that the checks open."""

DAY = "from=2024-02-02T00%3A00%3A00.000Z&to=2024-02-03T00%3A00%3A00.000Z"

CELLS = "[...document.querySelectorAll('%s')].map((row) => [...row.children].map((cell) => cell.textContent))"
FIGURES = CELLS % ".figures tbody tr"
VALUES = CELLS % ".values tbody tr"
TOOLTIP = "[...document.querySelectorAll('.tooltip:not([hidden]) .tooltip-value')].map((value) => value.textContent)"
CAPTION = "document.querySelector('.panel-caption').textContent"
CAPTIONS = "[...document.querySelectorAll('.panel-caption')].map((caption) => caption.textContent)"
DETAIL = "document.querySelector('.panel-detail').textContent"
CHIPS = "[...document.querySelectorAll('#metric-picker .chip-text')].map((chip) => chip.textContent)"
OPTIONS = "[...document.querySelectorAll('#metric-list .option-text')].map((option) => option.textContent)"
NOTICES = "[...document.querySelectorAll('.notices')].map((notices) => notices.textContent).join('')"
MESSAGE = "(document.querySelector('.message:not([hidden])')?.textContent ?? '')"
STATUS = "document.querySelector('#status').dataset.state"
SEARCH = "location.search"
# What is drawn: the page's own objects.
SERIES = "app.panels[0].shown.frame.series"


def of_app(expression):
    """An expression on the page's `app`, as the value of a promise."""
    return f"import('/page/main.js').then(({{ app }}) => ({expression}))"
