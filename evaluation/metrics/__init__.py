"""The objective metrics: their titles, ranges, and whether their libraries are installed.

Importing this module loads no metric. Pages, exports and figures take names from `METRICS`. Every rendition
is measured by the `DEFAULT` metrics, and by the others on request.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

#: Stands for the version in scores that a researcher uploaded.
UPLOADED = "uploaded"


@dataclass(frozen=True)
class Metric:
    """An objective metric.

    Attributes:
        unit: unit of its values, or "".
        low, high: range of its values.
        higher_is_better: False for rates of errors.
        note: describes it in a sentence, with its source.
        packages: packages whose versions are stored with its scores.
        modules: modules that must be importable to compute it here.
        default: whether every rendition is measured by it.
        computed: False if scores can only be uploaded.
        reference: whether it compares with the reference.
    """

    slug: str
    title: str
    unit: str
    low: float
    high: float
    note: str
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    higher_is_better: bool = True
    default: bool = False
    computed: bool = True
    reference: bool = True
    decimals: int = 2

    @property
    def missing(self) -> str:
        """The reason, for people, why it cannot be computed here; "" if it can."""
        if not self.computed:
            return f"{self.title} is not computed here: upload its scores as a column."
        lacking = [module for module in self.modules if find_spec(module) is None]
        if not lacking:
            return ""
        return f"{self.title} needs {' and '.join(lacking)}: install Earshot with the extra [metrics]."

    @property
    def version(self) -> str:
        """Packages and versions that compute it, as stored with every score; "" if one is missing."""
        try:
            return ", ".join(f"{package} {version(package)}" for package in self.packages)
        except PackageNotFoundError:
            return ""


#: speechmos declares none of its dependencies.
_SPEECHMOS = ("speechmos", "onnxruntime", "librosa", "requests")

_ALL = (
    Metric(
        "pesq_nb", "PESQ-NB", "MOS-LQO", 1.02, 4.55,
        "ITU-T P.862.1, narrow-band. Not comparable with wide-band figures.",
        packages=("pesq",), modules=("pesq",), default=True,
    ),
    Metric(
        "pesq_wb", "PESQ-WB", "MOS-LQO", 1.04, 4.64,
        "ITU-T P.862.2, wide-band. Not comparable with narrow-band figures.",
        packages=("pesq",), modules=("pesq",), default=True,
    ),
    Metric(
        "stoi", "STOI", "", 0.0, 1.0,
        "Short-time objective intelligibility (Taal et al. 2011): of words understood, not of quality.",
        packages=("pystoi",), modules=("pystoi",), default=True,
    ),
    Metric(
        "visqol", "ViSQOL", "MOS-LQO", 1.0, 5.0,
        "ViSQOL v3 in speech mode at 16 kHz, lattice mapping (Chinen et al. 2020).",
        packages=("visqol-python", "ai-edge-litert"), modules=("visqol", "ai_edge_litert"),
    ),
    Metric(
        "dnsmos_p808", "DNSMOS P.808", "MOS", 1.0, 5.0,
        "DNSMOS P.808 (Reddy et al. 2021): without a reference, made for denoised speech, not codecs.",
        packages=("speechmos", "onnxruntime"), modules=_SPEECHMOS, reference=False,
    ),
    Metric(
        "dnsmos_ovrl", "DNSMOS OVRL", "MOS", 1.0, 5.0,
        "DNSMOS P.835 overall (Reddy et al. 2022): without a reference, made for denoised speech.",
        packages=("speechmos", "onnxruntime"), modules=_SPEECHMOS, reference=False,
    ),
    Metric(
        "plcmos", "PLCMOS", "MOS", 1.0, 5.0,
        "PLCMOS v2 (Diener et al. 2023): without a reference, made for concealed packet loss.",
        packages=("speechmos", "onnxruntime"), modules=_SPEECHMOS, reference=False,
    ),
    Metric(
        "distillmos", "DistillMOS", "MOS", 1.0, 5.0,
        "DistillMOS (Stahl & Gamper 2025): without a reference, distilled from a large network of speech.",
        packages=("distillmos", "torch"), modules=("distillmos", "xls_r_sqa", "torch"), reference=False,
    ),
    Metric(
        "phones", "Phoneme error", "", 0.0, 1.0,
        "Edit distance between the phones that a recogniser hears in reference and output, over their number "
        "in the longer: the paper's phoneme recognition check. English.",
        packages=("pocketsphinx",), modules=("pocketsphinx",), higher_is_better=False,
    ),
    Metric(
        "polqa", "POLQA", "MOS-LQO", 1.0, 4.75,
        "ITU-T P.863. Licensed, so not computed here; scores computed elsewhere can be uploaded.",
        computed=False,
    ),
)  # fmt: skip

#: By slug, in the order of tables.
METRICS = {metric.slug: metric for metric in _ALL}

#: Computed for every rendition.
DEFAULT = tuple(metric.slug for metric in _ALL if metric.default)

#: Computed on request, if the library is installed.
OPTIONAL = tuple(metric.slug for metric in _ALL if metric.computed and not metric.default)


def metric_of(slug: str) -> Metric:
    """The metric called `slug`; an unknown name (from an import) becomes its own title."""
    return METRICS.get(slug) or Metric(slug, slug, "", float("-inf"), float("inf"), "", computed=False)


def list_available() -> tuple[str, ...]:
    """Slugs of the metrics that can be computed here."""
    return tuple(slug for slug, metric in METRICS.items() if not metric.missing)
