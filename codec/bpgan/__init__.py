"""BPGAN: speech at 2 kbit/s by back-propagation through a GAN's generator.

The chain of Chaulagain & Bhattarai, "Generative Adversarial Network for Audio Compression", after
Liu, Cao & Kim (ICASSP 2020)::

    waveform -> mel -> encoder -> search -> symbols -> entropy -> bitstream
    bitstream -> symbols -> generator -> mel -> spectrum -> inverse STFT -> waveform

One module a step: `mel`, `encoder`, `search`, `quantizer`, `entropy`, `bitstream`, `generator`,
`spectrum`, `vocoder`. `discriminators`, `adversary`, `learning` and `train` are needed only to make a model,
`system` ties the chain together.
"""
