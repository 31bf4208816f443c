/* global AudioWorkletProcessor, registerProcessor -- of AudioWorkletGlobalScope */
/* In the audio thread: hands on what the microphone gives, sample by sample, in blocks. A recorder of the browser
   would code it first, and then the systems would be heard on top of that codec. */

const BLOCK = 2048;

class Capture extends AudioWorkletProcessor {
  #block = new Float32Array(BLOCK);
  #filled = 0;

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    const samples = input[0] ?? [];
    for (const sample of samples) {
      this.#block[this.#filled] = sample;
      this.#filled += 1;
      if (this.#filled < BLOCK) continue;
      this.port.postMessage(this.#block);
      this.#block = new Float32Array(BLOCK);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor("capture", Capture);
