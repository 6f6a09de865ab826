"""Writes the pages that follow from the catalogue: one a method, their index, and the site's table of contents."""

import importlib
import json
from pathlib import Path

import mkdocs_gen_files

from trimtab.catalog import Entry, entries
from trimtab.catalog.candidates import Candidate
from trimtab.catalog.slots import example
from trimtab.claims import CLAIMS
from trimtab.claims.loading import find_reference, load_reference
from trimtab.claims.result import committed
from trimtab.lab.shipped import PROBLEMS
from trimtab.report.claims import verdict_section
from trimtab.report.document import plotly_js, site_figures
from trimtab.report.figures.claim import claim_panel

SUMMARY = """\
* [Home](index.md)
* Use it
    * [In a plain loop](guides/plain-loop.md)
    * [Between backward and step](guides/between-backward-and-step.md)
    * [Hugging Face's Trainer](guides/huggingface.md)
    * [Lightning](guides/lightning.md)
    * [Sharded with FSDP2](guides/fsdp2.md)
    * [Muon for a whole model](guides/muon.md)
    * [A batch that grows](guides/adaptive-batch.md)
    * [Putting optimizers together](compositions.md)
    * [Coming from another optimizer](coming-from.md)
    * [Coming from Optuna](coming-from-optuna.md)
    * [Bayesian optimisation](guides/bo.md)
    * [A pre-trained network](guides/pfn.md)
    * [Networks as surrogates](guides/bnn.md)
    * [The next run's schedule](refine.md)
    * [Another batch size](scale.md)
    * [A rule of your own](tutorial-rule.md)
    * [Test your own optimizer or sampler](testing.md)
    * [Audit an optimizer](audit.md)
* Compare
    * [On a table](table.md)
    * [On your own task](own-task.md)
    * [With a Trainer or a Lightning module](adapters.md)
    * [With any script](any-script.md)
    * [Ways to prune a network](transforms.md)
    * [Train all alike: schedules, clipping, averages](recipes.md)
    * [Over several problems](several-problems.md)
    * [A race: fewer runs](racing.md)
    * [Samplers on a black box](samplers.md)
    * [On many machines](machines.md)
    * [Runs that others made](analyse.md)
    * [In a notebook](notebook.md)
    * [In TensorBoard, W&B, MLflow](tracking.md)
    * [How a comparison is made](comparison.md)
    * [What it withstands](reliability.md)
* Understand
    * [Which optimizer when](which-optimizer.md)
    * [Which schedule when](which-schedule.md)
    * [Which sampler when](which-sampler.md)
    * [How a claim is tried](claims.md)
    * [How sharp directions are](diagnose.md)
    * [What each optimizer costs](family.md)
    * [How fast, how exact](speed.md)
    * [How much memory](memory.md)
    * [Architecture](architecture.md)
* Methods
    * [Methods by family](methods/index.md)
{methods}
* Reference
    * [Tasks and sessions](reference/lab.md)
    * [Studies and statistics](reference/study.md)
    * [Comparisons](reference/compare.md)
    * [Compression](reference/compress.md)
    * [The update rule's contract](reference/rules.md)
    * [Surrogates and line searches](reference/surrogates.md)
    * [Curvature and sharpness](reference/curvature.md)
    * [Curvature and batch sizes](reference/scaling.md)
    * [Gradient noise and batch size](reference/batch-size.md)
    * [Controllers in loops](reference/controllers.md)
"""

FAMILIES = {
    "optim": "Optimizers",
    "schedule": "Schedules and controllers",
    "search": "Black-box search",
    "compress": "Compression",
}
"""The titles of the catalogue's families; one that has none ends the build."""

EXAMPLES = {
    "optimizer": ("digits", "adamw", "sgd"),
    "sampler": ("branin", "random", "tpe"),
    "transform": ("pruned-digits", "magnitude", "lamp"),
}
"""By slot: a problem that ships, whom methods are compared with on their pages, and whom that one is compared with."""

DOCUMENTATION = {
    "torch": ("PyTorch's", "https://docs.pytorch.org/docs/stable/generated/{module}.{name}.html"),
    "optuna": (
        "Optuna's",
        "https://optuna.readthedocs.io/en/stable/reference/samplers/generated/{module}.{name}.html",
    ),
}
"""Whose documentation of baselines is where, by package."""


MEASURED = {
    row["name"] for row in json.loads(Path(__file__).with_name("family.json").read_text(encoding="utf-8"))["rows"]
}
"""Of whose steps the cost is in the table."""


def method_page(entry: Entry) -> str:
    """Writes a method's page from its entry and its docstring."""
    module, name = entry.public
    link = f" [arXiv:{entry.arxiv}](https://arxiv.org/abs/{entry.arxiv})" if entry.arxiv else ""
    if module.startswith("trimtab"):
        reference = f"## Reference\n\n{_documented(entry)}\n"
        if entry.extra:
            reference += f"\nIt needs `pip install 'trimtab[{entry.extra}]'`.\n"
    elif module.partition(".")[0] not in DOCUMENTATION:
        package = module.partition(".")[0]
        reference = (
            f"This is `{module}.{name}` of the package [{package}](https://pypi.org/project/{package}/): "
            f"`pip install 'trimtab[{entry.extra}]'`.\n"
        )
    else:
        owner, url = DOCUMENTATION[module.partition(".")[0]]
        link_to = url.format(module=module, name=name)
        reference = f"This is `{module}.{name}`; [its documentation]({link_to}) is {owner}.\n"
        if entry.extra:
            reference += f"It needs `pip install 'trimtab[{entry.extra}]'`.\n"
    if entry.session is not None and module.startswith("trimtab"):
        reference += f"\n## In a comparison\n\n::: {entry.session.replace(':', '.')}\n"
    return f"""\
# {entry.title}

{entry.summary}

| property | {entry.title} |
|---|---|
| adapts | {entry.adapts} |
| signal | {entry.signal} |
| worth a try | {entry.when} |
| not | {entry.when_not} |
| paper | {entry.authors} ({entry.year}). *{entry.paper}*.{link} |

## Use

```python
{_use(entry)}
```

{_guide(entry)}{_cost(entry)}In a comparison: `{_comparison(entry)}`.

{_tuned(entry)}{_verdict(entry)}

{reference}"""


def _tuned(entry: Entry) -> str:
    """What is tuned of it, of whom anything is."""
    if not PROBLEMS[EXAMPLES[entry.slot][0]].load().tuned:
        return ""
    tunables = "\n".join(f"| `{key}` | {tunable} |" for key, tunable in entry.load_tunables().items())
    stretched = " and ".join(
        f"that of `{key}` is multiplied by {factor:g}" for key, factor in getattr(entry.load(), "rescales", {}).items()
    )
    fixed = ", ".join(f"`{key}={value!r}`" for key, value in entry.settings.items())
    parts = [
        "## What is tuned",
        f"| setting | range |\n|---|---|\n{tunables or '| none of its own | |'}",
        (f"Fixed unless you say otherwise: {fixed}." if fixed else "")
        + (f"Of the optimizer's ranges, {stretched}." if stretched else ""),
    ]
    return "\n\n".join(filter(None, parts)) + "\n\n"


def _use(entry: Entry) -> str:
    """The lines that use it."""
    candidate = example(entry)
    if not isinstance(candidate, Candidate):
        return candidate.code({})
    expression = candidate.expression
    if entry.kind == "controller":
        lines = expression.usage(expression.settings({})).splitlines()
        imports = [line for line in lines if line.startswith(("import ", "from "))]
        made = f'optimizer = trimtab.create("{entry.inner}", model, lr=1e-3)'
        return "\n".join(["import trimtab", *imports, "", made, *lines[len(imports) :]])
    tunable = expression.tunables.get("lr")
    rate = "" if tunable is None else f", lr={tunable.at(0.5):.1g}"
    return f'import trimtab\n\noptimizer = trimtab.create("{expression.label}", model{rate})'


def _verdict(entry: Entry) -> str:
    if entry.id not in CLAIMS:
        return ""
    claim, result = load_reference(find_reference(entry.id)), committed(entry.id)
    figures = ""
    if result is not None:
        figures = site_figures([claim_panel(panel, result) for panel in claim.panels], "../../assets")
    section = verdict_section(claim, result, figures)
    if entry.id == claim.id:
        return section
    return f"{section}\n\nThis is the claim of [{claim.id}]({claim.id}.md), in which {entry.title} takes part."


def _guide(entry: Entry) -> str:
    """Where more is told of it, if there is a guide of its name."""
    guide = Path(__file__).with_name("guides") / f"{entry.key}.md"
    return f"There is [a guide](../guides/{guide.name}).\n\n" if guide.is_file() else ""


def _cost(entry: Entry) -> str:
    """Where the cost of a step was measured, if it was."""
    table = ", [all in one table](../family.md)" if entry.id in MEASURED else ""
    if not table and entry.kind != "controller":
        return ""
    return f"What a step costs, measured: [how fast](../speed.md){table}.\n\n"


def _comparison(entry: Entry) -> str:
    """A command line that compares it with another."""
    problem, reference, instead = EXAMPLES[entry.slot]
    other = example(entry).label if entry.id != reference else instead
    return f"trimtab compare {problem} --candidates {reference},{other}"


def _public_path(entry: Entry) -> str:
    module, _, name = entry.object.partition(":")
    return f"{getattr(importlib.import_module(module), name).__module__}.{name}"


def _documented(entry: Entry) -> str:
    """What the page documents: the class, unless that is another entry's with other settings, and further parts."""
    plain = [each for each in entries().values() if each.object == entry.object and not each.settings]
    if entry.settings and plain:
        settings = ", ".join(f"{key}={value!r}" for key, value in entry.settings.items())
        whole = f"This is [`{entry.public[1]}`]({plain[0].key}.md) with `{settings}`."
    else:
        whole = f"::: {_public_path(entry)}"
    return "\n\n".join([whole, *(f"::: {part.replace(':', '.')}" for part in entry.parts)])


def by_family() -> dict[str, list[Entry]]:
    """The catalogue's entries under the titles of their families."""
    found: dict[str, list[Entry]] = {title: [] for title in FAMILIES.values()}
    for entry in entries().values():
        found[FAMILIES[entry.family]].append(entry)
    return found


def index_page() -> str:
    """Writes the list of methods, in the place of the page that says where it is."""
    parts = [
        "# Methods by family",
        "What `trimtab list` prints. A *method* is ours, after a paper; a *wrapper* is one that goes around any "
        "optimizer, a *controller* one that stands beside it and sets its pace; a *baseline* is the host's own, or "
        "what methods are to be measured by.",
    ]
    for title, found in by_family().items():
        rows = [
            f"| [{entry.title}]({entry.key}.md) | `{entry.id}` | {entry.kind} | {entry.summary} |" for entry in found
        ]
        parts += [f"## {title}", "\n".join(["| method | name | kind | what it does |", "|---|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def table_of_contents() -> str:
    """Writes the navigation: by what a reader wants to do, and methods by family."""
    lines = []
    for title, found in by_family().items():
        lines.append(f"    * {title}")
        lines += [f"        * [{entry.title}](methods/{entry.key}.md)" for entry in found]
    return SUMMARY.format(methods="\n".join(lines))


def main() -> None:
    """Writes all pages."""
    with mkdocs_gen_files.open("methods/index.md", "w") as file:
        file.write(index_page())
    with mkdocs_gen_files.open("assets/plotly.min.js", "w") as file:
        file.write(plotly_js())
    for entry in entries().values():
        with mkdocs_gen_files.open(f"methods/{entry.key}.md", "w") as file:
            file.write(method_page(entry))
    with mkdocs_gen_files.open("SUMMARY.md", "w") as file:
        file.write(table_of_contents())


main()
