"""Training on real speech, small: every stage runs, and killed plus resumed equals uninterrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from codec.base import CodecError
from codec.bpgan.config import (
    LatentConfig,
    ModelConfig,
    Rate,
    RefinerConfig,
    SpectrumConfig,
    TrainConfig,
    preset,
)
from codec.bpgan.entropy.tables import TableContexts
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.search.objective import Problem
from codec.bpgan.training import data, pool
from codec.bpgan.training.pool import Pool
from codec.bpgan.training.train import Trainer
from tests.codec.bpgan.models import random_nade
from tests.codec.speech import harvard_sentence

TINY = replace(
    preset("default")[0].network,
    encoder_width=16,
    encoder_blocks=(1, 1),
    generator_width=16,
    generator_blocks=(1, 1),
)
RECIPE = TrainConfig(
    batch=2,
    frames=64,
    warmup=2,
    discriminator_warmup=1,
    discriminator_width=4,
    ema=0.9,
    adversarial_at=0.5,
    search_at=0.7,
    spectrum_at=0.85,
    search_steps=2,
    search_reuse=2,
)
STEPS = 20
SPECTRUM = SpectrumConfig(width=8, blocks=1, noise=4)


@pytest.fixture(scope="module")
def timit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real speech in TIMIT's layout: dialect region, speaker, NIST SPHERE files."""
    root = tmp_path_factory.mktemp("timit")
    for index in range(8):
        folder = root / "TRAIN" / "DR1" / f"SPEAKER{index // 2}"
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            folder / f"SX{index}.WAV", harvard_sentence(index), 16_000, format="NIST", subtype="PCM_16"
        )
    return root


def trainer(timit: Path, out: Path, config: ModelConfig | None = None) -> Trainer:
    torch.set_num_threads(1)
    config = config or replace(preset("default")[0], network=TINY, spectrum=SPECTRUM)
    recipe = RECIPE if config.spectrum.blocks else replace(RECIPE, spectrum_at=1.0)
    return Trainer(config, recipe, [timit], out, 7, torch.device("cpu"), timit / "cache")


@pytest.fixture(scope="module")
def whole(timit: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Path]:
    """A run through all stages, to its end, and its folder: to look at, not to change."""
    folder = tmp_path_factory.mktemp("whole")
    run = trainer(timit, folder)
    run.fit(None, STEPS, 999, 999)
    return run, folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return BPGANModel.load(run / "model.safetensors").state_dict()


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@pytest.mark.rest
def test_killed_and_resumed_equals_uninterrupted(
    timit: Path, tmp_path: Path, whole: tuple[Trainer, Path]
) -> None:
    run = tmp_path / "killed"
    victim = trainer(timit, run)
    for kill_at in (2, 11, 15, 18):  # float, adversarial, search, spectrum
        one_step = victim.take_step

        def step(done: float, victim: Trainer = victim, one_step=one_step, kill_at: int = kill_at):
            if victim.step == kill_at:
                raise Killed
            return one_step(done)

        victim.take_step = step  # type: ignore[method-assign]
        with pytest.raises(Killed):
            victim.fit(None, STEPS, 0.0, 999)
        assert victim.step == kill_at
        victim = Trainer.resume(run, torch.device("cpu"), timit / "cache")
    victim.fit(None, STEPS, 999, 999)
    expected, resumed = weights(whole[1]), weights(run)
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)


def test_a_run_leaves_a_model_curves_and_validation(whole: tuple[Trainer, Path]) -> None:
    run, folder = whole
    stages = [row.split(",")[2] for row in (folder / "validation.csv").read_text().splitlines()[1:]]
    assert stages == ["spectrum"]
    assert (run.adversary.steps, run.spectrum_adversary.steps, run.stage_steps) == (7, 3, 3)
    written = ("model.safetensors", "best.safetensors", "checkpoint.pt", "validation.csv", "validation.png")
    for name in written:
        assert (folder / name).stat().st_size > 0
    model = BPGANModel.load(folder / "model.safetensors")
    fitted, blank = (m.arrays()["frequencies"] for m in (model.contexts, TableContexts.uniform(16, 16)))
    assert not np.array_equal(fitted, blank)
    assert (model.quantizer.centres.diff(dim=1) >= 0).all()


@pytest.mark.rest
def test_a_model_with_layers_starts_from_one_without_and_serves_every_rate(
    timit: Path, tmp_path: Path
) -> None:
    small = replace(preset("default")[0], network=TINY)
    trainer(timit, tmp_path / "small", small).fit(None, STEPS, 999, 999)
    start = BPGANModel.load(tmp_path / "small" / "model.safetensors")

    latent = replace(small.latent, channels=24, layers=(8, 16, 24))
    run = trainer(timit, tmp_path / "grown", replace(small, latent=latent))
    run.start_from(start)
    mel = run.crops.targets(0)
    with torch.no_grad():
        z = run.model.encoder(mel)
        torch.testing.assert_close(z[:, :16], start.encoder(mel))
        torch.testing.assert_close(run.model.generator(z), start.generator(start.encoder(mel)))
    counts = {int(n) for n in run.crops.channel_mask(run.step).sum(dim=1).flatten()}
    assert counts <= {8, 16, 24}
    run.fit(None, 4, 999, 999)

    model = BPGANModel.load(tmp_path / "grown" / "model.safetensors")
    assert model.config.latent.layers == (8, 16, 24)
    for sent in model.config.latent.layers:
        symbols = model.quantizer.encode(model.encoder(mel)[:, :sent])
        values = model.quantizer.decode(symbols)
        assert values.shape[1] == sent
        dropped = torch.nn.functional.pad(values, (0, 0, 0, 24 - sent))
        torch.testing.assert_close(model.generator(values), model.generator(dropped))

    wider = replace(small, network=replace(TINY, generator_width=32))
    with pytest.raises(CodecError, match="do not fit"):
        trainer(timit, tmp_path / "other", wider).start_from(start)


def test_a_deeper_network_starts_as_the_one_it_grows_from(timit: Path, tmp_path: Path) -> None:
    small = replace(preset("default")[0], network=TINY)
    start = BPGANModel(small).eval()
    deep = replace(small, network=replace(TINY, encoder_blocks=(2, 3), generator_blocks=(4, 2)))
    run = trainer(timit, tmp_path, deep)
    run.start_from(start)
    mel = run.crops.targets(0)
    with torch.no_grad():
        z = start.encoder(mel)
        torch.testing.assert_close(run.model.encoder(mel), z)
        torch.testing.assert_close(run.model.generator(z), start.generator(z))
    grown = run.model.generator.get_submodule("layers.4.down")
    before = next(grown.parameters()).clone()
    run.fit(None, 4, 999, 999)
    assert not torch.equal(next(grown.parameters()), before)
    with pytest.raises(CodecError, match="another kind"):
        trainer(timit, tmp_path / "less", small).start_from(run.model)
    fine, coarse = (replace(small, spectrum=replace(SPECTRUM, width=width)) for width in (8, 16))
    with pytest.raises(CodecError, match="spectrum network of another size, and this run trains none"):
        Trainer(
            *(fine, replace(RECIPE, spectrum_at=1.0), [timit], tmp_path / "fine", 7),
            *(torch.device("cpu"), timit / "cache"),
        ).start_from(BPGANModel(coarse))
    # Who asks for another size and trains it gets a new one.
    other = trainer(timit, tmp_path / "new", fine)
    fresh = [p.clone() for p in other.model.spectrum.parameters()]
    other.start_from(BPGANModel(coarse))
    assert all(torch.equal(a, b) for a, b in zip(fresh, other.model.spectrum.parameters(), strict=True))
    # One that has grown begins as what it was.
    old = BPGANModel(fine)
    nn.init.normal_(old.spectrum.layers[-1].weight)
    more = replace(fine, spectrum=replace(fine.spectrum, blocks=3, latent=True))
    new = trainer(timit, tmp_path / "more", more)
    new.start_from(old)
    values, log_mel = torch.randn(1, 16, 8), torch.randn(1, 128, 32)
    # Sums of other shapes are taken in another order, which depends on the processor.
    torch.testing.assert_close(
        new.model.spectrum(log_mel, values), old.spectrum(log_mel, values), rtol=1e-5, atol=1e-5
    )


def test_the_refiner_stage_teaches_the_refiner_alone_and_what_it_learns_is_kept(
    timit: Path, tmp_path: Path
) -> None:
    config = replace(
        preset("default")[0], network=TINY, spectrum=SPECTRUM, refiner=RefinerConfig(width=8, blocks=1)
    )
    recipe = replace(RECIPE, refiner_at=0.8, spectrum_at=0.9, learning_rate=2e-3)
    run = Trainer(config, recipe, [timit], tmp_path / "run", 7, torch.device("cpu"), timit / "cache")
    run.take_step(0.3)
    run.take_step(0.8)
    before = {n: t.clone() for n, t in run.model.state_dict().items()}
    for run.step in range(1, 8):
        run.take_step(0.85)
    assert (run.stage, len(run.searched) > 1) == ("refiner", True)
    changed = {n.split(".")[0] for n, t in run.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"refiner", "marginals"}
    # A stage's schedule is its own: it begins anew, and has run down where the next begins.
    rates = [run.choose_rate(done) for done in (0.8, 0.85, 0.8999)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(recipe.learning_rate * recipe.final_rate, rel=1e-2)
    run.take_step(0.9)
    assert (run.stage, run.stage_steps) == ("spectrum", 1)
    # The spectrum network is handed what the refiner makes of the average.
    assert run.model.refiner is not None
    for mine, averaged in zip(run.model.refiner.parameters(), run.averaged.refiner.parameters(), strict=True):
        torch.testing.assert_close(mine, averaged)
    run.save()
    again = Trainer.resume(tmp_path / "run", torch.device("cpu"), timit / "cache")
    assert all(
        torch.equal(a, b)
        for a, b in zip(again.averaged.state_dict().values(), run.averaged.state_dict().values(), strict=True)
    )
    larger = replace(config, spectrum=replace(SPECTRUM, width=16, latent=True))
    longer = Trainer(larger, recipe, [timit], tmp_path / "larger", 7, torch.device("cpu"), timit / "cache")
    longer.start_from(run.averaged)
    kept = longer.model.refiner
    assert kept is not None
    assert all(
        torch.equal(a, b) for a, b in zip(kept.parameters(), run.averaged.refiner.parameters(), strict=True)
    )
    with pytest.raises(CodecError, match="no refiner to train"):
        Trainer(
            *(replace(config, refiner=RefinerConfig()), recipe, [timit], tmp_path / "none", 7),
            *(torch.device("cpu"), timit / "cache"),
        )


def test_a_run_of_receivers_stages_keeps_what_calibration_found(timit: Path, tmp_path: Path) -> None:
    layers = LatentConfig(channels=40, layers=(10, 16, 20, 40))
    config = replace(preset("scalable")[0], network=TINY, spectrum=SPECTRUM, latent=layers)
    start = BPGANModel(config).eval()
    start.contexts, start.rates = random_nade(40), {"bpgan-2k": Rate(20, 0.03), "bpgan-4k": Rate(40, 0.01)}
    start.notes = {"calibrated": "{}"}
    recipe = replace(RECIPE, refiner_at=0.0, spectrum_at=0.9, search_at=0.0, layer_shares=(1, 1, 8, 1))
    larger = replace(config, refiner=RefinerConfig(width=8, blocks=1))
    arguments = ([timit], tmp_path / "run", 7, torch.device("cpu"), timit / "cache")
    run = Trainer(larger, recipe, *arguments)
    run.start_from(start)
    for run.step in range(3):
        run.take_step(0.1)
    assert all(symbols.shape[1] == 20 for symbols in run.searched.values())
    # Another run with the same codec searches none of these crops again, whatever receiver it trains.
    twin = Trainer(config, replace(recipe, refiner_at=1.0, spectrum_at=0.0), *arguments)
    twin.start_from(start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "search", None)
        for twin.step in range(3):
            twin.take_step(0.1)
    assert all(torch.equal(twin.searched[step], symbols) for step, symbols in run.searched.items())
    run.save()
    again = Trainer.resume(tmp_path / "run", torch.device("cpu"), timit / "cache")
    again.finish()
    made = BPGANModel.load(tmp_path / "run" / "model.safetensors")
    assert made.rates == start.rates
    for name, array in start.contexts.arrays().items():
        assert np.array_equal(made.contexts.arrays()[name], array)
    assert set(made.notes) == {"calibrated", "receiver"}
    sent = [m.quantizer.centres for m in (start, made)]
    assert torch.equal(*sent)
    # A run that changes what is sent fits tables of its own.
    other = Trainer(larger, replace(recipe, refiner_at=0.5), [timit], tmp_path / "other", *arguments[2:])
    other.start_from(start)
    assert not other.averaged.rates


def test_a_refiner_learns(timit: Path, tmp_path: Path) -> None:
    config = replace(preset("default")[0], network=TINY, refiner=RefinerConfig(width=32, blocks=1))
    recipe = replace(
        RECIPE,
        batch=4,
        quantise_at=0.0,
        adversarial_at=1.0,
        search_at=1.0,
        refiner_at=0.1,
        spectrum_at=1.0,
        learning_rate=3e-3,
    )
    run = Trainer(config, recipe, [timit], tmp_path / "run", 7, torch.device("cpu"), timit / "cache")
    run.take_step(0.0)
    losses = []
    for run.step in range(1, 60):
        losses.append(float(run.take_step(0.11)["l1"].detach()))
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:5])


def test_the_search_stage_teaches_the_decoder_only_what_is_sent(timit: Path, tmp_path: Path) -> None:
    run = trainer(timit, tmp_path)
    for run.step, done in enumerate((0.3, 0.6, 0.8)):
        encoder = [p.detach().clone() for p in run.model.encoder.parameters()]
        generator = [p.detach().clone() for p in run.model.generator.parameters()]
        run.take_step(done)
        moved = [
            any(not torch.equal(a, b) for a, b in zip(before, part.parameters(), strict=True))
            for before, part in ((encoder, run.model.encoder), (generator, run.model.generator))
        ]
        assert moved == [done < 0.7, True]
    step, values = Pool(run, run.crops.targets).draw(run.step)
    assert step in run.searched
    levels = run.model.quantizer.per_channel()
    assert (values[..., None] == levels[None, :, None]).any(dim=-1).all()


def test_the_search_stage_may_keep_to_the_encoder_as_well(timit: Path, tmp_path: Path) -> None:
    """Every third step is of the encoder's symbols, and moves the encoder as well; levels stay."""
    run = trainer(timit, tmp_path)
    run.recipe = replace(run.recipe, encoder_every=3, layer_shares=(1, 1, 8, 1))
    run.take_step(0.3)
    levels = run.model.quantizer.centres.clone()
    moved, drawn = [], []
    for run.step in range(1, 7):
        encoder = [p.detach().clone() for p in run.model.encoder.parameters()]
        run.take_step(0.8)
        now = run.model.encoder.parameters()
        moved.append(any(not torch.equal(a, b) for a, b in zip(encoder, now, strict=True)))
        drawn.append(len(run.searched))
    assert moved == [False, True, False, False, True, False]
    assert drawn[1] == drawn[0]
    assert torch.equal(run.model.quantizer.centres, levels)


@pytest.mark.parametrize(("name", "part"), [("disturbance", "disturbance"), ("similarity", "dissimilarity")])
def test_j_counts_what_is_heard_in_training_as_in_the_search(
    timit: Path, tmp_path: Path, name: str, part: str
) -> None:
    run = trainer(timit, tmp_path)
    run.take_step(0.3)
    stage = run.stages["quantised"]
    mel = run.crops.mel(3)[:1]
    generated = mel + 0.3 * torch.randn(mel.shape, generator=torch.Generator().manual_seed(1))
    plain, losses = stage.weigh_distortion(generated, mel)
    searched = Problem(run.model, mel).distortion(generated)
    assert part not in losses
    config = run.model.config
    run.model.config = replace(config, objective=replace(config.objective, **{name: 0.3}))
    j, losses = stage.weigh_distortion(generated, mel)
    assert float(j - plain) == pytest.approx(0.3 * float(losses[part]), rel=1e-3)
    more = Problem(run.model, mel).distortion(generated) - searched
    assert float(j - plain) == pytest.approx(float(more), rel=1e-3)


def test_the_spectrum_stage_leaves_the_codec_as_it_is(timit: Path, tmp_path: Path) -> None:
    run = trainer(timit, tmp_path)
    run.take_step(0.3)
    run.take_step(0.9)
    before = {n: t.clone() for n, t in run.model.state_dict().items()}
    for run.step in range(1, 4):
        run.take_step(0.95)
    assert len(run.searched) == 1
    for run.step in range(4, 12):
        run.take_step(0.95)
    assert len(run.searched) > 2  # the diet changes
    changed = {n.split(".")[0] for n, t in run.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"spectrum", "marginals"}  # the price list of the search in training
    with pytest.raises(CodecError, match="no spectrum network"):
        Trainer(
            *(replace(preset("default")[0], network=TINY), RECIPE, [timit], tmp_path / "other", 7),
            *(torch.device("cpu"), timit / "cache"),
        )


def test_the_spectrum_stage_counts_the_loudness_where_the_recipe_asks(timit: Path, tmp_path: Path) -> None:
    """Its weight multiplies what `Disturbance` finds, and nothing else of the first step's loss changes."""
    found = []
    for weight in (0.0, 0.5):
        run = trainer(timit, tmp_path / str(weight))
        run.recipe = replace(run.recipe, w_disturbance=weight)
        run.enter_stage("spectrum")
        found.append(run.stages["spectrum"].loss(0.95))
    (plain, parts), (heavier, more) = found
    assert "disturbance" not in parts
    assert float(more["disturbance"].detach()) > 0
    assert float(heavier.detach() - plain.detach()) == pytest.approx(
        0.5 * float(more["disturbance"].detach()), rel=1e-4
    )


def test_receivers_stages_encode_what_a_sender_encodes(timit: Path, tmp_path: Path) -> None:
    """The encoder gets the log-mel in full precision there, not one computed in bfloat16."""
    run = trainer(timit, tmp_path)
    run.take_step(0.3)
    seen: list[torch.Tensor] = []
    run.model.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    run.step = 1
    run.take_step(0.9)
    assert any(torch.equal(each, run.crops.mel(1)) for each in seen)


def test_hours_and_settings_are_chosen_on_the_command_line(timit: Path, tmp_path: Path) -> None:
    model, recipe = preset("default", ["latent.channels=8", 'latent.codebook="global"', "training.tilt=0.5"])
    assert (model.latent.channels, model.latent.codebook, recipe.tilt) == (8, "global", 0.5)
    for wrong in ("latent.chanels=8", "channels=8", "latent=8", "nothing.channels=8"):
        with pytest.raises(CodecError, match="no setting"):
            preset("default", [wrong])
    with pytest.raises(CodecError, match="cannot be read"):
        preset("default", ["latent.codebook=global"])
    corpus = data.pack(data.find_utterances([timit]), timit / "cache", 16_000)
    everything = list(range(len(corpus)))
    few = corpus.draw_hours(everything, 0.5 * corpus.hours, seed=1)
    lengths = np.diff(corpus.bounds) / 16_000 / 3600
    assert 0.5 * corpus.hours <= lengths[few].sum() <= 0.5 * corpus.hours + lengths.max()
    assert few == corpus.draw_hours(everything, 0.5 * corpus.hours, seed=1)
    assert corpus.draw_hours(everything, 99, seed=1) == everything


def test_training_learns(timit: Path, tmp_path: Path) -> None:
    run = trainer(timit, tmp_path)
    run.recipe = replace(RECIPE, learning_rate=5e-3)
    losses = []
    for run.step in range(80):  # in bfloat16, where the processor has it, it takes 20 more than in float32
        losses.append(run.take_step(0.0)["l1"].item())
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


def test_the_papers_network_trains(timit: Path, tmp_path: Path) -> None:
    config, recipe = preset("paper")
    small = replace(config, network=replace(config.network, base=4, most=16))
    run = Trainer(small, replace(recipe, batch=1, frames=128, discriminator_width=4), [timit], tmp_path, 0,
                  torch.device("cpu"), timit / "cache")  # fmt: skip
    run.fit(None, 3, 999, 999)
    full = sum(p.numel() for p in BPGANModel(config).generator.parameters())
    assert full == pytest.approx(15.8e6, rel=0.01)
    assert config.latent.channels * 128 // config.latent.stride == 512  # values per 1.024 s


def test_speakers_never_straddle_training_and_validation(timit: Path, tmp_path: Path) -> None:
    corpus = data.pack(data.find_utterances([timit]), tmp_path, 16_000)
    train, validation = corpus.split(2)
    assert validation
    assert not {corpus.speakers[i] for i in train} & {corpus.speakers[i] for i in validation}


def test_manifests_and_flat_folders_name_speakers(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    folder.mkdir()
    for name in ("anna_1.wav", "anna_2.wav", "bert-1.wav"):
        soundfile.write(folder / name, harvard_sentence(0), 16_000)
    assert sorted(u.speaker for u in data.find_utterances([folder])) == ["anna", "anna", "bert"]
    (tmp_path / "speech.tsv").write_text('path\tspeaker\ttext\nspeech/anna_1.wav\ts1\tHe said "no\n')
    assert [u.speaker for u in data.find_utterances([folder])] == ["s1"]


def test_unusable_files_are_left_out_and_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").write_text("not audio")
    soundfile.write(tmp_path / "a" / "y.wav", np.zeros(16_000), 16_000)
    with pytest.raises(CodecError, match="None of the 2 files"):
        data.pack(data.find_utterances([tmp_path / "a"]), tmp_path / "cache", 16_000)
    soundfile.write(tmp_path / "a" / "z.wav", harvard_sentence(0), 16_000)
    assert len(data.pack(data.find_utterances([tmp_path / "a"]), tmp_path / "cache", 16_000)) == 1
    with pytest.raises(CodecError, match="no folder"):
        data.find_utterances([tmp_path / "missing"])


#: Packs files of which the second lies on a disk that does not answer.
_PACK = """
import sys, time
from pathlib import Path
from codec.bpgan.training import data
read = data.read_audio
def read_or_wait(path, rate):
    return read(path, rate=rate) if path.name == "a.wav" else time.sleep(600)
data.read_audio = read_or_wait
data.pack([data.Utterance(Path(path), "anna") for path in sys.argv[2:]], Path(sys.argv[1]), 16_000)
"""


def test_a_pack_is_whole_or_not_there(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", harvard_sentence(0), 16_000)
    found, cache = data.find_utterances([tmp_path]), tmp_path / "cache"
    # Runs that begin at once on the same speech make the same pack, each for itself; one of them stays.
    with ThreadPoolExecutor(4) as pool:
        packs = list(pool.map(lambda _: data.pack(found, cache, 16_000), range(4)))
    assert [len(corpus) for corpus in packs] == [1] * 4
    (folder,) = cache.iterdir()
    written = (folder / "index.json").stat().st_mtime_ns
    # One that is killed leaves nothing that could be taken for a pack. It cannot have come to an end when its
    # progress bar appears.
    slow = tmp_path / "slow.wav"
    slow.touch()
    command = [sys.executable, "-c", _PACK, str(cache), str(found[0].path), str(slow)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        told = b""
        while b"packing" not in told and (byte := run.stderr.read(1)):
            told += byte
        run.kill()
    assert run.returncode == -signal.SIGKILL
    assert len(list(cache.iterdir())) == 2
    assert [p for p in cache.iterdir() if (p / "index.json").exists()] == [folder]
    data.pack(found, cache, 16_000)
    assert (folder / "index.json").stat().st_mtime_ns == written


def test_a_finished_run_can_be_gone_on_with(timit: Path, whole: tuple[Trainer, Path]) -> None:
    run, folder = whole
    assert run.stage == "spectrum"
    searched = set(run.searched)
    longer = Trainer.resume(folder, torch.device("cpu"), timit / "cache")
    assert (longer.stage, longer.stage_steps, set(longer.searched)) == ("spectrum", run.stage_steps, searched)
    # Of twice as many steps this one is half of the way: back among the codec's stages.
    longer.take_step(longer.measure_progress(None, 2 * STEPS))
    assert longer.stage == "adversarial"
    assert not longer.searched
    assert longer.averaged.spectrum is not None
    assert longer.model.spectrum is not None
    before = [p.clone() for p in longer.averaged.spectrum.parameters()]
    longer.take_step(0.99)
    # The spectrum stage begins anew, after the average of what the others have learnt.
    assert (longer.stage, longer.stage_steps) == ("spectrum", 1)
    for mine, theirs in zip(
        longer.model.encoder.parameters(), longer.averaged.encoder.parameters(), strict=True
    ):
        torch.testing.assert_close(mine, theirs)
    # Its average forgets where it began as fast as that of any young network.
    after, trained = longer.averaged.spectrum.parameters(), longer.model.spectrum.parameters()
    for old, new, reached in zip(before, after, trained, strict=True):
        torch.testing.assert_close(new, old.lerp(reached, 9 / 11))


def test_a_checkpoint_of_an_older_format_is_refused_by_name(timit: Path, tmp_path: Path) -> None:
    trainer(timit, tmp_path / "old").save()
    path = tmp_path / "old" / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["adversary"]
    torch.save(state, path)
    with pytest.raises(CodecError, match="older Earshot and lacks adversary"):
        Trainer.resume(tmp_path / "old", torch.device("cpu"), timit / "cache")


def test_a_missing_or_damaged_model_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"junk")
    with pytest.raises(CodecError, match=r"broken\.safetensors"):
        BPGANModel.load(path)
