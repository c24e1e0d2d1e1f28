"""Miss-rate curves of the IOTLBs: `python -m flow.miss_rates` measures them and writes table and figure into the documentation.

Measured by `tests.bench.iommu_miss_rates` on builds that differ in one parameter each. All counts are exact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flow.bench import Bench, native_figures
from flow.errors import UserError
from flow.project import Project

COMMAND = ".venv/bin/python -m flow.miss_rates"
PAGE = "docs/iommu_miss_rates.md"
FIGURE = "docs/iommu_miss_rates.svg"
BEGIN, END = "<!-- miss rates: begin -->", "<!-- miss rates: end -->"
MEASURED = re.compile(r"(?P<workload>[a-z ]+) (?P<size>\d+): (?P<what>past L1|walks)")

BUILDS = {
    "256 entries, without neighbours": "bench_iommu_miss_rates_alone",
    "256 entries": "bench_iommu_miss_rates",
    "512 entries": "bench_iommu_miss_rates_512",
}
"""What a build is called, by the test that runs on it."""
USUAL = "256 entries"


@dataclass(frozen=True)
class Curves:
    """Percent of the requests, by (build, workload, pages, what), what being `past L1` or `walks`."""

    rates: dict[tuple[str, str, int, str], float]

    @property
    def workloads(self) -> list[str]:
        return list(dict.fromkeys(workload for _, workload, _, _ in self.rates))

    @property
    def sizes(self) -> list[int]:
        return sorted({size for _, _, size, _ in self.rates})


def measure(bench: Bench) -> Curves:
    """Runs the test on every build."""
    rates = {}
    for build, test in BUILDS.items():
        for name, (value, _) in native_figures(bench.simulate(test)).items():
            match = MEASURED.fullmatch(name)
            if match is None:
                raise UserError(f"'{test}' left the figure '{name}', which is no miss rate.")
            rates[build, match["workload"], int(match["size"]), match["what"]] = value
    return Curves(rates)


def table(curves: Curves) -> str:
    """Markdown: a row for each workload and working set."""
    lines = ["| workload | pages | past L1 |" + "".join(f" walks, {build} |" for build in BUILDS)]
    lines.append("|---|---:|---:|" + "---:|" * len(BUILDS))
    for workload in curves.workloads:
        for size in curves.sizes:
            cells = [curves.rates[USUAL, workload, size, "past L1"]]
            cells += [curves.rates[build, workload, size, "walks"] for build in BUILDS]
            lines.append(f"| {workload} | {size} | " + " | ".join(f"{cell:.2f} %" for cell in cells) + " |")
    return "\n".join(lines)


def figure(curves: Curves) -> str:
    """SVG: a panel for each workload, percent of walks over the pages of the working set, a line for each build."""
    width, height, left, top, gap = 360, 220, 44, 30, 56
    colours = ("#b03a2e", "#1f618d", "#1e8449")
    sizes, workloads = curves.sizes, curves.workloads
    total_width, total_height = 2 * (width + gap), 2 * (height + gap) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}"',
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="{total_width}" height="{total_height}" fill="white"/>',
    ]
    for index, workload in enumerate(workloads):
        x0 = left + index % 2 * (width + gap - 10)
        y0 = top + index // 2 * (height + gap)
        highest = max(rate for (_, name, _, what), rate in curves.rates.items() if name == workload and what == "walks")
        scale = next(limit for limit in (5.0, 10.0, 15.0, 25.0, 50.0, 100.0) if limit >= highest)
        parts.append(f'<text x="{x0}" y="{y0 - 8}" font-weight="bold">{workload}</text>')
        parts.append(f'<rect x="{x0}" y="{y0}" width="{width - 40}" height="{height}" fill="none" stroke="#888"/>')
        for share in (0.0, 0.5, 1.0):
            y = y0 + height * (1 - share)
            parts.append(f'<text x="{x0 - 5}" y="{y + 4:.0f}" text-anchor="end">{scale * share:g} %</text>')
        places = {size: x0 + (width - 40) * place / (len(sizes) - 1) for place, size in enumerate(sizes)}
        for size, x in places.items():
            parts.append(f'<text x="{x:.1f}" y="{y0 + height + 14}" text-anchor="middle">{size}</text>')
        for build, colour in zip(BUILDS, colours, strict=True):
            rates = [(x, curves.rates[build, workload, size, "walks"]) for size, x in places.items()]
            points = " ".join(f"{x:.1f},{y0 + height * (1 - rate / scale):.1f}" for x, rate in rates)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for index, (build, colour) in enumerate(zip(BUILDS, colours, strict=True)):
        x, y = left + index * 240, total_height - 14
        parts.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 24}" y2="{y - 4}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 30}" y="{y}">{build}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def write(project: Project, curves: Curves) -> Path:
    """Puts the table between the markers of the page, and the figure beside it."""
    page = project.root / PAGE
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UserError(f"{PAGE} must hold the lines '{BEGIN}' and '{END}' once.")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{table(curves)}\n{END}{tail}")
    (project.root / FIGURE).write_text(figure(curves))
    return page


if __name__ == "__main__":
    here = Project()
    print(f"wrote {write(here, measure(Bench(here)))}")
