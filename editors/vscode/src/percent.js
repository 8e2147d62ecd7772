"use strict";
/** How far a deployment is, as one number that never falls. */

// Shares of a deployment with new weights, in percent. Uploading tells its own progress.
const SHARES = { check: 5, pack: 5, survey: 5, sync: 50, publish: 5, start: 5, serve: 25 };

class Percent {
  value = 0;
  #begun = 0;
  #share = 0;

  /**
   * @param {import("./events").RemoraEvent} event
   * @returns {number} by how much it has grown
   */
  after(event) {
    if (event.event === "phase" && event.phase in SHARES) {
      if (event.seconds === null) {
        this.#begun = shareBefore(event.phase);
        this.#share = SHARES[event.phase];
        return this.#grow(this.#begun);
      }
      return this.#grow(this.#begun + this.#share);
    }
    if (event.event === "progress" && event.total > 0) {
      return this.#grow(this.#begun + (this.#share * event.done) / event.total);
    }
    return 0;
  }

  #grow(to) {
    const by = Math.max(0, Math.min(100, to) - this.value);
    this.value += by;
    return by;
  }
}

function shareBefore(phase) {
  let sum = 0;
  for (const [name, share] of Object.entries(SHARES)) {
    if (name === phase) break;
    sum += share;
  }
  return sum;
}

module.exports = { Percent };
