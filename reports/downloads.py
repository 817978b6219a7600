"""A page's tables in the forms that people go on with, held in the page itself."""

import io
from dataclasses import dataclass

import pandas as pd

from inpaintbench.reports.texts import markdown_table
from inpaintbench.reports.tiles import data_address

KINDS = {
    "csv": "text/csv",
    "tex": "application/x-tex",
    "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
}
NAMES = {"csv": "CSV", "tex": "LaTeX", "md": "Markdown", "parquet": "parquet"}


@dataclass(frozen=True)
class Download:
    """A file that a page holds: its name, what kind it is, and a data address."""

    file: str
    kind: str
    address: str


def downloads(name: str, numbers: pd.DataFrame, texts: pd.DataFrame) -> list[Download]:
    """Offer a table as CSV and parquet (all digits), LaTeX and Markdown (as it reads).

    Parameters
    ----------
    name : of the files, without ending
    numbers, texts : the same table for programs and for readers; without a column of texts, as of a
        table too long to be read, only the former is offered
    """
    contents = {"csv": numbers.to_csv(index=False).encode(), "parquet": _parquet(numbers)}
    if texts.shape[1]:
        contents["tex"] = latex(texts).encode()
        contents["md"] = (markdown_table(texts) + "\n").encode()
    return [
        Download(f"{name}.{ending}", NAMES[ending], data_address(KINDS[ending], content))
        for ending, content in contents.items()
    ]


def latex(texts: pd.DataFrame) -> str:
    r"""Write a table of texts for LaTeX, with the rules of the package booktabs.

    Examples
    --------
    >>> print(latex(pd.DataFrame({"method": ["fsr_2"], "won": ["7%"]})))
    \begin{tabular}{ll}
    \toprule
    method & won \\
    \midrule
    fsr\_2 & 7\% \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    """
    return str(texts.to_latex(index=False, escape=True))


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
