/* <earshot-player src="…"></earshot-player>: a demo page's recordings and player on any web page. `src` is the
   address of the frame that the editor of the page shows, or of an exported page with #embed at its end.
   The script is whole in itself, so that it can be loaded by a plain <script src>, from disk too. */

class EarshotPlayer extends HTMLElement {
  #frame = document.createElement("iframe");

  connectedCallback() {
    this.style.display = "block";
    Object.assign(this.#frame, {
      src: this.getAttribute("src") ?? "",
      title: this.getAttribute("title") ?? "Recordings to compare",
      allow: "autoplay",
    });
    Object.assign(this.#frame.style, { display: "block", width: "100%", height: "480px", border: "0" });
    if (!this.shadowRoot) this.attachShadow({ mode: "open" }).append(this.#frame);
    window.addEventListener("message", this.#fit);
  }

  disconnectedCallback() {
    window.removeEventListener("message", this.#fit);
  }

  /** @param {MessageEvent} event from the page in the frame, which says how high it is */
  #fit = ({ source, data }) => {
    if (source !== this.#frame.contentWindow || data?.earshot !== "height") return;
    this.#frame.style.height = `${Math.min(Math.max(Number(data.height) || 0, 120), 4000)}px`;
  };
}

customElements.define("earshot-player", EarshotPlayer);
