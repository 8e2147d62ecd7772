"use strict";
/** API keys of endpoints, one for each folder: in VS Code's secret storage, and nowhere else. */

const VARIABLE = "REMORA_API_KEY";

class Keys {
  /** @param {import("vscode").SecretStorage} secrets */
  constructor(secrets) {
    this.secrets = secrets;
  }

  /** @param {string} folder @returns {Thenable<string | undefined>} */
  of(folder) {
    return this.secrets.get(nameOf(folder));
  }

  /** @param {string} folder @param {string} key empty forgets it */
  set(folder, key) {
    return key ? this.secrets.store(nameOf(folder), key) : this.secrets.delete(nameOf(folder));
  }

  /**
   * @param {string} folder
   * @returns {Promise<Record<string, string | undefined>>} the environment of a command: what
   *   others could read in a list of processes would not be secret
   */
  async environment(folder) {
    const key = await this.of(folder);
    return key ? { ...process.env, [VARIABLE]: key } : process.env;
  }
}

const nameOf = (folder) => `api-key:${folder}`;

module.exports = { Keys };
