"""The objective metrics: titles, ranges, domains, and whether their libraries are installed.

Importing this module loads no metric. Pages, exports and figures take names from `METRICS`. Every rendition
is measured by the `DEFAULT` metrics, and by the others on request. docs/metrics.md and the page /metrics/ are
made of what is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from evaluation.metrics.domain import SPEECH, Domain

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
        target: ``module:function`` below `evaluation.metrics`, which takes reference and output, both float64
            (samples,) or, of a metric for several channels, (samples, channels), equally long and
            time-aligned, their rate in Hz and the slug, and returns a value, or None, and a remark.
        domain: the recordings for which it is made.
        revision: of Earshot's part in it; part of the version, and counted up whenever a value changes.
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
    target: str = ""
    domain: Domain = SPEECH
    revision: int = 1

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
            said = [f"{package} {version(package)}" for package in self.packages]
        except PackageNotFoundError:
            return ""
        if self.computed and (self.revision > 1 or not said):
            said.append(f"Earshot revision {self.revision}")
        return ", ".join(said)

    @property
    def command(self) -> str:
        """The command that computes it for recordings through systems; "" if it is only uploaded."""
        return f"python manage.py benchmark FOLDER --metrics {self.slug}" if self.computed else ""

    def load(self) -> Callable[[Any, Any, int, str], tuple[float | None, str]]:
        """Import its function, see `target`."""
        module, _, name = self.target.partition(":")
        function: Callable[[Any, Any, int, str], tuple[float | None, str]] = getattr(
            import_module(f"evaluation.metrics.{module}"), name
        )
        return function


#: speechmos declares none of its dependencies.
_SPEECHMOS = ("speechmos", "onnxruntime", "librosa", "requests")
_DENOISED = "Speech after noise suppression, 9 s; shorter recordings are repeated."

#: Speech in the band in which the reference has something to lose.
_WIDE = Domain(least_rate=16_000, bandwidth=5000)

_ALL = (
    Metric(
        "pesq_nb", "PESQ-NB", "MOS-LQO", 1.02, 4.55,
        "ITU-T P.862.1, narrow-band. Not comparable with wide-band figures.",
        packages=("pesq",), modules=("pesq",), default=True, target="perceptual:pesq", revision=2,
        domain=Domain(
            least_seconds=0.25, bandwidth=2500,
            usual="Telephone speech of 8 to 30 s; codecs from about 4 kbit/s. It does not judge loudness, "
            "echo or music, and was not made for neural vocoders.",
        ),
    ),
    Metric(
        "pesq_wb", "PESQ-WB", "MOS-LQO", 1.04, 4.64,
        "ITU-T P.862.2, wide-band. Not comparable with narrow-band figures.",
        packages=("pesq",), modules=("pesq",), default=True, target="perceptual:pesq", revision=2,
        domain=Domain(
            least_rate=16_000, least_seconds=0.25, bandwidth=5000,
            usual="Wide-band speech (50 Hz to 7 kHz) of 8 to 30 s, through codecs of any band.",
        ),
    ),
    Metric(
        "stoi", "STOI", "", 0.0, 1.0,
        "Short-time objective intelligibility (Taal et al. 2011): of words understood, not of quality.",
        packages=("pystoi",), modules=("pystoi",), default=True, target="intelligibility:stoi",
        domain=Domain(least_seconds=0.4, bandwidth=2500, usual="Noisy speech, up to 4.3 kHz."),
    ),
    Metric(
        "estoi", "ESTOI", "", -1.0, 1.0,
        "Extended STOI (Jensen & Taal 2016): also for noise that fluctuates; of words understood.",
        packages=("pystoi",), modules=("pystoi",), target="intelligibility:stoi",
        domain=Domain(
            least_seconds=0.4, bandwidth=2500,
            usual="Speech in fluctuating noise and vocoded speech, up to 4.3 kHz.",
        ),
    ),
    Metric(
        "visqol", "ViSQOL", "MOS-LQO", 1.0, 5.0,
        "ViSQOL v3 in speech mode at 16 kHz, lattice mapping (Chinen et al. 2020).",
        packages=("visqol-python", "ai-edge-litert"), modules=("visqol", "ai_edge_litert"),
        target="similarity:visqol", revision=2,
        domain=replace(_WIDE, least_seconds=0.5, usual="Wide-band speech of 3 to 10 s, codecs and VoIP."),
    ),
    Metric(
        "visqol_audio", "ViSQOL, audio", "MOS-LQO", 1.0, 4.75,
        "ViSQOL v3 in audio mode at 48 kHz (Chinen et al. 2020): for music and general audio.",
        packages=("visqol-python",), modules=("visqol",), target="similarity:visqol_audio", revision=2,
        domain=Domain(
            rate=48_000, least_rate=44_100, channels=2, least_seconds=1.0, speech=False, bandwidth=12_000,
            usual="Full-band audio of 5 to 10 s at 48 kHz through general audio codecs; two channels are "
            "mixed to one, as its makers do.",
        ),
    ),
    Metric(
        "dnsmos_p808", "DNSMOS P.808", "MOS", 1.0, 5.0,
        "DNSMOS P.808 (Reddy et al. 2021): without a reference, made for denoised speech, not codecs.",
        packages=("speechmos", "onnxruntime"), modules=_SPEECHMOS, reference=False,
        target="no_reference:dnsmos", domain=replace(_WIDE, least_seconds=0.5, usual=_DENOISED),
    ),
    Metric(
        "dnsmos_ovrl", "DNSMOS OVRL", "MOS", 1.0, 5.0,
        "DNSMOS P.835 overall (Reddy et al. 2022): without a reference, made for denoised speech.",
        packages=("speechmos", "onnxruntime"), modules=_SPEECHMOS, reference=False,
        target="no_reference:dnsmos", domain=replace(_WIDE, least_seconds=0.5, usual=_DENOISED),
    ),
    Metric(
        "plcmos", "PLCMOS", "MOS", 1.0, 5.0,
        "PLCMOS v2 (Diener et al. 2023): without a reference, made for concealed packet loss.",
        packages=("speechmos", "onnxruntime"), modules=_SPEECHMOS, reference=False,
        target="no_reference:plcmos",
        domain=replace(_WIDE, least_seconds=0.5, usual="Speech after the concealment of lost packets."),
    ),
    Metric(
        "distillmos", "DistillMOS", "MOS", 1.0, 5.0,
        "DistillMOS (Stahl & Gamper 2025): without a reference, distilled from a large network of speech.",
        packages=("distillmos", "torch"), modules=("distillmos", "xls_r_sqa", "torch"), reference=False,
        target="no_reference:distillmos",
        domain=replace(_WIDE, least_seconds=0.5, usual="Speech with any degradation, about 8 s."),
    ),
    Metric(
        "talker", "Talker similarity", "", -1.0, 1.0,
        "Cosine between the voices of reference and output as a network for telling talkers apart places "
        "them (GE2E, Wan et al. 2018): whether it still is the same person.",
        packages=("resemblyzer", "torch"), modules=("resemblyzer", "torch"),
        target="talker:similarity",
        domain=Domain(
            least_seconds=0.8, bandwidth=2500,
            usual="One talker, several seconds.",
        ),
    ),
    Metric(
        "phones", "Phoneme error", "", 0.0, 1.0,
        "Edit distance between the phones that a recogniser hears in reference and output, over their number "
        "in the longer: the paper's phoneme recognition check. English.",
        packages=("pocketsphinx",), modules=("pocketsphinx",), higher_is_better=False,
        target="phones:disagreement", domain=replace(_WIDE, usual="Read English."),
    ),
    Metric(
        "lsd", "Log-spectral distance", "dB", 0.0, 100.0,
        "Root mean square difference of the spectra in dB, over frames of 32 ms in which the reference does "
        "not pause: of any sound. Differences of level count.",
        higher_is_better=False, target="spectra:log_spectral_distance",
        domain=Domain(
            rate=0, channels=2, speech=False,
            usual="Any sound; below 1 dB is hardly heard, if it is spread out.",
        ),
    ),
    Metric(
        "mcd", "Mel-cepstral distortion", "dB", 0.0, 100.0,
        "Kubichek 1993, of 24 mel-cepstra without the level, on time-aligned frames of 32 ms: how far the "
        "colours of the sounds are apart.",
        higher_is_better=False, target="spectra:mel_cepstral_distortion",
        domain=Domain(least_seconds=0.05, usual="Speech synthesis and vocoders; 4 to 8 dB are usual there."),
    ),
    Metric(
        "si_sdr", "SI-SDR", "dB", -100.0, 100.0,
        "Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019): of the waveforms. Systems that do "
        "not keep the waveform (vocoders, neural codecs) get low values whatever they sound like.",
        decimals=1, target="spectra:si_sdr",
        domain=Domain(rate=0, channels=2, speech=False, usual="Separation and waveform codecs."),
    ),
    Metric(
        "polqa", "POLQA", "MOS-LQO", 1.0, 4.75,
        "ITU-T P.863. Licensed, so not computed here; scores computed elsewhere can be uploaded.",
        computed=False,
        domain=Domain(rate=48_000, usual="Speech of 6 to 12 s, narrow-band to full-band."),
    ),
)  # fmt: skip

#: By slug, in the order of tables.
METRICS = {metric.slug: metric for metric in _ALL}

#: Computed for every rendition.
DEFAULT = tuple(metric.slug for metric in _ALL if metric.default)

#: Computed on request, if the library is installed.
OPTIONAL = tuple(metric.slug for metric in _ALL if metric.computed and not metric.default)


#: Computed for every rendition of music or other sound.
GENERAL = ("visqol_audio", "lsd")


def defaults_for(*, speech: bool) -> tuple[str, ...]:
    """The metrics by which every rendition of a clip is measured."""
    return DEFAULT if speech else GENERAL


def offered(metrics: Iterable[str], *, speech: bool) -> list[Metric]:
    """Those of `metrics` that judge speech, or, if it is not, music and other sound."""
    return [METRICS[slug] for slug in metrics if speech or not METRICS[slug].domain.speech]


def metric_of(slug: str) -> Metric:
    """The metric called `slug`; an unknown name (from an import) becomes its own title."""
    return METRICS.get(slug) or Metric(slug, slug, "", float("-inf"), float("inf"), "", computed=False)


def list_available() -> tuple[str, ...]:
    """Slugs of the metrics that can be computed here."""
    return tuple(slug for slug, metric in METRICS.items() if not metric.missing)
