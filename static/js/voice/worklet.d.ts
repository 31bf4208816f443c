/* Of AudioWorkletGlobalScope, which TypeScript's DOM library leaves out: as far as capture.js needs it. */

declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: Float32Array[][]): boolean;
}

declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
