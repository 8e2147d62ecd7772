"use strict";
/** Completion and hover in remora.toml, from its JSON schema; mistakes are told by `remora check`. */

const TABLE = /^\s*\[\s*([^\]]*?)\s*\]/;
const KEY = /^\s*([A-Za-z0-9_-]+)\s*(=?)/;

/**
 * @typedef {{description?: string, default?: any, enum?: any[], type?: string}} Key
 * @typedef {{description?: string, keys: Record<string, Key>}} Table
 */

/**
 * @param {any} schema
 * @returns {Record<string, Table>} the tables of the file; `adapters` has no keys of its own
 */
function tables(schema) {
  /** @type {Record<string, Table>} */
  const found = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const table = resolved(schema, property);
    found[name] = { description: table.description ?? property.description, keys: table.properties ?? {} };
  }
  return found;
}

/** A table that may be left out is a choice between it and null. */
function resolved(schema, property) {
  const target = property.$ref ?? property.anyOf?.find((each) => each.$ref)?.$ref;
  return target ? schema.$defs[target.split("/").pop()] : property;
}

/**
 * @param {string[]} lines of the file
 * @param {number} number of the line, from 0
 * @returns {{table: string | undefined, key: string | undefined, isHeader: boolean, isValue: boolean}}
 */
function place(lines, number) {
  const line = lines[number];
  const header = TABLE.exec(line);
  const above = lines.slice(0, number).map((each) => TABLE.exec(each)?.[1]).filter(Boolean);
  const [, key, equals] = header ? [] : KEY.exec(line) ?? [];
  return { table: header?.[1] ?? above.pop(), key, isHeader: /^\s*\[/.test(line), isValue: equals === "=" };
}

/**
 * @param {Record<string, Table>} known
 * @param {string[]} lines
 * @param {number} number
 * @returns {{text: string, insert: string, description?: string}[]} what may stand there
 */
function completions(known, lines, number) {
  const { table, key, isHeader, isValue } = place(lines, number);
  if (isHeader) return Object.entries(known).map(([name, each]) => ({ text: name, insert: name, description: each.description }));
  const keys = known[table ?? ""]?.keys ?? {};
  if (isValue) return values(keys[key ?? ""]).map((value) => ({ text: value, insert: value }));
  const used = new Set(tableLines(lines, number).map((line) => KEY.exec(line)?.[1]));
  return Object.entries(keys)
    .filter(([name]) => !used.has(name))
    .map(([name, each]) => ({ text: name, insert: `${name} = `, description: told(each) }));
}

/** The other lines of the table that a line is in. */
function tableLines(lines, number) {
  const isHeader = (line) => TABLE.test(line);
  const begin = lines.slice(0, number).findLastIndex(isHeader) + 1;
  const after = lines.slice(number + 1).findIndex(isHeader);
  const end = after < 0 ? lines.length : number + 1 + after;
  return lines.slice(begin, end).filter((_, index) => begin + index !== number);
}

/**
 * @param {Record<string, Table>} known
 * @param {string[]} lines
 * @param {number} number
 * @returns {string | undefined} what the table or key of a line is
 */
function hover(known, lines, number) {
  const { table, key } = place(lines, number);
  const found = known[table ?? ""];
  const each = key === undefined ? undefined : found?.keys[key];
  return key === undefined ? found?.description : each && told(each);
}

/** @param {Key} key */
function told({ description = "", default: value }) {
  return value === undefined || value === null ? description : `${description}\n\nDefault: \`${JSON.stringify(value)}\``;
}

function values(key) {
  const options = [key, ...(key?.anyOf ?? [])].flatMap((each) => each?.enum ?? (each?.type === "boolean" ? [true, false] : []));
  return options.map((value) => JSON.stringify(value));
}

module.exports = { completions, hover, tables };
