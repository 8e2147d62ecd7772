"use strict";
/** One command at a time for each folder: two would undo each other's work. */

class Busy extends Error {}

class Jobs {
  /** @type {Map<string, string>} */
  #running = new Map();

  /**
   * @template T
   * @param {string} folder
   * @param {string} title
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   * @throws {Busy} if another one runs
   */
  async exclusively(folder, title, work) {
    const other = this.#running.get(folder);
    if (other !== undefined) throw new Busy(`"${other}" is still running in this folder. Wait for it, or cancel it.`);
    this.#running.set(folder, title);
    try {
      return await work();
    } finally {
      this.#running.delete(folder);
    }
  }
}

module.exports = { Busy, Jobs };
