/* Events with typed details. */

/**
 * `Details` names the events and the type of each one's detail.
 *
 * @template {Record<string, any>} Details
 */
export class Emitter extends EventTarget {
  /**
   * @template {keyof Details & string} Type
   * @param {Type} type
   * @param {(detail: Details[Type]) => void} listener
   */
  on(type, listener) {
    this.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * @template {keyof Details & string} Type
   * @param {Type} type
   * @param {Details[Type]} [detail]
   */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
