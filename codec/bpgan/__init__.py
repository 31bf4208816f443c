"""BPGAN: speech at 2 kbit/s by back-propagation through a GAN's generator.

The chain of Chaulagain & Bhattarai, "Generative Adversarial Network for Audio Compression", after
Liu, Cao & Kim (ICASSP 2020)::

    waveform -> mel -> encoder -> search -> symbols -> coder -> bitstream
    bitstream -> symbols -> generator -> mel -> spectrum -> inverse STFT -> waveform

Each room imports only those above it in this list:

- `entropy`: integers in, bytes out: context models, coders, bitstream;
- `config` and ``presets``: the sizes of a model, and the recipe for training it;
- `network`: mel-spectrogram, encoder, quantiser, generator, spectrum network, vocoder; the model as a whole;
- `search`: the search for the symbols to send, and files of any length in blocks;
- `system`: the codec that the registry knows;
- `training`: from a folder of speech to a calibrated model (knows nothing of `system`);
- `reports`: measurements of what a model can do.
"""

from codec.threads import let_threads_sleep

# Before any module of this package brings PyTorch in.
let_threads_sleep()
